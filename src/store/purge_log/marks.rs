//! What is known of the purges of one selector, and what that says of an entry.

use crate::store::entry::StreamId;
use tokio::time::Instant;

/// Soft purges of one selector whose times are kept one by one; of those before them only the oldest time is.
pub(super) const MOST_SOFT: usize = 4;

/// What the log says of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// No purge concerns it.
    Good,
    /// A soft purge does, the first of them since then: it is stale.
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

    /// What is said of everything that is older than what was forgotten.
    pub(super) fn of_forgotten(forgotten: &Stamp, entry: After) -> Self {
        if entry.is_before(forgotten) {
            Self::Perhaps
        } else {
            Self::Good
        }
    }
}

/// Up to where it is known that no purge concerns an entry.
#[derive(Clone, Copy, Debug)]
pub(super) enum After {
    /// By the numbers of this process.
    Local(u64),
    /// By the shared log: it came from Redis.
    Shared(StreamId),
}

impl After {
    /// Whether the purge of `stamp` is newer.
    pub(super) fn is_before(self, stamp: &Stamp) -> bool {
        match self {
            Self::Local(checked) => stamp.local > checked,
            Self::Shared(position) => stamp.on_its_way > 0 || stamp.shared > position,
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

    /// Nothing of it is on its way any more.
    pub(super) fn settle(&mut self) {
        self.on_its_way = 0;
    }
}

/// A soft purge, or several of which the oldest was made then.
#[derive(Clone, Copy, Debug)]
pub(super) struct Soft {
    pub(super) stamp: Stamp,
    pub(super) since: Instant,
}

/// The purges of a selector that is not in the table.
#[derive(Clone, Debug, Default)]
pub(super) struct Mark {
    pub(super) hard: Stamp,
    /// In the order in which this process learned of them.
    pub(super) softs: Vec<Soft>,
}

impl Mark {
    /// Adds a purge of this hardness that was made at `since`.
    pub(super) fn record(&mut self, hard: bool, stamp: Stamp, since: Instant) {
        if hard {
            return self.hard.include(&stamp);
        }
        if self.softs.len() >= MOST_SOFT {
            let oldest = self.softs.remove(0);
            self.softs[0].stamp.include(&oldest.stamp);
            self.softs[0].since = self.softs[0].since.min(oldest.since);
        }
        self.softs.push(Soft { stamp, since });
    }

    /// Our record `number` has its place. Whether it is one of these: it may have been forgotten while it was on its way.
    pub(super) fn confirm(&mut self, hard: bool, number: u64, id: StreamId) -> bool {
        let its = if hard {
            Some(&mut self.hard)
        } else {
            let mut softs = self.softs.iter_mut().map(|soft| &mut soft.stamp);
            softs.find(|stamp| stamp.local >= number)
        };
        let its = its.filter(|stamp| stamp.on_its_way >= number);
        its.map(|stamp| stamp.confirm(number, id)).is_some()
    }

    pub(super) fn stamps(&mut self) -> impl Iterator<Item = &mut Stamp> {
        let softs = self.softs.iter_mut().map(|soft| &mut soft.stamp);
        std::iter::once(&mut self.hard).chain(softs)
    }

    /// As new as any of its purges.
    pub(super) fn newest(&self) -> Stamp {
        let softs = self.softs.iter().map(|soft| &soft.stamp);
        softs.fold(self.hard, |mut newest, stamp| {
            newest.include(stamp);
            newest
        })
    }

    pub(super) fn verdict(&self, entry: After) -> Verdict {
        if entry.is_before(&self.hard) {
            return Verdict::Gone;
        }
        let newer = self
            .softs
            .iter()
            .filter(|soft| entry.is_before(&soft.stamp));
        let first = newer.map(|soft| soft.since).min();
        first.map_or(Verdict::Good, Verdict::Stale)
    }
}
