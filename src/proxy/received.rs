//! A request on its way, as far as it is not the message itself.

use super::{
    forwarding::Forwarding, live::Live, observe::Observed, party, route::Compiled, shared::Shared,
    target::Target,
};
use crate::{
    cache::{Ask, Write},
    message::{Interim, Party},
    semantics::Key,
};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Request, Version};
use std::{net::SocketAddr, sync::Arc};

/// Everything that a request keeps from its beginning to its end, whatever is configured meanwhile.
#[derive(Clone, Debug)]
pub(super) struct Received {
    pub(super) shared: Arc<Shared>,
    pub(super) live: Arc<Live>,
    pub(super) route: Arc<Compiled>,
    pub(super) target: Target,
    pub(super) peer: SocketAddr,
    pub(super) id: HeaderValue,
    /// Where its interim responses go; `None` for a client that knows none.
    pub(super) interim: Option<Interim>,
}

impl Received {
    pub(super) fn of(
        shared: &Arc<Shared>,
        live: &Arc<Live>,
        route: &Arc<Compiled>,
        target: Target,
        peer: SocketAddr,
        observed: &Observed,
    ) -> Self {
        Self {
            shared: Arc::clone(shared),
            live: Arc::clone(live),
            route: Arc::clone(route),
            target,
            peer,
            id: observed.request_id().clone(),
            interim: None,
        }
    }

    /// With a way for interim responses. Older clients do not know them (RFC 9110 §15.2).
    pub(super) fn with_interim<B>(self, interim: &Interim, request: &Request<B>) -> Self {
        let knows = request.version() >= Version::HTTP_11;
        Self {
            interim: knows.then(|| interim.clone()),
            ..self
        }
    }

    /// The way to the upstream for this request.
    pub(super) fn forwarding(&self) -> Forwarding {
        Forwarding {
            shared: Arc::clone(&self.shared),
            target: self.target.clone(),
            peer: self.peer,
            id: self.id.clone(),
            interim: self.interim.clone(),
            in_background: false,
        }
    }

    /// Whose share of the upstream it is counted to, with these fields.
    pub(super) fn party(&self, fields: &HeaderMap) -> Party {
        party::of(&self.live.settings.trusted, self.peer.ip(), fields)
    }

    /// What the cache is asked with `key`, by the rule of `self.route`.
    pub(super) fn ask(
        &self,
        key: Key,
        method: &Method,
        headers: &HeaderMap,
        content: Option<Bytes>,
    ) -> Ask {
        let target = self.target.parts();
        let (rule, origin) = (&self.route.rule, Arc::new(self.forwarding()));
        Ask::new(rule, key, &target, method.clone(), headers, origin)
            .tagged(
                self.route
                    .tags_of(self.target.canonical_path(), target.query),
            )
            .with_content(content)
            .alone(self.shared.instance.has_seen(headers))
    }

    /// This request as a write by `method`.
    pub(super) fn write(&self, method: &Method) -> Write {
        let target = self.target.parts();
        let canonical = self.target.canonical_path();
        let write = Write::new(method, &target);
        let mut declared = self.route.purges_of(canonical, target.query);
        if self.target.has_ambiguous_path() {
            // Nobody knows as which of these the origin reads it.
            for path in [target.path, write.loosest_path()] {
                let route = self.live.routes.find(method, path);
                declared.extend(route.purges_of(path, target.query));
            }
        }
        write
            .known_as(self.live.routes.key_hosts())
            .declaring(declared)
            .clearing(self.live.settings.clear_site_data)
            .over_by(self.shared.upstream.longest_write())
    }
}
