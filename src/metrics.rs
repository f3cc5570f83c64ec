//! Every metric: name, kind, labels and help.
//!
//! Labels come from closed sets and from route names, never from traffic. Handles are made at start, so that counting
//! costs one relaxed addition to a stripe of its own per thread.

mod striped;

pub use self::striped::{Counter, Histogram};

use crate::semantics::{Outcome, Reason, Refusal};
use prometheus_client::{
    encoding::text::encode,
    metrics::{family::Family, gauge::Gauge},
    registry::Registry,
};
use std::sync::{Arc, OnceLock};

type Labels = Vec<(&'static str, String)>;

/// The handles of one process.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    requests: Family<Labels, Counter>,
    durations: Family<Labels, Histogram>,
    /// `sidecache_decisions_total{reason}`, by [`Reason`].
    decisions: Vec<Counter>,
    /// `sidecache_refusals_total{reason}`, by [`Refusal`].
    refusals: Vec<Counter>,
    upstream_failures: Family<Labels, Counter>,
    /// Connections of clients that are open.
    pub connections: Gauge,
    /// Fetches under way.
    pub flights: Gauge,
    /// Requests that wait for another one's fetch.
    pub followers: Gauge,
    /// Requests that another one's fetch answered.
    pub collapsed: Counter,
    /// Bytes that the memory tier holds.
    pub memory_bytes: Gauge,
    /// Stored keys in the memory tier.
    pub memory_entries: Gauge,
    /// `sidecache_memory_removed_total{reason}`, by [`Removal`].
    memory_removed: Vec<Counter>,
    /// Redis servers in use; 0 while Redis is out.
    pub redis_up: Gauge,
    /// Redis servers that should be in use: 1, or the primaries of a cluster.
    pub redis_servers: Gauge,
    /// Redis calls by result.
    pub redis: RedisMetrics,
    /// Purges that this replica asked for or learned of.
    pub purges: Counter,
    /// Background refreshes that found no free slot.
    pub refresh_skipped: Counter,
    log_lines_dropped: Gauge,
    dropped_lines: OnceLock<DroppedLines>,
}

struct DroppedLines(Box<dyn Fn() -> u64 + Send + Sync>);

impl std::fmt::Debug for DroppedLines {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("DroppedLines")
    }
}

/// Why an entry left the memory tier. What was replaced by its successor is not counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Removal {
    /// There was no room for it.
    Evicted,
    /// It could not be of use any more.
    Expired,
    /// A hard purge concerned it, and somebody asked for it since.
    Purged,
    /// The origin has answered otherwise.
    Superseded,
}

impl Removal {
    /// All of them, in the order of their numbers.
    pub const ALL: [Self; 4] = [Self::Evicted, Self::Expired, Self::Purged, Self::Superseded];

    /// The word for it in labels.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Evicted => "evicted",
            Self::Expired => "expired",
            Self::Purged => "purged",
            Self::Superseded => "superseded",
        }
    }
}

/// Redis calls by what came of them.
#[derive(Debug)]
pub struct RedisMetrics {
    /// A value that checked out.
    pub hit: Counter,
    /// No value.
    pub miss: Counter,
    /// A value that did not check out; it was deleted.
    pub corrupt: Counter,
    /// No answer within the budget.
    pub timeout: Counter,
    /// An error.
    pub error: Counter,
    /// Not asked, because Redis is out.
    pub skipped: Counter,
    /// A value written.
    pub written: Counter,
    /// A write dropped because the queue was full or Redis is out.
    pub write_dropped: Counter,
}

/// What is counted for one route, by outcome.
#[derive(Clone, Debug)]
pub struct RouteMetrics {
    requests: [Counter; Outcome::ALL.len()],
    from_store: Histogram,
    from_upstream: Histogram,
}

impl RouteMetrics {
    /// One more request that ended in `outcome` after `seconds`.
    pub fn count(&self, outcome: Outcome, seconds: f64) {
        self.requests[outcome as usize].inc();
        match outcome {
            Outcome::Hit | Outcome::Stale => self.from_store.observe(seconds),
            Outcome::Revalidated | Outcome::Miss | Outcome::Bypass | Outcome::Failed => {
                self.from_upstream.observe(seconds);
            }
        }
    }
}

impl Metrics {
    /// Registers everything.
    pub fn new() -> Arc<Self> {
        let mut registry = Registry::with_prefix("sidecache");
        let requests = Family::<Labels, Counter>::default();
        registry.register(
            "requests",
            "Requests by route and outcome; outcomes sum to requests",
            requests.clone(),
        );
        let durations = Family::<Labels, Histogram>::default();
        registry.register(
            "request_duration_seconds",
            "Time from the request head to the response head",
            durations.clone(),
        );
        let decisions = by_word(
            &mut registry,
            "decisions",
            "Requests by the reason of their outcome",
            Reason::ALL.map(Reason::as_str),
        );
        let refusals = by_word(
            &mut registry,
            "refusals",
            "Responses not stored, by reason",
            Refusal::ALL.map(Refusal::as_str),
        );
        let memory_removed = by_word(
            &mut registry,
            "memory_removed",
            "Entries that left the memory tier, by reason",
            Removal::ALL.map(Removal::as_str),
        );
        let upstream_failures = Family::<Labels, Counter>::default();
        registry.register(
            "upstream_failures",
            "Requests that the upstream did not answer, by cause",
            upstream_failures.clone(),
        );
        let mut redis = by_word(
            &mut registry,
            "redis_calls",
            "Calls to Redis by result",
            [
                "hit",
                "miss",
                "corrupt",
                "timeout",
                "error",
                "skipped",
                "written",
                "write_dropped",
            ],
        )
        .into_iter();
        let mut next = || redis.next().expect("there are as many results as fields");
        let redis = RedisMetrics {
            hit: next(),
            miss: next(),
            corrupt: next(),
            timeout: next(),
            error: next(),
            skipped: next(),
            written: next(),
            write_dropped: next(),
        };
        let mut gauge = |name, help| {
            let gauge = Gauge::default();
            registry.register(name, help, gauge.clone());
            gauge
        };
        let connections = gauge("connections", "Open client connections");
        let flights = gauge(
            "flights",
            "Fetches from the upstream under way for the cache",
        );
        let followers = gauge(
            "followers",
            "Requests that wait for another request's fetch",
        );
        let memory_bytes = gauge("memory_bytes", "Bytes held by the memory tier");
        let memory_entries = gauge("memory_entries", "Keys held by the memory tier");
        let redis_up = gauge("redis_up", "Redis servers in use; 0 while Redis is out");
        let redis_servers = gauge(
            "redis_servers",
            "Redis servers that should be in use: 1, or the primaries of a cluster",
        );
        let log_lines_dropped = gauge(
            "log_lines_dropped",
            "Log lines dropped because the sink did not keep up",
        );
        let mut counter = |name, help| {
            let counter = Counter::default();
            registry.register(name, help, counter.clone());
            counter
        };
        Arc::new(Self {
            collapsed: counter("collapsed", "Requests answered by another request's fetch"),
            memory_removed,
            purges: counter("purges", "Purges that this replica asked for or learned of"),
            refresh_skipped: counter(
                "refresh_skipped",
                "Background refreshes that found no free slot",
            ),
            dropped_lines: OnceLock::new(),
            log_lines_dropped,
            requests,
            durations,
            decisions,
            refusals,
            upstream_failures,
            connections,
            flights,
            followers,
            memory_bytes,
            memory_entries,
            redis_up,
            redis_servers,
            redis,
            registry,
        })
    }

    /// The handles of one route.
    pub fn route(&self, name: &str) -> RouteMetrics {
        let labels = |key, value: &str| vec![("route", name.to_owned()), (key, value.to_owned())];
        RouteMetrics {
            requests: Outcome::ALL.map(|o| {
                self.requests
                    .get_or_create_owned(&labels("outcome", o.as_str()))
            }),
            from_store: self.durations.get_or_create_owned(&labels("from", "store")),
            from_upstream: self
                .durations
                .get_or_create_owned(&labels("from", "upstream")),
        }
    }

    /// The handle of one cause of failures of the upstream.
    pub fn upstream_failure(&self, cause: &str) -> Counter {
        self.upstream_failures
            .get_or_create_owned(&vec![("cause", cause.to_owned())])
    }

    /// One more request with this reason.
    pub fn decided(&self, reason: Reason) {
        self.decisions[reason as usize].inc();
    }

    /// So many entries left the memory tier.
    pub fn memory_removed(&self, why: Removal, count: u64) {
        self.memory_removed[why as usize].add(count);
    }

    /// One more response that is not stored.
    pub fn refused(&self, refusal: Refusal) {
        self.refusals[refusal as usize].inc();
    }

    /// Where the number of dropped log lines is read from; the first call counts.
    pub fn watch_dropped_lines(&self, read: impl Fn() -> u64 + Send + Sync + 'static) {
        let _ = self.dropped_lines.set(DroppedLines(Box::new(read)));
    }

    /// The exposition in the OpenMetrics text format.
    pub fn encode(&self) -> String {
        if let Some(DroppedLines(read)) = self.dropped_lines.get() {
            self.log_lines_dropped
                .set(i64::try_from(read()).unwrap_or(i64::MAX));
        }
        let mut text = String::new();
        encode(&mut text, &self.registry).expect("writing to a String cannot fail");
        text
    }
}

fn by_word<const N: usize>(
    registry: &mut Registry,
    name: &str,
    help: &str,
    words: [&'static str; N],
) -> Vec<Counter> {
    let family = Family::<Labels, Counter>::default();
    registry.register(name, help, family.clone());
    let label = if name == "redis_calls" {
        "result"
    } else {
        "reason"
    };
    words
        .into_iter()
        .map(|word| family.get_or_create_owned(&vec![(label, word.to_owned())]))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_counted_is_exposed_under_its_name() {
        let metrics = Metrics::new();
        metrics.route("list").count(Outcome::Hit, 0.0004);
        metrics.decided(Reason::Fresh);
        metrics.refused(Refusal::Private);
        metrics.redis.timeout.inc();
        let text = metrics.encode();
        for line in [
            "sidecache_requests_total{route=\"list\",outcome=\"hit\"} 1",
            "sidecache_requests_total{route=\"list\",outcome=\"miss\"} 0",
            "sidecache_request_duration_seconds_count{route=\"list\",from=\"store\"} 1",
            "sidecache_request_duration_seconds_bucket{le=\"0.0005\",route=\"list\",from=\"store\"} 1",
            "sidecache_decisions_total{reason=\"fresh\"} 1",
            "sidecache_refusals_total{reason=\"private\"} 1",
            "sidecache_redis_calls_total{result=\"timeout\"} 1",
        ] {
            assert!(text.contains(line), "{line} is not in\n{text}");
        }
    }
}
