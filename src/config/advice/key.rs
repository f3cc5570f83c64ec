//! Keys that put too much or too little into one answer.

use super::facts::Facts;
use crate::{config::problem::Problem, semantics::query::CountedQuery};

/// What every request has for itself: the ids that gateways, tracers and clouds give it, its time, its conditions.
const NEVER_THE_SAME: [&str; 22] = [
    "cf-ray",
    "correlation-id",
    "date",
    "fly-request-id",
    "idempotency-key",
    "if-match",
    "if-modified-since",
    "if-none-match",
    "if-unmodified-since",
    "request-id",
    "sentry-trace",
    "traceparent",
    "tracestate",
    "uber-trace-id",
    "x-amz-cf-id",
    "x-amzn-trace-id",
    "x-cloud-trace-context",
    "x-correlation-id",
    "x-request-id",
    "x-request-start",
    "x-trace-id",
    "x-vercel-id",
];

/// Families of such.
const FAMILIES: [&str; 3] = ["x-b3-", "x-datadog-", "x-ot-span-"];

/// An empty list leaves every parameter out.
pub(super) fn the_whole_query_is_ignored(facts: &Facts<'_>, found: &mut Vec<Problem>) {
    for line in facts.routes() {
        if line
            .route
            .key
            .query
            .as_ref()
            .is_some_and(CountedQuery::is_empty)
        {
            let message =
                "`route.key.query` is empty: all queries of a path get one and the same answer";
            let help = "list the parameters that make another answer, or leave it out so that all of them count";
            found.push(line.warn("key.query", message).help(help));
        }
    }
}

/// A key that no second request has brings no hits.
pub(super) fn a_field_is_never_the_same(facts: &Facts<'_>, found: &mut Vec<Problem>) {
    for line in facts.routes() {
        for name in line.route.key.headers.iter().map(http::HeaderName::as_str) {
            let is_new = NEVER_THE_SAME.contains(&name)
                || FAMILIES.iter().any(|family| name.starts_with(family));
            let (message, help) = if is_new {
                let message = format!(
                    "`{name}` is another one in every request, so that nothing stored is found again"
                );
                (
                    message,
                    "take it out of `key.headers`; the upstream gets it all the same",
                )
            } else if name == "user-agent" {
                let message =
                    "`user-agent` splits the cache by every version of every browser".to_owned();
                (
                    message,
                    "take it out of `key.headers`; let a gateway send what matters in a field of its own",
                )
            } else {
                continue;
            };
            found.push(line.warn("key.headers", message).help(help));
        }
    }
}
