//! What is remembered of a caller for a short time.
//!
//! By hash: a key may be as long as a request head. Two callers whose hashes collide share what is remembered, so only
//! what does no harm then may be kept here. Nobody outside knows which keys collide.

use super::caller::Caller;
use quick_cache::sync::Cache;
use std::{fmt, hash::BuildHasher};

/// More callers than these push out others.
const MOST: usize = 10_000;

pub(super) struct Remembered<V> {
    values: Cache<u64, V>,
    hasher: foldhash::quality::RandomState,
}

impl<V: Clone> Default for Remembered<V> {
    fn default() -> Self {
        Self {
            values: Cache::new(MOST),
            hasher: foldhash::quality::RandomState::default(),
        }
    }
}

impl<V: Clone> fmt::Debug for Remembered<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Remembered({})", self.values.len())
    }
}

impl<V: Clone> Remembered<V> {
    pub(super) fn get(&self, caller: &Caller) -> Option<V> {
        if self.values.is_empty() {
            return None; // nearly always, and then nothing is hashed
        }
        self.values.get(&self.hasher.hash_one(caller))
    }

    pub(super) fn insert(&self, caller: &Caller, value: V) {
        self.values.insert(self.hasher.hash_one(caller), value);
    }

    pub(super) fn remove(&self, caller: &Caller) {
        if !self.values.is_empty() {
            self.values.remove(&self.hasher.hash_one(caller));
        }
    }
}
