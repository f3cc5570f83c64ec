//! What is asked of the origin, and from which moment on.

use super::partial;
use crate::{
    semantics::{
        Key, Storability,
        retry_after::{is_for_later, retry_after},
        storability::{Exchange, storability},
    },
    service::{
        Shared,
        flight::Party,
        route::RouteId,
        upstream::{RequestBody, UpstreamError},
    },
    store::{Entry, Position},
};
use http::{HeaderMap, HeaderValue, Method, Request, StatusCode, header::ACCEPT_ENCODING};
use std::{sync::Arc, time::SystemTime};

/// What is fetched.
#[derive(Debug)]
pub(in crate::service) struct Fetch {
    pub(in crate::service) key: Key,
    pub(in crate::service) route: RouteId,
    /// What goes upstream, still with the client's preconditions.
    pub(in crate::service) request: Request<RequestBody>,
    /// What the client sent: later requests are compared with it.
    pub(in crate::service) asked: HeaderMap,
    /// The host and the path of the target, for tags.
    pub(in crate::service) host: Vec<u8>,
    pub(in crate::service) path: String,
    /// What is stored and may be confirmed, or served if the origin fails.
    pub(in crate::service) stored: Option<Arc<Entry>>,
    /// The caller may get an answer of his own: it says nothing about what is stored for others.
    pub(in crate::service) private: bool,
    /// The query as received: not all of it may be in the key.
    pub(in crate::service) query: Option<String>,
    /// Other requests select other responses of this key.
    pub(in crate::service) has_variants: bool,
    /// What is stored is fresh, and asked about only because a purge may have been missed.
    pub(in crate::service) only_in_doubt: bool,
}

/// The moment before a request leaves: whatever is purged from then on may have changed its answer.
#[derive(Clone, Copy, Debug)]
pub(in crate::service) struct Begun {
    pub(super) position: Position,
    pub(super) request_time: SystemTime,
}

impl Begun {
    pub(in crate::service) fn now(shared: &Shared) -> Self {
        Self {
            position: shared.store.position(),
            request_time: shared.clock.now(),
        }
    }

    /// For what a write itself brought: after the `own` purges that it caused. `None` where there may have been others.
    pub(in crate::service) async fn after_own(self, shared: &Shared, own: usize) -> Option<Self> {
        let position = shared.store.position_after_own(self.position, own).await?;
        Some(Self { position, ..self })
    }
}

impl Fetch {
    /// The request as it goes upstream, beside the rest; whether a 304 may be its answer.
    pub(super) fn ready(mut self, shared: &Shared) -> (Request<RequestBody>, Self, bool) {
        // It may have been purged while this request waited: then nothing confirms it.
        let now = shared.clock.now();
        self.stored = self
            .stored
            .filter(|entry| shared.store.standing(entry, now).is_some());
        let headers = self.request.headers_mut();
        if shared.encode.enabled {
            headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity")); // one body serves all codings
        }
        let conditional = partial::ask(headers, &self.asked, self.stored.as_deref());
        let empty = Request::new(RequestBody::Left(http_body_util::Full::default()));
        let request = std::mem::replace(&mut self.request, empty);
        (request, self, conditional)
    }

    /// Whether an answer to it may be stored.
    pub(super) fn storability(
        &self,
        shared: &Shared,
        request_time: SystemTime,
        status: StatusCode,
        headers: &HeaderMap,
    ) -> Storability {
        let exchange = Exchange {
            method: &Method::GET,
            request: &self.asked,
            status,
            response: headers,
            request_time,
            response_time: shared.clock.now(),
        };
        storability(&exchange, &shared.routes.get(self.route).route.policy)
    }

    /// Who asks, as far as flights and back-off tell callers apart.
    pub(super) fn party(&self) -> Party {
        Party {
            key: self.key.clone(),
            private: self.private,
        }
    }

    /// Remembers whether the origin could answer.
    pub(super) fn note(&self, shared: &Shared, status: StatusCode, headers: &HeaderMap) {
        let wish = || retry_after(headers, shared.clock.now());
        match status {
            StatusCode::TOO_MANY_REQUESTS => shared.refresher.declined(&self.party(), wish()),
            status if is_for_later(status) => shared.refresher.failed(&self.party(), wish()),
            _ => shared.refresher.answered(&self.party()),
        }
    }

    /// Remembers that it could not.
    pub(super) fn note_failure(&self, shared: &Shared, error: &UpstreamError) {
        if error.is_of_the_upstream() {
            shared.refresher.failed(&self.party(), None);
        }
    }
}
