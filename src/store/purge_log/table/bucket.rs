//! Ten marks, and how new what they took the place of was: four lines of a processor's cache, two of which say whether a name is
//! there.

use super::slot::{MAX_LOCAL, Name, Packed, Slot, Tick};

/// Marks in a bucket.
pub(in super::super) const SLOTS: usize = 10;

/// Bits of a number that stand beside the name; the others stand apart.
const HIGH_BITS: u32 = 12;

/// See the module docs. The slots in use come first; a word of 0 is none.
#[derive(Clone, Debug)]
#[repr(C)]
pub(super) struct Bucket {
    pub(super) forgotten: Forgotten,
    /// The name, and the upper bits of the number.
    words: [u64; SLOTS],
    shared: [Packed; SLOTS],
    numbers: [u32; SLOTS],
    /// 0 for a hard one.
    ticks: [u32; SLOTS],
}

const _: () = assert!(size_of::<Bucket>() == 256);

/// How new the newest was that is not remembered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in super::super) struct Forgotten {
    pub(in super::super) local: u64,
    pub(in super::super) shared: Packed,
}

impl Forgotten {
    pub(super) fn include(&mut self, other: Self) {
        self.local = self.local.max(other.local);
        self.shared = self.shared.max(other.shared);
    }
}

impl From<&Slot> for Forgotten {
    fn from(slot: &Slot) -> Self {
        Self {
            local: slot.local,
            shared: slot.shared,
        }
    }
}

impl Bucket {
    pub(super) const EMPTY: Self = Self {
        forgotten: Forgotten {
            local: 0,
            shared: Packed(0),
        },
        words: [0; SLOTS],
        shared: [Packed(0); SLOTS],
        numbers: [0; SLOTS],
        ticks: [0; SLOTS],
    };

    /// How many slots are in use.
    pub(super) fn len(&self) -> usize {
        let free = self.words.iter().position(|word| *word == 0);
        free.unwrap_or(SLOTS)
    }

    pub(super) fn get(&self, at: usize) -> Slot {
        let high = self.words[at] & ((1 << HIGH_BITS) - 1);
        Slot {
            name: Name(self.words[at] >> HIGH_BITS),
            local: high << 32 | u64::from(self.numbers[at]),
            shared: self.shared[at],
            soft: (self.ticks[at] > 0).then_some(Tick(self.ticks[at])),
        }
    }

    pub(super) fn set(&mut self, at: usize, slot: &Slot) {
        let local = slot.local.min(MAX_LOCAL);
        self.words[at] = slot.name.0 << HIGH_BITS | local >> 32;
        self.numbers[at] = u32::try_from(local & u64::from(u32::MAX)).unwrap_or(u32::MAX);
        self.shared[at] = slot.shared;
        self.ticks[at] = slot.soft.map_or(0, |tick| tick.0);
    }

    /// Puts `slot` behind the others. There has to be room.
    pub(super) fn push(&mut self, slot: &Slot) {
        self.set(self.len(), slot);
    }

    pub(super) fn slots(&self) -> impl Iterator<Item = Slot> {
        (0..self.len()).map(|at| self.get(at))
    }

    /// Where the marks of `name` are.
    pub(super) fn of(&self, name: Name) -> impl Iterator<Item = usize> {
        let words = self.words.iter().enumerate();
        let its = words.filter(move |(_, word)| **word >> HIGH_BITS == name.0);
        its.map(|(at, _)| at)
    }

    /// The place and the age of the oldest.
    pub(super) fn oldest(&self) -> Option<(usize, Slot)> {
        let slots = self.slots().enumerate();
        slots.min_by_key(|(_, slot)| slot.age())
    }
}
