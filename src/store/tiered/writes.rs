//! The way to Redis: a few writers, each with a queue that is bounded.

use crate::{
    runtime::Runtime,
    semantics::{Key, vary::Selects},
    store::{entry::Entry, memory::Variant, redis},
};
use parking_lot::Mutex;
use std::{collections::HashMap, hash::BuildHasher, sync::Arc, time::Duration};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore, mpsc},
    time::Instant,
};

/// Entries that wait to be written to Redis; more are dropped and counted.
const MAX_WRITES: usize = 1024;

/// What these entries may weigh together, in KiB.
const MAX_WRITES_KIB: usize = 16 << 10;

/// Writes under way at the same time: one slow or large one does not hold up all others. Entries of one key are written
/// one after the other, so that the latest is the one that stays.
const WRITERS: usize = 4;

/// For how long a stale response is kept at least, so that the origin can confirm it.
pub(super) const VALIDATION_RETENTION: Duration = Duration::from_secs(60);

/// How long what is stored is kept.
#[derive(Clone, Copy, Debug)]
pub(super) struct Retention {
    /// After its lifetime, in any case.
    pub(super) stale: Duration,
    /// Altogether.
    pub(super) max: Duration,
}

/// What is on its way to Redis, by key.
type UnderWay = Mutex<HashMap<Key, Arc<Entry>>>;

/// What a writer is asked to do.
#[derive(Debug)]
enum Job {
    /// Keep it; its weight is counted until then.
    Put(Arc<Entry>, OwnedSemaphorePermit),
    /// Give back the lease, unless it has ended by itself: what was stored before is in Redis by then.
    EndLease(Key, Instant),
    /// Delete it: the origin has answered otherwise.
    Forget(Arc<Entry>),
}

/// The way to Redis, bounded in number and weight.
#[derive(Debug)]
pub(super) struct Writes {
    /// Only without a memory tier: an answer that has just been stored is found before Redis has it.
    under_way: Option<Arc<UnderWay>>,
    queues: [mpsc::Sender<Job>; WRITERS],
    hasher: foldhash::fast::RandomState,
    room: Arc<Semaphore>,
}

impl Writes {
    /// Starts the writers; with `readable` what is on its way can be read.
    pub(super) fn start(
        redis: &Arc<redis::Tier>,
        retention: Retention,
        readable: bool,
        runtime: &Runtime,
    ) -> Self {
        let under_way = readable.then(Arc::default);
        let queues = std::array::from_fn(|_| {
            let (sender, receiver) = mpsc::channel(MAX_WRITES / WRITERS);
            runtime.tasks.spawn(write_entries(
                Arc::clone(redis),
                receiver,
                retention,
                under_way.clone(),
                runtime.clone(),
            ));
            sender
        });
        Self {
            under_way,
            queues,
            hasher: foldhash::fast::RandomState::default(),
            room: Arc::new(Semaphore::new(MAX_WRITES_KIB)),
        }
    }

    pub(super) fn on_its_way(&self, key: &Key, request: &Selects<'_>) -> Variant {
        let under_way = self.under_way.as_ref().map(|under_way| under_way.lock());
        match under_way.as_ref().and_then(|entries| entries.get(key)) {
            Some(entry) if entry.head.is_selected_by(request) => Variant::Match(Arc::clone(entry)),
            _ => Variant::None,
        }
    }

    /// A queue that is full leaves the lease to its TTL, which ends at `until`.
    pub(super) fn end_lease(&self, key: Key, until: Instant) {
        let _ = self.queue_of(&key).try_send(Job::EndLease(key, until));
    }

    /// A queue that is full leaves it to its TTL.
    pub(super) fn forget(&self, entry: &Arc<Entry>) {
        let job = Job::Forget(Arc::clone(entry));
        let _ = self.queue_of(&entry.key).try_send(job);
    }

    fn queue_of(&self, key: &Key) -> &mpsc::Sender<Job> {
        let writer = usize::try_from(self.hasher.hash_one(key) % WRITERS as u64);
        &self.queues[writer.unwrap_or(0)]
    }

    pub(super) fn enqueue(&self, entry: &Arc<Entry>) -> bool {
        let kib = u32::try_from(entry.weight() / 1024 + 1).unwrap_or(u32::MAX);
        let room = Arc::clone(&self.room).try_acquire_many_owned(kib);
        let Ok(room) = room else { return false };
        if let Some(under_way) = &self.under_way {
            under_way
                .lock()
                .insert(entry.key.clone(), Arc::clone(entry));
        }
        let queue = self.queue_of(&entry.key);
        match queue.try_send(Job::Put(Arc::clone(entry), room)) {
            Ok(()) => true,
            Err(_) => {
                arrived(self.under_way.as_deref(), entry);
                false
            }
        }
    }
}

/// `entry` is not on its way any more; what has taken its place is.
fn arrived(under_way: Option<&UnderWay>, entry: &Arc<Entry>) {
    let Some(mut under_way) = under_way.map(|entries| entries.lock()) else {
        return;
    };
    if under_way
        .get(&entry.key)
        .is_some_and(|other| Arc::ptr_eq(other, entry))
    {
        under_way.remove(&entry.key);
    }
}

/// Writes entries to Redis one after the other. At `stop` what is queued is dropped: it is a cache.
async fn write_entries(
    redis: Arc<redis::Tier>,
    mut jobs: mpsc::Receiver<Job>,
    retention: Retention,
    under_way: Option<Arc<UnderWay>>,
    runtime: Runtime,
) {
    loop {
        let job = tokio::select! {
            job = jobs.recv() => job,
            () = runtime.stop.cancelled() => None,
        };
        let (entry, _room) = match job {
            None => return,
            Some(Job::EndLease(key, until)) => {
                if Instant::now() < until {
                    redis.end_lease(&key).await;
                }
                continue;
            }
            Some(Job::Forget(entry)) => {
                redis.delete(&entry).await;
                arrived(under_way.as_deref(), &entry);
                continue;
            }
            Some(Job::Put(entry, room)) => (entry, room),
        };
        let freshness = &entry.head.freshness;
        let ttl = freshness.retention(runtime.clock.now(), retention.stale, retention.max);
        redis.put(&entry, ttl).await;
        arrived(under_way.as_deref(), &entry);
    }
}
