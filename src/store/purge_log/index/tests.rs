use super::{
    super::{
        marks::MOST_SOFT,
        pattern::{MAX_BEGINNING, MAX_PATTERN, PathPattern},
        shared::MAX_PENDING,
    },
    *,
};
use crate::{
    semantics::{key::Builder, stored::sample},
    store::entry::Position,
};
use bytes::Bytes;
use proptest::prelude::*;
use std::collections::VecDeque;

fn entry(path: &str, query: Option<&str>, tags: &[&str], position: Position) -> Entry {
    let mut head = sample(&[]);
    head.tags = tags.iter().map(|tag| Box::from(*tag)).collect();
    let key = Builder::new("http", b"a", path).query(query).build();
    Entry::new(key, head, Bytes::new(), position)
}

fn at(local: u64) -> Position {
    Position {
        local,
        shared: StreamId(local, 0),
    }
}

fn path(text: &str) -> Selector {
    Selector::Path(PathPattern::covering(text))
}

fn hard(selector: Selector) -> Purge {
    Purge {
        selector,
        hard: true,
    }
}

/// Buckets of a small table, and its places.
const BUCKETS: usize = 240;
const PLACES: u64 = 2_400;

/// Purges of `selectors`, the first of which has the number 1.
fn index_of(selectors: impl IntoIterator<Item = Selector>) -> Index {
    let mut index = Index::of(BUCKETS, MAX_PATTERNS);
    for (at, selector) in selectors.into_iter().enumerate() {
        index.record(&hard(selector), at as u64 + 1, None);
    }
    index
}

type Numbered = fn(u64) -> Selector;

/// Each kind that anybody's requests can name as many of as they like.
const KINDS: [(&str, Numbered); 5] = [
    ("targets", |n| Selector::of_uri(b"a", &format!("/t/{n}"))),
    ("tags", |n| Selector::tag(&format!("t{n}"))),
    ("paths", |n| path(&format!("/t/{n}"))),
    ("paths with a query", |n| path(&format!("/t?n={n}"))),
    ("beginnings", |n| path(&format!("/t/{n}/*"))),
];

#[test]
fn many_purges_lose_nothing_that_is_newer_than_what_was_forgotten() {
    const MANY: u64 = 10 * PLACES;
    for (kind, selector) in KINDS {
        let index = index_of((0..MANY).map(selector));
        let judge = |position: u64, path: &str, tags: &[&str]| {
            index.judge_local(&entry(path, None, tags, at(position)), position)
        };
        let remembered = MANY - PLACES * 3 / 5;
        assert_eq!(judge(remembered, "/other", &["x"]), Verdict::Good, "{kind}");
        assert_eq!(judge(1, "/other", &["x"]), Verdict::Perhaps, "{kind}");
        let (first, last) = (selector(0), selector(MANY - 1));
        for (selector, of, expected) in [
            (first, 0, Verdict::Perhaps),
            (last, MANY - 1, Verdict::Gone),
        ] {
            let tag = format!("t{of}");
            let candidates = [
                entry(&format!("/t/{of}"), None, &[&tag], at(0)),
                entry("/t", Some(&format!("n={of}")), &[&tag], at(0)),
                entry(&format!("/t/{of}/x"), None, &[&tag], at(0)),
            ];
            let concerned = candidates.iter().find(|entry| selector.concerns(entry));
            let verdict = index.judge_local(concerned.unwrap(), 0);
            assert_eq!(verdict, expected, "{kind}: a purge of {of} is not lost");
        }
    }
}

#[test]
fn what_has_no_tag_is_not_touched_by_tags() {
    let index = index_of((0..100_000).map(|n| Selector::tag(&n.to_string())));
    let untagged = entry("/a", None, &[], at(0));
    assert_eq!(index.judge_local(&untagged, 0), Verdict::Good);
}

/// As docs/reliability.md says, whatever the allocator adds to it.
#[test]
fn an_index_that_is_full_of_everything_takes_16_mib() {
    let mut index = Index::default();
    index.table.reserve(table::MOST);
    let mut number = 0;
    let mut record = |index: &mut Index, selector: Selector, hard: bool| {
        number += 1;
        index.record(&Purge { selector, hard }, number, Some(Origin::Here));
    };
    let kinds = KINDS.iter().cycle();
    for (n, (_, selector)) in (0..=MAX_PENDING as u64).zip(kinds) {
        record(&mut index, selector(n), n % 3 > 0);
    }
    for n in 0..2 * MAX_PATTERNS {
        let text = format!("/*{}{n:03}", "x".repeat(MAX_PATTERN - 5));
        for hard in [false, false, true, false, false, false] {
            record(&mut index, path(&text), hard);
        }
    }
    record(
        &mut index,
        path(&format!("{}*", "/".repeat(MAX_BEGINNING))),
        true,
    );
    let bytes = index.bytes();
    assert!(15 << 20 < bytes && bytes <= 16 << 20, "{bytes}");
    for (text, mark) in &index.globs.marks {
        assert_eq!((text.len(), mark.softs.len()), (MAX_PATTERN, MOST_SOFT));
    }
}

#[test]
fn an_empty_index_takes_nothing_to_speak_of() {
    assert!(Index::default().bytes() < 1 << 10);
}

#[test]
fn a_read_looks_for_a_fixed_number_of_beginnings_whatever_clients_wrote() {
    let long = "x".repeat(30_000);
    let lengths = (0..30_000).step_by(7).chain(0..=300);
    let index = index_of(lengths.map(|length| path(&format!("/{}*", &long[..length]))));
    let lengths = || index.lengths.newer_than(After::Local(0));
    assert_eq!(lengths().count(), MAX_BEGINNING);
    let compared = entry(&format!("/{long}"), None, &[], at(0));
    let compared = Compared::of(&compared.key).unwrap();
    let looked_at: usize = lengths().map(usize::from).sum();
    assert!(
        looked_at <= MAX_BEGINNING * (MAX_BEGINNING + 1) / 2,
        "{looked_at} bytes"
    );
    let found = lengths().map_while(|length| compared.digest_of(length));
    assert_eq!(found.count(), MAX_BEGINNING, "one look-up each");
}

#[test]
fn lengths_that_are_older_than_the_entry_are_not_looked_for() {
    let texts = ["/a/long/beginning*", "/b*", "/c/d*"];
    let index = index_of(texts.map(path));
    let looked_for = |checked| {
        let lengths = index.lengths.newer_than(After::Local(checked));
        lengths.collect::<Vec<_>>()
    };
    assert_eq!(looked_for(0), [2, 4, 17]);
    assert_eq!(looked_for(1), [2, 4]);
    assert_eq!(looked_for(3), [0_u16; 0]);
}

#[test]
fn a_path_made_to_take_long_costs_a_read_a_fixed_number_of_steps() {
    let patterns = (0..MAX_PATTERNS).map(|n| path(&format!("*{}{n}*", "a".repeat(400))));
    let index = index_of(patterns);
    let hostile = entry(&format!("/{}", "a".repeat(30_000)), None, &[], at(0));
    let mut steps = Steps::most();
    let compared = Compared::of(&hostile.key).unwrap();
    let verdict = index.globs.verdict(&compared, After::Local(0), &mut steps);
    assert_eq!((verdict, steps.left()), (Verdict::Perhaps, 0));
    let newest = After::Local(MAX_PATTERNS as u64);
    let verdict = index.globs.verdict(&compared, newest, &mut steps);
    assert_eq!(
        verdict,
        Verdict::Good,
        "what is older than the entry is not tried"
    );
}

#[test]
fn ordinary_paths_are_compared_with_all_patterns_there_may_be() {
    let patterns = (0..MAX_PATTERNS).map(|n| path(&format!("/api/*/comments/{n}/*")));
    let index = index_of(patterns);
    let ordinary = |id: usize| {
        let path = format!("/api/articles/some-article-of-mine/comments/{id}/replies");
        index.judge_local(&entry(&path, None, &[], at(0)), 0)
    };
    assert_eq!(ordinary(4711), Verdict::Good);
    assert_eq!(ordinary(MAX_PATTERNS - 1), Verdict::Gone);
}

#[test]
fn a_soft_purge_that_is_forgotten_on_its_way_is_no_hard_one() {
    let mut index = Index::of(1, 1);
    let of = |path: &str, hard| Purge {
        selector: Selector::of_uri(b"a", path),
        hard,
    };
    let last = 1 + table::SLOTS as u64;
    for number in 1..=last {
        let soft = of(&format!("/a/{number}"), false);
        index.record(&soft, number, Some(Origin::Here));
    }
    let place = StreamId(1, 0);
    let elsewhere = Origin::Elsewhere(place, Duration::ZERO);
    index.record(&of("/a/1", true), last + 1, Some(elsewhere));
    index.reach(place);
    let position = Position {
        local: last + 1,
        shared: place,
    };
    let fetched = entry("/a/1", None, &[], position);
    let on_its_way = index.judge_shared(&fetched);
    assert!(matches!(on_its_way, Verdict::Stale(_)), "{on_its_way:?}");
    index.confirm(&of("/a/1", false), 1, StreamId(2, 0));
    assert_eq!(index.judge_shared(&fetched), Verdict::Perhaps);
    assert_eq!(index.judge_local(&fetched, last + 1), Verdict::Good);
}

#[test]
fn a_record_that_is_sent_again_is_newer_than_what_redis_holds_until_it_has_its_place() {
    let mut index = Index::default();
    let purges = [(1, "/a/*"), (2, "/b/*")].map(|(number, text)| (number, hard(path(text))));
    for (number, purge) in &purges {
        index.record(purge, *number, Some(Origin::Here));
    }
    let (_, second) = &purges[1];
    index.confirm(second, 2, StreamId(5, 0));
    let position = Position {
        local: 0,
        shared: StreamId(5, 0),
    };
    let judge = |index: &Index, path| index.judge_shared(&entry(path, None, &[], position));
    assert_eq!(judge(&index, "/a/1"), Verdict::Gone, "it is on its way");
    assert_eq!(judge(&index, "/b/1"), Verdict::Good);
    index.confirm(&purges[0].1, 1, StreamId(6, 0));
    assert_eq!(judge(&index, "/a/1"), Verdict::Gone);
    assert!(index.on_its_way.is_empty());
}

#[derive(Clone, Debug)]
enum Step {
    Here(Purge),
    Elsewhere(Purge),
    /// The record that has waited longest has its place.
    Confirm,
    /// Too many wait.
    Overflow,
    /// A fetch begins, of one of [`fetched`].
    Fetch(usize),
}

fn fetched(which: usize, position: Position) -> Entry {
    let (path, query) = [
        ("/a/1", None),
        ("/a/2", Some("q=1")),
        ("/b/1/x", None),
        ("/b/2", Some("q=2")),
    ][which % 4];
    let tags = [&["t1"][..], &["t1", "t2"], &[], &["t3"]][which / 4 % 4];
    entry(path, query, tags, position)
}

fn selectors() -> impl Strategy<Value = Selector> {
    let paths = [
        "/a/1", "/a/2", "/a/2?q=1", "/b/2", "/a/*", "/b/1*", "/b/2?q*", "*", "/*/1", "/*/2", "*x",
    ];
    prop_oneof![
        8 => (1..8_u8).prop_map(|n| Selector::of_uri(b"a", &format!("/a/{n}"))),
        2 => (1..8_u8).prop_map(|n| Selector::tag(&format!("t{n}"))),
        3 => (0..paths.len()).prop_map(move |at| path(paths[at])),
        1 => Just(Selector::All),
    ]
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let purge =
        || (selectors(), any::<bool>()).prop_map(|(selector, hard)| Purge { selector, hard });
    let step = prop_oneof![
        4 => purge().prop_map(Step::Here),
        3 => purge().prop_map(Step::Elsewhere),
        4 => Just(Step::Confirm),
        1 => Just(Step::Overflow),
        3 => (0..16_usize).prop_map(Step::Fetch),
    ];
    proptest::collection::vec(step, 0..40)
}

/// A record as somebody with endless memory knows it; without a place in the shared log it is on its way there.
struct Known {
    purge: Purge,
    number: u64,
    place: Option<StreamId>,
}

/// What somebody with endless memory says: whether a hard purge, and whether a soft one concerns `entry`.
fn expected<'k>(entry: &Entry, newer: impl Iterator<Item = &'k Known>) -> (bool, bool) {
    newer
        .filter(|known| known.purge.selector.concerns(entry))
        .fold((false, false), |(hard, soft), known| {
            (hard || known.purge.hard, soft || !known.purge.hard)
        })
}

fn agrees(verdict: Verdict, expected: (bool, bool), is_remembered: bool) -> bool {
    match (expected, verdict) {
        (_, Verdict::Perhaps) => !is_remembered,
        ((true, _), Verdict::Gone) | ((false, true), Verdict::Stale(_)) => true,
        ((false, false), Verdict::Good) => true,
        _ => false,
    }
}

/// Marks, and patterns.
const KEPT: usize = table::SLOTS;

fn check(
    index: &Index,
    entry: &Entry,
    known: &[Known],
    overflowed: bool,
) -> Result<(), TestCaseError> {
    let checked = entry.checked_up_to();
    let newer = known.iter().filter(|one| one.number > checked);
    let is_remembered = checked + KEPT as u64 >= known.len() as u64;
    let verdict = index.judge_local(entry, checked);
    prop_assert!(
        agrees(verdict, expected(entry, newer), is_remembered),
        "{:?} {:?}",
        entry,
        verdict
    );
    let position = entry.shared_position;
    let newer = known
        .iter()
        .filter(|one| one.place.is_none_or(|id| id > position));
    let is_remembered = !overflowed && known.len() <= KEPT;
    let verdict = index.judge_shared(entry);
    prop_assert!(
        agrees(verdict, expected(entry, newer), is_remembered),
        "{:?} {:?}",
        entry,
        verdict
    );
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3_000))]

    #[test]
    fn no_purge_is_lost_and_what_is_newer_than_the_forgotten_is_judged_exactly(steps in steps()) {
        let (mut index, mut known) = (Index::of(1, KEPT), Vec::<Known>::new());
        let (mut waiting, mut entries) = (VecDeque::new(), Vec::new());
        let (mut overflowed, mut place) = (false, 0);
        for step in steps {
            let number = known.len() as u64 + 1;
            match step {
                Step::Here(purge) => {
                    index.record(&purge, number, Some(Origin::Here));
                    waiting.push_back((purge.clone(), number));
                    known.push(Known { purge, number, place: None });
                }
                Step::Elsewhere(purge) => {
                    place += 1;
                    let id = StreamId(place, 0);
                    index.record(&purge, number, Some(Origin::Elsewhere(id, Duration::ZERO)));
                    index.reach(id);
                    known.push(Known { purge, number, place: Some(id) });
                }
                Step::Confirm => {
                    let Some((purge, number)): Option<(Purge, u64)> = waiting.pop_front() else { continue };
                    place += 1;
                    index.confirm(&purge, number, StreamId(place, 0));
                    for one in known.iter_mut().filter(|one| one.number <= number) {
                        one.place.get_or_insert(StreamId(place, 0));
                    }
                }
                Step::Overflow => {
                    let Some(last) = waiting.back().map(|(_, number)| *number) else { continue };
                    waiting.clear();
                    waiting.push_back((Purge::UNNAMED, last));
                    index.replace_those_on_their_way(last);
                    overflowed = true;
                }
                Step::Fetch(which) => {
                    let (local, shared) = (known.len() as u64, index.reached());
                    entries.push(fetched(which, Position { local, shared }));
                }
            }
            for entry in &entries {
                check(&index, entry, &known, overflowed)?;
            }
        }
    }
}
