//! Whether the log in Redis is still the one that was read: it may have been lost, trimmed, or be an older copy.
//!
//! What is uncertain is *doubted*, never emptied: it is confirmed with the origin before it is served. Whoever sees that records
//! may be lost says so in the log, once for all (`lost`, with the last record that is known). A Redis that was started again may
//! have come back older than anybody alive can tell; so the log names the server that it is on. A replica that was in contact
//! up to the change vouches for it (`server`); where nobody does, what was stored before is doubted.

use crate::store::entry::StreamId;
use std::time::Duration;
use tokio::time::Instant;

/// For so long one who cannot vouch for a server waits for another who can.
const PATIENCE: Duration = Duration::from_millis(400);

/// What a session sees of the log when it begins.
#[derive(Clone, Copy, Debug)]
pub(super) struct Seen {
    /// A digest of its run id, 0 where it does not say.
    pub(super) server: u64,
    /// The clock of Redis, in milliseconds.
    pub(super) time: u64,
    /// The first and the last record; `None` where there is none.
    pub(super) ends: Option<(StreamId, StreamId)>,
    /// Whether the last record that this process knows is there.
    pub(super) has_known: bool,
}

/// What is to be done once the log was read to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Todo {
    /// It is followed.
    Nothing,
    /// Say that records after this one may be lost.
    SayLost(StreamId),
    /// Say that the log is this server's.
    Vouch,
    /// Read on until then: somebody may vouch.
    Wait(Instant),
    /// Nobody has: what was stored up to here is in doubt, and others have to know.
    Doubt,
}

/// See the module docs.
#[derive(Debug, Default)]
pub(super) struct History {
    /// The server whose log this process relies on; 0 for none.
    settled: u64,
    /// The server that the log names, and where.
    recorded: (u64, StreamId),
    /// The one at hand.
    current: u64,
    /// Whether nothing can have been missed when it changed.
    vouches: bool,
    patience: Option<Instant>,
    /// That records after this one may be lost was seen, and what was stored before is in doubt.
    doubted: StreamId,
    /// Others have to be told that records after this one may be lost.
    untold: Option<StreamId>,
}

impl History {
    /// A session with what is `seen` begins, and `known` is the last record of which this process knows; `was_in_contact` where it
    /// cannot have missed anything. Whether all that was stored before is in doubt now.
    pub(super) fn begin(&mut self, seen: &Seen, known: StreamId, was_in_contact: bool) -> bool {
        self.current = seen.server;
        self.patience = None;
        let is_new = known == StreamId::default();
        self.vouches = was_in_contact && !is_new && seen.has_known;
        if is_new || seen.has_known {
            return false;
        }
        // One that begins later was begun anew or has been trimmed: who starts sees that by itself.
        let is_older_copy = seen.ends.is_some_and(|(first, _)| first <= known);
        if is_older_copy {
            self.untold = Some(known);
        }
        self.doubt(known)
    }

    /// Records after `after` may be lost. Whether that is news.
    pub(super) fn doubt(&mut self, after: StreamId) -> bool {
        let is_news = after > self.doubted;
        self.doubted = self.doubted.max(after);
        is_news
    }

    /// A record at `id` names the server that the log is on.
    pub(super) fn names(&mut self, server: u64, id: StreamId) {
        if server != 0 {
            self.recorded = (server, id);
        }
    }

    /// A record says that those after `after` may be lost. Whether that is news.
    pub(super) fn told_lost(&mut self, after: StreamId) -> bool {
        if self.untold.is_some_and(|untold| untold <= after) {
            self.untold = None;
            self.patience = None;
        }
        self.doubt(after)
    }

    /// Where the log names its server last.
    pub(super) fn recorded(&self) -> (u64, StreamId) {
        self.recorded
    }

    /// The server at hand.
    pub(super) fn server(&self) -> u64 {
        self.current
    }

    /// The log was read to its end.
    pub(super) fn at_end(&mut self, now: Instant) -> Todo {
        if let Some(after) = self.untold {
            // All see it in the same moment: one of them is the first to say so.
            let until = *self
                .patience
                .get_or_insert_with(|| now + PATIENCE.mul_f64(fastrand::f64()));
            if now < until {
                return Todo::Wait(until);
            }
            return Todo::SayLost(after);
        }
        if self.current == 0 || self.settled == self.current || self.recorded.0 == self.current {
            if self.current != 0 {
                self.settled = self.current;
            }
            return Todo::Nothing;
        }
        if self.vouches {
            return Todo::Vouch;
        }
        let until = *self
            .patience
            .get_or_insert_with(|| now + PATIENCE.mul_f64(1.0 + fastrand::f64() / 2.0));
        if now < until {
            Todo::Wait(until)
        } else {
            Todo::Doubt
        }
    }

    /// What was to be said was said, or cannot be.
    pub(super) fn said(&mut self) {
        self.untold = None;
        self.patience = None;
        self.settled = self.current;
    }
}

#[cfg(test)]
mod tests;
