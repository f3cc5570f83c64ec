//! Counts the SQL statements of each request.
//!
//! sqlx tells of every executed statement in an event, and its SQLite driver enters the caller's
//! span in the thread that runs the statement. So the layer here finds the request by the span
//! around the event, with no wrapper around the database. What is counted is what SQLite was asked
//! to run, except `PRAGMA` (the pool's, when it opens a connection) and `BEGIN`, `COMMIT` and
//! `ROLLBACK` (of which sqlx sends no event). The event of a statement that fails may come after
//! the response; all expected conflicts are therefore written as statements that succeed.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use axum::{
    extract::{Request, State},
    http::{HeaderName, HeaderValue},
    middleware::Next,
    response::Response,
};
use parking_lot::Mutex;
use tracing::{Event, Instrument as _, Level, Span, Subscriber, debug, debug_span, enabled, field};
use tracing_subscriber::{
    Layer, Registry,
    filter::{LevelFilter, filter_fn},
    layer::Context,
    registry::LookupSpan,
};

const TARGET: &str = "sidecache::demo";
const STATEMENTS: &str = "sqlx::query";
const SERVER_TIMING: HeaderName = HeaderName::from_static("server-timing");

/// The layer that counts statements; without it no response says a number.
///
/// It brings its own filter, so it works beside a log layer of any level. That layer's filter must
/// be its own too (`fmt::layer().with_filter(...)`): a filter added to the subscriber as a whole
/// takes the events from this layer as well. Do not wrap the layer in another filter.
pub fn layer<S>() -> impl Layer<S>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    let wanted = filter_fn(|metadata| match metadata.target() {
        STATEMENTS => true,
        TARGET => metadata.is_span(),
        _ => false,
    });
    Counter.with_filter(wanted.with_max_level_hint(LevelFilter::DEBUG))
}

/// The statements of all requests of one demo.
#[derive(Debug, Default)]
pub(super) struct Total(AtomicU64);

/// Finds the [`Tally`] of the request around each statement's event.
struct Counter;

/// The statements of one request; an extension of its span.
struct Tally {
    statements: Mutex<Vec<Statement>>,
    total: Arc<Total>,
}

#[derive(Default)]
struct Statement {
    summary: String,
    seconds: f64,
}

/// Runs the request in a span of its own and says in the response what it cost.
pub(super) async fn profile(
    State(total): State<Arc<Total>>,
    request: Request,
    next: Next,
) -> Response {
    let path = request.uri().path();
    let span = debug_span!(target: TARGET, "request", method = %request.method(), path);
    let tally = Tally::attach(&span, total);
    let mut response = next.run(request).instrument(span.clone()).await;
    if let Some(tally) = tally {
        let _entered = span.enter();
        response.headers_mut().insert(SERVER_TIMING, tally.report());
    }
    response
}

// === impl Total ===

impl Total {
    pub(super) fn count(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

// === impl Counter ===

impl<S> Layer<S> for Counter
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let Some(scope) = context.event_scope(event) else { return };
        for span in scope {
            if let Some(tally) = span.extensions().get::<Arc<Tally>>() {
                tally.record(event);
                return;
            }
        }
    }
}

// === impl Tally ===

impl Tally {
    /// A tally that will be found through `span`; none if nobody would count.
    fn attach(span: &Span, total: Arc<Total>) -> Option<Arc<Self>> {
        // A filter of the whole subscriber may let the span pass and not the statements.
        if !enabled!(target: STATEMENTS, Level::DEBUG) {
            return None;
        }
        span.with_subscriber(|(id, subscriber)| {
            subscriber.downcast_ref::<Counter>()?;
            let span = subscriber.downcast_ref::<Registry>()?.span(id)?;
            let tally = Arc::new(Self { statements: Mutex::default(), total });
            span.extensions_mut().replace(Arc::clone(&tally));
            Some(tally)
        })?
    }

    fn record(&self, event: &Event<'_>) {
        let mut statement = Statement::default();
        event.record(&mut statement);
        if !statement.summary.starts_with("PRAGMA") {
            self.total.0.fetch_add(1, Ordering::Relaxed);
            self.statements.lock().push(statement);
        }
    }

    /// Logs the statements and sums them up for the header.
    fn report(&self) -> HeaderValue {
        let statements = std::mem::take(&mut *self.statements.lock());
        for Statement { summary, seconds } in &statements {
            debug!(target: TARGET, summary, ms = seconds * 1e3, "statement");
        }
        let count = statements.len();
        let ms = statements.iter().map(|statement| statement.seconds).sum::<f64>() * 1e3;
        debug!(target: TARGET, statements = count, ms, "request");
        HeaderValue::from_str(&format!("db;dur={ms:.2};desc=\"n={count}\""))
            .expect("digits and the constant text are visible ASCII")
    }
}

// === impl Statement ===

impl field::Visit for Statement {
    fn record_str(&mut self, field: &field::Field, value: &str) {
        if field.name() == "summary" {
            value.clone_into(&mut self.summary);
        }
    }

    fn record_f64(&mut self, field: &field::Field, value: f64) {
        if field.name() == "elapsed_secs" {
            self.seconds = value;
        }
    }

    fn record_debug(&mut self, _: &field::Field, _: &dyn fmt::Debug) {}
}

#[cfg(test)]
mod tests {
    use std::io;

    use tracing::subscriber::with_default;
    use tracing_subscriber::{filter::EnvFilter, fmt as log, prelude::*, registry};

    use super::*;

    /// What the header says after one counted statement and one of the pool; the total.
    fn one_statement() -> (Option<String>, u64) {
        let total = Arc::new(Total::default());
        let span = debug_span!(target: TARGET, "request");
        let tally = Tally::attach(&span, Arc::clone(&total));
        span.in_scope(|| {
            debug!(target: STATEMENTS, summary = "SELECT 1", elapsed_secs = 0.00193);
            debug!(target: STATEMENTS, summary = "PRAGMA foreign_keys …", elapsed_secs = 1.0);
            debug!(target: "elsewhere", summary = "SELECT 2", elapsed_secs = 1.0);
        });
        (tally.map(|tally| tally.report().to_str().unwrap().to_owned()), total.count())
    }

    fn counted() -> (Option<String>, u64) {
        (Some("db;dur=1.93;desc=\"n=1\"".to_owned()), 1)
    }

    #[test]
    fn a_statement_is_counted_and_a_pragma_is_not() {
        assert_eq!(with_default(registry().with(layer()), one_statement), counted());
    }

    #[test]
    fn a_log_layer_of_info_neither_hinders_nor_hears() {
        let (writer, written) = written();
        let log = log::layer().with_writer(writer).with_filter(LevelFilter::INFO);
        let both = registry().with(log).with(layer());
        assert_eq!(with_default(both, one_statement), counted());
        assert_eq!(written.lock().as_str(), "");
    }

    #[test]
    fn a_log_layer_of_debug_hears_each_statement() {
        let (writer, written) = written();
        let filter = EnvFilter::new("info,sidecache::demo=debug");
        let log = log::layer().with_writer(writer).with_ansi(false).with_filter(filter);
        let both = registry().with(layer()).with(log);
        assert_eq!(with_default(both, one_statement), counted());
        let written = written.lock();
        assert!(written.contains("statement summary=\"SELECT 1\" ms=1.93"), "{written}");
        assert!(written.contains("request statements=1 ms=1.93"), "{written}");
    }

    #[test]
    fn nobody_counts_without_the_layer_or_below_a_global_filter() {
        assert_eq!(with_default(registry(), one_statement), (None, 0));
        let global = registry().with(layer()).with(EnvFilter::new("info,sidecache::demo=debug"));
        assert_eq!(with_default(global, one_statement), (None, 0));
    }

    #[derive(Clone, Default)]
    struct Writer(Arc<Mutex<String>>);

    impl io::Write for Writer {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().push_str(&String::from_utf8_lossy(bytes));
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn written() -> (impl Fn() -> Writer, Arc<Mutex<String>>) {
        let writer = Writer::default();
        let written = Arc::clone(&writer.0);
        (move || writer.clone(), written)
    }
}
