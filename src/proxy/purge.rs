//! `PURGE` on the public port, where the operator has switched it on with a token.

use super::{
    Shared,
    body::Body,
    cache::{Answered, same_secret},
    rescue::Problem,
    target::{PURGE_TOKEN, Target},
};
use crate::{
    semantics::{Decision, Outcome, Reason},
    store::{Purge, Reach, Selector},
};
use http::{
    HeaderValue, Request, Response,
    header::{CONTENT_LENGTH, CONTENT_TYPE},
};

/// Whether `request` is one to this cache.
pub(super) fn is_one<B>(shared: &Shared, request: &Request<B>) -> bool {
    request.method().as_str() == "PURGE" && shared.settings.purge_token.is_some()
}

/// Purges every query and variant of the target, hard.
pub(super) async fn answer<B>(
    shared: &Shared,
    target: &Target,
    request: &Request<B>,
) -> Result<Answered, Problem> {
    let token = shared.settings.purge_token.as_deref();
    if !same_secret(token, request.headers().get(PURGE_TOKEN)) {
        return Err(Problem::PurgeToken);
    }
    let purge = Purge {
        selector: Selector::of_uri(target.host(request), target.path()),
        hard: true,
    };
    let reach = shared.store.purge(vec![purge]).await;
    Ok(Answered {
        response: said(reach),
        decision: Decision::new(Outcome::Bypass, Reason::Method),
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
