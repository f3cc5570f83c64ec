//! The answer to a POST that a later GET can be given: it says how long it is fresh, and that it is what a GET of the same
//! URI would bring ([RFC 9110 §9.3.3]).
//!
//! [RFC 9110 §9.3.3]: https://www.rfc-editor.org/rfc/rfc9110#section-9.3.3

use crate::{
    semantics::{
        Decision, Outcome, Reason, freshness::explicit_lifetime,
        invalidation::is_of_its_own_target, targeted,
    },
    service::{
        cache::{Answered, key_of},
        fetch::{Asked, fetch_for},
        fill::{self, Begun, Fetch},
        rescue::Problem,
        upstream::UpstreamBody,
    },
};
use http::{HeaderMap, Method, Request, Response, header::ACCEPT_ENCODING};
use std::sync::Arc;

/// What a GET of the same URI would have fetched, where `response` can stand for it.
pub(super) fn fetch(
    asked: &Asked<'_>,
    method: &Method,
    client: &HeaderMap,
    response: &Response<UpstreamBody>,
) -> Option<Fetch> {
    let shared = asked.shared;
    if *method != Method::POST || !shared.settings.enabled || !response.status().is_success() {
        return None;
    }
    let mut request = Request::new(());
    *request.headers_mut() = client.clone();
    let id = shared.routes.find(&Method::GET, asked.target.path());
    let route = shared.routes.get(id);
    let policy = &route.route.policy;
    let directives = targeted::directives(response.headers(), &policy.targeted);
    let stated = explicit_lifetime(response.headers(), &directives, shared.clock.now());
    let (host, target) = (asked.target.host(&request), &asked.target);
    let own = is_of_its_own_target(response.headers(), host, target.path(), target.query());
    if !policy.cache || stated.is_none() || !own {
        return None;
    }
    let key = key_of(shared, route, target, &request);
    Some(fetch_for(
        shared, id, target, &request, asked.peer, &asked.id, key, None,
    ))
}

/// Answers the POST from the flight that stores its answer.
pub(super) async fn keep(
    asked: &Asked<'_>,
    begun: Begun,
    fetch: Fetch,
    response: Response<UpstreamBody>,
    client: &HeaderMap,
) -> Result<Answered, Problem> {
    let shared = asked.shared;
    let departure = shared.flights.alone(shared.store.purges_seen());
    let flight = Arc::clone(&departure.flight);
    flight.seat_leader();
    let keeping = fill::keep(Arc::clone(shared), departure, begun, fetch, response);
    shared.tasks.spawn(keeping);
    // Neither preconditions nor ranges of a POST are about what is stored.
    let mut request = Request::new(());
    for coding in client.get_all(ACCEPT_ENCODING) {
        request
            .headers_mut()
            .append(ACCEPT_ENCODING, coding.clone());
    }
    let answered = asked.land(&flight, Reason::Method, &request).await?;
    let storage = answered.decision.storage;
    Ok(Answered {
        decision: Decision {
            storage,
            ..Decision::new(Outcome::Bypass, Reason::Method)
        },
        ..answered
    })
}
