//! Another protocol on the client's connection: once the upstream has agreed, nobody here looks at what is said.

use super::received::Received;
use crate::{
    cache::Answered,
    message::{Body, Stream},
    metrics::Metrics,
    semantics::{Decision, Reason},
    upstream::tunnel,
};
use http::{
    HeaderMap, HeaderValue, Response, StatusCode,
    header::{CONNECTION, UPGRADE},
};
use http_body_util::BodyExt;
use hyper::upgrade::OnUpgrade;
use std::sync::Arc;

/// What the fields of a request need for the upstream to be asked for `protocol`.
pub(super) fn ask(headers: &mut HeaderMap, protocol: &str) {
    headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
    let protocol = HeaderValue::from_str(protocol);
    headers.insert(
        UPGRADE,
        protocol.expect("the configuration takes only tokens"),
    );
}

/// The answer to a client that asked in vain is the last of its connection: it may have gone on in the other protocol, and
/// what it says then is no request.
pub(super) fn conclude(response: &mut Response<Body>) {
    if response.status() != StatusCode::SWITCHING_PROTOCOLS {
        let close = HeaderValue::from_static("close");
        response.headers_mut().insert(CONNECTION, close);
    }
}

/// Answers 101, as the upstream did, and connects both sides.
pub(super) fn open(
    received: &Received,
    client: OnUpgrade,
    protocol: &str,
    mut response: Response<Stream>,
) -> Answered {
    let upstream = hyper::upgrade::on(&mut response);
    let (mut parts, mut place) = response.into_parts();
    let shared = &received.shared;
    let (open, limit) = (Open::new(&shared.metrics), shared.upstream.tunnel_timeout());
    let stop = shared.tunnels.stop.clone();
    shared.tunnels.tasks.spawn(async move {
        tokio::select! {
            () = tunnel(client, upstream, limit) => {}
            () = stop.cancelled() => {}
            _ = place.frame() => {} // another one gets it
        }
        drop((open, place)); // the place of the request in the upstream lasts as long
    });
    ask(&mut parts.headers, protocol);
    Answered {
        response: Response::from_parts(parts, Body::empty()),
        decision: Decision::forwarded(Reason::Upgrade),
    }
}

/// Counts a tunnel while it is open.
struct Open(Arc<Metrics>);

impl Open {
    fn new(metrics: &Arc<Metrics>) -> Self {
        metrics.tunnels.inc();
        metrics.tunnels_opened.inc();
        Self(Arc::clone(metrics))
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.tunnels.dec();
    }
}
