//! Which version of each item is there, since when none before it, and which replica is in trouble: what may be served.

use parking_lot::Mutex;
use std::time::{Duration, Instant};

/// From when to when a replica was cut off from Redis; `None` while it is.
type Trouble = (Instant, Option<Instant>);

/// A write of an item.
#[derive(Clone, Copy, Debug)]
struct Write {
    /// When it took effect at the origin.
    at: Instant,
    /// The replica that carried it.
    by: usize,
}

/// See the module docs.
#[derive(Debug)]
pub(super) struct Ledger {
    /// The writes of each item: the first one made version 1.
    items: Vec<Mutex<Vec<Write>>>,
    troubles: Vec<Mutex<Vec<Trouble>>>,
}

impl Ledger {
    pub(super) fn new(items: usize, replicas: usize) -> Self {
        Self {
            items: (0..items).map(|_| Mutex::default()).collect(),
            troubles: (0..replicas).map(|_| Mutex::default()).collect(),
        }
    }

    /// The version of `item` that is there now.
    pub(super) fn version(&self, item: usize) -> usize {
        self.items[item].lock().len()
    }

    /// A write that `by` carried takes effect. Returns the version that it makes.
    pub(super) fn write(&self, item: usize, by: usize) -> usize {
        let mut writes = self.items[item].lock();
        let at = Instant::now();
        writes.push(Write { at, by });
        writes.len()
    }

    pub(super) fn trouble_begins(&self, replica: usize) {
        self.troubles[replica].lock().push((Instant::now(), None));
    }

    pub(super) fn trouble_ends(&self, replica: usize) {
        if let Some((_, end)) = self.troubles[replica].lock().last_mut() {
            *end = Some(Instant::now());
        }
    }

    /// For how long `version` of `item` had not been there any more when somebody asked at `asked`, while every replica could
    /// have known: a replica that is cut off from Redis tells the others of its writes once it is back.
    pub(super) fn overdue(&self, item: usize, version: usize, asked: Instant) -> Duration {
        let Some(write) = self.items[item].lock().get(version).copied() else {
            return Duration::ZERO; // nothing came after it
        };
        let known = self.told(write.by, write.at);
        known.map_or(Duration::ZERO, |known| {
            asked.saturating_duration_since(known)
        })
    }

    /// When `replica` could tell what it learned at `at`; `None` where it still cannot.
    fn told(&self, replica: usize, at: Instant) -> Option<Instant> {
        // Cut off a little later it may not have told either.
        const A_MOMENT: Duration = Duration::from_millis(200);
        // The longest pause before it connects again.
        const BACK_OFF: Duration = Duration::from_secs(2);
        let mut told = at;
        for (from, to) in self.troubles[replica].lock().iter() {
            if *from <= told + A_MOMENT && to.is_none_or(|to| to + BACK_OFF > told) {
                told = (*to)? + BACK_OFF;
            }
        }
        Some(told)
    }
}
