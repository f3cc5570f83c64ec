//! What a process knows of the log in Redis: its own records that wait for it, and how far it was followed.

use super::selector::Purge;
use crate::store::entry::StreamId;
use parking_lot::Mutex;
use std::{
    collections::VecDeque,
    sync::atomic::{
        AtomicBool,
        Ordering::{Acquire, Relaxed, Release},
    },
};
use tokio::{
    sync::{Notify, watch},
    time::Instant,
};

/// Purges that wait for Redis; more are replaced by one record that names none of them.
pub(super) const MAX_PENDING: usize = 20_000;

/// One record on its way to the shared log.
#[derive(Clone, Debug)]
pub(in crate::store) struct Pending {
    pub(in crate::store) number: u64,
    pub(in crate::store) purge: Purge,
    pub(in crate::store) since: Instant,
}

/// More records wait than may.
#[derive(Clone, Copy, Debug)]
pub(super) struct Overflow;

/// See the module docs.
#[derive(Debug, Default)]
pub(in crate::store) struct Shared {
    pending: Mutex<VecDeque<Pending>>,
    wake: Notify,
    /// Our records up to this number are in the shared log.
    written: watch::Sender<u64>,
    /// The records of other replicas up to here are known.
    followed: watch::Sender<StreamId>,
    /// The whole log has been read once: what Redis holds can be judged.
    synchronised: AtomicBool,
    /// Records may have been missed for longer than `purge_gap`.
    gap: AtomicBool,
}

impl Shared {
    /// Lets one more record wait. `Err` where that were too many: they became one that covers them all. Nothing is lost, but
    /// whoever reads it confirms what it has.
    pub(super) fn enqueue(&self, purge: Purge, number: u64) -> Result<(), Overflow> {
        let record = |purge| Pending {
            number,
            purge,
            since: Instant::now(),
        };
        let mut pending = self.pending.lock();
        pending.push_back(record(purge));
        if pending.len() <= MAX_PENDING {
            return Ok(());
        }
        pending.clear();
        pending.push_back(record(Purge::UNNAMED));
        Err(Overflow)
    }

    /// The records that have waited longest, at most `most` of them; they wait on until they are taken.
    pub(in crate::store) fn next_batch(&self, most: usize) -> Vec<Pending> {
        self.pending.lock().iter().take(most).cloned().collect()
    }

    /// `record` waits no more, unless it was replaced meanwhile.
    pub(super) fn take(&self, record: &Pending) {
        let mut pending = self.pending.lock();
        let front = pending.front().map(|front| front.number);
        if front == Some(record.number) {
            pending.pop_front();
        }
    }

    /// How many records wait.
    pub(super) fn pending(&self) -> usize {
        self.pending.lock().len()
    }

    /// Since when the oldest of them waits.
    pub(super) fn oldest(&self) -> Option<Instant> {
        self.pending.lock().front().map(|record| record.since)
    }

    /// Tells whoever waits in [`Self::woken`] that there are records.
    pub(super) fn wake(&self) {
        self.wake.notify_one();
    }

    /// Returns when records were added since the last call. Cancel safe.
    pub(in crate::store) async fn woken(&self) {
        self.wake.notified().await;
    }

    pub(super) fn written_up_to(&self, number: u64) {
        self.written.send_replace(number);
    }

    /// Waits until our record `number` is in the shared log. Cancel safe.
    pub(in crate::store) async fn wait_until_written(&self, number: u64) {
        let mut written = self.written.subscribe();
        let _ = written.wait_for(|written| *written >= number).await;
    }

    pub(super) fn followed_up_to(&self, id: StreamId) {
        self.followed.send_replace(id);
    }

    /// Waits until the records up to `id` are known. Cancel safe.
    pub(in crate::store) async fn wait_until_followed(&self, id: StreamId) {
        let mut followed = self.followed.subscribe();
        let _ = followed.wait_for(|followed| *followed >= id).await;
    }

    /// Whether the whole log has been read once.
    pub(super) fn is_synchronised(&self) -> bool {
        self.synchronised.load(Acquire)
    }

    /// The log has been read to its end: nothing is missed. Returns whether something may have been before.
    pub(in crate::store) fn end_gap(&self) -> bool {
        self.synchronised.store(true, Release);
        self.gap.swap(false, Relaxed)
    }

    /// Records may have been missed. Returns whether that is news.
    pub(in crate::store) fn begin_gap(&self) -> bool {
        !self.gap.swap(true, Relaxed)
    }

    /// Whether records may have been missed.
    pub(super) fn in_gap(&self) -> bool {
        self.gap.load(Relaxed)
    }
}
