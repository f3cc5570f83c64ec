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
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, SystemTime},
};

/// One URI may have this many variants; the one that was stored first goes.
const MAX_VARIANTS: usize = 32;

/// The smallest share of the limit that one shard gets: an object must fit into a shard.
const MIN_SHARD_BYTES: u64 = 4 << 20;

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
        Some(Self {
            cache: Cache::with_options(options, ByWeight, hasher.clone(), HandOver),
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

    /// Puts `entry` before the other variants of its key, in the place of the one with the same selection.
    pub(super) fn insert(&self, entry: &Arc<Entry>) {
        let key = entry.key.clone();
        self.change(&key, |variants| {
            variants.retain(|other| other.head.selecting != entry.head.selecting);
            variants.insert(0, Arc::clone(entry));
            variants.truncate(MAX_VARIANTS);
            true
        });
    }

    /// Weighs the variants of `entry`'s key again, after a coding was made. Does nothing if `entry` has left.
    pub(super) fn reweigh(&self, entry: &Arc<Entry>) {
        self.change(&entry.key, |variants| {
            variants.iter().any(|other| Arc::ptr_eq(other, entry))
        });
    }

    /// Takes out `entry` itself, and nothing that has taken its place.
    pub(super) fn remove(&self, entry: &Arc<Entry>, why: Removal) {
        self.change(&entry.key, |variants| {
            let before = variants.len();
            variants.retain(|other| !Arc::ptr_eq(other, entry));
            let removed = variants.len() != before;
            self.metrics.memory_removed(why, u64::from(removed));
            removed
        });
    }

    /// Takes out every URI none of whose variants can be of any use at `now`; what is stale may be of use for `stale`, or
    /// for as long as it was fresh, if the origin can confirm it.
    pub(super) fn sweep(&self, now: SystemTime, stale: Duration, max: Duration) {
        let removed = AtomicU64::new(0);
        self.cache.retain(|_, slot| {
            let is_of_use = |entry: &Arc<Entry>| {
                let freshness = &entry.head.freshness;
                let stale = stale.max(freshness.lifetime);
                !freshness.retention(now, stale, max).is_zero()
            };
            let keep = slot.variants.iter().any(is_of_use);
            if !keep {
                removed.fetch_add(slot.variants.len() as u64, Relaxed);
            }
            keep
        });
        self.metrics
            .memory_removed(Removal::Expired, removed.into_inner());
        self.publish();
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
        if variants.is_empty() {
            self.cache.remove(key);
        } else {
            let mut evicted = Vec::new();
            self.cache
                .insert_with_lifecycle(key.clone(), Slot::new(variants), &mut evicted);
            // What was replaced comes back too, under its own key: it did not have to go for want of room.
            let others = evicted.iter().filter(|(gone, _)| gone != key).count();
            self.metrics.memory_removed(Removal::Evicted, others as u64);
        }
        self.publish();
    }

    /// Brings the gauges up to date.
    fn publish(&self) {
        self.metrics
            .memory_bytes
            .set(i64::try_from(self.cache.weight()).unwrap_or(i64::MAX));
        self.metrics
            .memory_entries
            .set(i64::try_from(self.cache.len()).unwrap_or(i64::MAX));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        semantics::{key::Builder, stored::sample, veil::tests::Thin},
        store::Position,
    };
    use bytes::Bytes;
    use std::time::UNIX_EPOCH;

    const HOUR: Duration = Duration::from_secs(3600);

    fn tier() -> (Tier, Arc<Metrics>) {
        let (settings, metrics) = (Settings { max: 16 << 20 }, Metrics::new());
        (
            Tier::new(&settings, 1 << 20, Arc::clone(&metrics)).unwrap(),
            metrics,
        )
    }

    /// Fresh for so many seconds from 1970 on.
    fn entry(path: &str, lifetime: u64, size: usize) -> Arc<Entry> {
        let mut head = sample(&[]);
        head.freshness.lifetime = Duration::from_secs(lifetime);
        let key = Builder::new("http", b"a", path).build();
        Arc::new(Entry::new(
            key,
            head,
            Bytes::from(vec![0; size]),
            Position::default(),
        ))
    }

    fn has(tier: &Tier, entry: &Entry) -> bool {
        let request = http::HeaderMap::new();
        let selects = Selects::new(&request, &Thin);
        matches!(tier.get(&entry.key, &selects), Variant::Match(_))
    }

    #[test]
    fn the_sweep_takes_what_can_be_of_no_use_any_more() {
        let (tier, metrics) = tier();
        let (short, long) = (entry("/short", 10, 9), entry("/long", 1000, 9));
        tier.insert(&short);
        tier.insert(&long);
        let at = |seconds| UNIX_EPOCH + Duration::from_secs(seconds);
        tier.sweep(at(60), Duration::from_secs(60), HOUR);
        assert!(has(&tier, &short), "the origin may confirm it");
        tier.sweep(at(71), Duration::from_secs(60), HOUR);
        assert!(!has(&tier, &short) && has(&tier, &long));
        tier.sweep(at(1999), Duration::from_secs(60), HOUR);
        assert!(has(&tier, &long), "as long as it was fresh");
        tier.sweep(at(2001), Duration::from_secs(60), HOUR);
        assert!(!has(&tier, &long));
        let text = metrics.encode();
        assert!(text.contains("sidecache_memory_removed_total{reason=\"expired\"} 2"));
        assert!(text.contains("sidecache_memory_entries 0"));
    }

    #[test]
    fn a_scan_does_not_wash_out_what_is_in_use() {
        let (tier, _) = tier();
        let in_use: Vec<_> = (0..20)
            .map(|n| entry(&format!("/{n}"), 1000, 50_000))
            .collect();
        in_use.iter().for_each(|entry| tier.insert(entry));
        for _ in 0..3 {
            assert!(in_use.iter().all(|entry| has(&tier, entry)));
        }
        for n in 0..3000 {
            tier.insert(&entry(&format!("/scan/{n}"), 1000, 50_000)); // nine times the limit, each used once
        }
        let left = in_use.iter().filter(|entry| has(&tier, entry)).count();
        assert!(left >= 18, "{left} of 20 are left");
    }
}
