use super::{slot::MAX_LOCAL, *};
use crate::store::entry::StreamId;
use proptest::prelude::*;
use std::time::Duration;
use tokio::time::Instant;
use xxhash_rust::xxh3::xxh3_128;

fn name(n: u64) -> Name {
    Name::new(Sort::Target, xxh3_128(&n.to_be_bytes()))
}

fn hard(n: u64, local: u64) -> Slot {
    Slot {
        name: name(n),
        local,
        shared: Packed(local),
        soft: None,
    }
}

/// A table of at most `most` buckets in which `marks` names were purged, the first one as number 1.
fn table_of(most: usize, marks: u64) -> Table {
    let mut table = Table::new(most);
    (1..=marks).for_each(|n| table.record(&hard(n, n)));
    table
}

/// How many of the names `of` are in doubt although they are as new as `checked`.
fn doubts(table: &Table, of: std::ops::Range<u64>, checked: u64) -> usize {
    let looks = of.map(|n| table.look(name(n), After::Local(checked)));
    looks.filter(|seen| seen.perhaps).count()
}

/// In a table of `most` buckets: of as many marks as three fifths of its places none is forgotten, whatever was purged before.
fn the_newest_are_exact(most: usize) {
    let places = (most * SLOTS) as u64;
    let last = 3 * places;
    let table = table_of(most, last);
    let exact = last - places * 3 / 5;
    for n in exact + 1..=last {
        let seen = table.look(name(n), After::Local(n - 1));
        assert!(seen.hard && !seen.perhaps, "{n} {seen:?}");
        let seen = table.look(name(n), After::Local(n));
        assert_eq!(seen, Seen::default(), "{n} is not newer than itself");
    }
    let others = last + 1..last + 10_001;
    assert_eq!(doubts(&table, others.clone(), exact), 0);
    let much_older = doubts(&table, others, 1);
    assert_eq!(much_older, 10_000, "what is older than all is in doubt");
    for n in (1..exact).step_by(7) {
        let seen = table.look(name(n), After::Local(n - 1));
        assert!(seen.hard || seen.perhaps, "{n} is lost");
    }
}

#[test]
fn of_the_newest_marks_three_fifths_of_the_places_are_exact() {
    the_newest_are_exact(FIRST << 6);
    if std::env::var_os("SOAK").is_some() {
        the_newest_are_exact(MOST);
    }
}

#[test]
fn there_is_no_cliff_doubts_come_one_bucket_at_a_time() {
    const PLACES: u64 = (FIRST << 6) as u64 * SLOTS as u64;
    let others = 1 << 40..(1 << 40) + 10_000;
    let doubtful = |marks: u64| doubts(&table_of(FIRST << 6, marks), others.clone(), 0);
    assert_eq!(doubtful(PLACES * 3 / 4), 0);
    let counts = [95, 100, 105, 110].map(|percent| doubtful(PLACES * percent / 100));
    assert!(
        counts[0] < 2_500 && counts.is_sorted() && counts[3] < 10_000,
        "{counts:?}"
    );
}

#[test]
fn a_table_takes_what_its_marks_need_and_never_more_than_its_bound() {
    assert_eq!(Table::new(MOST).bytes(), 0);
    assert!(table_of(MOST, 1).bytes() <= 4 << 10);
    let most = (0..=100_000_u64).step_by(1_000).map(|marks| {
        let table = table_of(FIRST << 6, marks);
        let places = table.bytes() / size_of::<Bucket>() * SLOTS;
        assert!(places <= (FIRST << 6) * SLOTS);
        assert!(table.len() <= places && table.len() as u64 <= marks);
        table.bytes()
    });
    assert_eq!(most.max(), Some((FIRST << 6) * size_of::<Bucket>()));
    assert_eq!(MOST * size_of::<Bucket>(), 15 << 20);
}

#[test]
fn growing_loses_nothing_and_moves_nothing_out_of_sight() {
    let table = table_of(MOST, 20_000);
    assert_eq!(table.len(), 20_000);
    for n in 1..=20_000 {
        let seen = table.look(name(n), After::Shared(StreamId(0, n - 1)));
        assert!(seen.hard && !seen.perhaps, "{n}");
    }
}

#[test]
fn names_that_crowd_together_do_not_make_it_grow() {
    let mut table = Table::new(MOST);
    table.reserve(FIRST << 4);
    let crowd = (0..).filter(|n| name(*n).homes(FIRST << 4).iter().all(|home| *home < 4));
    for (local, n) in (1..).zip(crowd.take(200)) {
        table.record(&hard(n, local));
    }
    assert_eq!(table.layout().1, FIRST << 4);
}

#[test]
fn dead_marks_go_without_a_trace_and_the_table_shrinks() {
    let mut table = table_of(MOST, 20_000);
    let full = table.bytes();
    table.retire(19_990);
    assert!(table.bytes() < full / 32, "{} {full}", table.bytes());
    for n in 19_991..=20_000 {
        assert!(table.look(name(n), After::Local(n - 1)).hard, "{n}");
    }
    let (other, alive) = (name(1 << 40), After::Local(19_990));
    assert_eq!(table.look(other, alive), Seen::default());
    assert!(!table.has_retired(alive));
    let ancient = table.look(other, After::Local(100));
    assert!(ancient.perhaps, "doubted if it were there");
    table.retire(20_000);
    assert_eq!(table.bytes(), 0);
    assert!(!table.has_retired(After::Local(20_000)));
    table.record(&hard(1, 20_001));
    assert!(table.look(name(1), After::Local(20_000)).hard);
}

#[test]
fn dead_marks_make_room_for_others() {
    let mut table = table_of(FIRST, FIRST as u64 * SLOTS as u64 / 2);
    let last = table.len() as u64;
    table.retire(last);
    (last + 1..last + 100).for_each(|n| table.record(&hard(n, n)));
    assert_eq!(doubts(&table, 1 << 40..(1 << 40) + 1_000, last), 0);
}

/// What was purged, as somebody with endless memory knows it.
#[derive(Clone, Copy, Debug)]
struct Known {
    which: u64,
    local: u64,
    shared: u64,
    soft: Option<Tick>,
}

#[derive(Clone, Copy, Debug)]
enum Step {
    /// A purge of a name, hard or soft; of this process or of another.
    Purge(u64, bool, bool),
    /// The purge of this process that has waited longest has its place.
    Confirm,
    /// All but the last so many concern nothing that is kept.
    Retire(u64),
}

fn steps(names: u64) -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        8 => (0..names, any::<bool>(), any::<bool>()).prop_map(|(n, hard, own)| Step::Purge(n, hard, own)),
        4 => Just(Step::Confirm),
        1 => (5..30_u64).prop_map(Step::Retire),
    ];
    proptest::collection::vec(step, 0..90)
}

fn check(table: &Table, known: &[Known], names: u64, dead: u64) -> Result<(), TestCaseError> {
    let last = known.len() as u64;
    for which in 0..names {
        for checked in [
            dead,
            last.saturating_sub(9).max(dead),
            last.saturating_sub(1).max(dead),
            last,
        ] {
            let its = || known.iter().filter(|one| one.which == which);
            agrees(
                table,
                which,
                After::Local(checked),
                its().filter(|one| one.local > checked),
            )?;
            let is_remembered = checked + SLOTS as u64 >= last;
            let seen = table.look(name(which), After::Local(checked));
            prop_assert!(!(seen.perhaps && is_remembered), "{which} {checked} {last}");
            // An entry of Redis as old as that: everything up to there has a lower place or is on its way, which is not asked here.
            let place = known
                .iter()
                .filter(|one| one.local <= checked)
                .map(|one| one.shared)
                .max();
            let place = place.unwrap_or(0);
            let newer = its().filter(|one| one.shared > place);
            agrees(table, which, After::Shared(StreamId(place, 0)), newer)?;
        }
    }
    Ok(())
}

fn agrees<'k>(
    table: &Table,
    which: u64,
    after: After,
    newer: impl Iterator<Item = &'k Known> + Clone,
) -> Result<(), TestCaseError> {
    let seen = table.look(name(which), after);
    let retired = table.has_retired(after);
    let hard = newer.clone().any(|one| one.soft.is_none());
    let soft = newer.filter_map(|one| one.soft).min();
    prop_assert!(
        !seen.hard || hard,
        "{which} {after:?}: {seen:?} and it was not purged"
    );
    prop_assert!(
        seen.soft.is_none() || soft.is_some(),
        "{which} {after:?}: {seen:?}"
    );
    if seen.perhaps || retired {
        return Ok(());
    }
    prop_assert!(
        seen.hard == hard,
        "{which} {after:?}: {seen:?} lost a hard one"
    );
    prop_assert!(
        seen.soft.is_some() == soft.is_some(),
        "{which} {after:?}: {seen:?} lost a soft one"
    );
    prop_assert!(
        seen.soft <= soft,
        "{which} {after:?}: {seen:?} begins later than {soft:?}"
    );
    Ok(())
}

fn run(table: &mut Table, steps: Vec<Step>, names: u64) -> Result<(), TestCaseError> {
    let (mut known, mut waiting) = (Vec::<Known>::new(), std::collections::VecDeque::new());
    let (mut place, mut dead) = (0, 0);
    for step in steps {
        let local = known.len() as u64 + 1;
        match step {
            Step::Purge(which, is_hard, own) => {
                let soft = (!is_hard).then_some(Tick(1_000 + u32::try_from(local).unwrap()));
                place += u64::from(!own);
                let shared = if own { 0 } else { place };
                let packed = Packed::no_older(StreamId(shared, 0));
                table.record(&Slot {
                    name: name(which),
                    local,
                    shared: packed,
                    soft,
                });
                known.push(Known {
                    which,
                    local,
                    shared,
                    soft,
                });
                if own {
                    waiting.push_back(known.len() - 1);
                }
            }
            Step::Confirm => {
                let Some(at) = waiting.pop_front() else {
                    continue;
                };
                place += 1;
                known[at].shared = place;
                let Known {
                    which, local, soft, ..
                } = known[at];
                let shared = Packed::no_older(StreamId(place, 0));
                table.confirm(&Slot {
                    name: name(which),
                    local,
                    shared,
                    soft,
                });
            }
            Step::Retire(alive) => {
                // What has waited for so long that it is dead is looked for among what is on its way.
                let oldest = waiting.front().map_or(u64::MAX, |at| known[*at].local - 1);
                dead = dead.max(local.saturating_sub(1 + alive).min(oldest));
                table.retire(dead);
            }
        }
        check(table, &known, names, dead)?;
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn no_purge_is_lost_and_false_answers_are_doubts(steps in steps(26), buckets in 1..4_usize) {
        run(&mut Table::new(buckets), steps, 26)?;
    }

    #[test]
    fn soft_purges_of_few_names_keep_the_time_of_the_first(steps in steps(3)) {
        run(&mut Table::new(FIRST), steps, 3)?;
    }

    #[test]
    fn each_half_of_a_bucket_is_where_its_names_were(bits in 1..1_u64 << 52, doublings in 0..12_u32) {
        let (name, count) = (Name(bits), FIRST << doublings);
        prop_assert_eq!(name.homes(2 * count).map(|home| home / 2), name.homes(count));
    }

    #[test]
    fn a_slot_is_read_as_it_was_written(
        bits in 1..1_u64 << 52, local in 0..=MAX_LOCAL, shared: u64, tick in proptest::option::of(1_u32..), at in 0..SLOTS,
    ) {
        let slot = Slot { name: Name(bits), local, shared: Packed(shared), soft: tick.map(Tick) };
        let mut bucket = Bucket::EMPTY;
        bucket.set(at, &slot);
        prop_assert_eq!(bucket.get(at), slot);
        prop_assert_eq!(bucket.of(Name(bits)).collect::<Vec<_>>(), vec![at]);
    }

    #[test]
    fn a_newer_place_is_newer_when_it_is_packed(
        ms in prop_oneof![0..10_u64, MAX_LOCAL - 2..MAX_LOCAL + 2, any::<u64>()],
        sequence in prop_oneof![0..10_u64, (1 << 20) - 2..(1_u64 << 20) + 2, any::<u64>()],
        other in (prop_oneof![0..10_u64, MAX_LOCAL - 2..MAX_LOCAL + 2, any::<u64>()],
            prop_oneof![0..10_u64, (1 << 20) - 2..(1_u64 << 20) + 2, any::<u64>()]),
    ) {
        let (entry, purge) = (StreamId(ms, sequence), StreamId(other.0, other.1));
        let newer = After::Shared(entry).precedes(0, Packed::no_older(purge));
        let ordinary = |id: StreamId| id.0 < MAX_LOCAL && id.1 < 1 << 20;
        prop_assert!(newer || purge <= entry, "{purge:?} is lost for {entry:?}");
        prop_assert!(!newer || purge > entry || !ordinary(purge) || !ordinary(entry));
    }
}

#[test]
fn numbers_that_are_used_up_concern_everything() {
    let mut table = Table::new(FIRST);
    table.record(&hard(1, u64::MAX));
    assert!(table.look(name(1), After::Local(u64::MAX)).hard);
}

#[tokio::test]
async fn times_are_never_later_than_they_were() {
    let epoch = Instant::now();
    for millis in [0, 1, 99, 100, 101, 86_400_000] {
        let away = Duration::from_millis(millis);
        for at in [epoch + away, epoch - away] {
            let read = Tick::of(at, epoch).at(epoch);
            assert!(
                read <= at && at - read <= Duration::from_millis(200),
                "{millis}"
            );
        }
    }
}
