//! What a process knows of the log in Redis: its own records on their way there, how far it was followed, and when.

use super::{
    intent::{Intent, Message},
    selector::Purge,
};
use crate::store::entry::StreamId;
use parking_lot::Mutex;
use std::{
    collections::{HashMap, VecDeque},
    sync::{
        Arc,
        atomic::{
            AtomicBool, AtomicU64,
            Ordering::{Acquire, Relaxed, Release},
        },
    },
    time::{Duration, SystemTime, UNIX_EPOCH},
};
use tokio::{
    sync::{Notify, watch},
    time::Instant,
};

/// Records that wait for Redis; more are replaced by one that names none of them.
pub(super) const MAX_PENDING: usize = 20_000;

/// For so long a start may say that it is not ready, because it still reads the log.
const START_LIMIT: Duration = Duration::from_secs(10);

/// One record on its way to the shared log. It has arrived when it was read there.
#[derive(Clone, Debug)]
pub(in crate::store) struct Pending {
    /// Counts the records of this process.
    pub(in crate::store) seq: u64,
    pub(in crate::store) message: Message,
    pub(in crate::store) since: Instant,
    /// When Redis said that it has it.
    sent: Option<Instant>,
}

/// More records wait than may.
#[derive(Clone, Copy, Debug)]
pub(super) struct Overflow;

/// In the order in which they are to be in the log. Those that were sent come first.
#[derive(Debug, Default)]
struct Queue {
    records: VecDeque<Pending>,
    last: u64,
}

/// See the module docs.
#[derive(Debug)]
pub(in crate::store) struct Shared {
    /// Tells our own records from those of other replicas.
    replica: u64,
    queue: Mutex<Queue>,
    wake: Notify,
    /// Redis has said that it has our records up to this one.
    acknowledged: watch::Sender<u64>,
    /// They were read there up to this one.
    written: watch::Sender<u64>,
    /// The records of other replicas up to here are known.
    followed: watch::Sender<StreamId>,
    /// The whole log has been read once: what Redis holds can be judged.
    synchronised: AtomicBool,
    /// Until it is that for the first time, or is known not to become it soon.
    starting: watch::Sender<bool>,
    started: Instant,
    /// Until when what is known of purges may be relied on, in cache time: nanoseconds since 1970. Read on every hit.
    relied_on: AtomicU64,
    /// The operator was told that purges may have been missed.
    told: AtomicBool,
    /// What the writes of this process that are under way may change.
    writes: Mutex<HashMap<u64, Arc<[Purge]>>>,
    tickets: AtomicU64,
}

impl Default for Shared {
    fn default() -> Self {
        Self {
            replica: fastrand::u64(1..),
            queue: Mutex::default(),
            wake: Notify::new(),
            acknowledged: watch::Sender::default(),
            written: watch::Sender::default(),
            followed: watch::Sender::default(),
            synchronised: AtomicBool::new(false),
            starting: watch::Sender::new(true),
            started: Instant::now(),
            relied_on: AtomicU64::new(0),
            told: AtomicBool::new(false),
            writes: Mutex::default(),
            tickets: AtomicU64::new(0),
        }
    }
}

impl Shared {
    pub(in crate::store) const fn replica(&self) -> u64 {
        self.replica
    }

    /// Lets one more record wait, and says which one it is. `Err` where a purge were one too many: they became one that covers
    /// them all. Nothing is lost, but whoever reads it confirms what it has. Any other message is dropped then: without it more
    /// is purged.
    pub(super) fn enqueue(&self, message: Message) -> (u64, Result<(), Overflow>) {
        let mut queue = self.queue.lock();
        if queue.records.len() < MAX_PENDING {
            return (queue.push(message), Ok(()));
        }
        let Message::Purge(number, _) = message else {
            return (queue.last, Ok(()));
        };
        queue.records.clear();
        let seq = queue.push(Message::Purge(number, Purge::UNNAMED));
        (seq, Err(Overflow))
    }

    /// The records that have waited longest and were not sent, at most `most` of them; they wait on until they are read back.
    pub(in crate::store) fn next_batch(&self, most: usize) -> Vec<Pending> {
        let queue = self.queue.lock();
        let waiting = queue.records.iter().filter(|record| record.sent.is_none());
        waiting.take(most).cloned().collect()
    }

    /// Redis says that it has `records`.
    pub(in crate::store) fn sent(&self, records: &[Pending]) {
        let (Some(first), Some(last)) = (records.first(), records.last()) else {
            return;
        };
        let now = Instant::now();
        let mut queue = self.queue.lock();
        let sent = queue.records.iter_mut();
        sent.filter(|record| (first.seq..=last.seq).contains(&record.seq))
            .for_each(|record| record.sent = Some(now));
        drop(queue);
        self.acknowledged.send_replace(last.seq);
    }

    /// Waits until Redis has said that it has our record `seq`. Cancel safe.
    pub(in crate::store) async fn wait_until_sent(&self, seq: u64) {
        let mut acknowledged = self.acknowledged.subscribe();
        let _ = acknowledged.wait_for(|last| *last >= seq).await;
    }

    /// The log was read to its end by a read that left at `read`: what was sent before and is not there was lost, so it is sent
    /// again.
    pub(in crate::store) fn send_lost_again(&self, read: Instant) {
        let mut queue = self.queue.lock();
        let is_lost = |record: &Pending| record.sent.is_some_and(|sent| sent < read);
        if !queue.records.iter().any(is_lost) {
            return;
        }
        queue
            .records
            .iter_mut()
            .for_each(|record| record.sent = None);
        drop(queue);
        tracing::warn!("a purge that redis had taken is not in the log: it is sent again");
        self.wake();
    }

    /// The log has our record `seq`, which reads `message`. What it was, unless it is known to be there or reads otherwise.
    pub(super) fn read_back(
        &self,
        seq: u64,
        is_same: impl Fn(&Message) -> bool,
    ) -> Option<Message> {
        let mut queue = self.queue.lock();
        let at = queue
            .records
            .binary_search_by_key(&seq, |record| record.seq);
        let at = at.ok().filter(|at| is_same(&queue.records[*at].message))?;
        queue.records.remove(at).map(|record| record.message)
    }

    /// Tells who waits how many of our records are there.
    pub(super) fn say_written(&self) {
        let queue = self.queue.lock();
        let missing = queue.records.front().map(|record| record.seq);
        let written = missing.map_or(queue.last, |missing| missing - 1);
        drop(queue);
        self.written.send_replace(written);
    }

    /// How many records wait.
    pub(super) fn pending(&self) -> usize {
        self.queue.lock().records.len()
    }

    /// Since when the oldest of them waits.
    pub(super) fn oldest(&self) -> Option<Instant> {
        let queue = self.queue.lock();
        queue.records.front().map(|record| record.since)
    }

    /// Tells whoever waits in [`Self::woken`] that there are records.
    pub(in crate::store) fn wake(&self) {
        self.wake.notify_one();
    }

    /// Returns when records were added since the last call. Cancel safe.
    pub(in crate::store) async fn woken(&self) {
        self.wake.notified().await;
    }

    /// Waits until our record `seq` was read in the shared log. Cancel safe.
    pub(in crate::store) async fn wait_until_written(&self, seq: u64) {
        let mut written = self.written.subscribe();
        let _ = written.wait_for(|written| *written >= seq).await;
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
    pub(in crate::store) fn is_synchronised(&self) -> bool {
        self.synchronised.load(Acquire)
    }

    /// Whether this process has only just begun to read a log that it can read.
    pub(in crate::store) fn is_starting(&self) -> bool {
        *self.starting.borrow() && self.started.elapsed() < START_LIMIT
    }

    /// Waits until it is not starting any more, at most for `limit`.
    pub(in crate::store) async fn wait_until_started(&self, limit: Duration) {
        let mut starting = self.starting.subscribe();
        let _ = tokio::time::timeout(limit, starting.wait_for(|starting| !*starting)).await;
    }

    /// The log is there to be read: until that is done for the first time this process is starting.
    pub(in crate::store) fn has_a_log(&self) {
        if !self.is_synchronised() {
            self.starting.send_replace(true);
        }
    }

    /// The log cannot be read now: nobody needs to wait for it.
    pub(in crate::store) fn has_no_log(&self) {
        self.starting.send_if_modified(std::mem::take);
    }

    /// The log was read to its end, as that was at `at` in cache time or later: nothing is missed up to then, nor much for `gap`
    /// more. Returns whether the operator was told that something may be.
    pub(in crate::store) fn in_contact(&self, at: SystemTime, gap: Duration) -> bool {
        self.relied_on.fetch_max(nanos(at + gap), Relaxed);
        if !self.synchronised.swap(true, Release) {
            self.starting.send_replace(false);
        }
        self.told.load(Relaxed) && self.told.swap(false, Relaxed)
    }

    /// This process begins at `at`, and has nothing that it could have missed a purge of.
    pub(in crate::store) fn begins(&self, at: SystemTime, gap: Duration) {
        self.relied_on.store(nanos(at + gap), Relaxed);
    }

    /// Whether purges may have been missed for too long. One comparison: every hit asks.
    pub(in crate::store) fn in_gap(&self, now: SystemTime) -> bool {
        nanos(now) > self.relied_on.load(Relaxed)
    }

    /// Whether the operator has still to be told that records may have been missed.
    pub(in crate::store) fn is_news(&self) -> bool {
        !self.told.swap(true, Relaxed)
    }

    /// A write that may cause `purges` is about to be sent: its number, and its record where there is to be one.
    pub(super) fn begin_write(&self, intent: &Intent, announced: bool) -> (u64, u64) {
        let ticket = self.tickets.fetch_add(1, Relaxed) + 1;
        self.writes
            .lock()
            .insert(ticket, Arc::clone(&intent.purges));
        let seq = if announced {
            self.announce(ticket, intent)
        } else {
            0
        };
        (ticket, seq)
    }

    /// Says that the write `ticket` is still under way.
    pub(in crate::store) fn announce(&self, ticket: u64, intent: &Intent) -> u64 {
        let (seq, _) = self.enqueue(Message::Intent(ticket, intent.clone()));
        self.wake();
        seq
    }

    /// The write `ticket` is not under way any more.
    pub(in crate::store) fn end_write(&self, ticket: u64) {
        self.writes.lock().remove(&ticket);
    }

    /// What the writes that are under way may change.
    pub(in crate::store) fn writes_under_way(&self) -> Vec<Purge> {
        let writes = self.writes.lock();
        let purges = writes.values().flat_map(|purges| purges.iter());
        purges.cloned().collect()
    }
}

impl Queue {
    fn push(&mut self, message: Message) -> u64 {
        self.last += 1;
        self.records.push_back(Pending {
            seq: self.last,
            message,
            since: Instant::now(),
            sent: None,
        });
        self.last
    }
}

/// Since 1970, which is enough until 2554.
fn nanos(at: SystemTime) -> u64 {
    let since = at.duration_since(UNIX_EPOCH).unwrap_or_default();
    since
        .as_secs()
        .wrapping_mul(1_000_000_000)
        .wrapping_add(u64::from(since.subsec_nanos()))
}

#[cfg(test)]
mod tests;
