//! What bodies on their way hold together. It has a limit of its own, beside that of what is stored: `cache.memory.collecting`.

use crate::metrics::Metrics;
use parking_lot::Mutex;
use std::sync::Arc;

/// What a body is held for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::cache) enum Purpose {
    /// It is collected for the store, at the pace of its origin.
    Store,
    /// It is for those who read it, and goes when they have it. At most half of the limit is for these, so that slow readers
    /// leave room for what is to be stored.
    Readers,
}

/// Everything that is held, in bytes. The limit comes with each request.
#[derive(Debug)]
pub(in crate::cache) struct Allowance {
    held: Mutex<Held>,
    metrics: Arc<Metrics>,
}

#[derive(Debug, Default)]
struct Held {
    all: u64,
    for_readers: u64,
}

impl Held {
    fn has(&self, purpose: Purpose, bytes: u64, limit: u64) -> bool {
        self.all.saturating_add(bytes) <= limit
            && match purpose {
                Purpose::Store => true,
                Purpose::Readers => self.for_readers.saturating_add(bytes) <= limit / 2,
            }
    }
}

impl Allowance {
    pub(in crate::cache) fn new(metrics: Arc<Metrics>) -> Arc<Self> {
        Arc::new(Self {
            held: Mutex::default(),
            metrics,
        })
    }

    fn publish(&self, held: &Held) {
        let all = i64::try_from(held.all).unwrap_or(i64::MAX);
        self.metrics.collecting_bytes.set(all);
    }
}

/// What one body holds of a [`Allowance`]. Dropped, it gives that back.
#[derive(Debug)]
pub(in crate::cache) struct Holding {
    allowance: Arc<Allowance>,
    purpose: Purpose,
    bytes: u64,
}

impl Holding {
    pub(in crate::cache) fn new(allowance: &Arc<Allowance>, purpose: Purpose) -> Self {
        Self {
            allowance: Arc::clone(allowance),
            purpose,
            bytes: 0,
        }
    }

    /// Holds `bytes`, if it does not hold as much already. `false` where all bodies would then hold more than `limit`.
    pub(in crate::cache) fn at_least(&mut self, bytes: u64, limit: u64) -> bool {
        let Some(more) = bytes.checked_sub(self.bytes).filter(|more| *more > 0) else {
            return true;
        };
        let mut held = self.allowance.held.lock();
        if !held.has(self.purpose, more, limit) {
            return false;
        }
        held.all += more;
        if self.purpose == Purpose::Readers {
            held.for_readers += more;
        }
        self.bytes = bytes;
        self.allowance.publish(&held);
        true
    }

    /// Gives back what it holds beyond `bytes`.
    pub(in crate::cache) fn at_most(&mut self, bytes: u64) {
        let Some(less) = self.bytes.checked_sub(bytes).filter(|less| *less > 0) else {
            return;
        };
        let mut held = self.allowance.held.lock();
        held.all -= less;
        if self.purpose == Purpose::Readers {
            held.for_readers -= less;
        }
        self.bytes = bytes;
        self.allowance.publish(&held);
    }

    /// From now on it is held for readers alone, however much of that is held already.
    pub(in crate::cache) fn leave_to_readers(&mut self) {
        if self.purpose == Purpose::Store {
            self.purpose = Purpose::Readers;
            self.allowance.held.lock().for_readers += self.bytes;
        }
    }
}

impl Drop for Holding {
    fn drop(&mut self) {
        self.at_most(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: u64 = 100;

    fn holding(allowance: &Arc<Allowance>, purpose: Purpose) -> Holding {
        Holding::new(allowance, purpose)
    }

    #[test]
    fn all_bodies_together_hold_no_more_than_the_limit() {
        let metrics = Metrics::new();
        let allowance = Allowance::new(Arc::clone(&metrics));
        let [mut one, mut other] = [(); 2].map(|()| holding(&allowance, Purpose::Store));
        assert!(one.at_least(60, LIMIT) && one.at_least(60, LIMIT));
        assert!(!other.at_least(41, LIMIT));
        assert!(other.at_least(40, LIMIT) && !one.at_least(61, LIMIT));
        assert_eq!(metrics.collecting_bytes.get(), 100);
        one.at_most(10);
        assert!(other.at_least(90, LIMIT));
        drop(one);
        drop(other);
        assert_eq!(metrics.collecting_bytes.get(), 0);
    }

    #[test]
    fn what_is_for_readers_leaves_half_to_what_is_to_be_stored() {
        let allowance = Allowance::new(Metrics::new());
        let mut readers = holding(&allowance, Purpose::Readers);
        assert!(!readers.at_least(51, LIMIT) && readers.at_least(50, LIMIT));
        let mut stored = holding(&allowance, Purpose::Store);
        assert!(!stored.at_least(51, LIMIT) && stored.at_least(50, LIMIT));
        drop(readers);
        stored.leave_to_readers();
        let mut others = holding(&allowance, Purpose::Readers);
        assert!(!others.at_least(1, LIMIT), "half is taken");
        drop(stored);
        assert!(others.at_least(50, LIMIT));
    }
}
