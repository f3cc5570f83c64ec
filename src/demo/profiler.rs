//! Counts and times the SQL statements of each request.
//!
//! sqlx tells of every executed statement in an event; its driver of PostgreSQL in the caller's task, that of SQLite in the
//! caller's span, which it enters in the thread that runs the statement. So the layer here finds the request by the span
//! around the event, with no wrapper around the database. What is counted is what the database was asked to run, except
//! `PRAGMA` (the pool's, when it opens a connection) and the frame of transactions (`BEGIN` and its like, of which sqlx tells
//! for one database and not for the other). The event of a statement that fails may come after
//! the response; all expected conflicts are therefore written as statements that succeed.

mod shared;
mod tally;

use std::sync::Arc;

use axum::{
    extract::{MatchedPath, Request, State},
    http::{HeaderName, StatusCode},
    middleware::Next,
    response::Response,
};
use tokio::time::Instant;
use tower_http::request_id::RequestId;
use tracing::{Event, Instrument as _, Span, Subscriber, debug_span};
use tracing_subscriber::{
    Layer, Registry,
    filter::{LevelFilter, filter_fn},
    layer::Context,
    registry::LookupSpan,
};

pub use self::shared::ProfileSettings;
pub(super) use self::shared::Profiler;
use self::{shared::TARGET, tally::Tally};
use super::meters::Of;

const STATEMENTS: &str = "sqlx::query";
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

/// Finds the [`Tally`] of the request around each statement's event.
struct Counter;

/// A request under way. Its end is counted, whether it is answered or its client has left.
struct Running {
    tally: Arc<Tally>,
    began: Instant,
    status: Option<StatusCode>,
}

/// Runs `start`, which executes statements, and learns from them whether any are heard.
///
/// Not `tracing::enabled!`: a question that no event follows leaves the answers of the other
/// layers' filters behind in the thread, and their next span goes missing.
pub(super) async fn listen<T>(
    settings: ProfileSettings,
    start: impl Future<Output = T>,
) -> (T, Profiler) {
    let trial = Arc::new(Tally::new(Arc::default(), Of::nobody()));
    let span = debug_span!(target: TARGET, "start");
    attach(&span, &trial);
    let started = start.instrument(span).await;
    (started, Profiler::new(settings, trial.count() > 0))
}

/// The span of a request, in which its statements are found.
pub(super) fn span(request: &Request) -> Span {
    let id = request.extensions().get::<RequestId>();
    let id = id.and_then(|id| id.header_value().to_str().ok());
    debug_span!(target: TARGET, "request", method = %request.method(), path = request.uri().path(), id)
}

/// Says in the response what the request cost. To be put inside the layer that makes its [`span`].
pub(super) async fn profile(
    State(profiler): State<Arc<Profiler>>,
    request: Request,
    next: Next,
) -> Response {
    let route = request.extensions().get::<MatchedPath>();
    let of = Of::new(request.method(), route.map(MatchedPath::as_str));
    let tally = Arc::new(Tally::new(Arc::clone(&profiler), of));
    let heard = profiler.heard && attach(&Span::current(), &tally);
    let mut running = Running {
        tally,
        began: Instant::now(),
        status: None,
    };
    let mut response = next.run(request).await;
    running.status = Some(response.status());
    if heard {
        let field = running.tally.field();
        response.headers_mut().insert(SERVER_TIMING, field);
    }
    response
}

/// Lets `tally` be found through `span`; `false` if nobody would count.
fn attach(span: &Span, tally: &Arc<Tally>) -> bool {
    let attached = span.with_subscriber(|(id, subscriber)| {
        subscriber.downcast_ref::<Counter>()?;
        let span = subscriber.downcast_ref::<Registry>()?.span(id)?;
        span.extensions_mut().replace(Arc::clone(tally));
        Some(())
    });
    attached.flatten().is_some()
}

// === impl Running ===

impl Drop for Running {
    fn drop(&mut self) {
        self.tally.meter(self.status, self.began.elapsed());
        self.tally.log();
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

#[cfg(test)]
mod tests;
