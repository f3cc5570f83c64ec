//! Keys whose last fetch failed: they are left alone for a while that grows, and `Retry-After` is honoured.

use super::{caller::Caller, remembered::Remembered};
use crate::clock::back_off;
use std::time::Duration;
use tokio::time::Instant;

/// For how long a key is left alone after its first failure in a row, and at most without a `Retry-After`.
pub(super) const BACK_OFF: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(60));

/// What is remembered of a key whose last fetch brought no response for all.
#[derive(Clone, Copy, Debug)]
struct Failed {
    in_a_row: u32,
    /// How many purges were known then.
    purges: u64,
    until: Instant,
    /// The origin failed; else it only declined, and may answer others.
    is_failure: bool,
}

#[derive(Debug, Default)]
pub(super) struct Backoff(Remembered<Failed>);

impl Backoff {
    /// Whether the origin may be asked for `caller` again while nobody waits for that. What was purged after the failure must be,
    /// which `is_purged_since` the number of a purge says.
    pub(super) fn may_ask(
        &self,
        caller: &Caller,
        is_purged_since: impl FnOnce(u64) -> bool,
    ) -> bool {
        let failed = self.left_alone(caller);
        failed.is_none_or(|failed| is_purged_since(failed.purges))
    }

    /// Whether the origin has just failed for `caller`, so that there is no use in waiting for it: unless what is asked for was
    /// purged since.
    pub(super) fn is_failing(
        &self,
        caller: &Caller,
        is_purged_since: impl FnOnce(u64) -> bool,
    ) -> bool {
        let failed = self.left_alone(caller);
        failed.is_some_and(|failed| failed.is_failure && !is_purged_since(failed.purges))
    }

    fn left_alone(&self, caller: &Caller) -> Option<Failed> {
        let failed = self.0.get(caller);
        failed.filter(|failed| failed.until > Instant::now())
    }

    /// The origin failed for `caller` when so many `purges` were known, and wants to be left alone for `wish`.
    pub(super) fn failed(&self, caller: &Caller, wish: Option<Duration>, purges: u64) {
        self.leave_alone(caller, wish, purges, true);
    }

    /// The origin declined to answer for `caller`, perhaps only this one time or this caller.
    pub(super) fn declined(&self, caller: &Caller, wish: Option<Duration>, purges: u64) {
        self.leave_alone(caller, wish, purges, false);
    }

    fn leave_alone(&self, caller: &Caller, wish: Option<Duration>, purges: u64, is_failure: bool) {
        let in_a_row = self.0.get(caller).map_or(0, |failed| failed.in_a_row);
        // Replicas, and keys that failed together, come back one after the other.
        let pause = back_off(BACK_OFF, in_a_row);
        let failed = Failed {
            in_a_row: in_a_row.saturating_add(1),
            purges,
            until: Instant::now() + pause.max(wish.unwrap_or_default()),
            is_failure,
        };
        self.0.insert(caller, failed);
    }

    /// The origin has answered for `caller`.
    pub(super) fn answered(&self, caller: &Caller) {
        self.0.remove(caller);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::semantics::key::Builder;
    use tokio::time::advance;

    fn caller(path: &str) -> Caller {
        Caller {
            key: Builder::new("http", b"a", path).build(),
            credentials: false,
        }
    }

    /// It was never purged.
    fn never(_: u64) -> bool {
        false
    }

    #[tokio::test(start_paused = true)]
    async fn pauses_grow_to_their_limit_and_end_with_an_answer() {
        let (backoff, a) = (Backoff::default(), caller("/a"));
        for most in [1.25, 2.5, 5.0, 10.0, 20.0, 40.0, 75.0, 75.0] {
            backoff.failed(&a, None, 7);
            assert!(backoff.is_failing(&a, never));
            advance(Duration::from_secs_f64(most)).await;
            assert!(!backoff.is_failing(&a, never), "after {most} s");
        }
        backoff.failed(&a, None, 7);
        advance(Duration::from_secs(44)).await;
        assert!(backoff.is_failing(&a, never), "the last pauses are long");
        assert!(!backoff.is_failing(&caller("/b"), never));
        backoff.answered(&a);
        assert!(!backoff.is_failing(&a, never));
    }

    #[tokio::test(start_paused = true)]
    async fn retry_after_is_honoured_where_it_is_longer() {
        let (backoff, a) = (Backoff::default(), caller("/a"));
        backoff.failed(&a, Some(Duration::from_secs(300)), 7);
        advance(Duration::from_secs(299)).await;
        assert!(!backoff.may_ask(&a, never));
        advance(Duration::from_secs(1)).await;
        assert!(backoff.may_ask(&a, never));
    }

    #[tokio::test(start_paused = true)]
    async fn what_was_purged_after_the_failure_must_be_asked_for() {
        let (backoff, a) = (Backoff::default(), caller("/a"));
        backoff.failed(&a, Some(Duration::from_secs(60)), 7);
        for (purged, was_after) in [(7, false), (8, true)] {
            let since = |number| purged > number;
            assert_eq!(backoff.may_ask(&a, since), was_after);
            assert_eq!(backoff.is_failing(&a, since), !was_after);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn an_origin_that_declined_is_not_failing_for_those_who_wait() {
        let (backoff, a) = (Backoff::default(), caller("/a"));
        backoff.declined(&a, None, 7);
        assert!(!backoff.is_failing(&a, never));
        assert!(!backoff.may_ask(&a, never));
    }
}
