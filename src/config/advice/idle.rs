//! Keys that do nothing where they are.

use super::facts::{Facts, Line};
use crate::config::problem::Problem;
use http::Method;

/// What says how answers are stored or shared.
const STORING: [&str; 13] = [
    "ttl",
    "ttl_by_status",
    "ttl_jitter",
    "override",
    "stale_while_revalidate",
    "stale_if_error",
    "refresh_ahead",
    "share",
    "set_cookie",
    "collapse",
    "tags",
    "key",
    "cookies",
];

/// Only what safe methods bring is stored, and what a POST brings that its route calls a read.
pub(super) fn unsafe_methods_store_nothing(facts: &Facts<'_>, found: &mut Vec<Problem>) {
    for line in facts.routes().filter(|line| !line.has_a_stored_method()) {
        for key in written(&line) {
            let message = format!(
                "`route.{key}` does nothing here: only answers to GET, HEAD and QUERY are stored"
            );
            let help = if line.route.methods.contains(&Method::POST) {
                "write it in the route of the GET, leave it out, or write `key = { body = true }` if each POST only reads"
            } else {
                "write it in the route of the GET, or leave it out"
            };
            found.push(line.warn(key, message).help(help));
        }
    }
}

/// `cache = false` wins over all that is said of storing.
pub(super) fn a_route_without_cache_stores_nothing(facts: &Facts<'_>, found: &mut Vec<Problem>) {
    for line in facts.routes().filter(|line| !line.route.policy.cache) {
        for key in written(&line) {
            let message = format!("`route.{key}` does nothing beside `cache = false`");
            let problem = line.warn(key, message).help("leave one of the two out");
            found.push(match line.place("cache") {
                Some(at) => problem.note("nothing is stored because of this", at),
                None => problem,
            });
        }
    }
}

/// The jitter shortens the route's own lifetimes, never the origin's.
pub(super) fn jitter_needs_a_ttl(facts: &Facts<'_>, found: &mut Vec<Problem>) {
    for line in facts.routes() {
        let policy = &line.route.policy;
        let has_ttl = policy.ttl.is_some() || !policy.status_ttl.is_empty();
        if has_ttl || line.route.ttl_jitter == 0 {
            continue;
        }
        let message =
            "`route.ttl_jitter` has no `ttl` to shorten: what the origin says is never shortened";
        let help = "write `ttl = \"5m\"`, or leave it out";
        found.push(line.warn("ttl_jitter", message).help(help));
    }
}

fn written(line: &Line<'_>) -> impl Iterator<Item = &'static str> {
    STORING.into_iter().filter(|key| line.place(key).is_some())
}
