//! The last purges of one kind, by digest: the newest exactly, of the others only how new they are.

use crate::store::entry::StreamId;
use std::collections::HashMap;
use tokio::time::Instant;

/// What the log says of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// No purge concerns it.
    Good,
    /// A soft purge does, since then: it is stale.
    Stale(Instant),
    /// One may: it is not remembered one by one, or its record was lost.
    Perhaps,
    /// A hard purge does.
    Gone,
}

impl Verdict {
    /// The worse of both; of two soft purges the older one.
    pub(super) fn or(self, other: Self) -> Self {
        match (self, other) {
            (Self::Gone, _) | (_, Self::Gone) => Self::Gone,
            (Self::Perhaps, _) | (_, Self::Perhaps) => Self::Perhaps,
            (Self::Stale(one), Self::Stale(other)) => Self::Stale(one.min(other)),
            (Self::Stale(since), Self::Good) | (Self::Good, Self::Stale(since)) => {
                Self::Stale(since)
            }
            (Self::Good, Self::Good) => Self::Good,
        }
    }
}

/// Where in the log purges were, and the newest of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Stamp {
    /// By the number of this process.
    pub(super) local: u64,
    /// By the shared log.
    pub(super) shared: StreamId,
    /// The number of the last one of ours that is on its way there, so newer than whatever Redis holds; 0 for none.
    pub(super) on_its_way: u64,
}

impl Stamp {
    pub(super) fn is_newer_than_local(&self, checked: u64) -> bool {
        self.local > checked
    }

    pub(super) fn is_newer_than_shared(&self, position: StreamId) -> bool {
        self.on_its_way > 0 || self.shared > position
    }

    /// As new as both.
    pub(super) fn include(&mut self, other: &Self) {
        self.local = self.local.max(other.local);
        self.shared = self.shared.max(other.shared);
        self.on_its_way = self.on_its_way.max(other.on_its_way);
    }

    /// Our record `number` has its place in the shared log. Records arrive there in order, so those before it have theirs.
    pub(super) fn confirm(&mut self, number: u64, id: StreamId) {
        self.shared = self.shared.max(id);
        self.arrived(number);
    }

    pub(super) fn arrived(&mut self, number: u64) {
        if self.on_its_way <= number {
            self.on_its_way = 0;
        }
    }
}

/// The last purges of one selector.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Mark {
    hard: Stamp,
    soft: Stamp,
    /// When this process learned of the soft one.
    learned: Option<Instant>,
}

impl Mark {
    pub(super) fn of(&mut self, hard: bool) -> &mut Stamp {
        if hard { &mut self.hard } else { &mut self.soft }
    }

    /// Adds a purge of this hardness, which this process learned of at `learned`.
    pub(super) fn record(&mut self, hard: bool, stamp: &Stamp, learned: Instant) {
        self.of(hard).include(stamp);
        if !hard {
            self.learned = Some(learned);
        }
    }

    /// As new as either of its purges.
    pub(super) fn newest(&self) -> Stamp {
        let mut newest = self.hard;
        newest.include(&self.soft);
        newest
    }

    /// Nothing of it is on its way any more.
    pub(super) fn settle(&mut self) {
        (self.hard.on_its_way, self.soft.on_its_way) = (0, 0);
    }

    pub(super) fn verdict(&self, is_newer: &impl Fn(&Stamp) -> bool) -> Verdict {
        match (is_newer(&self.hard), is_newer(&self.soft)) {
            (true, _) => Verdict::Gone,
            (false, true) => self.learned.map_or(Verdict::Gone, Verdict::Stale),
            (false, false) => Verdict::Good,
        }
    }
}

/// What is said of everything that is older than what was forgotten.
pub(super) fn verdict_of_forgotten(
    forgotten: &Stamp,
    is_newer: &impl Fn(&Stamp) -> bool,
) -> Verdict {
    if is_newer(forgotten) {
        Verdict::Perhaps
    } else {
        Verdict::Good
    }
}

/// Marks by digest, in two generations. When the recent one is full, the older one is forgotten: entries that are older than
/// what it held may be concerned, those that are newer are not. Nothing else is widened, and nothing is lost.
#[derive(Debug)]
pub(super) struct Marks {
    recent: HashMap<u128, Mark>,
    older: HashMap<u128, Mark>,
    forgotten: Stamp,
    most: usize,
}

impl Marks {
    /// Each generation has `most`, so of the last `most` none is forgotten.
    pub(super) fn new(most: usize) -> Self {
        Self {
            recent: HashMap::new(),
            older: HashMap::new(),
            forgotten: Stamp::default(),
            most,
        }
    }

    /// The mark for `key`, which counts as the newest from now on.
    pub(super) fn renew(&mut self, key: u128) -> &mut Mark {
        self.make_room(key);
        let known = self.older.remove(&key).unwrap_or_default();
        self.recent.entry(key).or_insert(known)
    }

    /// Whether a generation had to go so that `key` has a place.
    pub(super) fn make_room(&mut self, key: u128) -> bool {
        if self.recent.len() < self.most || self.recent.contains_key(&key) {
            return false;
        }
        for (_, mark) in self.older.drain() {
            self.forgotten.include(&mark.newest());
        }
        std::mem::swap(&mut self.recent, &mut self.older);
        true
    }

    /// Our record `number` for `key` has its place in the shared log.
    pub(super) fn confirm(&mut self, key: u128, hard: bool, number: u64, id: StreamId) {
        let mark = match self.recent.get_mut(&key) {
            Some(mark) => Some(mark),
            None => self.older.get_mut(&key),
        };
        match mark.map(|mark| mark.of(hard)) {
            Some(stamp) if stamp.on_its_way >= number => stamp.confirm(number, id),
            // Forgotten while it was on its way, even where the selector was purged once more since then.
            _ => self.forgotten.confirm(number, id),
        }
        self.forgotten.arrived(number);
    }

    /// Nothing is on its way any more.
    pub(super) fn settle(&mut self) {
        let marks = self.recent.values_mut().chain(self.older.values_mut());
        marks.for_each(Mark::settle);
        self.forgotten.on_its_way = 0;
    }

    pub(super) fn is_empty(&self) -> bool {
        self.recent.is_empty() && self.forgotten == Stamp::default()
    }

    /// The worst that is known of any of `keys`, or of what was forgotten.
    pub(super) fn verdict(
        &self,
        keys: impl IntoIterator<Item = u128>,
        is_newer: &impl Fn(&Stamp) -> bool,
    ) -> Verdict {
        let marks = keys
            .into_iter()
            .filter_map(|key| self.recent.get(&key).or_else(|| self.older.get(&key)));
        let forgotten = verdict_of_forgotten(&self.forgotten, is_newer);
        marks.fold(forgotten, |worst, mark| worst.or(mark.verdict(is_newer)))
    }

    /// How many marks there are, and for how many there is room.
    #[cfg(test)]
    pub(super) fn size(&self) -> (usize, usize) {
        (
            self.recent.len() + self.older.len(),
            self.recent.capacity() + self.older.capacity(),
        )
    }
}
