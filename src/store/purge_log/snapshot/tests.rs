use super::{super::*, *};
use crate::{
    semantics::{key::Builder, stored::sample},
    store::purge_log::shared::MAX_PENDING,
};
use proptest::prelude::*;

/// What the clock of the shared log shows in all of these.
const NOW: u64 = 1_700_000_000_000;

fn log() -> PurgeLog {
    PurgeLog::new(true, Metrics::new())
}

fn entry(n: u64, shared: StreamId) -> Entry {
    let mut head = sample(&[]);
    head.tags = vec![Box::from(format!("t{n}"))];
    let key = Builder::new("http", b"a", &format!("/{n}/x")).build();
    Entry::new(key, head, Bytes::new(), Position { local: 0, shared })
}

fn selectors(n: u64) -> [Selector; 6] {
    let path = |text: String| Selector::Path(PathPattern::covering(&text));
    [
        Selector::of_uri(b"a", &format!("/{n}/x")),
        Selector::tag(&format!("t{n}")),
        path(format!("/{n}/x")),
        path(format!("/{n}/*")),
        path(format!("/{n}*/x")),
        Selector::All,
    ]
}

fn purge(n: u64, which: usize, hard: bool) -> Purge {
    let selector = selectors(n)[which % 6].clone();
    Purge { selector, hard }
}

/// A log that has read one record a millisecond, the last of which was made at `NOW`.
fn log_of(count: u64, purge: impl Fn(u64) -> Purge) -> PurgeLog {
    let log = log();
    let first = NOW + 1 - count;
    log.begins_at(StreamId(first, 0));
    for (id, n) in (first..).zip(0..count) {
        log.learn(&purge(n), StreamId(id, 0), Duration::from_millis(NOW - id));
        log.read_up_to(StreamId(id, 0));
    }
    log
}

fn restored(from: &PurgeLog) -> PurgeLog {
    let (log, snapshot) = (log(), from.snapshot(NOW).unwrap());
    let holds = log.restore(&snapshot, NOW).unwrap();
    assert_eq!(holds, from.index.read().followed);
    log
}

fn tenths(verdict: Verdict, now: Instant) -> (u8, u128) {
    match verdict {
        Verdict::Good => (0, 0),
        Verdict::Stale(since) => (1, (now - since).as_millis() / 500),
        Verdict::Perhaps => (2, 0),
        Verdict::Gone => (3, 0),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn who_reads_a_snapshot_says_of_redis_what_its_writer_says(
        purges in proptest::collection::vec((0..12_u64, 0..30_usize, any::<bool>(), any::<bool>()), 1..60),
    ) {
        let log = log();
        let first = NOW - 1000 * purges.len() as u64;
        log.begins_at(StreamId(first - 1, 0));
        for (id, (n, which, hard, own)) in (first..).step_by(1000).zip(purges) {
            // Everything is purged now and then.
            let purge = purge(n, if which == 29 { 5 } else { which % 5 }, hard);
            if own {
                log.append(vec![purge]);
            } else {
                log.learn(&purge, StreamId(id, 0), Duration::from_millis(NOW - id));
                log.read_up_to(StreamId(id, 0));
            }
            if let Some(waiting) = log.shared().unwrap().next_batch(1).first()
                && id % 3 > 0
            {
                log.read_back(waiting.seq, StreamId(id, 5), |_| true);
            }
        }
        prop_assume!(log.index.read().followed > StreamId::default());
        let (fresh, now) = (restored(&log), Instant::now());
        let holds = log.index.read().followed;
        for n in 0..13 {
            for position in (first - 1000..=holds.0).step_by(1000) {
                let entry = entry(n, StreamId(position, 0));
                let (theirs, ours) = (log.judge_shared(&entry), fresh.judge_shared(&entry));
                prop_assert_eq!(tenths(ours, now).0, tenths(theirs, now).0, "{} {}", n, position);
                let ages = tenths(ours, now).1.abs_diff(tenths(theirs, now).1);
                prop_assert!(ages <= 1, "{:?} {:?}", ours, theirs);
            }
        }
    }

    #[test]
    fn any_bytes_are_refused_or_read_and_never_a_panic(
        bytes in proptest::collection::vec(any::<u8>(), 0..400), is_headed: bool, is_summed: bool,
    ) {
        let mut snapshot = if is_headed { MAGIC.to_vec() } else { Vec::new() };
        snapshot.extend(bytes);
        if is_summed {
            snapshot.extend(xxh3_64(&snapshot).to_le_bytes());
        }
        read_whatever_it_is(&snapshot)?;
    }

    #[test]
    fn a_snapshot_that_was_changed_is_refused_or_read_and_never_a_panic(
        at: prop::sample::Index, byte: u8, cut: prop::sample::Index, is_summed: bool,
    ) {
        let log = log_of(60, |n| purge(n, usize::try_from(n).unwrap(), n % 2 > 0));
        log.append(vec![purge(7, 0, false)]);
        let whole = log.snapshot(NOW).unwrap();
        let mut snapshot = whole[..whole.len() - 8].to_vec();
        let changed = at.index(snapshot.len());
        let differs = snapshot[changed] != byte;
        snapshot[changed] = byte;
        snapshot.truncate(snapshot.len() - cut.index(2) * cut.index(snapshot.len()));
        let sum = if is_summed { xxh3_64(&snapshot) } else { xxh3_64(&whole[..whole.len() - 8]) };
        snapshot.extend(sum.to_le_bytes());
        let read = read_whatever_it_is(&snapshot)?;
        prop_assert!(is_summed || !read || !differs, "the sum is compared");
    }
}

/// Whether it was read; where it was not, nothing has changed, and in no case is more taken than there may be.
fn read_whatever_it_is(snapshot: &[u8]) -> Result<bool, TestCaseError> {
    let log = log();
    let before = (log.position(), log.bytes());
    let is_read = log.restore(snapshot, NOW).is_ok();
    prop_assert!(is_read || (log.position(), log.bytes()) == before);
    prop_assert!(log.bytes() <= 16 << 20);
    log.judge_shared(&entry(1, StreamId(NOW, 0)));
    log.append(vec![purge(1, 0, true)]);
    log.judge(&entry(1, StreamId(NOW, 0)));
    Ok(is_read)
}

#[test]
fn a_mark_takes_less_than_twenty_bytes_and_what_was_forgotten_is_doubted_there_too() {
    const MANY: u64 = 20_000;
    let log = log_of(MANY, |n| purge(n, 0, true));
    let snapshot = log.snapshot(NOW).unwrap();
    assert!(snapshot.len() as u64 <= 20 * MANY, "{}", snapshot.len());
    let fresh = restored(&log);
    for n in (0..MANY).step_by(77) {
        let before = entry(n, StreamId(NOW - MANY + n, 9));
        assert_eq!(fresh.judge_shared(&before), Verdict::Gone, "{n}");
        let after = entry(n, StreamId(NOW - MANY + n + 1, 0));
        assert_eq!(fresh.judge_shared(&after), Verdict::Good, "{n}");
    }
    let full = self::log();
    *full.index.write() = Index::of(15, MAX_PATTERNS_HERE);
    for n in 1..=MANY {
        full.learn(&purge(n, 0, true), StreamId(n, 0), Duration::ZERO);
    }
    full.read_up_to(StreamId(MANY, 0));
    let fresh = restored(&full);
    assert_eq!(
        fresh.judge_shared(&entry(MANY + 1, StreamId(1, 0))),
        Verdict::Perhaps
    );
    assert_eq!(
        fresh.judge_shared(&entry(MANY + 1, StreamId(MANY, 0))),
        Verdict::Good
    );
    assert_ne!(fresh.judge_shared(&entry(1, StreamId(0, 1))), Verdict::Good);
}

const MAX_PATTERNS_HERE: usize = 10;

#[test]
fn a_purge_that_has_no_place_yet_is_not_lost_whatever_its_place_becomes() {
    let log = log_of(1, |_| purge(1, 0, true));
    let number = log.append(vec![purge(2, 0, true), purge(3, 3, false)]);
    assert!(number > 0);
    let fresh = restored(&log);
    let at = StreamId(NOW, 0);
    assert_eq!(fresh.judge_shared(&entry(2, at)), Verdict::Gone);
    assert!(matches!(
        fresh.judge_shared(&entry(3, at)),
        Verdict::Stale(_)
    ));
    assert_eq!(fresh.judge_shared(&entry(4, at)), Verdict::Good);
    (0..=MAX_PENDING as u64).for_each(|n| {
        log.append(vec![purge(n + 10, 0, true)]);
    });
    assert_eq!(restored(&log).judge_shared(&entry(4, at)), Verdict::Perhaps);
}

#[test]
fn what_was_fetched_before_a_snapshot_was_read_is_older_than_what_it_knows() {
    let (writer, reader) = (log_of(1, |_| purge(1, 0, true)), log());
    let early = |n| {
        let early = entry(n, StreamId::default());
        early.set_checked(reader.position().local);
        early
    };
    let (one, other) = (early(1), early(2));
    reader.append(vec![purge(3, 0, true)]);
    reader.restore(&writer.snapshot(NOW).unwrap(), NOW).unwrap();
    assert_eq!(reader.judge(&one), Verdict::Gone);
    assert_eq!(reader.judge(&other), Verdict::Good);
    let at = StreamId(NOW, 0);
    assert_eq!(
        reader.judge_shared(&entry(3, at)),
        Verdict::Gone,
        "its own is on its way"
    );
    assert_eq!(reader.position().shared, at);
}

#[test]
fn there_is_none_before_anything_was_read_and_a_table_that_grows_is_begun_again() {
    assert!(log().snapshot(NOW).is_none());
    let log = log_of(10_000, |n| purge(n, 0, true));
    let mut taking = Taking::begin(&log.index.read(), NOW).unwrap();
    log.append((10_000..40_000).map(|n| purge(n, 0, true)).collect());
    assert_eq!(taking.more(&log.index.read()), Progress::Moved);
    assert!(log.snapshot(NOW).is_some());
}

/// SOAK=1 prints what it takes for the longest log there is.
#[test]
#[allow(clippy::print_stdout, reason = "the figures are what it is run for")]
fn half_a_million_records_in_a_few_megabytes() {
    let many: u64 = if std::env::var_os("SOAK").is_some() {
        500_000
    } else {
        5_000
    };
    let log = log_of(many, |n| purge(n, 0, true));
    let begun = Instant::now();
    let snapshot = log.snapshot(NOW).unwrap();
    let (taken, begun) = (begun.elapsed(), Instant::now());
    let fresh = super::tests::log();
    fresh.restore(&snapshot, NOW).unwrap();
    let read = begun.elapsed();
    println!(
        "{many} marks: {} bytes, taken in {taken:?}, read in {read:?}, index {} bytes",
        snapshot.len(),
        fresh.bytes()
    );
    assert!(snapshot.len() < 10 << 20);
    assert_eq!(
        fresh.judge_shared(&entry(many - 1, StreamId(0, 0))),
        Verdict::Gone
    );
}
