//! What a mark of the table is made of.

use super::super::marks::After;
use crate::store::entry::StreamId;
use std::time::Duration;
use tokio::time::Instant;

/// Bits of a [`Name`].
pub(in super::super) const NAME_BITS: u32 = 52;

/// Numbers of this process in 44 bits: at 50,000 purges a second they last eleven years, and after that everything is concerned.
pub(super) const MAX_LOCAL: u64 = (1 << 44) - 1;

/// Bits of the number within a millisecond.
const SEQUENCE_BITS: u32 = 20;
const MAX_SEQUENCE: u64 = (1 << SEQUENCE_BITS) - 1;

/// Selectors that are looked up by digest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum Sort {
    Target,
    Tag,
    Exactly,
    Beginning,
}

impl Sort {
    pub(in super::super) const COUNT: usize = 4;

    /// The same digest is another name in each.
    const fn salt(self) -> u64 {
        [
            0x9e37_79b9_7f4a_7c15,
            0xc2b2_ae3d_27d4_eb4f,
            0x1656_67b1_9e37_79f9,
            0x27d4_eb2f_1656_67c5,
        ][self as usize]
    }
}

/// 52 bits of the digest of what was purged, of which some say where it is and all say what it is; never 0. Two selectors have the
/// same one once in 2^52 pairs, and are purged together then.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(in super::super) struct Name(pub(super) u64);

impl Name {
    pub(in super::super) fn new(sort: Sort, digest: u128) -> Self {
        let folded = (digest ^ (digest >> 64)) & u128::from(u64::MAX);
        let folded = u64::try_from(folded).unwrap_or(0) ^ sort.salt();
        Self((folded >> (64 - NAME_BITS)).max(1))
    }

    pub(in super::super) fn from_bits(bits: u64) -> Option<Self> {
        (bits > 0 && bits >> NAME_BITS == 0).then_some(Self(bits))
    }

    pub(in super::super) fn bits(self) -> u64 {
        self.0
    }

    /// The two buckets of `count` in which it may be. With twice as many buckets each is one of the two that this one becomes.
    pub(super) fn homes(self, count: usize) -> [usize; 2] {
        let scaled = |hash: u64| ((hash * count as u64) >> 32) as usize;
        let other = self.0.wrapping_mul(0x9fb2_1c65_1e98_df25);
        [scaled(self.0 >> (NAME_BITS - 32)), scaled(other >> 32)]
    }
}

/// A [`StreamId`] in 44 bits of milliseconds, which last until the year 2527, and 20 bits of the number within one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(in super::super) struct Packed(pub(in super::super) u64);

impl Packed {
    /// Not older than `id`: a purge at it concerns what one at `id` does.
    pub(in super::super) fn no_older(id: StreamId) -> Self {
        match id {
            StreamId(ms, _) if ms > MAX_LOCAL => Self(u64::MAX),
            StreamId(ms, sequence) if sequence <= MAX_SEQUENCE => {
                Self(ms << SEQUENCE_BITS | sequence)
            }
            StreamId(ms, _) if ms == MAX_LOCAL => Self(u64::MAX),
            StreamId(ms, _) => Self((ms + 1) << SEQUENCE_BITS),
        }
    }

    /// Not newer than `id`, and older than the last one there is.
    pub(super) fn no_newer(id: StreamId) -> Self {
        let StreamId(ms, sequence) = id;
        if ms > MAX_LOCAL {
            return Self(u64::MAX - 1);
        }
        let packed = ms << SEQUENCE_BITS | sequence.min(MAX_SEQUENCE);
        Self(packed.min(u64::MAX - 1))
    }
}

impl After {
    /// Whether a purge of this number and this place is newer.
    pub(super) fn precedes(self, local: u64, shared: Packed) -> bool {
        match self {
            Self::Local(checked) => local > checked.min(MAX_LOCAL - 1),
            Self::Shared(position) => shared > Packed::no_newer(position),
        }
    }
}

/// A time in tenths of a second, of which `1 << 31` is that of the table; never 0, and never later than what it was made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in super::super) struct Tick(pub(super) u32);

const TICK: Duration = Duration::from_millis(100);
const EPOCH: u32 = 1 << 31;

impl Tick {
    /// The oldest.
    pub(in super::super) const FIRST: Self = Self(1);

    pub(in super::super) fn of(at: Instant, epoch: Instant) -> Self {
        let ticks =
            |time: Duration| u32::try_from(time.as_millis() / TICK.as_millis()).unwrap_or(EPOCH);
        let tick = match at.checked_duration_since(epoch) {
            Some(later) => EPOCH.saturating_add(ticks(later)),
            None => EPOCH.saturating_sub(ticks(epoch - at)).saturating_sub(1),
        };
        Self(tick.max(1))
    }

    pub(in super::super) fn at(self, epoch: Instant) -> Instant {
        match self.0.checked_sub(EPOCH) {
            Some(later) => epoch + TICK * later,
            None => epoch.checked_sub(TICK * (EPOCH - self.0)).unwrap_or(epoch),
        }
    }
}

/// A purge of a name, or several of one hardness.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) struct Slot {
    pub(in super::super) name: Name,
    /// The number of the newest.
    pub(in super::super) local: u64,
    /// The place of the newest in the shared log; 0 where none has one.
    pub(in super::super) shared: Packed,
    /// Soft ones: when the oldest was made.
    pub(in super::super) soft: Option<Tick>,
}

impl Slot {
    /// By which the oldest is found.
    pub(super) fn age(&self) -> (u64, Packed) {
        (self.local, self.shared)
    }

    /// Both become one.
    pub(super) fn include(&mut self, other: &Self) {
        self.local = self.local.max(other.local);
        self.shared = self.shared.max(other.shared);
        self.soft = self.soft.min(other.soft);
    }
}
