//! Counts the SQL statements of each request.
//!
//! sqlx tells of every executed statement in an event; its driver of PostgreSQL in the caller's task, that of SQLite in the
//! caller's span, which it enters in the thread that runs the statement. So the layer here finds the request by the span
//! around the event, with no wrapper around the database. What is counted is what the database was asked to run, except
//! `PRAGMA` (the pool's, when it opens a connection) and the frame of transactions (`BEGIN` and its like, of which sqlx tells
//! for one database and not for the other). The event of a statement that fails may come after
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
use tower_http::request_id::RequestId;
use tracing::{Event, Instrument as _, Span, Subscriber, debug, debug_span, field};
use tracing_subscriber::{
    Layer, Registry,
    filter::{LevelFilter, filter_fn},
    layer::Context,
    registry::LookupSpan,
};

const TARGET: &str = "sidecache::demo";
const STATEMENTS: &str = "sqlx::query";
/// What is not counted.
const FRAME: [&str; 4] = ["PRAGMA", "BEGIN", "COMMIT", "ROLLBACK"];
const SERVER_TIMING: HeaderName = HeaderName::from_static("server-timing");

/// The layer that counts statements; without it no response says a number.
///
/// To be installed before [`Demo::start`](super::Demo::start), which finds out whether it counts.
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
pub(super) struct Total {
    count: AtomicU64,
    /// Whether statements come to be counted at all; otherwise no number is told.
    heard: bool,
}

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

/// Runs `start`, which executes statements, and learns from them whether any are heard.
///
/// Not `tracing::enabled!`: a question that no event follows leaves the answers of the other
/// layers' filters behind in the thread, and their next span goes missing.
pub(super) async fn listen<T>(start: impl Future<Output = T>) -> (T, Total) {
    let trial = Arc::new(Total::default());
    let span = debug_span!(target: TARGET, "start");
    Tally::attach(&span, Arc::clone(&trial));
    let started = start.instrument(span).await;
    let heard = trial.count() > 0;
    (
        started,
        Total {
            heard,
            ..Total::default()
        },
    )
}

/// The span of a request, in which its statements are found.
pub(super) fn span(request: &Request) -> Span {
    let id = request.extensions().get::<RequestId>();
    let id = id.and_then(|id| id.header_value().to_str().ok());
    debug_span!(target: TARGET, "request", method = %request.method(), path = request.uri().path(), id)
}

/// Says in the response what the request cost. To be put inside the layer that makes its [`span`].
pub(super) async fn profile(
    State(total): State<Arc<Total>>,
    request: Request,
    next: Next,
) -> Response {
    let tally = if total.heard {
        Tally::attach(&Span::current(), total)
    } else {
        None
    };
    let mut response = next.run(request).await;
    if let Some(tally) = tally {
        response.headers_mut().insert(SERVER_TIMING, tally.report());
    }
    response
}

// === impl Total ===

impl Total {
    pub(super) fn count(&self) -> u64 {
        self.count.load(Ordering::Relaxed)
    }
}

// === impl Counter ===

impl<S> Layer<S> for Counter
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let Some(scope) = context.event_scope(event) else {
            return;
        };
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
        span.with_subscriber(|(id, subscriber)| {
            subscriber.downcast_ref::<Counter>()?;
            let span = subscriber.downcast_ref::<Registry>()?.span(id)?;
            let tally = Arc::new(Self {
                statements: Mutex::default(),
                total,
            });
            span.extensions_mut().replace(Arc::clone(&tally));
            Some(tally)
        })?
    }

    fn record(&self, event: &Event<'_>) {
        let mut statement = Statement::default();
        event.record(&mut statement);
        if !FRAME.contains(&statement.verb()) {
            self.total.count.fetch_add(1, Ordering::Relaxed);
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
        // Not `sum`: that of nothing is -0.0.
        let ms = statements
            .iter()
            .fold(0.0, |sum, statement| sum + statement.seconds * 1e3);
        debug!(target: TARGET, statements = count, ms, "request");
        HeaderValue::from_str(&format!("db;dur={ms:.2};desc=\"n={count}\""))
            .expect("digits and the constant text are visible ASCII")
    }
}

// === impl Statement ===

impl Statement {
    fn verb(&self) -> &str {
        self.summary.split(' ').next().unwrap_or_default()
    }
}

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
mod tests;
