//! What is counted: requests, statements, connections. `/metrics` shows it.

use std::{
    fmt,
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use axum::http::{Method, StatusCode};
use prometheus_client::{
    encoding::text::encode,
    metrics::{
        counter::Counter,
        family::{Family, MetricConstructor},
        gauge::Gauge,
        histogram::Histogram,
    },
    registry::{Registry, Unit},
};

use super::pool::PoolUse;

/// Names and values, of closed sets: routes, methods, verbs of SQL, pools.
type Labels = Vec<(&'static str, String)>;

/// See the module docs.
pub(crate) struct Meters {
    registry: Registry,
    requests: Family<Labels, Counter>,
    request_durations: Family<Labels, Histogram, Buckets>,
    per_request: Family<Labels, Histogram, Buckets>,
    queries: Family<Labels, Histogram, Buckets>,
    slow: Counter,
    repeated: Family<Labels, Counter>,
    connections: Family<Labels, Gauge>,
    most: Family<Labels, Gauge>,
    timed_out: Family<Labels, Counter>,
    /// All statements of requests, whatever their verb.
    statements: AtomicU64,
}

/// Which request something is counted for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Of {
    pub(super) method: &'static str,
    /// The pattern that matched its path, or `none`.
    pub(super) route: String,
}

/// The upper bounds of a histogram.
#[derive(Clone, Copy, Debug)]
struct Buckets(&'static [f64]);

const SECONDS: Buckets = Buckets(&[
    0.0001, 0.0003, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0,
]);
const STATEMENTS: Buckets = Buckets(&[
    0.0, 1.0, 2.0, 3.0, 5.0, 10.0, 20.0, 50.0, 100.0, 300.0, 1000.0, 3000.0,
]);

// === impl Buckets ===

impl MetricConstructor<Histogram> for Buckets {
    fn new_metric(&self) -> Histogram {
        Histogram::new(self.0.iter().copied())
    }
}

// === impl Of ===

impl Of {
    pub(super) fn new(method: &Method, route: Option<&str>) -> Self {
        Self {
            method: match *method {
                Method::GET => "GET",
                Method::HEAD => "HEAD",
                Method::POST => "POST",
                Method::PUT => "PUT",
                Method::DELETE => "DELETE",
                _ => "other",
            },
            route: route.unwrap_or("none").to_owned(),
        }
    }

    /// What was run for no request.
    pub(super) fn nobody() -> Self {
        Self {
            method: "other",
            route: "none".to_owned(),
        }
    }

    fn labels(&self) -> Labels {
        vec![("method", self.method.to_owned()), self.route()]
    }

    fn route(&self) -> (&'static str, String) {
        ("route", self.route.clone())
    }
}

// === impl Meters ===

impl Meters {
    pub(super) fn new() -> Self {
        let with = |buckets| Family::new_with_constructor(buckets);
        let mut meters = Self {
            registry: Registry::default(),
            requests: Family::default(),
            request_durations: with(SECONDS),
            per_request: with(STATEMENTS),
            queries: with(SECONDS),
            slow: Counter::default(),
            repeated: Family::default(),
            connections: Family::default(),
            most: Family::default(),
            timed_out: Family::default(),
            statements: AtomicU64::new(0),
        };
        meters.register();
        meters
    }

    fn register(&mut self) {
        let seconds = || Unit::Seconds;
        let r = &mut self.registry;
        let (name, help) = ("http_requests", "Requests by method, route and status");
        r.register(name, help, self.requests.clone());
        let (name, help) = ("http_request_duration", "From the head to the head");
        r.register_with_unit(name, help, seconds(), self.request_durations.clone());
        let (name, help) = ("db_queries_per_request", "SQL statements of one request");
        r.register(name, help, self.per_request.clone());
        let (name, help) = ("db_query_duration", "SQL statements of requests, by verb");
        r.register_with_unit(name, help, seconds(), self.queries.clone());
        let (name, help) = (
            "db_slow_queries",
            "SQL statements over SLOW_QUERY_THRESHOLD_MS",
        );
        r.register(name, help, self.slow.clone());
        let (name, help) = (
            "db_repeated_queries",
            "SQL statements that one request has run more often than REPEATED_QUERY_THRESHOLD: suspected N+1",
        );
        r.register(name, help, self.repeated.clone());
        let (name, help) = (
            "db_pool_connections",
            "Open connections by pool and state, idle or used",
        );
        r.register(name, help, self.connections.clone());
        let (name, help) = (
            "db_pool_max_connections",
            "How many connections there may be",
        );
        r.register(name, help, self.most.clone());
        let (name, help) = (
            "db_pool_timeouts",
            "Statements that waited for a connection in vain",
        );
        r.register(name, help, self.timed_out.clone());
    }

    /// One more statement, which begins with `verb`.
    pub(super) fn statement(&self, verb: &str, seconds: f64) {
        let verb = match verb {
            "SELECT" | "INSERT" | "UPDATE" | "DELETE" | "WITH" => verb.to_ascii_lowercase(),
            _ => "other".to_owned(),
        };
        let labels = vec![("verb", verb)];
        self.queries.get_or_create(&labels).observe(seconds);
        self.statements.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn slow(&self) {
        self.slow.inc();
    }

    pub(super) fn repeated(&self, of: &Of) {
        self.repeated.get_or_create(&vec![of.route()]).inc();
    }

    /// One more request, which had this many statements. Without a status its client has left before it was answered.
    pub(super) fn request(
        &self,
        of: &Of,
        status: Option<StatusCode>,
        took: Duration,
        statements: u64,
    ) {
        let mut labels = of.labels();
        let durations = self.request_durations.get_or_create(&labels);
        durations.observe(took.as_secs_f64());
        let status = status.map_or("gone".to_owned(), |status| status.as_u16().to_string());
        labels.push(("status", status));
        self.requests.get_or_create(&labels).inc();
        // Exact for every number that a request can reach.
        #[expect(clippy::cast_precision_loss, reason = "see above")]
        let statements = statements as f64;
        let per_request = self.per_request.get_or_create(&vec![of.route()]);
        per_request.observe(statements);
    }

    /// The statements of all requests so far.
    pub(super) fn statements(&self) -> u64 {
        self.statements.load(Ordering::Relaxed)
    }

    /// All of it as OpenMetrics, with what the pools are doing now.
    pub(crate) fn text(&self, pools: &[(&'static str, PoolUse)]) -> String {
        for (name, pool) in pools {
            let label = ("pool", (*name).to_owned());
            for (state, number) in [("idle", pool.idle), ("used", pool.used)] {
                let labels = vec![label.clone(), ("state", state.to_owned())];
                self.connections.get_or_create(&labels).set(number.into());
            }
            let labels = vec![label];
            self.most.get_or_create(&labels).set(pool.most.into());
            let timed_out = self.timed_out.get_or_create(&labels);
            timed_out.inner().store(pool.timed_out, Ordering::Relaxed);
        }
        let mut text = String::new();
        encode(&mut text, &self.registry).expect("writing to a string cannot fail");
        text
    }
}

impl fmt::Debug for Meters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Meters").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_label_is_of_a_closed_set() {
        let meters = Meters::new();
        meters.statement("SELECT", 0.002);
        meters.statement("VACUUM;--", 0.002);
        let of = Of::new(&Method::from_bytes(b"BREW").unwrap(), None);
        meters.request(&of, None, Duration::from_millis(5), 2);
        let text = meters.text(&[]);
        for line in [
            "db_query_duration_seconds_count{verb=\"select\"} 1",
            "db_query_duration_seconds_count{verb=\"other\"} 1",
            "http_requests_total{method=\"other\",route=\"none\",status=\"gone\"} 1",
            "db_queries_per_request_sum{route=\"none\"} 2.0",
        ] {
            assert!(text.contains(line), "{line} is not in {text}");
        }
        assert_eq!(meters.statements(), 2);
    }
}
