//! The index of purges in bytes, for a replica that starts: it reads these in the place of every record that led to them.
//!
//! Little endian: a version, the places in the shared log that it begins and ends with, what is known of everything, then the table
//! bucket by bucket, and a checksum. A mark has 16 bytes, a soft one 24. What has no place in the shared log is left out, but for purges
//! on their way there, which count as newer than all that is known. Numbers of this process are not in it.

mod format;
mod read;

use self::format::{Clock, FLAG_BITS, FORGOTTEN, MAGIC, SOFT};
pub(super) use self::read::BadSnapshot;

use super::{
    index::Index,
    marks::{Mark, Stamp},
    table::{Name, Packed, Tick},
};
use crate::store::entry::StreamId;
use bytes::Bytes;
use tokio::time::Instant;
use xxhash_rust::xxh3::xxh3_64;

/// Buckets that are read at a time: at most half a MiB of the table, some tenths of a millisecond.
const AT_A_TIME: usize = 2_048;

/// What came of reading some more of the index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Progress {
    /// There is more.
    More,
    /// That was all.
    Complete,
    /// Marks have moved to other buckets: begin again.
    Moved,
}

/// A snapshot that is being taken, a part at a time, so that nobody waits for it. What is recorded meanwhile is in it or not; every
/// record up to the place that it names is.
#[derive(Debug)]
pub(super) struct Taking {
    out: Vec<u8>,
    layout: (u64, usize),
    next: usize,
    clock: Clock,
    epoch: Instant,
}

impl Taking {
    /// Begins at `millis` of the clock that numbers the records. `None` where none of these has been read.
    pub(super) fn begin(index: &Index, millis: u64) -> Option<Self> {
        let holds = index.followed;
        if holds == StreamId::default() {
            return None;
        }
        let mut taking = Self {
            out: MAGIC.to_vec(),
            layout: index.table.layout(),
            next: 0,
            clock: Clock::at(millis),
            epoch: index.epoch,
        };
        taking.id(holds);
        taking.id(index.begins_at);
        taking.word(index.table.retired().shared.0);
        // One that is on its way may be anywhere, also before `holds`.
        let unknown = holds.next();
        let place = |stamp: &Stamp| match stamp.on_its_way {
            0 => stamp.shared,
            _ => stamp.shared.max(unknown),
        };
        index
            .newest
            .iter()
            .for_each(|stamp| taking.id(place(stamp)));
        taking.count(index.lengths.all().count());
        let lengths = index.lengths.all();
        lengths.for_each(|(_, stamp)| taking.id(place(stamp)));
        taking.id(place(&index.unnamed));
        taking.id(place(&index.globs.forgotten));
        taking.mark(&index.all, place);
        taking.count(index.globs.marks.len());
        for (text, mark) in &index.globs.marks {
            taking.count(text.len());
            taking.out.extend_from_slice(text.as_bytes());
            taking.mark(mark, place);
        }
        taking.count(index.on_its_way.all().count());
        for (name, soft) in index.on_its_way.all() {
            taking.slot(name, Packed::no_older(unknown), soft);
        }
        taking.count(taking.layout.1);
        Some(taking)
    }

    /// Reads some more of the same index.
    pub(super) fn more(&mut self, index: &Index) -> Progress {
        if index.table.layout() != self.layout {
            return Progress::Moved;
        }
        let buckets = self.layout.1;
        let end = (self.next + AT_A_TIME).min(buckets);
        for at in self.next..end {
            let (forgotten, slots) = index.table.bucket(at);
            let shared = slots.filter(|slot| slot.shared > Packed::default());
            let (dead, slots): (Vec<_>, Vec<_>) =
                shared.partition(|slot| index.table.is_dead(slot));
            let dead = dead.iter().map(|slot| slot.shared);
            let forgotten = dead.fold(forgotten.shared, Packed::max);
            let count = u8::try_from(slots.len()).unwrap_or(u8::MAX);
            if forgotten > Packed::default() {
                self.out.push(FORGOTTEN | count);
                self.word(forgotten.0);
            } else {
                self.out.push(count);
            }
            for slot in slots {
                self.slot(slot.name, slot.shared, slot.soft);
            }
        }
        self.next = end;
        if end < buckets {
            Progress::More
        } else {
            Progress::Complete
        }
    }

    /// The bytes, once it is complete.
    pub(super) fn finish(mut self) -> Bytes {
        let sum = xxh3_64(&self.out);
        self.word(sum);
        self.out.into()
    }

    fn word(&mut self, word: u64) {
        self.out.extend_from_slice(&word.to_le_bytes());
    }

    fn count(&mut self, count: usize) {
        let count = u32::try_from(count).unwrap_or(u32::MAX);
        self.out.extend_from_slice(&count.to_le_bytes());
    }

    fn id(&mut self, id: StreamId) {
        self.word(id.0);
        self.word(id.1);
    }

    fn slot(&mut self, name: Name, shared: Packed, soft: Option<Tick>) {
        let flag = soft.map_or(0, |_| SOFT);
        self.word(name.bits() << FLAG_BITS | flag);
        self.word(shared.0);
        if let Some(tick) = soft {
            self.word(self.clock.to_millis(tick.at(self.epoch)));
        }
    }

    fn mark(&mut self, mark: &Mark, place: impl Fn(&Stamp) -> StreamId) {
        self.id(place(&mark.hard));
        self.count(mark.softs.len());
        for soft in &mark.softs {
            self.id(place(&soft.stamp));
            self.word(self.clock.to_millis(soft.since));
        }
    }
}

#[cfg(test)]
mod tests;
