//! The process's own memory: bounded in bytes with everything weighed, scan-resistant.

use super::entry::Entry;
use crate::{
    metrics::{Metrics, Removal},
    semantics::{Key, vary::Selects},
};
use parking_lot::Mutex;
use quick_cache::{Lifecycle, OptionsBuilder, Weighter, sync::Cache};
use std::{
    hash::BuildHasher,
    sync::Arc,
    time::{Duration, SystemTime},
};

/// One URI may have this many variants; the one that was stored first goes.
const MAX_VARIANTS: usize = 32;

/// The smallest share of the limit that one shard gets: an object must fit into a shard.
const MIN_SHARD_BYTES: u64 = 4 << 20;

/// How many URIs the sweep looks at before others have their turn.
const SLICE: usize = 256;

/// What an entry weighs on average, for the size of the tables at start.
const TYPICAL_WEIGHT: u64 = 4 << 10;

/// What `[cache.memory]` says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The limit in bytes; 0 turns the tier off.
    pub max: u64,
}

/// The variants of one URI, newest first, with their weight at the moment they were put here.
#[derive(Clone, Debug)]
struct Slot {
    variants: Arc<[Arc<Entry>]>,
    /// The cache requires that a weight never changes while it is stored.
    weight: u64,
}

impl Slot {
    fn new(variants: Vec<Arc<Entry>>) -> Self {
        let weight = variants.iter().map(|entry| entry.weight()).sum();
        Self {
            variants: variants.into(),
            weight,
        }
    }
}

#[derive(Clone, Debug)]
struct ByWeight;

impl Weighter<Key, Slot> for ByWeight {
    fn weight(&self, key: &Key, slot: &Slot) -> u64 {
        key.as_bytes().len() as u64 + slot.weight
    }
}

/// What the tier has for a request.
#[derive(Debug)]
pub(super) enum Variant {
    /// A response that this request selects.
    Match(Arc<Entry>),
    /// Responses for this URI that other requests select.
    Other,
    /// Nothing.
    None,
}

/// Hands over what leaves, to be counted and dropped outside the lock of the shard.
#[derive(Clone, Debug)]
struct HandOver;

impl Lifecycle<Key, Slot> for HandOver {
    type RequestState = Vec<(Key, Slot)>;

    fn on_evict(&self, evicted: &mut Self::RequestState, key: Key, slot: Slot) {
        evicted.push((key, slot));
    }
}

/// The tier.
pub(super) struct Tier {
    cache: Cache<Key, Slot, ByWeight, foldhash::fast::RandomState, HandOver>,
    /// What the variants of one key may weigh: a slot that is heavier than what a shard has for what is in use is not admitted.
    max_slot: u64,
    /// Serialise changes to the variants of one key; reads never take them.
    changes: [Mutex<()>; 64],
    hasher: foldhash::fast::RandomState,
    metrics: Arc<Metrics>,
}

impl std::fmt::Debug for Tier {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tier")
            .field("bytes", &self.cache.weight())
            .finish_non_exhaustive()
    }
}

impl Tier {
    /// An empty tier; `None` where the settings turn it off.
    pub(super) fn new(settings: &Settings, max_object: u64, metrics: Arc<Metrics>) -> Option<Self> {
        if settings.max == 0 {
            return None;
        }
        // An object with its codings must fit into one shard, and the library halves shards that would be tiny.
        let per_shard = MIN_SHARD_BYTES.max(max_object.saturating_mul(4));
        let shards = usize::try_from((settings.max / per_shard).clamp(1, 64)).unwrap_or(64);
        let items = usize::try_from(settings.max / TYPICAL_WEIGHT)
            .unwrap_or(usize::MAX)
            .max(64 * shards);
        let options = OptionsBuilder::new()
            .estimated_items_capacity(items)
            .weight_capacity(settings.max)
            .shards(shards)
            .build()
            .expect("both capacities are given");
        let hasher = foldhash::fast::RandomState::default();
        let cache = Cache::with_options(options, ByWeight, hasher.clone(), HandOver);
        Some(Self {
            max_slot: cache.shard_capacity() / 10 * 9,
            cache,
            changes: std::array::from_fn(|_| Mutex::new(())),
            hasher,
            metrics,
        })
    }

    /// The response for `key` that a request with these fields selects. Synchronous, and no lock is held on return.
    pub(super) fn get(&self, key: &Key, request: &Selects<'_>) -> Variant {
        match self.cache.get(key) {
            None => Variant::None,
            Some(slot) => slot
                .variants
                .iter()
                .find(|entry| entry.head.is_selected_by(request))
                .map_or(Variant::Other, |entry| Variant::Match(Arc::clone(entry))),
        }
    }

    /// Puts `entry` before the other variants of its key, in the place of the one with the same selection. Returns whether it is
    /// the newest of these: if not, that one stays.
    pub(super) fn insert(&self, entry: &Arc<Entry>) -> bool {
        let mut is_newest = true;
        self.change(&entry.key, |variants| {
            let same = |other: &Arc<Entry>| other.head.selecting == entry.head.selecting;
            let old = variants.iter().position(same);
            is_newest = old.is_none_or(|at| !entry.is_older_than(&variants[at]));
            if is_newest {
                old.map(|at| variants.remove(at));
                variants.insert(0, Arc::clone(entry));
            }
            is_newest
        });
        is_newest
    }

    /// Weighs the variants of `entry`'s key again, after a coding was made. Does nothing if `entry` has left.
    pub(super) fn reweigh(&self, entry: &Arc<Entry>) {
        self.change(&entry.key, |variants| {
            variants.iter().any(|other| Arc::ptr_eq(other, entry))
        });
    }

    /// Takes out `entry` itself, and nothing that has taken its place.
    pub(super) fn remove(&self, entry: &Arc<Entry>, why: Removal) {
        self.retain(&entry.key, |other| !Arc::ptr_eq(other, entry), why);
    }

    fn retain(&self, key: &Key, keep: impl Fn(&Arc<Entry>) -> bool, why: Removal) {
        self.change(key, |variants| {
            let before = variants.len();
            variants.retain(keep);
            let removed = before - variants.len();
            self.metrics.memory_removed(why, removed as u64);
            removed > 0
        });
    }

    /// Takes out what can be of no use at `now`; what is stale may be of use for `stale`, or for as long as it was fresh, if the
    /// origin can confirm it. Each step looks at a few URIs, and no lock is held between them.
    pub(super) fn sweep(
        &self,
        now: SystemTime,
        stale: Duration,
        max: Duration,
    ) -> impl Iterator<Item = ()> + Send {
        let is_of_use = move |entry: &Arc<Entry>| {
            let freshness = &entry.head.freshness;
            let stale = stale.max(freshness.lifetime);
            !freshness.retention(now, stale, max).is_zero()
        };
        let mut slots = self.cache.iter().fuse();
        std::iter::from_fn(move || {
            let mut slice = slots.by_ref().take(SLICE).peekable();
            slice.peek()?;
            for (key, slot) in slice {
                if !slot.variants.iter().all(is_of_use) {
                    self.retain(&key, is_of_use, Removal::Expired);
                }
            }
            Some(())
        })
    }

    /// Shows every entry to `look`, a shard at a time: no lock is held meanwhile.
    pub(super) fn for_each(&self, mut look: impl FnMut(&Entry)) {
        for (_, slot) in self.cache.iter() {
            slot.variants.iter().for_each(|entry| look(entry));
        }
    }

    fn change(&self, key: &Key, change: impl FnOnce(&mut Vec<Arc<Entry>>) -> bool) {
        let stripe = usize::try_from(self.hasher.hash_one(key) % 64).unwrap_or(0);
        let _serialised = self.changes[stripe].lock();
        let mut variants = self
            .cache
            .peek(key)
            .map(|slot| slot.variants.to_vec())
            .unwrap_or_default();
        if !change(&mut variants) {
            return;
        }
        let pushed_out = self.push_out(key, &mut variants);
        let mut left = Vec::new();
        let mut rejected = 0;
        if variants.is_empty() {
            left.extend(self.cache.remove(key));
        } else {
            let slot = Slot::new(variants);
            let ours = Arc::clone(&slot.variants);
            self.count(key, &slot, 1);
            self.cache
                .insert_with_lifecycle(key.clone(), slot, &mut left);
            // What was replaced comes back too, under its own key: it did not have to go for want of room.
            let evicted =
                |(gone, slot): &&(Key, Slot)| gone != key || Arc::ptr_eq(&slot.variants, &ours);
            let evicted = left.iter().filter(evicted);
            rejected = evicted.map(|(_, slot)| slot.variants.len()).sum();
        }
        for (key, slot) in &left {
            self.count(key, slot, -1);
        }
        self.metrics
            .memory_removed(Removal::Evicted, (pushed_out + rejected) as u64);
    }

    /// Takes out the variants that were stored first, until there are few enough for one key and they fit into a shard.
    fn push_out(&self, key: &Key, variants: &mut Vec<Arc<Entry>>) -> usize {
        let before = variants.len();
        let room = self.max_slot.saturating_sub(key.as_bytes().len() as u64);
        let mut weight = 0;
        let fitting = variants.iter().take_while(|entry| {
            weight += entry.weight();
            weight <= room
        });
        let fitting = fitting.count();
        variants.truncate(fitting.clamp(1, MAX_VARIANTS));
        before - variants.len()
    }

    /// Counts a slot that has come (1) or gone (-1).
    fn count(&self, key: &Key, slot: &Slot, sign: i64) {
        let weight = i64::try_from(ByWeight.weight(key, slot)).unwrap_or(i64::MAX);
        self.metrics.memory_bytes.inc_by(sign * weight);
        self.metrics.memory_entries.inc_by(sign);
    }
}

#[cfg(test)]
mod tests;
