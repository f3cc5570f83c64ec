//! The last purge by target, tag and pattern: what a read asks.
//!
//! What is purged by digest has its marks in one [`Table`] of a bounded size. What does not fit is forgotten, the oldest first, and
//! its bucket remembers how new that was: an entry that looks there and is older *may* have been purged, so that it is confirmed
//! before it is served; one that is newer was not. So no purge is lost, and none is of more than it names.

mod globs;
mod lengths;
mod on_its_way;

use self::{globs::Globs, lengths::Lengths, on_its_way::OnItsWay};
use super::{
    glob::Steps,
    marks::{After, Mark, Stamp, Verdict},
    pattern::{Compared, Kind},
    selector::{Purge, Selector, target_of},
    table::{self, Name, Packed, Slot, Sort, Table, Tick},
};
use crate::store::entry::{Entry, StreamId};
use std::time::Duration;
use tokio::time::Instant;
use xxhash_rust::xxh3::xxh3_128;

/// Each read after a purge tries every pattern with an inner star, so there are few. Only operators can write such.
pub(super) const MAX_PATTERNS: usize = 250;

/// Where a record of a process with a shared log came from.
#[derive(Clone, Copy, Debug)]
pub(super) enum Origin {
    /// It was made here and has no place in the shared log yet.
    Here,
    /// It was read from the shared log, so long after it was made.
    Elsewhere(StreamId, Duration),
}

/// See the module docs.
#[derive(Debug)]
pub(crate) struct Index {
    pub(super) table: Table,
    pub(super) on_its_way: OnItsWay,
    /// The newest of each sort: what is no older looks for none of it.
    pub(super) newest: [Stamp; Sort::COUNT],
    pub(super) lengths: Lengths,
    pub(super) globs: Globs,
    pub(super) all: Mark,
    /// See [`Selector::Unnamed`].
    pub(super) unnamed: Stamp,
    pub(super) begins_at: StreamId,
    pub(super) reached: StreamId,
    /// Every record of others up to here is known.
    pub(super) followed: StreamId,
    /// When the index was made.
    pub(super) epoch: Instant,
}

impl Default for Index {
    fn default() -> Self {
        Self::of(table::MOST, MAX_PATTERNS)
    }
}

impl Index {
    pub(super) fn of(buckets: usize, patterns: usize) -> Self {
        Self {
            table: Table::new(buckets),
            on_its_way: OnItsWay::default(),
            newest: Default::default(),
            lengths: Lengths::default(),
            globs: Globs::new(patterns),
            all: Mark::default(),
            unnamed: Stamp::default(),
            begins_at: StreamId::default(),
            reached: StreamId::default(),
            followed: StreamId::default(),
            epoch: Instant::now(),
        }
    }

    /// Remembers `purge` as number `number`; `origin` where there is a shared log.
    pub(super) fn record(&mut self, purge: &Purge, number: u64, origin: Option<Origin>) {
        let now = Instant::now();
        let mut stamp = Stamp {
            local: number,
            ..Stamp::default()
        };
        let mut since = now;
        match origin {
            Some(Origin::Here) => stamp.on_its_way = number,
            Some(Origin::Elsewhere(id, age)) => {
                stamp.shared = id;
                since = now.checked_sub(age).unwrap_or(self.epoch);
            }
            None => {}
        }
        match Sorted::of(&purge.selector) {
            Sorted::Digest(sort, digest, length) => {
                self.newest[sort as usize].include(&stamp);
                if let Some(length) = length {
                    self.lengths.of(length).include(&stamp);
                }
                let (name, tick) = (Name::new(sort, digest), Tick::of(since, self.epoch));
                if stamp.on_its_way > 0 {
                    self.on_its_way.add(name, purge.hard, number, tick);
                }
                self.table.record(&Slot {
                    name,
                    local: number,
                    shared: Packed::no_older(stamp.shared),
                    soft: (!purge.hard).then_some(tick),
                });
            }
            Sorted::Glob(text) => self.globs.renew(text).record(purge.hard, stamp, since),
            Sorted::All => self.all.record(purge.hard, stamp, since),
            Sorted::Unnamed => self.unnamed.include(&stamp),
        }
    }

    /// Our record `number` has its place.
    pub(super) fn confirm(&mut self, purge: &Purge, number: u64, id: StreamId) {
        let hard = purge.hard;
        match Sorted::of(&purge.selector) {
            Sorted::Digest(sort, digest, length) => {
                self.newest[sort as usize].confirm(number, id);
                if let Some(length) = length {
                    self.lengths.of(length).confirm(number, id);
                }
                let name = Name::new(sort, digest);
                let since = || self.on_its_way.soft(name).unwrap_or(Tick::FIRST);
                self.table.confirm(&Slot {
                    name,
                    local: number,
                    shared: Packed::no_older(id),
                    soft: (!hard).then(since),
                });
                self.on_its_way.arrived(name, hard, number);
            }
            Sorted::Glob(text) => self.globs.confirm(text, hard, number, id),
            Sorted::All => {
                self.all.confirm(hard, number, id);
            }
            Sorted::Unnamed => self.unnamed.confirm(number, id),
        }
        self.reach(id);
    }

    /// The records on their way up to `number` were replaced by one that names none of them: here they are known, and of what
    /// Redis holds anything may be concerned.
    pub(super) fn replace_those_on_their_way(&mut self, number: u64) {
        self.on_its_way.clear();
        self.newest.iter_mut().for_each(Stamp::settle);
        self.lengths.settle();
        self.globs.settle();
        self.all.stamps().for_each(Stamp::settle);
        self.unnamed.on_its_way = number;
    }

    /// Purges up to `id` happened before whatever begins now, whether they were read yet or not.
    pub(super) fn reach(&mut self, id: StreamId) {
        self.reached = self.reached.max(id);
    }

    /// Every record of others up to `id` is known.
    pub(super) fn follow(&mut self, id: StreamId) {
        self.followed = id;
        self.reach(id);
    }

    pub(super) fn begins_at(&mut self, id: StreamId) {
        self.begins_at = self.begins_at.max(id);
        self.reach(id);
    }

    pub(super) fn reached(&self) -> StreamId {
        self.reached
    }

    /// Purges up to number `dead` concern nothing that is kept in any tier: what is known of them goes.
    pub(super) fn retire(&mut self, dead: u64) {
        self.table.retire(dead);
        self.globs.retire(dead);
    }

    /// What it takes, in bytes.
    pub(super) fn bytes(&self) -> usize {
        size_of::<Self>()
            + self.table.bytes()
            + self.on_its_way.bytes()
            + self.lengths.bytes()
            + self.globs.bytes()
    }

    /// For an entry of this process, which no purge up to `checked` concerns.
    pub(super) fn judge_local(&self, entry: &Entry, checked: u64) -> Verdict {
        self.judge(entry, After::Local(checked))
    }

    /// For an entry that some replica wrote, by its own position.
    pub(super) fn judge_shared(&self, entry: &Entry) -> Verdict {
        let position = entry.shared_position;
        let verdict = self.judge(entry, After::Shared(position));
        if position < self.begins_at {
            return verdict.or(Verdict::Perhaps);
        }
        verdict
    }

    fn judge(&self, entry: &Entry, after: After) -> Verdict {
        let mut verdict = self.all.verdict(after);
        verdict = verdict.or(Verdict::of_forgotten(&self.unnamed, after));
        if self.table.has_retired(after) {
            verdict = verdict.or(Verdict::Perhaps);
        }
        if self.has(Sort::Target, after) {
            let target = target_of(&entry.key);
            verdict = verdict.or(self.look(Sort::Target, target, after));
        }
        if self.has(Sort::Tag, after) {
            let digests = entry.head.tags.iter().map(|tag| xxh3_128(tag.as_bytes()));
            verdict = verdict.or(self.look(Sort::Tag, digests, after));
        }
        if verdict == Verdict::Gone || !self.has_paths(after) {
            return verdict;
        }
        verdict.or(self.judge_path(entry, after))
    }

    fn has(&self, sort: Sort, after: After) -> bool {
        let newest = &self.newest[sort as usize];
        self.at_least(after).is_before(newest)
    }

    /// Records may reach the shared log in another order, where one was lost and is sent again: while any is on its way, nothing is
    /// too new to be concerned.
    fn at_least(&self, after: After) -> After {
        match after {
            After::Shared(_) if !self.on_its_way.is_empty() => After::Local(0),
            After::Shared(_) | After::Local(_) => after,
        }
    }

    fn has_paths(&self, after: After) -> bool {
        self.has(Sort::Exactly, after)
            || self.has(Sort::Beginning, after)
            || self.globs.is_newer_than(after)
    }

    fn judge_path(&self, entry: &Entry, after: After) -> Verdict {
        let Some(compared) = Compared::of(&entry.key) else {
            return Verdict::Good;
        };
        let mut verdict = Verdict::Good;
        if self.has(Sort::Exactly, after) {
            verdict = self.look(Sort::Exactly, compared.digests(), after);
        }
        if self.has(Sort::Beginning, after) {
            // In order: after the first that is longer than the text all are.
            let lengths = self.lengths.newer_than(self.at_least(after));
            let digests = lengths.map_while(|length| compared.digest_of(length));
            verdict = verdict.or(self.look(Sort::Beginning, digests, after));
        }
        let mut steps = Steps::most();
        verdict.or(self.globs.verdict(&compared, after, &mut steps))
    }

    /// The worst that is known of any of `digests`, or of what may have been one of them.
    fn look(&self, sort: Sort, digests: impl IntoIterator<Item = u128>, after: After) -> Verdict {
        let names = digests.into_iter().map(|digest| Name::new(sort, digest));
        let verdicts = names.map(|name| self.verdict(name, after));
        verdicts.fold(Verdict::Good, Verdict::or)
    }

    fn verdict(&self, name: Name, after: After) -> Verdict {
        let mut seen = self.table.look(name, after);
        if let After::Shared(_) = after
            && !self.on_its_way.is_empty()
        {
            seen.hard |= self.on_its_way.is_hard(name);
            let soft = self.on_its_way.soft(name);
            seen.soft = seen.soft.into_iter().chain(soft).min();
        }
        let verdict = if seen.perhaps {
            Verdict::Perhaps
        } else {
            Verdict::Good
        };
        match (seen.hard, seen.soft) {
            (true, _) => Verdict::Gone,
            (false, Some(since)) => verdict.or(Verdict::Stale(since.at(self.epoch))),
            (false, None) => verdict,
        }
    }
}

/// Where the marks of a selector are.
enum Sorted<'s> {
    /// In the table, by digest; with the length of a beginning.
    Digest(Sort, u128, Option<u16>),
    Glob(&'s str),
    All,
    Unnamed,
}

impl<'s> Sorted<'s> {
    fn of(selector: &'s Selector) -> Self {
        match selector {
            Selector::Target(target) => Self::Digest(Sort::Target, *target, None),
            Selector::Tag(tag) => Self::Digest(Sort::Tag, *tag, None),
            Selector::Path(pattern) => match pattern.kind() {
                Kind::Exactly(path) => Self::Digest(Sort::Exactly, *path, None),
                Kind::Beginning(it) => Self::Digest(Sort::Beginning, it.digest, Some(it.length)),
                Kind::Glob(text) => Self::Glob(text),
            },
            Selector::All => Self::All,
            Selector::Unnamed => Self::Unnamed,
        }
    }
}

#[cfg(test)]
mod tests;
