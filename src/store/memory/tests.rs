use super::*;
use crate::{
    semantics::{key::Builder, stored::sample, veil::tests::Thin},
    store::{Position, StreamId},
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
    tier.sweep(at(60), Duration::from_secs(60), HOUR)
        .for_each(drop);
    assert!(has(&tier, &short), "the origin may confirm it");
    tier.sweep(at(71), Duration::from_secs(60), HOUR)
        .for_each(drop);
    assert!(!has(&tier, &short) && has(&tier, &long));
    tier.sweep(at(1999), Duration::from_secs(60), HOUR)
        .for_each(drop);
    assert!(has(&tier, &long), "as long as it was fresh");
    tier.sweep(at(2001), Duration::from_secs(60), HOUR)
        .for_each(drop);
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
    assert!(in_use.iter().all(|entry| tier.insert(entry)));
    for _ in 0..3 {
        assert!(in_use.iter().all(|entry| has(&tier, entry)));
    }
    for n in 0..3000 {
        tier.insert(&entry(&format!("/scan/{n}"), 1000, 50_000)); // nine times the limit, each used once
    }
    let left = in_use.iter().filter(|entry| has(&tier, entry)).count();
    assert!(left >= 18, "{left} of 20 are left");
}

/// Asked for at so many seconds from 1970 on, when the shared log stood there.
fn asked(at: u64, log: u64) -> Arc<Entry> {
    let mut head = sample(&[]);
    head.freshness.request_time = UNIX_EPOCH + Duration::from_secs(at);
    let position = Position {
        local: 0,
        shared: StreamId(log, 0),
    };
    let key = Builder::new("http", b"a", "/").build();
    Arc::new(Entry::new(key, head, Bytes::new(), position))
}

#[test]
fn what_was_asked_for_later_stays() {
    let (tier, _) = tier();
    let there = asked(10, 5);
    for (entry, stays) in [
        (&asked(9, 5), false),
        (&asked(20, 4), false), // it had not seen a purge that the other one has
        (&there, true),
        (&asked(10, 5), true),
        (&asked(11, 5), true),
        (&asked(5, 6), true),
    ] {
        tier.insert(&asked(10, 5));
        assert_eq!(tier.insert(entry), stays);
        let request = http::HeaderMap::new();
        let Variant::Match(kept) = tier.get(&entry.key, &Selects::new(&request, &Thin)) else {
            panic!("nothing is kept")
        };
        assert_eq!(Arc::ptr_eq(&kept, entry), stays);
        tier.remove(&kept, Removal::Purged);
    }
}

#[test]
fn the_gauges_are_what_is_there() {
    let (tier, metrics) = tier();
    let gauges = || (metrics.memory_bytes.get(), metrics.memory_entries.get());
    let there = || (tier.cache.weight() as i64, tier.cache.len() as i64);
    for n in 0..700 {
        // Some are replaced, many are evicted, and some are too large for any shard.
        let size = if n % 50 == 0 { 5 << 20 } else { 50_000 };
        tier.insert(&entry(&format!("/{}", n % 600), 10, size));
        assert_eq!(gauges(), there());
    }
    assert!(gauges().1 > 100);
    let at = UNIX_EPOCH + HOUR;
    let steps = tier.sweep(at, Duration::ZERO, HOUR).count();
    assert!(steps >= 1);
    assert_eq!((gauges(), there()), ((0, 0), (0, 0)));
}

#[test]
fn the_sweep_looks_at_a_few_at_a_time() {
    let (tier, _) = tier();
    for n in 0..1000 {
        tier.insert(&entry(&format!("/{n}"), 10, 9));
    }
    let mut sweep = tier.sweep(UNIX_EPOCH + HOUR, Duration::ZERO, HOUR);
    sweep.next();
    assert_eq!(tier.cache.len(), 1000 - SLICE);
    assert_eq!(sweep.count(), 3);
}
