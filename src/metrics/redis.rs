//! What is counted of Redis.

use super::{RedisCall, WriteDrop, registration::Registration, striped::Counter};
use prometheus_client::metrics::gauge::Gauge;

/// See the module docs.
#[derive(Debug)]
pub struct RedisUse {
    /// Servers in use.
    pub up: Gauge,
    /// Servers that should be.
    pub servers: Gauge,
    /// Entries of the inbox for purges that could not be read.
    pub bad_invalidations: Counter,
    /// `sidecache_redis_calls_total{result}`, by [`RedisCall`].
    calls: Vec<Counter>,
    /// `sidecache_redis_writes_dropped_total{reason}`, by [`WriteDrop`].
    dropped: Vec<Counter>,
}

impl RedisUse {
    pub(super) fn new(r: &mut Registration) -> Self {
        Self {
            calls: r.counters(
                ("redis_calls", "Calls to Redis by result"),
                ("result", RedisCall::ALL.map(RedisCall::as_str)),
            ),
            bad_invalidations: r.counter(
                "invalidations_bad",
                "Entries of the invalidation stream in Redis that could not be read and were passed by",
            ),
            dropped: r.counters(
                (
                    "redis_writes_dropped",
                    "Responses that did not get to Redis, by reason",
                ),
                ("reason", WriteDrop::ALL.map(WriteDrop::as_str)),
            ),
            up: r.gauge("redis_up", "Redis servers in use; 0 while Redis is out"),
            servers: r.gauge(
                "redis_servers",
                "Redis servers that should be in use: 1, or the primaries of a cluster",
            ),
        }
    }

    /// One more call that ended so.
    pub fn call(&self, result: RedisCall) {
        self.calls[result as usize].inc();
    }

    /// One more response that did not get there.
    pub fn dropped(&self, reason: WriteDrop) {
        self.dropped[reason as usize].inc();
    }
}
