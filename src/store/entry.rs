//! One stored response.

use crate::semantics::{Coding, Key, StoredHead};
use bytes::Bytes;
use http::HeaderMap;
use std::sync::{
    OnceLock,
    atomic::{AtomicU64, Ordering::Relaxed},
};
use tokio::sync::OnceCell;

/// What maps, the allocator and reference counts add to an entry, in bytes, so that the process stays near its limit.
/// Checked with `bench/footprint.py`.
const OVERHEAD: usize = 900;

/// What one field takes in a header map beside its name and value, in bytes, with the room that the map keeps free.
const PER_FIELD: usize = 160;

/// A place in the purge log of Redis: milliseconds and a number within them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StreamId(pub u64, pub u64);

impl StreamId {
    /// The place right after it; of the last one, itself.
    pub(super) fn next(self) -> Self {
        match (self.0, self.1) {
            (u64::MAX, sequence) => Self(u64::MAX, sequence.saturating_add(1)),
            (millisecond, u64::MAX) => Self(millisecond + 1, 0),
            (millisecond, sequence) => Self(millisecond, sequence + 1),
        }
    }
}

/// Where the purge log stood when a fetch began: what was purged later may have changed the answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Position {
    /// The number of the last purge that this process had learned of; 0 where it came from Redis.
    pub local: u64,
    /// The last record of the shared log that this process had read.
    pub shared: StreamId,
}

/// The answer in one content coding, ready to be sent.
#[derive(Clone, Debug)]
pub struct Rendition {
    /// All fields but those that change with each answer (`Age`, `Cache-Status`).
    pub headers: HeaderMap,
    /// The coded body.
    pub body: Bytes,
}

/// A stored response. Immutable but for what can be derived from it.
#[derive(Debug)]
pub struct Entry {
    /// The full key, compared on every read.
    pub key: Key,
    /// Everything but the body.
    pub head: StoredHead,
    /// The body as the origin sent it.
    pub body: Bytes,
    /// See [`Position::shared`].
    pub shared_position: StreamId,
    /// Purges up to this number do not concern it; moves up when that has been checked.
    checked_up_to: AtomicU64,
    /// As the origin sent it; made at the first use.
    pub identity: OnceLock<Rendition>,
    /// See [`Entry::coded`].
    coded: [OnceCell<Option<Box<Rendition>>>; Coding::COUNT],
}

impl Entry {
    /// A response that was fetched when the purge log stood at `position`.
    pub fn new(key: Key, head: StoredHead, body: Bytes, position: Position) -> Self {
        Self {
            key,
            head,
            body,
            shared_position: position.shared,
            checked_up_to: AtomicU64::new(position.local),
            identity: OnceLock::new(),
            coded: Default::default(),
        }
    }

    /// The same body under a head that the origin has just confirmed. No coding of it is made yet.
    pub fn freshened(&self, head: StoredHead, position: Position) -> Self {
        Self::new(self.key.clone(), head, self.body.clone(), position)
    }

    /// Whether `other` is newer: more purges had been seen when it was asked for, or it was asked for later.
    pub(super) fn is_older_than(&self, other: &Self) -> bool {
        let age = |entry: &Self| {
            let asked = entry.head.freshness.request_time;
            (entry.shared_position, asked)
        };
        age(self) < age(other)
    }

    /// The slot for the response in `coding`, made at the first use; `None` inside where that is not worth it.
    pub const fn coded(&self, coding: Coding) -> &OnceCell<Option<Box<Rendition>>> {
        &self.coded[coding.index()]
    }

    /// Purges up to this number do not concern it; 0 only where it came from Redis and was never judged.
    pub(super) fn checked_up_to(&self) -> u64 {
        self.checked_up_to.load(Relaxed)
    }

    /// Purges up to `number` were looked at and do not concern it.
    pub(super) fn set_checked(&self, number: u64) {
        self.checked_up_to.fetch_max(number, Relaxed);
    }

    /// Everything that it holds in memory, in bytes. Grows when a coding is made.
    pub fn weight(&self) -> u64 {
        let fields = |headers: &HeaderMap| headers.len() * PER_FIELD;
        let values = |headers: &HeaderMap| -> usize {
            headers
                .iter()
                .map(|(n, v)| n.as_str().len() + v.len())
                .sum()
        };
        let selecting: usize = self
            .head
            .selecting
            .parts()
            .iter()
            .map(|(name, value)| {
                name.as_str().len() + value.as_ref().map_or(0, |v| v.len()) + PER_FIELD
            })
            .sum();
        let tags: usize = self.head.tags.iter().map(|tag| tag.len() + 16).sum();
        let made = self.coded.iter().filter_map(|slot| slot.get()?.as_deref());
        let coded: usize = made
            .map(|r| size_of::<Rendition>() + fields(&r.headers) + r.body.len())
            .sum();
        let bytes = OVERHEAD
            + self.key.as_bytes().len()
            + self.body.len()
            + values(&self.head.headers)
            // Once as stored and once as sent: the values are shared, the maps are not.
            + 2 * fields(&self.head.headers)
            + selecting
            + tags
            + coded;
        bytes as u64
    }
}
