//! What a layer is made of.

use super::{
    call::Shared,
    inner::{Calling, Within},
};
use crate::{
    cache::{Cache, KeySpec, Rule, Settings, rule::usual_collecting},
    clock::Clock,
    metrics::Metrics,
    runtime::Runtime,
    semantics::Policy,
    store::{
        self, Secret, Store, memory,
        redis::{self, Address},
    },
};
use std::{sync::Arc, time::Duration};
use tokio_util::task::TaskTracker;

/// Why there is no layer.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// The URL of Redis cannot be used; says what is wrong with it and shows nothing of it.
    #[error("the URL of Redis {0}")]
    RedisUrl(&'static str),
    /// The certificates for Redis cannot be used.
    #[error("the certificates for Redis cannot be used")]
    Redis(#[from] ::redis::RedisError),
}

/// Builds a [`CacheLayer`](super::CacheLayer).
#[derive(Clone, Debug)]
pub struct Builder {
    policy: Policy,
    settings: Settings,
    collecting: Option<u64>,
    key: KeySpec,
    memory: u64,
    redis: Option<(String, String)>,
    secret: Option<Secret>,
    clock: Clock,
    timeout: Duration,
}

impl Default for Builder {
    fn default() -> Self {
        let mut settings = Settings::default();
        settings.coding.enabled = false;
        Self {
            policy: Policy::default(),
            settings,
            collecting: None,
            key: KeySpec::default(),
            memory: 64 << 20,
            redis: None,
            secret: None,
            clock: Clock::System,
            timeout: Duration::from_secs(30),
        }
    }
}

impl Builder {
    /// How long a response is fresh that does not say so itself. Callers with `Authorization` or `Cookie` get none that
    /// only this made cacheable.
    #[must_use]
    pub fn ttl(mut self, ttl: Duration) -> Self {
        self.policy.ttl = Some(ttl);
        self
    }

    /// For how long after expiry a response that does not say so itself may be served while it is refreshed (RFC 5861 §3).
    #[must_use]
    pub fn stale_while_revalidate(mut self, window: Duration) -> Self {
        self.policy.stale_while_revalidate = Some(window);
        self
    }

    /// For how long after expiry a response that does not say so itself may be served when the inner service fails
    /// (RFC 5861 §4).
    #[must_use]
    pub fn stale_if_error(mut self, window: Duration) -> Self {
        self.policy.stale_if_error = Some(window);
        self
    }

    /// Everything else that RFC 9111 leaves to the operator; replaces what was said so far of lifetimes.
    #[must_use]
    pub fn policy(mut self, policy: Policy) -> Self {
        self.policy = policy;
        self
    }

    /// What is added to the key: a field that tells callers apart, such as `X-Api-Key`, belongs here.
    #[must_use]
    pub fn key(mut self, key: KeySpec) -> Self {
        self.key = key;
        self
    }

    /// The limit of the memory tier in bytes, everything weighed; 64 MiB by default, 0 for none.
    #[must_use]
    pub fn memory(mut self, bytes: u64) -> Self {
        self.memory = bytes;
        self
    }

    /// Larger bodies pass through and are not stored, in bytes; 1 MiB by default.
    #[must_use]
    pub fn max_object(mut self, bytes: u64) -> Self {
        self.settings.max_object = bytes;
        self
    }

    /// What all bodies on their way may hold together, in bytes: what comes on top is not stored. 64 MiB by default, or four of
    /// the largest that are stored.
    #[must_use]
    pub fn collecting(mut self, bytes: u64) -> Self {
        self.collecting = Some(bytes);
        self
    }

    /// Whether bodies of at least 1,000 bytes are compressed, once for all who accept that. Off by default.
    #[must_use]
    pub fn compress(mut self, compress: bool) -> Self {
        self.settings.coding.enabled = compress;
        self
    }

    /// Shares responses and purges with every process that uses the same `prefix` of the Redis at `url`. A Redis that is
    /// slow or gone costs hits, never an answer.
    #[must_use]
    pub fn redis(mut self, url: impl Into<String>, prefix: impl Into<String>) -> Self {
        self.redis = Some((url.into(), prefix.into()));
        self
    }

    /// Hides who asked from those who read Redis; all processes that share one need the same. Without it the prefix is the
    /// secret, so that who can read Redis can try out what keys and `Vary` fields held.
    #[must_use]
    pub fn secret(mut self, secret: &str) -> Self {
        self.secret = Some(Secret::new(secret));
        self
    }

    /// What may pass until the inner service answers, and between two pieces of its body; 30 s by default. A call that hangs
    /// would otherwise be what everybody waits for.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Where the time comes from; for tests.
    #[must_use]
    pub fn clock(mut self, clock: Clock) -> Self {
        self.clock = clock;
        self
    }

    /// Starts the tiers and makes the cache.
    pub(super) async fn start(mut self) -> Result<Shared, BuildError> {
        self.settings.body_timeout = Some(self.timeout);
        let usual = usual_collecting(self.settings.max_object);
        self.settings.collecting = self.collecting.unwrap_or(usual);
        let metrics = Metrics::new();
        let runtime = Runtime::start(self.clock.clone(), Arc::clone(&metrics));
        let redis = self.redis.as_ref();
        let redis = redis
            .map(|(url, prefix)| redis_settings(url, prefix))
            .transpose()?;
        let store = store::Settings {
            memory: memory::Settings { max: self.memory },
            redis,
            purge_gap: Duration::from_secs(5),
            keep_stale: self.policy.stale_on_disconnect,
            max_lifetime: self.policy.max_lifetime,
            secret: self.secret.or_else(|| {
                let (_, prefix) = self.redis.as_ref()?;
                Some(Secret::of_prefix(prefix))
            }),
        };
        let store = Store::start(&store, self.settings.max_object, &runtime).await?;
        let tasks = TaskTracker::new();
        let calling = Calling {
            clock: self.clock.clone(),
            timeout: self.timeout,
            within: Within(fastrand::u64(..)),
        };
        let cache = Cache::new(store, self.clock, Arc::clone(&metrics), tasks.clone());
        let rule = Rule::new(self.policy, self.key, Arc::new(self.settings));
        Ok(Shared {
            cache,
            rule: Arc::new(rule),
            metrics,
            tasks,
            calling,
            _stop: runtime.stop.drop_guard(),
        })
    }
}

/// What `[cache.redis]` of `proxy.toml` has by default.
fn redis_settings(url: &str, prefix: &str) -> Result<redis::Settings, BuildError> {
    Ok(redis::Settings {
        address: Address::parse(url).map_err(BuildError::RedisUrl)?,
        certificates: redis::Certificates::default(),
        prefix: prefix.to_owned(),
        pool_size: 16,
        budget: Duration::from_millis(50),
        connect_timeout: Duration::from_millis(250),
        compress_above: None,
    })
}
