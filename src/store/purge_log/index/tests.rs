use super::{super::pattern::MAX_BEGINNING, super::pattern::PathPattern, *};
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

/// Purges of `selectors`, the first of which has the number 1.
fn index_of(selectors: impl IntoIterator<Item = Selector>) -> Index {
    let mut index = Index::default();
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
fn two_hundred_thousand_purges_lose_nothing_that_is_newer_than_what_was_forgotten() {
    const MANY: u64 = 200_000;
    for (kind, selector) in KINDS {
        let index = index_of((0..MANY).map(selector));
        let judge = |position: u64, path: &str, tags: &[&str]| {
            index.judge_local(&entry(path, None, tags, at(position)), position)
        };
        let remembered = MANY - GENERATION as u64;
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

/// As docs/reliability.md says: 26 MiB. A table has 2^15 places of a mark and a byte each.
#[test]
fn an_index_that_is_full_of_everything_takes_a_fixed_number_of_bytes() {
    const PLACES: usize = 1 << 15;
    let mut index = Index::default();
    for n in 0..4 * GENERATION as u64 {
        for (_, selector) in KINDS {
            index.record(&hard(selector(n)), n, None);
        }
        index.record(&hard(path(&format!("/*{}{n}", "x".repeat(480)))), n, None);
    }
    let kinds = [
        &index.targets,
        &index.tags,
        &index.exact,
        &index.beginnings.marks,
    ];
    let mut bytes = 0;
    for marks in kinds {
        let (count, room) = marks.size();
        assert!(
            count <= 2 * GENERATION && room <= 2 * GENERATION,
            "{count} {room}"
        );
        bytes += 2 * PLACES * (size_of::<(u128, Mark)>() + 1);
    }
    assert!(index.globs.marks.len() <= MAX_PATTERNS);
    let texts = index.globs.marks.iter().map(|(text, _)| text.len());
    bytes += texts.sum::<usize>() + MAX_PATTERNS * size_of::<(Box<str>, Mark)>();
    assert!(bytes < 26 << 20, "{bytes}");
}

#[test]
fn a_read_looks_for_a_fixed_number_of_beginnings_whatever_clients_wrote() {
    let long = "x".repeat(30_000);
    let lengths = (0..30_000).step_by(7).chain(0..=300);
    let index = index_of(lengths.map(|length| path(&format!("/{}*", &long[..length]))));
    assert_eq!(index.beginnings.lengths().count(), MAX_BEGINNING);
    let compared = entry(&format!("/{long}"), None, &[], at(0));
    let compared = Compared::of(&compared.key).unwrap();
    let looked_at: usize = index.beginnings.lengths().map(usize::from).sum();
    assert!(
        looked_at <= MAX_BEGINNING * (MAX_BEGINNING + 1) / 2,
        "{looked_at} bytes"
    );
    let found = index
        .beginnings
        .lengths()
        .map_while(|length| compared.digest_of(length));
    assert_eq!(found.count(), MAX_BEGINNING, "one look-up each");
}

#[test]
fn lengths_that_are_forgotten_are_not_looked_for() {
    let first = ["/a/long/beginning*".to_owned()].into_iter();
    let others = (0..3 * GENERATION).map(|n| format!("/{n:07}*"));
    let index = index_of(first.chain(others).map(|text| path(&text)));
    assert_eq!(index.beginnings.lengths().collect::<Vec<_>>(), [8]);
}

#[test]
fn a_path_made_to_take_long_costs_a_read_a_fixed_number_of_steps() {
    let patterns = (0..MAX_PATTERNS).map(|n| path(&format!("*{}{n}*", "a".repeat(400))));
    let index = index_of(patterns);
    let hostile = entry(&format!("/{}", "a".repeat(30_000)), None, &[], at(0));
    let mut steps = Steps::most();
    let compared = Compared::of(&hostile.key).unwrap();
    let all = |stamp: &Stamp| stamp.is_newer_than_local(0);
    let verdict = index.globs.verdict(&compared, &all, &mut steps);
    assert_eq!((verdict, steps.left()), (Verdict::Perhaps, 0));
    let newest = |stamp: &Stamp| stamp.is_newer_than_local(MAX_PATTERNS as u64);
    let verdict = index.globs.verdict(&compared, &newest, &mut steps);
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
    index.record(&of("/a/1", false), 1, Some(Origin::Here));
    for number in 2..4 {
        index.record(
            &of(&format!("/a/{number}"), false),
            number,
            Some(Origin::Here),
        );
    }
    let place = StreamId(1, 0);
    index.record(
        &of("/a/1", true),
        4,
        Some(Origin::Elsewhere(place, Duration::ZERO)),
    );
    index.reach(place);
    let fetched = entry(
        "/a/1",
        None,
        &[],
        Position {
            local: 4,
            shared: place,
        },
    );
    index.confirm(&of("/a/1", false), 1, StreamId(2, 0));
    assert_eq!(index.judge_shared(&fetched), Verdict::Perhaps);
    assert_eq!(index.judge_local(&fetched, 4), Verdict::Good);
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

/// Marks in each generation, and patterns.
const KEPT: usize = 2;

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
        let (mut index, mut known) = (Index::of(KEPT, KEPT), Vec::<Known>::new());
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
