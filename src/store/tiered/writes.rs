//! The way to Redis: one task, with a queue that is bounded. Many writes are under way at once, those of one key one after the
//! other, so that the latest is the one that stays.

use crate::{
    metrics::{Metrics, WriteDrop},
    runtime::Runtime,
    semantics::{Key, vary::Selects},
    store::{entry::Entry, memory::Variant, redis},
};
use futures_util::{StreamExt, stream::FuturesUnordered};
use parking_lot::Mutex;
use std::{
    collections::{HashMap, VecDeque, hash_map},
    sync::Arc,
    time::Duration,
};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore, mpsc},
    time::Instant,
};

/// Writes to Redis that wait or are under way; more are dropped and counted.
const MAX_WRITES: usize = 4096;

/// What these may weigh together, in KiB, at least; and as many of the largest as that.
const MAX_WRITES_KIB: u64 = 16 << 10;
const MAX_LARGEST: u64 = 4;

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

impl Job {
    fn key(&self) -> &Key {
        match self {
            Self::Put(entry, _) | Self::Forget(entry) => &entry.key,
            Self::EndLease(key, _) => key,
        }
    }
}

/// The way to Redis, bounded in number and weight.
#[derive(Debug)]
pub(super) struct Writes {
    /// Only without a memory tier: an answer that has just been stored is found before Redis has it.
    under_way: Option<Arc<UnderWay>>,
    queue: mpsc::Sender<Job>,
    /// By weight, in KiB.
    room: Arc<Semaphore>,
    max_kib: u32,
    metrics: Arc<Metrics>,
}

impl Writes {
    /// Starts the task that writes; with `readable` what is on its way can be read. No body is larger than `max_object` bytes.
    pub(super) fn start(
        redis: &Arc<redis::Tier>,
        retention: Retention,
        readable: bool,
        max_object: u64,
        runtime: &Runtime,
    ) -> Self {
        let under_way: Option<Arc<UnderWay>> = readable.then(Arc::default);
        let (queue, jobs) = mpsc::channel(MAX_WRITES);
        let hand = Hand {
            redis: Arc::clone(redis),
            retention,
            under_way: under_way.clone(),
            runtime: runtime.clone(),
        };
        runtime.tasks.spawn(hand.work(jobs));
        let kib = MAX_WRITES_KIB.max(MAX_LARGEST.saturating_mul(max_object / 1024));
        let max_kib = u32::try_from(kib).unwrap_or(u32::MAX);
        Self {
            under_way,
            queue,
            room: Arc::new(Semaphore::new(max_kib as usize)),
            max_kib,
            metrics: Arc::clone(&runtime.metrics),
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
        let _ = self.queue.try_send(Job::EndLease(key, until));
    }

    /// A queue that is full leaves it to its TTL.
    pub(super) fn forget(&self, entry: &Arc<Entry>) {
        let _ = self.queue.try_send(Job::Forget(Arc::clone(entry)));
    }

    /// Writes `entry` soon. One for which there is no room is dropped and counted; what weighs more than there ever is goes alone.
    pub(super) fn enqueue(&self, entry: &Arc<Entry>) {
        let kib = u32::try_from(entry.weight() / 1024 + 1).unwrap_or(u32::MAX);
        let room = Arc::clone(&self.room).try_acquire_many_owned(kib.min(self.max_kib));
        let Ok(room) = room else {
            return self.metrics.redis.dropped(WriteDrop::QueueFull);
        };
        if let Some(under_way) = &self.under_way {
            let mut under_way = under_way.lock();
            if under_way.get(&entry.key).is_some_and(|other| {
                other.head.selecting == entry.head.selecting && entry.is_older_than(other)
            }) {
                return self.metrics.redis.dropped(WriteDrop::Older);
            }
            under_way.insert(entry.key.clone(), Arc::clone(entry));
        }
        let job = Job::Put(Arc::clone(entry), room);
        if self.queue.try_send(job).is_err() {
            arrived(self.under_way.as_deref(), entry);
            self.metrics.redis.dropped(WriteDrop::QueueFull);
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

/// The task that writes.
struct Hand {
    redis: Arc<redis::Tier>,
    retention: Retention,
    under_way: Option<Arc<UnderWay>>,
    runtime: Runtime,
}

impl Hand {
    /// At `stop` what is queued is dropped: it is a cache.
    async fn work(self, mut jobs: mpsc::Receiver<Job>) {
        let mut doing = FuturesUnordered::new();
        // By the key that something is done for: what is to be done for it next.
        let mut next: HashMap<Key, VecDeque<Job>> = HashMap::new();
        let mut waiting = 0;
        loop {
            let job = tokio::select! {
                Some(key) = doing.next(), if !doing.is_empty() => {
                    let Some(job) = next.get_mut(&key).and_then(VecDeque::pop_front) else {
                        next.remove(&key);
                        continue;
                    };
                    waiting -= 1;
                    job
                }
                job = jobs.recv(), if doing.len() + waiting < MAX_WRITES => {
                    let Some(job) = job else { return };
                    match next.entry(job.key().clone()) {
                        hash_map::Entry::Occupied(mut others) => {
                            others.get_mut().push_back(job);
                            waiting += 1;
                            continue;
                        }
                        hash_map::Entry::Vacant(nobody) => {
                            nobody.insert(VecDeque::new());
                        }
                    }
                    job
                }
                () = self.runtime.stop.cancelled() => return,
            };
            doing.push(self.carry_out(job));
        }
    }

    async fn carry_out(&self, job: Job) -> Key {
        match job {
            Job::EndLease(key, until) => {
                if Instant::now() < until {
                    self.redis.end_lease(&key).await;
                }
                key
            }
            Job::Forget(entry) => {
                self.redis.delete(&entry).await;
                arrived(self.under_way.as_deref(), &entry);
                entry.key.clone()
            }
            Job::Put(entry, _room) => {
                let (freshness, retention) = (&entry.head.freshness, self.retention);
                let now = self.runtime.clock.now();
                let ttl = freshness.retention(now, retention.stale, retention.max);
                self.redis.put(&entry, ttl).await;
                arrived(self.under_way.as_deref(), &entry);
                entry.key.clone()
            }
        }
    }
}
