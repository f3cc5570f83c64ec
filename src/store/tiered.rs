//! Both tiers and the purge log as one store: look up outward, promote inward, degrade when Redis is gone.

pub(super) mod purging;
mod writes;

use self::writes::{Retention, VALIDATION_RETENTION, Writes};
use super::{
    entry::{Entry, Position},
    memory::{self, Variant},
    purge_log::{PurgeLog, Selector, Verdict},
    redis::{self, Answer, Landing, Lease, SharedLog},
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
    /// Nothing is kept or used longer, stale or not; the purge log is trimmed behind it.
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
    /// Redis answers, and its purge log is read for the first time: until that is done it is not used, for a few seconds at most.
    Starting,
    /// Every configured tier is in use.
    Good,
    /// Redis is configured and out; requests are served without it.
    WithoutRedis,
    /// Some servers of the cluster are out.
    WithPartOfRedis,
    /// Redis answers, but its purge log cannot be followed or written.
    WithoutPurges,
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
    shared_log: Option<Arc<SharedLog>>,
    runtime: Runtime,
    purge_gap: Duration,
    max_lifetime: Duration,
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
        let (swept, known) = (memory.clone(), Arc::clone(&log));
        tasks.spawn(sweep(swept, known, retention, runtime.clone()));
        let secret = settings.secret.clone().unwrap_or_else(Secret::random);
        let (mut redis, mut writes, mut shared_log) = (None, None, None);
        if let Some(redis_settings) = &settings.redis {
            if secret.is_of_prefix() {
                tracing::info!(
                    "cache.secret is not set: digests of credentials in redis are keyed by the prefix alone, so who can read \
                     redis can try out what they were"
                );
            }
            let tier = redis::Tier::start(redis_settings, max_object, secret.clone(), runtime)?;
            let tier = Arc::new(tier);
            let limits = redis::Limits {
                max_lifetime: settings.max_lifetime,
                purge_gap: settings.purge_gap,
            };
            let followed = Arc::new(tier.shared_log(redis_settings, &log, limits, runtime));
            if let Some(shared) = log.shared() {
                shared.begins(runtime.clock.now(), settings.purge_gap);
                tasks.spawn(Arc::clone(&followed).follow(stop.clone()));
                tasks.spawn(Arc::clone(&followed).write(stop.clone()));
                tokio::join!(
                    tier.wait_until_up(START_TIMEOUT),
                    shared.wait_until_started(START_TIMEOUT)
                );
            }
            shared_log = Some(followed);
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
            shared_log,
            runtime: runtime.clone(),
            purge_gap: settings.purge_gap,
            max_lifetime: settings.max_lifetime,
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
                    let is_over = entry.head.freshness.is_over(self.max_lifetime, now);
                    let why = if is_over {
                        Removal::Expired
                    } else {
                        Removal::Purged
                    };
                    self.remove(&entry, why);
                    Lookup::Miss
                }
            },
            Variant::Other => Lookup::VaryMiss,
            Variant::None => Lookup::Miss,
        }
    }

    /// What speaks against `entry`; `None` where a purge made it unusable, or where it is older than anything may be: the log of
    /// purges does not go back so far, so that nobody knows what happened to it.
    pub fn standing(&self, entry: &Entry, now: SystemTime) -> Option<PurgeState> {
        // One that came from Redis and is not in memory is only known by its place in the shared log.
        let from_redis = self.redis.is_some() && entry.checked_up_to() == 0;
        let verdict = if from_redis {
            self.log.judge_shared(entry)
        } else {
            self.log.judge(entry)
        };
        self.standing_by(verdict, entry, now)
    }

    /// Whether a purge concerns `entry`, or may, that this process learned of after its purge `number`.
    pub fn is_purged_since(&self, entry: &Entry, number: u64) -> bool {
        self.log.concerns_since(entry, number)
    }

    fn standing_by(&self, verdict: Verdict, entry: &Entry, now: SystemTime) -> Option<PurgeState> {
        match verdict {
            Verdict::Gone => None,
            _ if entry.head.freshness.is_over(self.max_lifetime, now) => None,
            // The time may be that of an older purge than the first that concerns it.
            Verdict::Stale(since) => {
                let received = entry.head.freshness.response_time;
                let stored = now.duration_since(received).unwrap_or_default();
                Some(PurgeState::SoftPurged(since.elapsed().min(stored)))
            }
            Verdict::Perhaps => Some(PurgeState::PerhapsPurged),
            Verdict::Good if self.log.in_gap(now) && self.is_older_than_gap(entry, now) => {
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
            Answer::Other => return Lookup::VaryMiss,
            Answer::None | Answer::Unavailable => return Lookup::Miss,
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
            Some(redis) if self.log.synchronised() => redis.take_lease(key, ttl).await,
            Some(_) | None => Lease::Unknown,
        }
    }

    /// Is told from now on when the lease of `key` ends. `None` where there is no Redis.
    pub fn landing(&self, key: &Key) -> Option<Landing> {
        self.redis.as_ref().map(|redis| redis.landing(key))
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
            redis.refuse_lease(key, ttl).await;
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

    /// The number of the last purge that this process has learned of.
    pub fn purges_seen(&self) -> u64 {
        self.log.latest()
    }

    /// Where the purge log stands. Taken before a fetch begins, given to the entry that it brings.
    pub fn position(&self) -> Position {
        self.log.position()
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

    /// How the tiers are.
    pub fn health(&self) -> Health {
        let (Some(redis), Some(shared)) = (&self.redis, self.log.shared()) else {
            return Health::Good;
        };
        if shared.is_starting() {
            return Health::Starting;
        }
        if !redis.is_partly_up() {
            return Health::WithoutRedis;
        }
        if !redis.is_up() {
            return Health::WithPartOfRedis;
        }
        let is_refused = self.shared_log.as_ref().is_some_and(|log| log.is_refused());
        let is_followed = shared.is_synchronised() && !shared.in_gap(self.runtime.clock.now());
        if is_followed && !is_refused && self.log.pending_for() <= self.purge_gap {
            Health::Good
        } else {
            Health::WithoutPurges
        }
    }
}

/// Takes out of memory and of the index of purges what can be of no use any more, once in a while.
async fn sweep(
    memory: Option<Arc<memory::Tier>>,
    log: Arc<PurgeLog>,
    retention: Retention,
    runtime: Runtime,
) {
    loop {
        tokio::select! {
            () = tokio::time::sleep(SWEEP) => {}
            () = runtime.stop.cancelled() => return,
        }
        let now = runtime.clock.now();
        if let Some(memory) = &memory {
            for () in memory.sweep(now, retention.stale, retention.max) {
                tokio::task::yield_now().await; // others have their turn
            }
        }
        log.retire(retention.max);
        let index = i64::try_from(log.bytes()).unwrap_or(i64::MAX);
        runtime.metrics.purge_index_bytes.set(index);
    }
}
