//! Reads a snapshot, whoever wrote it: all of it is looked at before any of it counts.

use super::format::{Clock, FLAG_BITS, FORGOTTEN, MAGIC, SOFT};
use crate::store::{
    entry::StreamId,
    purge_log::{
        index::{Index, MAX_PATTERNS},
        marks::{MOST_SOFT, Mark, Stamp},
        pattern::{MAX_BEGINNING, MAX_PATTERN},
        shared::MAX_PENDING,
        table::{Forgotten, MOST, Name, Packed, SLOTS, Slot, Sort, Tick},
    },
};
use std::time::Duration;
use tokio::time::Instant;
use xxhash_rust::xxh3::xxh3_64;

/// Why bytes are no snapshot. The index is as it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(in crate::store) enum BadSnapshot {
    /// It is of another version, or something else.
    #[error("is of another version")]
    Version,
    /// It does not end as it was written.
    #[error("is cut or was changed")]
    Sum,
    /// It says what no snapshot does.
    #[error("has a part that cannot be")]
    Part,
}

/// A part of a snapshot.
enum Part<'b> {
    Holds(StreamId),
    Begins(StreamId),
    Retired(Packed),
    Newest(usize, StreamId),
    Length(u16, StreamId),
    Unnamed(StreamId),
    GlobsForgotten(StreamId),
    All(Known),
    Glob(&'b str, Known),
    /// How many buckets there are.
    Buckets(usize),
    /// What the bucket at that place has forgotten.
    Forgotten(usize, Packed),
    /// A mark of that bucket.
    Kept(usize, Raw),
    /// One that was on its way.
    Waiting(Raw),
}

/// A mark: soft ones have a time.
struct Raw(Name, Packed, Option<u64>);

/// The place of the hard purge, and those of soft ones with their times.
struct Known(StreamId, Vec<(StreamId, u64)>);

impl Index {
    /// Takes in what `bytes` know, as purge `number` of this process, which is newer than all that it has; the records are numbered by a
    /// clock that shows `millis`. Returns the place up to which every record of the shared log is known now.
    ///
    /// # Errors
    /// Where the bytes are no snapshot. Then nothing has changed.
    pub(in super::super) fn restore(
        &mut self,
        bytes: &[u8],
        number: u64,
        millis: u64,
    ) -> Result<StreamId, BadSnapshot> {
        let (content, sum) = bytes.split_last_chunk().ok_or(BadSnapshot::Sum)?;
        if !content.starts_with(&MAGIC) {
            return Err(BadSnapshot::Version);
        }
        if xxh3_64(content) != u64::from_le_bytes(*sum) {
            return Err(BadSnapshot::Sum);
        }
        let parts = &content[MAGIC.len()..];
        Parts(parts).each(|_| {}).ok_or(BadSnapshot::Part)?;
        let mut restored = Restored {
            index: self,
            number,
            clock: Clock::at(millis),
            buckets: 1,
        };
        Parts(parts).each(|part| restored.take(part));
        Ok(self.followed)
    }
}

struct Restored<'i> {
    index: &'i mut Index,
    number: u64,
    clock: Clock,
    buckets: usize,
}

impl Restored<'_> {
    fn take(&mut self, part: Part<'_>) {
        let stamp = |shared| self.stamp(shared);
        match part {
            Part::Holds(id) => self.index.follow(id.max(self.index.followed)),
            Part::Begins(id) => self.index.begins_at(id),
            Part::Retired(shared) => self.index.table.include_retired(self.forgotten(shared)),
            Part::Newest(sort, id) => {
                let stamp = stamp(id);
                self.index.newest[sort].include(&stamp);
            }
            Part::Length(length, id) if id > StreamId::default() => {
                let stamp = stamp(id);
                self.index.lengths.of(length).include(&stamp);
            }
            Part::Length(..) => {}
            Part::Unnamed(id) => {
                let stamp = stamp(id);
                self.index.unnamed.include(&stamp);
            }
            Part::GlobsForgotten(id) => {
                let stamp = stamp(id);
                self.index.globs.forgotten.include(&stamp);
            }
            Part::All(known) => {
                let mut all = std::mem::take(&mut self.index.all);
                self.mark(&mut all, known);
                self.index.all = all;
            }
            Part::Glob(text, known) => {
                let mut mark = std::mem::take(self.index.globs.renew(text));
                self.mark(&mut mark, known);
                *self.index.globs.renew(text) = mark;
            }
            Part::Buckets(count) => {
                self.buckets = count;
                self.index.table.reserve(count);
            }
            Part::Forgotten(at, shared) => {
                let forgotten = self.forgotten(shared);
                let table = &mut self.index.table;
                table.forget_bucket(at, self.buckets, forgotten);
            }
            Part::Waiting(raw) => {
                let slot = self.slot(&raw);
                self.index.table.record(&slot);
            }
            Part::Kept(at, raw) => {
                let slot = self.slot(&raw);
                self.index.table.take(at, self.buckets, &slot);
            }
        }
    }

    fn slot(&self, Raw(name, shared, since): &Raw) -> Slot {
        let tick = |since| Tick::of(self.instant(since), self.index.epoch);
        Slot {
            name: *name,
            local: self.number,
            shared: *shared,
            soft: since.map(tick),
        }
    }

    /// Where nothing was purged there is no number either.
    fn stamp(&self, shared: StreamId) -> Stamp {
        let is_one = shared > StreamId::default();
        Stamp {
            local: if is_one { self.number } else { 0 },
            shared,
            on_its_way: 0,
        }
    }

    fn forgotten(&self, shared: Packed) -> Forgotten {
        let is_one = shared > Packed::default();
        Forgotten {
            local: if is_one { self.number } else { 0 },
            shared,
        }
    }

    fn mark(&self, mark: &mut Mark, Known(hard, softs): Known) {
        mark.hard.include(&self.stamp(hard));
        for (place, since) in softs {
            mark.record(false, self.stamp(place), self.instant(since));
        }
    }

    fn instant(&self, millis: u64) -> Instant {
        let ago = Duration::from_millis(self.clock.millis.saturating_sub(millis));
        let epoch = self.index.epoch;
        self.clock.now.checked_sub(ago).unwrap_or(epoch)
    }
}

/// What is left to read.
struct Parts<'b>(&'b [u8]);

impl<'b> Parts<'b> {
    /// Shows each part to `take`; `None` where one cannot be, or something is left over.
    fn each(mut self, mut take: impl FnMut(Part<'b>)) -> Option<()> {
        take(Part::Holds(self.id()?));
        take(Part::Begins(self.id()?));
        take(Part::Retired(Packed(self.word()?)));
        for sort in 0..Sort::COUNT {
            take(Part::Newest(sort, self.id()?));
        }
        for length in 0..self.count(MAX_BEGINNING + 1)? {
            take(Part::Length(u16::try_from(length).ok()?, self.id()?));
        }
        take(Part::Unnamed(self.id()?));
        take(Part::GlobsForgotten(self.id()?));
        take(Part::All(self.known()?));
        for _ in 0..self.count(MAX_PATTERNS)? {
            let length = self.count(MAX_PATTERN)?;
            let text = std::str::from_utf8(self.bytes(length)?).ok()?;
            take(Part::Glob(text, self.known()?));
        }
        for _ in 0..self.count(MAX_PENDING + 1)? {
            take(Part::Waiting(self.raw()?));
        }
        let buckets = self.count(MOST)?;
        take(Part::Buckets(buckets));
        for at in 0..buckets {
            let [head] = *self.chunk()?;
            if head & FORGOTTEN > 0 {
                take(Part::Forgotten(at, Packed(self.word()?)));
            }
            let slots = usize::from(head & !FORGOTTEN);
            for _ in 0..(slots <= SLOTS).then_some(slots)? {
                take(Part::Kept(at, self.raw()?));
            }
        }
        self.0.is_empty().then_some(())
    }

    fn bytes(&mut self, length: usize) -> Option<&'b [u8]> {
        let (bytes, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(bytes)
    }

    fn chunk<const N: usize>(&mut self) -> Option<&'b [u8; N]> {
        let (chunk, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(chunk)
    }

    fn word(&mut self) -> Option<u64> {
        self.chunk().map(|bytes| u64::from_le_bytes(*bytes))
    }

    fn id(&mut self) -> Option<StreamId> {
        Some(StreamId(self.word()?, self.word()?))
    }

    /// A number of things, at most `most`.
    fn count(&mut self, most: usize) -> Option<usize> {
        let count = self.chunk().map(|bytes| u32::from_le_bytes(*bytes))?;
        let count = usize::try_from(count).ok()?;
        (count <= most).then_some(count)
    }

    fn known(&mut self) -> Option<Known> {
        let hard = self.id()?;
        let mut softs = Vec::new();
        for _ in 0..self.count(MOST_SOFT)? {
            softs.push((self.id()?, self.word()?));
        }
        Some(Known(hard, softs))
    }

    fn raw(&mut self) -> Option<Raw> {
        let word = self.word()?;
        let name = Name::from_bits(word >> FLAG_BITS)?;
        let shared = Packed(self.word()?);
        let since = match word & ((1 << FLAG_BITS) - 1) {
            0 => None,
            SOFT => Some(self.word()?),
            _ => return None,
        };
        Some(Raw(name, shared, since))
    }
}
