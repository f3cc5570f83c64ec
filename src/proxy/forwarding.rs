//! The proxy's way to the upstream, as the cache sees it.

use super::{forward, party, shared::Shared, target::Target};
use crate::{
    message::{Interim, Party},
    origin::{Origin, RequestBody, Sending},
};
use http::{HeaderMap, HeaderValue, Request};
use std::{net::SocketAddr, sync::Arc};

/// How the requests for one client's request are sent.
#[derive(Clone, Debug)]
pub(super) struct Forwarding {
    pub(super) shared: Arc<Shared>,
    pub(super) target: Target,
    pub(super) peer: SocketAddr,
    pub(super) id: HeaderValue,
    pub(super) interim: Option<Interim>,
    /// Nobody waits for the answer.
    pub(super) in_background: bool,
}

impl Forwarding {
    /// Whose share of the upstream a request with these fields is counted to.
    fn party(&self, fields: &HeaderMap) -> Party {
        if self.in_background {
            return Party::ITSELF;
        }
        let live = self.shared.live.load();
        party::of(&live.settings.trusted, self.peer.ip(), fields)
    }
}

impl Origin for Forwarding {
    fn request(&self, fields: &HeaderMap) -> Request<RequestBody> {
        let authority = self.shared.upstream.authority();
        let mut request = Request::new(RequestBody::empty());
        *request.uri_mut() = forward::upstream_uri(&self.target, authority);
        *request.headers_mut() = forward::request_headers(
            fields,
            &self.target,
            authority,
            &self.id,
            self.peer,
            &self.shared.instance,
        );
        if let Some(interim) = &self.interim {
            forward::pass_interim(&mut request, interim);
        }
        request
    }

    fn send(&self, request: Request<RequestBody>) -> Sending {
        let shared = Arc::clone(&self.shared);
        let party = self.party(request.headers());
        Box::pin(async move {
            let mut response = shared.upstream.send(request, party).await?;
            forward::prepare_response(&mut response, shared.clock.wall())?;
            Ok(response)
        })
    }

    fn in_background(self: Arc<Self>) -> Arc<dyn Origin> {
        let mut background = Self {
            id: HeaderValue::from_static("refresh"),
            interim: None,
            in_background: true,
            ..Self::clone(&self)
        };
        background.target.detach();
        Arc::new(background)
    }
}
