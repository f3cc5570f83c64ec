//! The last purge by target, tag and pattern: what a read asks.

use super::selector::{PathPattern, Purge, Selector, plain_path, target_of};
use crate::store::entry::{Entry, StreamId};
use std::{
    collections::{BTreeSet, HashMap},
    time::Duration,
};
use tokio::time::Instant;
use xxhash_rust::xxh3::xxh3_128;

/// What is remembered one by one; beyond it everything is purged once and the memory starts anew.
const MAX_MARKS: usize = 100_000;

/// Each read after a purge tries every pattern, so there are few.
const MAX_PATTERNS: usize = 250;

/// What the log says of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// No purge concerns it.
    Good,
    /// A soft purge does, since then: it is stale.
    Stale(Instant),
    /// A hard purge does, or it is too old to tell.
    Gone,
}

/// Where a record of a process with a shared log came from.
#[derive(Clone, Copy, Debug)]
pub(super) enum Origin {
    /// It was made here and has no place in the shared log yet.
    Here,
    /// It was read from the shared log, so long after it was made.
    Elsewhere(StreamId, Duration),
}

/// The last purge of one hardness for one selector.
#[derive(Clone, Copy, Debug, Default)]
struct Stamp {
    local: u64,
    shared: StreamId,
    /// When this process learned of it.
    learned: Option<Instant>,
    /// Records of ours on their way: newer than whatever Redis holds.
    pending: u32,
}

impl Stamp {
    fn newer_than_local(&self, checked: u64) -> bool {
        self.local > checked
    }

    fn newer_than_shared(&self, position: StreamId) -> bool {
        self.pending > 0 || self.shared > position
    }
}

#[derive(Clone, Copy, Debug, Default)]
struct Mark {
    soft: Stamp,
    hard: Stamp,
}

impl Mark {
    fn of(&mut self, hard: bool) -> &mut Stamp {
        if hard { &mut self.hard } else { &mut self.soft }
    }

    fn is_pending(&self) -> bool {
        self.soft.pending > 0 || self.hard.pending > 0
    }

    fn verdict(&self, newer: impl Fn(&Stamp) -> bool) -> Verdict {
        match (newer(&self.hard), newer(&self.soft)) {
            (true, _) => Verdict::Gone,
            (false, true) => self.soft.learned.map_or(Verdict::Gone, Verdict::Stale),
            (false, false) => Verdict::Good,
        }
    }
}

/// See the module docs.
#[derive(Debug, Default)]
pub(crate) struct Index {
    targets: HashMap<u128, Mark>,
    tags: HashMap<u128, Mark>,
    /// Patterns that are a beginning of a path, which most are: looked up by each length that there is.
    prefixes: HashMap<Box<[u8]>, Mark>,
    lengths: BTreeSet<usize>,
    /// The others.
    patterns: Vec<(PathPattern, Mark)>,
    all: Mark,
    begins_at: StreamId,
    reached: StreamId,
}

impl Index {
    /// Remembers `purge` as number `number`; `origin` where there is a shared log.
    pub(super) fn record(&mut self, purge: &Purge, number: u64, origin: Option<Origin>) {
        self.make_room(number);
        let stamp = self.mark(&purge.selector).of(purge.hard);
        stamp.local = number;
        let now = Instant::now();
        stamp.learned = Some(now);
        match origin {
            Some(Origin::Here) => stamp.pending += 1,
            Some(Origin::Elsewhere(id, age)) => {
                stamp.shared = stamp.shared.max(id);
                stamp.learned = now.checked_sub(age).or(stamp.learned);
            }
            None => {}
        }
    }

    /// A record of ours has its place.
    pub(super) fn confirm(&mut self, purge: &Purge, id: StreamId) {
        let stamp = self.mark(&purge.selector).of(purge.hard);
        stamp.pending = stamp.pending.saturating_sub(1);
        stamp.shared = stamp.shared.max(id);
        self.reach(id);
    }

    /// The records on their way were replaced by one that covers them.
    pub(super) fn forget_pending(&mut self) {
        for mark in self.marks_mut() {
            (mark.soft.pending, mark.hard.pending) = (0, 0);
        }
    }

    fn marks_mut(&mut self) -> impl Iterator<Item = &mut Mark> {
        let named = self.targets.values_mut().chain(self.tags.values_mut());
        let named = named.chain(self.prefixes.values_mut());
        let patterns = self.patterns.iter_mut().map(|(_, mark)| mark);
        named.chain(patterns).chain(std::iter::once(&mut self.all))
    }

    /// Purges up to `id` happened before whatever begins now, whether they were read yet or not.
    pub(super) fn reach(&mut self, id: StreamId) {
        self.reached = self.reached.max(id);
    }

    pub(super) fn begins_at(&mut self, id: StreamId) {
        self.begins_at = self.begins_at.max(id);
        self.reach(id);
    }

    pub(super) fn reached(&self) -> StreamId {
        self.reached
    }

    /// For an entry of this process, which no purge up to `checked` concerns.
    pub(super) fn judge_local(&self, entry: &Entry, checked: u64) -> Verdict {
        self.judge(entry, |stamp| stamp.newer_than_local(checked))
    }

    /// For an entry that some replica wrote, by its own position.
    pub(super) fn judge_shared(&self, entry: &Entry) -> Verdict {
        if entry.shared_position < self.begins_at {
            return Verdict::Gone;
        }
        self.judge(entry, |stamp| {
            stamp.newer_than_shared(entry.shared_position)
        })
    }

    fn judge(&self, entry: &Entry, newer: impl Fn(&Stamp) -> bool) -> Verdict {
        let by_target = target_of(&entry.key).and_then(|target| self.targets.get(&target));
        let tags = entry.head.tags.iter();
        let by_tag = tags.filter_map(|tag| self.tags.get(&xxh3_128(tag.as_bytes())));
        let path = entry.key.path_and_query().map(|(path, _)| plain_path(path));
        let path = path.as_deref().unwrap_or_default().as_bytes();
        let lengths = self.lengths.range(..=path.len());
        let by_prefix = lengths.filter_map(|length| self.prefixes.get(&path[..*length]));
        let by_path = self
            .patterns
            .iter()
            .filter(|(pattern, _)| pattern.matches(&entry.key))
            .map(|(_, mark)| mark);
        let verdicts = std::iter::once(&self.all)
            .chain(by_target)
            .chain(by_tag)
            .chain(by_prefix)
            .chain(by_path)
            .map(|m| m.verdict(&newer));
        verdicts.fold(Verdict::Good, |worst, one| match (worst, one) {
            (Verdict::Gone, _) | (_, Verdict::Gone) => Verdict::Gone,
            (Verdict::Stale(one), Verdict::Stale(other)) => Verdict::Stale(one.min(other)),
            (Verdict::Stale(since), _) | (_, Verdict::Stale(since)) => Verdict::Stale(since),
            (Verdict::Good, Verdict::Good) => Verdict::Good,
        })
    }

    fn mark(&mut self, selector: &Selector) -> &mut Mark {
        match selector {
            Selector::Target(digest) => self.targets.entry(*digest).or_default(),
            Selector::Tag(digest) => self.tags.entry(*digest).or_default(),
            Selector::Path(pattern) => {
                if let Some(prefix) = pattern.prefix() {
                    self.lengths.insert(prefix.len());
                    return self.prefixes.entry(prefix).or_default();
                }
                let at = self
                    .patterns
                    .iter()
                    .position(|(known, _)| known == pattern)
                    .unwrap_or_else(|| {
                        self.patterns.push((pattern.clone(), Mark::default()));
                        self.patterns.len() - 1
                    });
                &mut self.patterns[at].1
            }
            Selector::All => &mut self.all,
        }
    }

    /// A full memory becomes one purge of everything, as new as the newest of what it forgets. Records that are still on
    /// their way are not forgotten: they are newer than anything, and there are few.
    fn make_room(&mut self, number: u64) {
        let named = self.targets.len() + self.tags.len() + self.prefixes.len();
        if named < MAX_MARKS && self.patterns.len() < MAX_PATTERNS {
            return;
        }
        let pending = self.marks_mut().filter(|mark| mark.is_pending()).count();
        if named + self.patterns.len() < 2 * pending {
            return; // it would be full again at once
        }
        let newest = self
            .marks_mut()
            .flat_map(|mark| [mark.soft.shared, mark.hard.shared])
            .max();
        self.all.hard.local = number;
        self.all.hard.shared = newest.unwrap_or_default();
        self.targets.retain(|_, mark| mark.is_pending());
        self.tags.retain(|_, mark| mark.is_pending());
        self.prefixes.retain(|_, mark| mark.is_pending());
        self.lengths = self.prefixes.keys().map(|prefix| prefix.len()).collect();
        self.patterns.retain(|(_, mark)| mark.is_pending());
    }
}
