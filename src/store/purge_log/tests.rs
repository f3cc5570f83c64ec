use super::{shared::MAX_PENDING, *};
use crate::semantics::{Key, key::Builder, stored::sample};
use bytes::Bytes;
use tokio::time::Instant;

fn key(path: &str) -> Key {
    Builder::new("http", b"a", path).build()
}

fn target(path: &str) -> Selector {
    Selector::of_uri(b"a", path)
}

fn entry(path: &str, tags: &[&str], position: Position) -> Entry {
    let mut head = sample(&[]);
    head.tags = tags.iter().map(|tag| Box::from(*tag)).collect();
    Entry::new(key(path), head, Bytes::new(), position)
}

/// The record that has waited longest, which is this one, gets its place.
fn confirm_first(log: &PurgeLog, number: u64, id: StreamId) {
    let waiting = log.shared().unwrap().next_batch(1);
    assert_eq!(waiting[0].seq, number);
    log.read_back(waiting[0].seq, id, |_| true);
}

fn hard(selector: Selector) -> Purge {
    Purge {
        selector,
        hard: true,
    }
}

fn soft(selector: Selector) -> Purge {
    Purge {
        selector,
        hard: false,
    }
}

fn log(shared: bool) -> PurgeLog {
    PurgeLog::new(shared, Metrics::new())
}

#[test]
fn each_selector_concerns_what_it_names_and_nothing_else() {
    let selectors = [
        (target("/a"), true, false),
        (Selector::tag("t"), true, false),
        (Selector::Path(PathPattern::covering("/a*")), true, false),
        (Selector::All, true, true),
    ];
    for (selector, concerns_a, concerns_b) in selectors {
        let log = log(false);
        let (a, b) = (
            entry("/a", &["t"], log.position()),
            entry("/b", &["u"], log.position()),
        );
        log.append(vec![hard(selector.clone())]);
        assert_eq!(
            log.judge(&a) == Verdict::Gone,
            concerns_a,
            "{selector:?} and /a"
        );
        assert_eq!(
            log.judge(&b) == Verdict::Gone,
            concerns_b,
            "{selector:?} and /b"
        );
    }
}

#[test]
fn soft_makes_stale_and_hard_wins() {
    let log = log(false);
    let a = entry("/a", &["t"], log.position());
    log.append(vec![soft(Selector::tag("t"))]);
    assert!(matches!(log.judge(&a), Verdict::Stale(_)));
    log.append(vec![hard(target("/a"))]);
    assert_eq!(log.judge(&a), Verdict::Gone);
}

#[test]
fn what_was_fetched_after_a_purge_is_good() {
    let log = log(false);
    log.append(vec![hard(Selector::All)]);
    assert_eq!(log.judge(&entry("/a", &[], log.position())), Verdict::Good);
}

#[test]
fn a_fetch_that_began_before_a_purge_does_not_survive_it() {
    let log = log(false);
    let began = log.position();
    log.append(vec![hard(target("/a"))]);
    assert_eq!(log.judge(&entry("/a", &[], began)), Verdict::Gone);
}

#[test]
fn a_purge_of_something_else_is_looked_at_once() {
    let log = log(false);
    let a = entry("/a", &[], log.position());
    log.append(vec![hard(target("/b"))]);
    assert_eq!(log.judge(&a), Verdict::Good);
    assert_eq!(a.checked_up_to(), log.position().local);
    log.append(vec![hard(target("/a"))]);
    assert_eq!(log.judge(&a), Verdict::Gone);
}

#[test]
fn a_purge_on_its_way_to_the_shared_log_already_counts_against_what_redis_holds() {
    let log = log(true);
    log.read_up_to(StreamId(5, 0));
    let a = entry("/a", &["t"], log.position());
    let purge = hard(Selector::tag("t"));
    let number = log.append(vec![purge]);
    assert_eq!(log.judge_shared(&a), Verdict::Gone);
    confirm_first(&log, number, StreamId(6, 0));
    assert_eq!(log.judge_shared(&a), Verdict::Gone);
    let refetched = entry(
        "/a",
        &["t"],
        Position {
            local: 0,
            shared: StreamId(6, 0),
        },
    );
    assert_eq!(log.judge_shared(&refetched), Verdict::Good);
}

#[test]
fn another_replicas_purge_does_not_hide_ours_that_is_on_its_way() {
    let log = log(true);
    let purge = hard(Selector::tag("t"));
    log.append(vec![purge.clone()]);
    log.learn(&purge, StreamId(5, 0), Duration::ZERO);
    let fetched_between = entry(
        "/a",
        &["t"],
        Position {
            local: 0,
            shared: StreamId(5, 0),
        },
    );
    assert_eq!(log.judge_shared(&fetched_between), Verdict::Gone);
}

#[test]
fn what_is_older_than_the_log_is_in_doubt() {
    let log = log(true);
    log.begins_at(StreamId(10, 0));
    let old = entry(
        "/a",
        &[],
        Position {
            local: 0,
            shared: StreamId(9, 9),
        },
    );
    assert_eq!(log.judge_shared(&old), Verdict::Perhaps);
    let new = entry(
        "/a",
        &[],
        Position {
            local: 0,
            shared: StreamId(10, 0),
        },
    );
    assert_eq!(log.judge_shared(&new), Verdict::Good);
}

#[test]
fn more_pending_purges_than_fit_put_what_redis_holds_in_doubt_and_lose_nothing() {
    let log = log(true);
    log.read_up_to(StreamId(5, 0));
    let (a, b) = (
        entry("/a", &["0"], log.position()),
        entry("/b", &[], log.position()),
    );
    for number in 0..=MAX_PENDING {
        log.append(vec![hard(Selector::tag(&number.to_string()))]);
    }
    assert_eq!(log.pending(), 1);
    assert_eq!(log.judge(&a), Verdict::Gone, "here it is known");
    assert_eq!(log.judge(&b), Verdict::Good, "and what it did not concern");
    assert_eq!(log.judge_shared(&b), Verdict::Perhaps);
    let last = log.shared().unwrap().next_batch(1)[0].seq;
    confirm_first(&log, last, StreamId(6, 0));
    assert_eq!(log.judge_shared(&b), Verdict::Perhaps, "others do not know");
    let refetched = entry("/b", &[], log.position());
    assert_eq!(log.judge_shared(&refetched), Verdict::Good);
}

#[test]
fn a_record_that_names_nothing_puts_all_that_is_older_in_doubt() {
    let log = log(true);
    let old = entry("/a", &[], log.position());
    log.learn(&Purge::UNNAMED, StreamId(5, 0), Duration::ZERO);
    log.read_up_to(StreamId(5, 0));
    assert_eq!(log.judge(&old), Verdict::Perhaps);
    assert_eq!(log.judge_shared(&old), Verdict::Perhaps);
    let new = entry("/a", &[], log.position());
    assert_eq!(log.judge(&new), Verdict::Good);
}

#[test]
fn more_patterns_than_fit_leave_what_is_older_than_the_forgotten_in_doubt() {
    let log = log(false);
    let (old, named) = (
        entry("/a", &[], log.position()),
        entry("/b/x0", &[], log.position()),
    );
    let purge = |n| hard(Selector::Path(PathPattern::covering(&format!("*/x{n}"))));
    log.append((0..250).map(purge).collect());
    assert_eq!(log.judge(&old), Verdict::Good, "they all fit");
    let old = entry("/a", &[], Position::default());
    log.append(vec![purge(250)]);
    assert_eq!(log.judge(&old), Verdict::Perhaps);
    assert_eq!(log.judge(&named), Verdict::Perhaps, "it is not lost");
    let last = entry("/b/x250", &[], Position::default());
    assert_eq!(log.judge(&last), Verdict::Gone);
    assert_eq!(log.judge(&entry("/a", &[], log.position())), Verdict::Good);
}

#[test]
fn an_entry_that_is_read_now_and_then_is_never_in_doubt() {
    let log = log(false);
    let a = entry("/a", &[], log.position());
    for n in 0..20 {
        let purge = |m| hard(target(&format!("/{n}/{m}")));
        log.append((0..20_000).map(purge).collect());
        assert_eq!(log.judge(&a), Verdict::Good);
    }
}

#[test]
fn what_is_on_its_way_survives_what_is_forgotten() {
    let log = log(true);
    let a = entry("/a", &["t"], log.position());
    let purge = hard(Selector::tag("t"));
    let number = log.append(vec![purge]);
    for n in 0..300 {
        log.learn(
            &soft(Selector::Path(PathPattern::covering(&format!("*/x{n}")))),
            StreamId(n, 1),
            Duration::ZERO,
        );
    }
    let old = entry(
        "/a",
        &["t"],
        Position {
            local: 0,
            shared: StreamId(1_000, 0),
        },
    );
    assert_eq!(
        log.judge_shared(&old),
        Verdict::Gone,
        "ours is newer, whatever redis says"
    );
    confirm_first(&log, number, StreamId(2_000, 0));
    assert_eq!(log.judge_shared(&old), Verdict::Gone);
    assert_eq!(log.judge(&a), Verdict::Gone);
}

#[test]
fn overflowing_twice_leaves_the_shared_tier_usable() {
    let log = log(true);
    for _ in 0..2 {
        for n in 0..=MAX_PENDING {
            log.append(vec![soft(Selector::tag(&n.to_string()))]);
        }
    }
    for record in log.shared().unwrap().next_batch(MAX_PENDING) {
        log.read_back(record.seq, StreamId(10, record.seq), |_| true);
    }
    assert_eq!(log.pending(), 0);
    let new = entry(
        "/a",
        &[],
        Position {
            local: 0,
            shared: StreamId(11, 0),
        },
    );
    assert_eq!(log.judge_shared(&new), Verdict::Good);
}

fn from_redis(shared: StreamId) -> Entry {
    entry("/a", &["t"], Position { local: 0, shared })
}

#[test]
fn a_lost_history_puts_all_that_was_kept_in_doubt_also_what_was_fetched_since_the_last_record() {
    let log = log(true);
    let early = entry("/a", &[], log.position());
    let reached = StreamId(5, 7);
    log.read_up_to(reached);
    let since = entry("/a", &[], log.position());
    assert_eq!(since.shared_position, reached);
    log.doubt_before(reached.next());
    for entry in [&early, &since] {
        assert_eq!(log.judge(entry), Verdict::Perhaps);
        assert_eq!(log.judge_shared(entry), Verdict::Perhaps);
    }
    let later = entry("/a", &[], log.position());
    assert_eq!(log.judge(&later), Verdict::Good, "it began after the loss");
    let elsewhere = from_redis(reached.next());
    assert_eq!(log.judge_shared(&elsewhere), Verdict::Good);
}

#[test]
fn doubt_hides_no_purge_that_is_known() {
    let log = log(true);
    let (a, b) = (
        entry("/a", &[], log.position()),
        entry("/b", &[], log.position()),
    );
    log.learn(&hard(target("/a")), StreamId(5, 0), Duration::ZERO);
    log.doubt_before(StreamId(5, 1));
    log.begins_at(StreamId(6, 0));
    assert_eq!(log.judge(&a), Verdict::Gone);
    assert_eq!(log.judge_shared(&a), Verdict::Gone);
    assert_eq!(log.judge_shared(&b), Verdict::Perhaps);
}

#[test]
fn what_was_fetched_before_anything_was_purged_is_told_from_what_came_from_redis() {
    let log = log(true);
    let own = entry("/b", &[], log.position());
    assert_ne!(own.checked_up_to(), 0);
    assert_eq!(log.judge(&own), Verdict::Good);
    // Redis is found, and its log begins after what was fetched without it.
    log.begins_at(StreamId(10, 0));
    log.append(vec![hard(target("/a"))]);
    assert_eq!(log.judge(&own), Verdict::Good);
    assert_eq!(log.judge_shared(&from_redis(StreamId(9, 0))), Verdict::Gone);
}

#[test]
fn the_place_after_the_last_sequence_is_in_the_next_millisecond() {
    assert_eq!(StreamId(5, 7).next(), StreamId(5, 8));
    assert_eq!(StreamId(5, u64::MAX).next(), StreamId(6, 0));
    let last = StreamId(u64::MAX, u64::MAX);
    assert_eq!(last.next(), last);
}

#[tokio::test(start_paused = true)]
async fn a_window_begins_with_the_first_soft_purge_after_the_fetch_whenever_it_is_looked_for() {
    let log = log(false);
    let old = entry("/a", &["t"], log.position());
    let first = Instant::now();
    log.append(vec![soft(Selector::tag("t"))]);
    tokio::time::advance(Duration::from_secs(60)).await;
    let since_then = entry("/a", &["t"], log.position());
    for _ in 0..10 {
        tokio::time::advance(Duration::from_secs(60)).await;
        log.append(vec![soft(Selector::tag("t"))]);
    }
    assert_eq!(log.judge(&old), Verdict::Stale(first));
    // Of more than a few times the oldest is kept, and never a later one in its place.
    assert_eq!(log.judge(&since_then), Verdict::Stale(first));
    let newer = entry("/a", &["t"], log.position());
    tokio::time::advance(Duration::from_secs(60)).await;
    let second = Instant::now();
    log.append(vec![soft(Selector::tag("t"))]);
    assert_eq!(log.judge(&newer), Verdict::Stale(second));
    tokio::time::advance(Duration::from_secs(60)).await;
    log.append(vec![soft(Selector::tag("t")), soft(target("/a"))]);
    assert_eq!(log.judge(&newer), Verdict::Stale(second));
}

#[tokio::test(start_paused = true)]
async fn a_window_of_everything_and_of_a_pattern_begins_with_the_first_purge_too() {
    let pattern = || Selector::Path(PathPattern::covering("/*/x"));
    for selector in [Selector::All, pattern(), target("/a/x")] {
        let log = log(false);
        let a = entry("/a/x", &[], log.position());
        let first = Instant::now();
        for _ in 0..3 {
            log.append(vec![soft(selector.clone())]);
            tokio::time::advance(Duration::from_secs(60)).await;
        }
        assert_eq!(log.judge(&a), Verdict::Stale(first), "{selector:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_nothing_is_older_than_takes_no_memory() {
    let (log, day) = (log(false), Duration::from_secs(86_400));
    let empty = log.bytes();
    let purges = |from: u64| {
        let one = |n: u64| hard(target(&format!("/{n}")));
        (from..from + 5_000).map(one).collect::<Vec<_>>()
    };
    log.append(purges(0));
    log.retire(day);
    let full = log.bytes();
    assert!(full > empty + 100_000);
    tokio::time::advance(day).await;
    log.append(purges(5_000));
    log.retire(day);
    assert!(
        log.bytes() >= full,
        "an entry of yesterday may still be kept"
    );
    tokio::time::advance(Duration::from_secs(120)).await;
    log.retire(day);
    tokio::time::advance(day).await;
    log.retire(day);
    assert!(log.bytes() < empty + 10_000, "{} {empty}", log.bytes());
    let forgotten = entry(
        "/1",
        &[],
        Position {
            local: 1,
            shared: StreamId::default(),
        },
    );
    assert_eq!(log.judge(&forgotten), Verdict::Perhaps, "if it were kept");
    assert_eq!(log.judge(&entry("/1", &[], log.position())), Verdict::Good);
}
