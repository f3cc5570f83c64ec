//! Both tiers and the purge log as one store: look up outward, promote inward, degrade when Redis is gone.

mod writes;

use self::writes::{Retention, VALIDATION_RETENTION, Writes};
use super::{
    entry::{Entry, Position},
    memory::{self, Variant},
    purge_log::{Purge, PurgeLog, Selector, Verdict},
    redis::{self, Answer, Lease, Mark},
    secret::Secret,
};
use crate::{
    metrics::Removal,
    runtime::Runtime,
    semantics::{Key, Tier, reuse::PurgeState, vary::Selects},
};
use http::HeaderMap;
use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};
use tokio::time::Instant;

/// How often memory is looked through for what has expired.
const SWEEP: Duration = Duration::from_secs(30);

/// How long a start waits for Redis, so that a warm tier serves the first request.
const START_TIMEOUT: Duration = Duration::from_millis(50);

/// What a write to the shared purge log may delay the answer to the write that caused it.
const PURGE_ACK_TIMEOUT: Duration = Duration::from_millis(50);

/// What each purge of several may add to that.
const PURGE_ACK_TIMEOUT_EACH: Duration = Duration::from_millis(1);

/// What `[cache]` says about the tiers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// `[cache.memory]`.
    pub memory: memory::Settings,
    /// `[cache.redis]`; `None` where the section is absent or its URL is empty.
    pub redis: Option<redis::Settings>,
    /// For how long the purge log may be unreachable before the memory tier asks the origin.
    pub purge_gap: Duration,
    /// Stale responses are kept at least this long, because a disconnected upstream may make them welcome.
    pub keep_stale: Duration,
    /// Nothing is kept longer; the purge log is trimmed behind it.
    pub max_lifetime: Duration,
    /// Hides who asked from those who read what is stored; `None` for one that ends with the process.
    pub secret: Option<Secret>,
}

/// An entry that was found, and what speaks against it.
#[derive(Clone, Debug)]
pub struct Found {
    /// The entry.
    pub entry: Arc<Entry>,
    /// Whether a soft purge concerns it, or purges may have been missed.
    pub standing: PurgeState,
    /// Where it was.
    pub tier: Tier,
}

/// What a lookup has. There is no error: a tier that fails is a slower cache.
#[derive(Debug)]
pub enum Lookup {
    /// A response for this URI that this request selects.
    Hit(Found),
    /// Responses for this URI that other requests select.
    VaryMiss,
    /// Nothing.
    Miss,
}

/// How the tiers are, for `/readyz`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Health {
    /// Every configured tier is in use.
    Good,
    /// Redis is configured and out; requests are served without it.
    WithoutRedis,
    /// Some servers of the cluster are out.
    WithPartOfRedis,
    /// Redis answers, but its purge log cannot be followed or written.
    WithoutPurges,
}

/// How far a purge has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// There is only this process.
    Here,
    /// It is in the log that every replica follows.
    Everywhere,
    /// Redis did not take it yet; it will as soon as it answers again. Here it holds.
    Later,
}

impl Reach {
    /// Whether the shared log has it; `None` where there is none.
    pub fn is_shared(self) -> Option<bool> {
        match self {
            Self::Here => None,
            Self::Everywhere => Some(true),
            Self::Later => Some(false),
        }
    }
}

/// How much of what is stored is concerned.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Matching {
    /// Stored responses.
    pub entries: u64,
    /// What they weigh, in bytes.
    pub bytes: u64,
}

/// The store of one process. Cheap to share, never fails.
#[derive(Debug)]
pub struct Store {
    memory: Option<Arc<memory::Tier>>,
    redis: Option<Arc<redis::Tier>>,
    writes: Option<Writes>,
    log: Arc<PurgeLog>,
    purge_gap: Duration,
    secret: Secret,
}

impl Store {
    /// Starts the tiers and what they do in the background.
    ///
    /// # Errors
    /// Where the certificates for Redis are of no use. A Redis that cannot be reached is not an error.
    pub async fn start(
        settings: &Settings,
        max_object: u64,
        runtime: &Runtime,
    ) -> Result<Self, ::redis::RedisError> {
        let (metrics, tasks, stop) = (&runtime.metrics, &runtime.tasks, &runtime.stop);
        let log = PurgeLog::new(settings.redis.is_some(), Arc::clone(metrics));
        let log = Arc::new(log);
        let retention = Retention {
            stale: settings.keep_stale.max(VALIDATION_RETENTION),
            max: settings.max_lifetime,
        };
        let memory = memory::Tier::new(&settings.memory, max_object, Arc::clone(metrics));
        let memory = memory.map(Arc::new);
        if let Some(memory) = &memory {
            tasks.spawn(sweep_memory(Arc::clone(memory), retention, runtime.clone()));
        }
        let secret = settings.secret.clone().unwrap_or_else(Secret::random);
        let (mut redis, mut writes) = (None, None);
        if let Some(redis_settings) = &settings.redis {
            if secret.is_of_prefix() {
                tracing::info!(
                    "cache.secret is not set: digests of credentials in redis are keyed by the prefix alone, so who can read \
                     redis can try out what they were"
                );
            }
            let tier = redis::Tier::start(redis_settings, max_object, secret.clone(), runtime)?;
            let tier = Arc::new(tier);
            let shared = Arc::new(tier.shared_log(settings.max_lifetime, settings.purge_gap));
            tasks.spawn(Arc::clone(&shared).follow(Arc::clone(&log), stop.clone()));
            tasks.spawn(shared.write(Arc::clone(&log), stop.clone()));
            tier.wait_until_up(START_TIMEOUT).await;
            let readable = settings.memory.max == 0;
            writes = Some(Writes::start(
                &tier, retention, readable, max_object, runtime,
            ));
            redis = Some(tier);
        }
        Ok(Self {
            memory,
            redis,
            writes,
            log,
            purge_gap: settings.purge_gap,
            secret,
        })
    }

    /// What hides who asked.
    pub fn secret(&self) -> &Secret {
        &self.secret
    }

    /// What memory has. Synchronous: no lock is held on return and nothing is waited for.
    pub fn lookup_memory(&self, key: &Key, request: &HeaderMap, now: SystemTime) -> Lookup {
        let selects = Selects::new(request, &self.secret);
        let variant = match (&self.memory, &self.writes) {
            (Some(memory), _) => memory.get(key, &selects),
            (None, Some(writes)) => writes.on_its_way(key, &selects),
            (None, None) => Variant::None,
        };
        match variant {
            Variant::Match(entry) => match self.standing(&entry, now) {
                Some(standing) => Lookup::Hit(Found {
                    entry,
                    standing,
                    tier: Tier::Memory,
                }),
                None => {
                    self.remove(&entry, Removal::Purged);
                    Lookup::Miss
                }
            },
            Variant::Other => Lookup::VaryMiss,
            Variant::None => Lookup::Miss,
        }
    }

    /// What speaks against `entry`; `None` where a purge made it unusable.
    pub fn standing(&self, entry: &Entry, now: SystemTime) -> Option<PurgeState> {
        // One that came from Redis and is not in memory is only known by its place in the shared log.
        let from_redis = self.redis.is_some() && entry.checked_up_to() == 0;
        let verdict = if from_redis && self.log.latest() > 0 {
            self.log.judge_shared(entry)
        } else {
            self.log.judge(entry)
        };
        self.standing_by(verdict, entry, now)
    }

    fn standing_by(&self, verdict: Verdict, entry: &Entry, now: SystemTime) -> Option<PurgeState> {
        match verdict {
            Verdict::Gone => None,
            Verdict::Stale(learned) => {
                let since = entry.soft_since(learned);
                Some(PurgeState::SoftPurged(since.elapsed()))
            }
            Verdict::Perhaps => Some(PurgeState::PerhapsPurged),
            Verdict::Good if self.log.in_gap() && self.is_older_than_gap(entry, now) => {
                Some(PurgeState::Doubtful)
            }
            Verdict::Good => Some(PurgeState::Good),
        }
    }

    /// While purges may be missed, what was confirmed by the origin within `purge_gap` may still be served.
    fn is_older_than_gap(&self, entry: &Entry, now: SystemTime) -> bool {
        now.duration_since(entry.head.freshness.response_time)
            .is_ok_and(|age| age > self.purge_gap)
    }

    /// Whether there is a tier beyond memory to ask.
    pub fn has_outer(&self) -> bool {
        self.redis.is_some()
    }

    /// What Redis has, within its budget. A match is promoted to memory with the lifetime that it has left.
    pub async fn lookup_outer(&self, key: &Key, request: &HeaderMap, now: SystemTime) -> Lookup {
        let Some(redis) = self.redis.as_ref().filter(|_| self.log.synchronised()) else {
            return Lookup::Miss;
        };
        let entry = match redis.get(key, request).await {
            Answer::Match(entry) => Arc::new(*entry),
            // That took its time: memory may have it by now.
            Answer::Other => {
                return match self.lookup_memory(key, request, now) {
                    Lookup::Miss => Lookup::VaryMiss,
                    found => found,
                };
            }
            Answer::None | Answer::Unavailable => return self.lookup_memory(key, request, now),
        };
        let verdict = self.log.judge_shared(&entry);
        let Some(standing) = self.standing_by(verdict, &entry, now) else {
            return Lookup::Miss;
        };
        if let (PurgeState::Good, Some(memory)) = (standing, &self.memory) {
            memory.insert(&entry);
        }
        Lookup::Hit(Found {
            entry,
            standing,
            tier: Tier::Redis,
        })
    }

    /// Keeps `entry` in memory at once, and in Redis soon, unless a newer one is there: a full queue drops the write.
    pub fn insert(&self, entry: &Arc<Entry>) {
        if let Some(memory) = &self.memory
            && !memory.insert(entry)
        {
            return; // a newer one is there, and was written
        }
        if let Some(writes) = &self.writes {
            writes.enqueue(entry);
        }
    }

    /// Takes the lease to fetch `key` for all replicas, for `ttl`. `Unknown` where there is no Redis.
    pub async fn take_lease(&self, key: &Key, ttl: Duration) -> Lease {
        match &self.redis {
            Some(redis) if self.log.synchronised() => {
                redis.take_lease(key, Mark::Fetching, ttl).await
            }
            Some(_) | None => Lease::Unknown,
        }
    }

    /// Gives the lease of `key`, which ends by itself at `until`, back once what was stored is in Redis.
    pub fn end_lease(&self, key: &Key, until: Instant) {
        if let Some(writes) = &self.writes {
            writes.end_lease(key.clone(), until);
        }
    }

    /// Says to all replicas for `ttl` that the answer for `key` is not for others.
    pub async fn mark_uncacheable(&self, key: &Key, ttl: Duration) {
        if let Some(redis) = &self.redis {
            redis.take_lease(key, Mark::NotShareable, ttl).await;
        }
    }

    /// Forgets `entry` itself in memory, and soon in Redis, because the origin has answered otherwise since; what has
    /// taken its place in memory stays.
    pub fn forget(&self, entry: &Arc<Entry>) {
        self.remove(entry, Removal::Superseded);
        if let Some(writes) = &self.writes {
            writes.forget(entry);
        }
    }

    fn remove(&self, entry: &Arc<Entry>, why: Removal) {
        if let Some(memory) = &self.memory {
            memory.remove(entry, why);
        }
    }

    /// Weighs `entry` again after a coding was made of it.
    pub fn reweigh(&self, entry: &Arc<Entry>) {
        if let Some(memory) = &self.memory {
            memory.reweigh(entry);
        }
    }

    /// How many purges this process has learned of.
    pub fn purges_seen(&self) -> u64 {
        self.log.latest()
    }

    /// Waits until every purge of this process has reached the shared log, at most for `limit`. Returns how many have not:
    /// other replicas, and this one after a restart, will not learn of these.
    pub async fn flush_purges(&self, limit: Duration) -> usize {
        let flushed = async {
            while self.log.pending() > 0 {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        let _ = tokio::time::timeout(limit, flushed).await;
        self.log.pending()
    }

    /// Where the purge log stands. Taken before a fetch begins, given to the entry that it brings.
    pub fn position(&self) -> Position {
        self.log.position()
    }

    /// Purges in this process at once and tells the other replicas.
    ///
    /// Returns when the shared log has it, or after 50 ms and 1 ms for each purge: Redis then learns of it as soon as it
    /// answers again. Cancel safe: the purge has happened here before the first wait.
    pub async fn purge(&self, purges: Vec<Purge>) -> Reach {
        if purges.is_empty() {
            return Reach::Here;
        }
        for purge in &purges {
            tracing::debug!(?purge, "purged");
        }
        let count = u32::try_from(purges.len()).unwrap_or(u32::MAX);
        let limit = PURGE_ACK_TIMEOUT + PURGE_ACK_TIMEOUT_EACH * count;
        let number = self.log.append(purges);
        let (Some(shared), Some(redis)) = (self.log.shared(), &self.redis) else {
            return Reach::Here;
        };
        let writing = shared.wait_until_written(number);
        let written = redis.has_log() && tokio::time::timeout(limit, writing).await.is_ok();
        if written {
            Reach::Everywhere
        } else {
            Reach::Later
        }
    }

    /// How much of what memory holds a purge of any of `selectors` would concern. Looks at every entry: for the operator,
    /// not for requests.
    pub fn matching(&self, selectors: &[Selector]) -> Matching {
        let concerned = |entry: &Entry| selectors.iter().any(|selector| selector.concerns(entry));
        let mut found = Matching::default();
        if let Some(memory) = &self.memory {
            memory.for_each(|entry| {
                if concerned(entry) && self.log.judge(entry) != Verdict::Gone {
                    found.entries += 1;
                    found.bytes += entry.weight();
                }
            });
        }
        found
    }

    /// Where the log stands after the last `own` purges of a write that began at `before`; `None` where others came in
    /// between, also from other replicas, or where that cannot be known within 50 ms.
    pub async fn position_after_own(&self, before: Position, own: usize) -> Option<Position> {
        let after = self.log.position();
        if let Some(shared) = self.log.shared() {
            // Our own records have their place before those of others are known that came earlier.
            let followed = shared.wait_until_followed(after.shared);
            let followed = tokio::time::timeout(PURGE_ACK_TIMEOUT, followed);
            if self.log.pending() > 0 || followed.await.is_err() {
                return None;
            }
        }
        let position = self.log.position();
        (position.local == before.local + own as u64).then_some(position)
    }

    /// How the tiers are.
    pub fn health(&self) -> Health {
        match &self.redis {
            Some(redis) if !redis.is_partly_up() => Health::WithoutRedis,
            Some(redis) if !redis.is_up() => Health::WithPartOfRedis,
            Some(_) if self.log.in_gap() || self.log.pending_for() > self.purge_gap => {
                Health::WithoutPurges
            }
            _ => Health::Good,
        }
    }
}

/// Takes out of memory what can be of no use any more, once in a while.
async fn sweep_memory(memory: Arc<memory::Tier>, retention: Retention, runtime: Runtime) {
    loop {
        tokio::select! {
            () = tokio::time::sleep(SWEEP) => {}
            () = runtime.stop.cancelled() => return,
        }
        let now = runtime.clock.now();
        for () in memory.sweep(now, retention.stale, retention.max) {
            tokio::task::yield_now().await; // others have their turn
        }
    }
}
