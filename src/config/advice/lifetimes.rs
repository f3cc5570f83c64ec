//! Durations that cannot be had.

use super::facts::Facts;
use crate::config::{problem::Problem, units::print_duration};

/// Nothing is kept longer than `cache.max_lifetime`, so that no window reaches beyond it.
pub(super) fn a_window_ends_with_the_longest_lifetime(facts: &Facts<'_>, found: &mut Vec<Problem>) {
    let most = facts.config.store.max_lifetime;
    let mut check = |key: &str, window, problem: &dyn Fn(String) -> Problem| {
        if window > most {
            let message = format!(
                "`{key}`, {}, is longer than anything is kept: `cache.max_lifetime` is {}",
                print_duration(window),
                print_duration(most)
            );
            let problem =
                problem(message).help("shorten it, or raise `max_lifetime` under `[cache]`");
            let limit = facts.written.root.get("cache.max_lifetime");
            found.push(match limit {
                Some(at) => problem.note("the limit is here", at),
                None => problem,
            });
        }
    };
    for line in facts.routes() {
        let policy = &line.route.policy;
        for (key, window) in [
            ("stale_while_revalidate", policy.stale_while_revalidate),
            ("stale_if_error", policy.stale_if_error),
        ] {
            let window = window.unwrap_or_default();
            check(&format!("route.{key}"), window, &|message| {
                line.warn(key, message)
            });
        }
    }
    let key = "cache.stale_on_disconnect";
    check(key, facts.config.store.keep_stale, &|message| {
        facts.warn(key, message)
    });
}
