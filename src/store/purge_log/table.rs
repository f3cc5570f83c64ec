//! The marks of all that is purged by digest, in a table of at most 15 MiB.
//!
//! A mark may be in either of two buckets, and takes the place with more room. Where both are full the oldest mark of both goes, to
//! its own other bucket if something older is there, and otherwise its bucket remembers how new it was: whoever looks there for a
//! name, and is older, may have been purged. So the newest marks are exact, nearly as many as the table has places, the others are
//! doubts one bucket at a time, and none is lost.

mod bucket;
mod slot;

use self::bucket::Bucket;
pub(super) use self::{
    bucket::{Forgotten, SLOTS},
    slot::{Name, Packed, Slot, Sort, Tick},
};
use super::marks::{After, MOST_SOFT};

/// Buckets of the smallest table that is not empty; it doubles from there.
const FIRST: usize = 15;

/// Buckets of the largest: 15 MiB, 614,400 marks.
pub(super) const MOST: usize = FIRST << 12;

/// What the table knows of a name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Seen {
    /// A hard purge concerns it.
    pub(super) hard: bool,
    /// Soft ones do, the first of them since then.
    pub(super) soft: Option<Tick>,
    /// One that is not remembered may.
    pub(super) perhaps: bool,
}

/// See the module docs.
#[derive(Debug)]
pub(super) struct Table {
    buckets: Vec<Bucket>,
    used: usize,
    most: usize,
    /// Marks up to this number concern nothing that is kept.
    dead: u64,
    /// How new those were that went with the whole table because of that. Nothing is kept that is older; if something were, it
    /// would be doubted.
    retired: Forgotten,
    /// Changes where marks are in other buckets than before.
    layout: u64,
}

impl Table {
    /// An empty one, which grows to `most` buckets at most.
    pub(super) fn new(most: usize) -> Self {
        Self {
            buckets: Vec::new(),
            used: 0,
            most,
            dead: 0,
            retired: Forgotten::default(),
            layout: 0,
        }
    }

    /// Remembers a purge. Those of one name and hardness become one; of soft ones the last few stay apart, each with its time.
    pub(super) fn record(&mut self, slot: &Slot) {
        if self.buckets.is_empty() {
            self.grow();
        }
        let alike = |other: &Slot| other.soft.is_some() == slot.soft.is_some();
        let (mut known, mut count) = ([(0, 0); MOST_SOFT], 0);
        for (bucket, at) in self.places(slot.name) {
            if count < MOST_SOFT && alike(&self.buckets[bucket].get(at)) {
                known[count] = (bucket, at);
                count += 1;
            }
        }
        let known = &mut known[..count];
        match (slot.soft, count) {
            (None, 1..) => self.change(known[0], |mark| mark.include(slot)),
            (Some(_), MOST_SOFT) => {
                known.sort_by_key(|(bucket, at)| self.buckets[*bucket].get(*at).age());
                let oldest = self.buckets[known[0].0].get(known[0].1);
                self.change(known[1], |mark| mark.include(&oldest));
                self.change(known[0], |mark| *mark = *slot);
            }
            _ => self.add(slot),
        }
    }

    /// Our purge `own`, which was on its way to the shared log, has its place there. Where it is not remembered any more, only that
    /// is.
    pub(super) fn confirm(&mut self, own: &Slot) {
        let its = |(bucket, at): &(usize, usize)| {
            let mark = self.buckets[*bucket].get(*at);
            let is_alike = mark.soft.is_some() == own.soft.is_some();
            (is_alike && mark.local >= own.local).then_some(mark.local)
        };
        let places = self.places(own.name);
        let its = places.filter_map(|place| its(&place).map(|local| (local, place)));
        let Some((local, place)) = its.min() else {
            let forgotten = Forgotten {
                local: 0,
                shared: own.shared,
            };
            return self.forget(own.name, forgotten);
        };
        self.change(place, |mark| {
            mark.shared = mark.shared.max(own.shared);
            if local > own.local {
                mark.soft = mark.soft.min(own.soft); // of another one, or of several
            }
        });
    }

    /// What is known of `name` that is newer than `entry`.
    pub(super) fn look(&self, name: Name, entry: After) -> Seen {
        let mut seen = Seen::default();
        for home in self.homes(name) {
            let bucket = &self.buckets[home];
            let forgotten = bucket.forgotten;
            seen.perhaps |= entry.precedes(forgotten.local, forgotten.shared);
            for at in bucket.of(name) {
                let mark = bucket.get(at);
                if !entry.precedes(mark.local, mark.shared) {
                    continue;
                }
                match mark.soft {
                    None => seen.hard = true,
                    Some(since) => seen.soft = Some(seen.soft.map_or(since, |it| it.min(since))),
                }
            }
        }
        seen
    }

    /// Whether something that is newer than `entry` has gone because of its age.
    pub(super) fn has_retired(&self, entry: After) -> bool {
        entry.precedes(self.retired.local, self.retired.shared)
    }

    /// How new those were that have gone because of their age.
    pub(super) fn retired(&self) -> Forgotten {
        self.retired
    }

    /// Whether `mark` concerns nothing that is kept.
    pub(super) fn is_dead(&self, mark: &Slot) -> bool {
        mark.local <= self.dead
    }

    /// Takes in what has gone because of its age in another table.
    pub(super) fn include_retired(&mut self, retired: Forgotten) {
        self.retired.include(retired);
    }

    /// Marks up to `dead` concern nothing that is kept: they go, and where few are left the table shrinks.
    pub(super) fn retire(&mut self, dead: u64) {
        self.dead = self.dead.max(dead);
        let live = self.live();
        while self.buckets.len() > FIRST && live * 8 <= self.buckets.len() * SLOTS {
            self.halve();
        }
        if live == 0 && self.used > 0 {
            self.halve_away();
        }
    }

    /// How many marks may concern what is kept. Looks at all of them.
    pub(super) fn live(&self) -> usize {
        let slots = self.buckets.iter().flat_map(Bucket::slots);
        slots.filter(|slot| slot.local > self.dead).count()
    }

    /// What it takes, in bytes.
    pub(super) fn bytes(&self) -> usize {
        self.buckets.capacity() * size_of::<Bucket>()
    }

    /// How many marks there are.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.used
    }

    /// Says which bucket is which: with another one what was read of some of them tells nothing of the others.
    pub(super) fn layout(&self) -> (u64, usize) {
        (self.layout, self.buckets.len())
    }

    /// What a bucket forgot, and its marks.
    pub(super) fn bucket(&self, at: usize) -> (Forgotten, impl Iterator<Item = Slot>) {
        let bucket = &self.buckets[at];
        (bucket.forgotten, bucket.slots())
    }

    /// Makes room as for as many buckets as `count`, as far as it may.
    pub(super) fn reserve(&mut self, count: usize) {
        while self.buckets.len() < count && self.may_grow() {
            self.grow();
        }
    }

    /// Remembers a purge that was in bucket `at` of `count` in another table, and may be known here already.
    pub(super) fn take(&mut self, at: usize, count: usize, slot: &Slot) {
        let here = self.buckets.len();
        let is_its = here == count && at < here && slot.name.homes(count).contains(&at);
        if is_its && self.buckets[at].len() < SLOTS {
            self.used += 1;
            self.buckets[at].push(slot);
        } else {
            self.record(slot);
        }
    }

    /// Takes in what bucket `at` of `count` forgot in another table.
    pub(super) fn forget_bucket(&mut self, at: usize, count: usize, forgotten: Forgotten) {
        let here = self.buckets.len();
        let first = at * here / count;
        let last = ((at + 1) * here).div_ceil(count).min(here);
        for bucket in &mut self.buckets[first..last] {
            bucket.forgotten.include(forgotten);
        }
    }

    fn homes(&self, name: Name) -> impl Iterator<Item = usize> + use<> {
        let count = self.buckets.len();
        let [one, other] = name.homes(count);
        let homes = [Some(one), (one != other).then_some(other)];
        let homes = homes.into_iter().flatten();
        homes.filter(move |_| count > 0)
    }

    fn places(&self, name: Name) -> impl Iterator<Item = (usize, usize)> {
        let homes = self.homes(name);
        homes.flat_map(move |home| self.buckets[home].of(name).map(move |at| (home, at)))
    }

    fn change(&mut self, (bucket, at): (usize, usize), change: impl FnOnce(&mut Slot)) {
        let mut slot = self.buckets[bucket].get(at);
        change(&mut slot);
        self.buckets[bucket].set(at, &slot);
    }

    /// Adds a mark where the older of two full buckets' oldest goes, unless there is room or the table may grow.
    fn add(&mut self, slot: &Slot) {
        loop {
            let [one, other] = slot.name.homes(self.buckets.len());
            let emptier = if self.buckets[other].len() < self.buckets[one].len() {
                other
            } else {
                one
            };
            if self.buckets[emptier].len() < SLOTS {
                self.used += 1;
                return self.buckets[emptier].push(slot);
            }
            let oldest = |home: usize| self.buckets[home].oldest().map(|found| (home, found));
            let oldest = [one, other].into_iter().filter_map(oldest);
            let Some((home, (at, old))) = oldest.min_by_key(|(_, (_, slot))| slot.age()) else {
                return; // both are full
            };
            // Nor what is dead or crowds together is a reason to grow.
            let is_full = self.used * 2 >= self.buckets.len() * SLOTS;
            if self.may_grow() && is_full && !self.is_dead(&old) {
                self.grow();
                continue;
            }
            self.buckets[home].set(at, slot);
            return self.displace(home, &old);
        }
    }

    /// `old` had to go from the bucket `home`, where it was the oldest. In its other one something may be older still.
    fn displace(&mut self, home: usize, old: &Slot) {
        let homes = old.name.homes(self.buckets.len());
        let other = homes.into_iter().find(|other| *other != home);
        let bucket = &mut self.buckets[other.unwrap_or(home)];
        match bucket.oldest() {
            _ if other.is_none() => bucket.forgotten.include(old.into()),
            _ if bucket.len() < SLOTS => {
                bucket.push(old);
                self.used += 1;
            }
            Some((at, oldest)) if oldest.age() < old.age() => {
                bucket.forgotten.include((&oldest).into());
                bucket.set(at, old);
            }
            _ => self.buckets[home].forgotten.include(old.into()),
        }
    }

    fn forget(&mut self, name: Name, forgotten: Forgotten) {
        let home = self.homes(name).next();
        match home {
            Some(home) => self.buckets[home].forgotten.include(forgotten),
            None => self.retired.include(forgotten),
        }
    }

    fn may_grow(&self) -> bool {
        self.buckets.is_empty() || self.buckets.len() * 2 <= self.most
    }

    /// Each bucket becomes two, in place: the last one first.
    fn grow(&mut self) {
        let count = self.buckets.len();
        let grown = if count == 0 {
            FIRST.min(self.most)
        } else {
            2 * count
        };
        self.layout += 1;
        self.buckets.reserve_exact(grown - count);
        self.buckets.resize(grown, Bucket::EMPTY);
        for at in (0..count).rev() {
            let bucket = std::mem::replace(&mut self.buckets[at], Bucket::EMPTY);
            for half in &mut self.buckets[2 * at..2 * at + 2] {
                half.forgotten = bucket.forgotten;
            }
            let mut lengths = [0; 2];
            for slot in bucket.slots() {
                let homes = slot.name.homes(2 * count);
                let half = homes.into_iter().find(|home| home / 2 == at);
                let half = half.map_or(0, |home| home % 2);
                self.buckets[2 * at + half].set(lengths[half], &slot);
                lengths[half] += 1;
            }
        }
    }

    /// Each two buckets become one.
    fn halve(&mut self) {
        let half = self.buckets.len() / 2;
        for at in 0..half {
            let mut merged = Bucket::EMPTY;
            let mut slots = Vec::with_capacity(2 * SLOTS);
            for bucket in &self.buckets[2 * at..2 * at + 2] {
                merged.forgotten.include(bucket.forgotten);
                slots.extend(bucket.slots());
            }
            slots.sort_unstable_by_key(|slot| std::cmp::Reverse(slot.age()));
            for slot in slots {
                if merged.len() < SLOTS && !self.is_dead(&slot) {
                    merged.push(&slot);
                } else {
                    merged.forgotten.include((&slot).into());
                }
            }
            self.buckets[at] = merged;
        }
        self.shrink_to(half);
    }

    /// All that is left of it is dead.
    fn halve_away(&mut self) {
        for bucket in &self.buckets {
            self.retired.include(bucket.forgotten);
            let slots = bucket.slots();
            slots.for_each(|slot| self.retired.include((&slot).into()));
        }
        self.shrink_to(0);
    }

    fn shrink_to(&mut self, count: usize) {
        self.layout += 1;
        self.buckets.truncate(count);
        self.buckets.shrink_to_fit();
        self.used = self.buckets.iter().map(Bucket::len).sum();
    }
}

#[cfg(test)]
mod tests;
