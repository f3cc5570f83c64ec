//! One request, as the cache is asked it.

use super::{
    caller::{Caller, has_credentials},
    key::Target,
    rule::Rule,
};
use crate::{message::compact, origin::Origin, semantics::Key};
use bytes::Bytes;
use http::{HeaderMap, Method};
use std::sync::Arc;

/// Everything that a miss needs. It outlives its client: a fetch that has begun holds it to its end, and thousands of
/// requests may wait for one fetch with one of these each, so it holds copies of the right size.
#[derive(Clone, Debug)]
pub(crate) struct Ask {
    /// The rule that the request began with.
    pub(crate) rule: Arc<Rule>,
    /// The primary key.
    pub(crate) key: Key,
    /// What the client wants: GET, HEAD or QUERY, or POST where that is a read.
    pub(crate) method: Method,
    /// What the client sent, without the fields of its hop. Later requests are compared with it.
    pub(crate) request: HeaderMap,
    /// The content of a QUERY or of a POST, which is part of the key.
    pub(crate) content: Option<Bytes>,
    /// Whose tags and groups a stored response is named by.
    pub(crate) host: Box<[u8]>,
    /// The query as received: not all of it may be in the key.
    pub(crate) query: Option<Box<str>>,
    /// What the route names a stored response by.
    pub(crate) tags: Vec<Box<str>>,
    /// Who answers what is not stored.
    pub(crate) origin: Arc<dyn Origin>,
    /// See [`has_credentials`].
    pub(super) credentials: bool,
    /// It waits for nobody else's fetch.
    pub(super) alone: bool,
    /// The origin is asked for identity, whatever the client accepts: that selects nothing then.
    pub(super) asks_for_identity: bool,
}

impl Ask {
    /// A request for `target` by `method` with the fields `request`.
    pub(crate) fn new(
        rule: &Arc<Rule>,
        key: Key,
        target: &Target<'_>,
        method: Method,
        request: &HeaderMap,
        origin: Arc<dyn Origin>,
    ) -> Self {
        Self {
            key,
            method,
            content: None,
            host: rule.key.host_of(target.host).into(),
            query: target.query.map(Box::from),
            tags: Vec::new(),
            origin,
            credentials: has_credentials(&rule.policy, request),
            request: compact::fields(request),
            asks_for_identity: rule.settings.coding.enabled,
            alone: false,
            rule: Arc::clone(rule),
        }
    }

    /// For an answer that came to the client's own request, which said itself what codings it takes.
    pub(crate) fn sent_as_received(self) -> Self {
        Self {
            asks_for_identity: false,
            ..self
        }
    }

    /// For a request that may be part of a fetch under way, and must not wait for that.
    pub(crate) fn alone(self, alone: bool) -> Self {
        Self { alone, ..self }
    }

    /// Named by `tags` where the response is stored.
    pub(crate) fn tagged(self, tags: Vec<Box<str>>) -> Self {
        Self { tags, ..self }
    }

    /// With the content of a QUERY or of a POST.
    pub(crate) fn with_content(self, content: Option<Bytes>) -> Self {
        Self { content, ..self }
    }

    /// The same when nobody waits for the answer.
    pub(super) fn in_background(&self) -> Self {
        Self {
            origin: Arc::clone(&self.origin).in_background(),
            ..self.clone()
        }
    }

    /// Who asks, as far as flights and back-off tell callers apart.
    pub(super) fn caller(&self) -> Caller {
        Caller {
            key: self.key.clone(),
            credentials: self.credentials,
        }
    }
}
