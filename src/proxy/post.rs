//! The answer to a POST that a later GET can be given: it says how long it is fresh, and that it is what a GET of the same
//! URI would bring ([RFC 9110 §9.3.3]).
//!
//! [RFC 9110 §9.3.3]: https://www.rfc-editor.org/rfc/rfc9110#section-9.3.3

use super::{problem::Problem, received::Received};
use crate::{
    cache::{Answered, Ask, FetchStart},
    message::Stream,
    semantics::{
        Decision, Reason, freshness::explicit_lifetime, invalidation::is_of_its_own_target,
        targeted,
    },
};
use http::{
    Method, Response,
    header::{IF_MATCH, IF_MODIFIED_SINCE, IF_NONE_MATCH, IF_RANGE, IF_UNMODIFIED_SINCE, RANGE},
    request::Parts,
};
use std::sync::Arc;

/// What a GET of the same URI would have asked, where `response` can stand for its answer.
pub(super) fn ask(
    received: &Received,
    parts: &Parts,
    response: &Response<Stream>,
) -> Option<Arc<Ask>> {
    let (live, shared) = (&received.live, &received.shared);
    if parts.method != Method::POST || !live.settings.enabled || !response.status().is_success() {
        return None;
    }
    if received.target.has_ambiguous_path() {
        return None; // under which nothing is looked up either
    }
    let target = received.target.parts();
    let route = live
        .routes
        .find(&Method::GET, received.target.canonical_path());
    let policy = &route.rule.policy;
    let directives = targeted::directives(response.headers(), &policy.targeted);
    let stated = explicit_lifetime(response.headers(), &directives, shared.clock.wall());
    let own = is_of_its_own_target(response.headers(), target.host, target.path, target.query);
    if !policy.cache || stated.is_none() || !own {
        return None;
    }
    let mut headers = parts.headers.clone();
    // Neither preconditions nor ranges of a POST are about what is stored.
    for name in [
        RANGE,
        IF_RANGE,
        IF_MATCH,
        IF_NONE_MATCH,
        IF_MODIFIED_SINCE,
        IF_UNMODIFIED_SINCE,
    ] {
        headers.remove(name);
    }
    let key = shared.cache.key(&route.rule, &target, &headers)?.build();
    let received = Received {
        route: Arc::clone(route),
        ..received.clone()
    };
    let ask = received.ask(key, &Method::GET, &headers, None);
    Some(Arc::new(ask.sent_as_received()))
}

/// Answers the POST from the flight that stores its answer.
pub(super) async fn keep(
    received: &Received,
    ask: Arc<Ask>,
    start: FetchStart,
    response: Response<Stream>,
) -> Result<Answered, Problem> {
    let answered = received.shared.cache.keep(&ask, start, response).await?;
    let storage = answered.decision.storage;
    Ok(Answered {
        decision: Decision {
            storage,
            ..Decision::forwarded(Reason::Method)
        },
        ..answered
    })
}
