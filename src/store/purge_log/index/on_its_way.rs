//! Purges of this process that have no place in the shared log yet: newer than whatever Redis holds.

use super::super::table::{Name, Tick};
use std::collections::HashMap;

/// By name and hardness. There are no more than records that wait.
#[derive(Debug, Default)]
pub(in super::super) struct OnItsWay(HashMap<u64, Waiting, foldhash::fast::RandomState>);

#[derive(Clone, Copy, Debug)]
struct Waiting {
    /// The number of the last one.
    last: u64,
    /// When the first one was made.
    since: Tick,
}

fn key(name: Name, hard: bool) -> u64 {
    name.bits() << 1 | u64::from(hard)
}

impl OnItsWay {
    pub(super) fn add(&mut self, name: Name, hard: bool, number: u64, since: Tick) {
        let waiting = self.0.entry(key(name, hard));
        let waiting = waiting.or_insert(Waiting {
            last: number,
            since,
        });
        waiting.last = number;
    }

    /// Record `number` has its place.
    pub(super) fn arrived(&mut self, name: Name, hard: bool, number: u64) {
        let key = key(name, hard);
        if self.0.get(&key).is_some_and(|one| one.last <= number) {
            self.0.remove(&key);
        }
        if self.0.is_empty() {
            self.0 = HashMap::default();
        }
    }

    pub(super) fn clear(&mut self) {
        self.0 = HashMap::default();
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn is_hard(&self, name: Name) -> bool {
        self.0.contains_key(&key(name, true))
    }

    pub(super) fn soft(&self, name: Name) -> Option<Tick> {
        self.0.get(&key(name, false)).map(|one| one.since)
    }

    /// All of them: a soft one with the time when the first was made.
    pub(in super::super) fn all(&self) -> impl Iterator<Item = (Name, Option<Tick>)> {
        self.0.iter().filter_map(|(key, waiting)| {
            let name = Name::from_bits(key >> 1)?;
            Some((name, (key & 1 == 0).then_some(waiting.since)))
        })
    }

    /// A table has a power of two of places, of which seven in eight are used, and a byte for each.
    pub(super) fn bytes(&self) -> usize {
        let places = match self.0.capacity() {
            0 => 0,
            capacity => (capacity * 8).div_ceil(7).next_power_of_two(),
        };
        places * (size_of::<(u64, Waiting)>() + 1)
    }
}
