//! Every metric: name, kind, labels and help.
//!
//! Labels come from closed sets and from route names, never from traffic. Handles are made at start, so that counting
//! costs one relaxed addition to a stripe of its own per thread.

mod labels;
mod redis;
mod registration;
mod shares;
mod striped;

use self::registration::{Labels, Registration};
pub use self::{
    labels::{CutOff, RedisCall, Removal, WriteDrop},
    redis::RedisUse,
    shares::Shares,
    striped::{Counter, Histogram},
};
pub use prometheus_client::metrics::gauge::Gauge;

use crate::semantics::{Coding, Outcome, Reason, Refusal, coding};
use prometheus_client::{encoding::text::encode, metrics::family::Family, registry::Registry};
use std::sync::{Arc, OnceLock};

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
    /// What clients compete for.
    pub shares: Shares,
    /// Tunnels between clients and the upstream that are open.
    pub tunnels: Gauge,
    /// Tunnels that were opened.
    pub tunnels_opened: Counter,
    /// Requests to the upstream under way that may change what is stored.
    pub flights: Gauge,
    /// Requests that wait for another one's fetch.
    pub followers: Gauge,
    /// Requests that another one's fetch answered.
    pub collapsed: Counter,
    /// Bytes of bodies on their way: collected for the store, or held for those who still read them.
    pub collecting_bytes: Gauge,
    /// `sidecache_codings_total{coding}`, by [`Coding`].
    codings: Vec<Counter>,
    /// Bytes that the memory tier holds.
    pub memory_bytes: Gauge,
    /// Stored keys in the memory tier.
    pub memory_entries: Gauge,
    /// `sidecache_memory_removed_total{reason}`, by [`Removal`].
    memory_removed: Vec<Counter>,
    /// Calls to Redis and its servers.
    pub redis: RedisUse,
    /// Purges that this replica asked for or learned of.
    pub purges: Counter,
    /// Bytes that the index of purges takes, of at most 16 MiB.
    pub purge_index_bytes: Gauge,
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
    /// Registers everything, in the order of the exposition.
    pub fn new() -> Arc<Self> {
        let mut r = Registration::new("sidecache");
        Arc::new(Self {
            requests: r.family(
                "requests",
                "Requests by route and outcome; outcomes sum to requests",
            ),
            durations: r.family(
                "request_duration_seconds",
                "Time from the request head to the response head",
            ),
            decisions: r.counters(
                ("decisions", "Requests by the reason of their outcome"),
                ("reason", Reason::ALL.map(Reason::as_str)),
            ),
            refusals: r.counters(
                ("refusals", "Responses not stored, by reason"),
                ("reason", Refusal::ALL.map(Refusal::as_str)),
            ),
            memory_removed: r.counters(
                (
                    "memory_removed",
                    "Entries that left the memory tier, by reason",
                ),
                ("reason", Removal::ALL.map(Removal::as_str)),
            ),
            upstream_failures: r.family(
                "upstream_failures",
                "Requests that the upstream did not answer, by cause",
            ),
            redis: RedisUse::new(&mut r),
            shares: Shares::new(&mut r),
            connections: r.gauge("connections", "Open client connections"),
            tunnels: r.gauge(
                "tunnels",
                "Open tunnels between clients and the upstream, such as WebSockets",
            ),
            tunnels_opened: r.counter("tunnels_opened", "Tunnels that were opened"),
            flights: r.gauge(
                "flights",
                "Requests to the upstream under way that may change what is stored",
            ),
            followers: r.gauge(
                "followers",
                "Requests that wait for another request's fetch",
            ),
            collecting_bytes: r.gauge(
                "collecting_bytes",
                "Bytes of bodies on their way: collected for the store, or held for those who still read them",
            ),
            codings: r.counters(
                (
                    "codings",
                    "Bodies that were coded, whole or as they arrived; one for all who read it",
                ),
                ("coding", coding::NAMES),
            ),
            memory_bytes: r.gauge("memory_bytes", "Bytes held by the memory tier"),
            memory_entries: r.gauge("memory_entries", "Keys held by the memory tier"),
            log_lines_dropped: r.gauge(
                "log_lines_dropped",
                "Log lines dropped because the sink did not keep up, or failed",
            ),
            collapsed: r.counter("collapsed", "Requests answered by another request's fetch"),
            purges: r.counter("purges", "Purges that this replica asked for or learned of"),
            purge_index_bytes: r.gauge(
                "purge_index_bytes",
                "Bytes held by the index of purges, half a minute ago at most",
            ),
            refresh_skipped: r.counter(
                "refresh_skipped",
                "Background refreshes that found no free slot",
            ),
            dropped_lines: OnceLock::new(),
            registry: r.into_registry(),
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

    /// One more body that is coded.
    pub fn coded(&self, coding: Coding) {
        self.codings[coding.index()].inc();
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_counted_is_exposed_under_its_name() {
        let metrics = Metrics::new();
        metrics.route("list").count(Outcome::Hit, 0.0004);
        metrics.decided(Reason::Fresh);
        metrics.refused(Refusal::Private);
        metrics.redis.call(RedisCall::Timeout);
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
