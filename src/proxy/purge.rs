//! `PURGE` on the public port, where the operator has switched it on with a token.

use super::{problem::Problem, received::Received};
use crate::{
    cache::Answered,
    message::{Body, names::PURGE_TOKEN},
    semantics::{Decision, Reason},
    store::{Purge, Reach, Selector},
};
use http::{
    HeaderMap, HeaderValue, Response,
    header::{CONTENT_LENGTH, CONTENT_TYPE},
};

/// Purges every query and variant of the target, hard.
pub(super) async fn answer(received: &Received, headers: &HeaderMap) -> Result<Answered, Problem> {
    let token = received.live.settings.purge_token.as_ref();
    if !token.is_some_and(|token| token.is(headers.get(PURGE_TOKEN))) {
        return Err(Problem::PurgeToken);
    }
    let target = received.target.parts();
    let names = received.live.routes.key_hosts().iter();
    let hosts = std::iter::once(target.host).chain(names.map(|name| name.as_bytes()));
    let purges = hosts.map(|host| Purge {
        selector: Selector::of_uri(host, target.path),
        hard: true,
    });
    let reach = received.shared.cache.purge(purges.collect()).await;
    Ok(Answered {
        response: said(reach),
        decision: Decision::forwarded(Reason::Method),
    })
}

fn said(reach: Reach) -> Response<Body> {
    let body = serde_json::json!({ "purged": 1, "hard": true, "shared": reach.is_shared() });
    let body = body.to_string() + "\n";
    let mut response = Response::new(Body::empty());
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(CONTENT_LENGTH, HeaderValue::from(body.len()));
    *response.body_mut() = Body::whole(body.into());
    response
}
