//! How long the beginnings are that were purged, and how new the newest of each length is.

use super::super::{
    marks::{After, Stamp},
    pattern::MAX_BEGINNING,
};

/// A read looks for each length of which something newer than the entry was purged. Every length is one of its own: to round them
/// would let one client's ids widen what those of others purge.
#[derive(Debug, Default)]
pub(in super::super) struct Lengths(Vec<Stamp>);

impl Lengths {
    pub(in super::super) fn of(&mut self, length: u16) -> &mut Stamp {
        let at = usize::from(length).min(MAX_BEGINNING);
        if self.0.len() <= at {
            self.0.reserve_exact(at + 1 - self.0.len());
            self.0.resize(at + 1, Stamp::default());
        }
        &mut self.0[at]
    }

    pub(super) fn settle(&mut self) {
        self.0.iter_mut().for_each(Stamp::settle);
    }

    pub(in super::super) fn all(&self) -> impl Iterator<Item = (u16, &Stamp)> {
        (0..).zip(&self.0)
    }

    /// Those of which something is newer, the shortest first.
    pub(super) fn newer_than(&self, entry: After) -> impl Iterator<Item = u16> {
        let newer = self.all().filter(move |(_, stamp)| entry.is_before(stamp));
        newer.map(|(length, _)| length)
    }

    pub(super) fn bytes(&self) -> usize {
        self.0.capacity() * size_of::<Stamp>()
    }
}
