//! Log lines: format, filter and a sink that never holds up a request.

mod queue;

use self::queue::Waiting;
use std::{io::IsTerminal, sync::Arc};
use tracing_appender::non_blocking::WorkerGuard;
use tracing_subscriber::{
    EnvFilter, Layer, Registry, filter::ParseError, fmt, layer::SubscriberExt, registry,
    util::SubscriberInitExt,
};

/// How log lines look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// For people.
    Pretty,
    /// For collectors: one JSON object per line.
    Json,
}

/// What `[log]` says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// See [`Format`].
    pub format: Format,
    /// What is logged, as filter directives; the environment's `RUST_LOG` wins.
    pub level: String,
    /// Whether each request is logged.
    pub access: bool,
}

/// Another listener to what is logged.
pub type Extra = Box<dyn Layer<Registry> + Send + Sync>;

/// Writes what waits when it is dropped.
#[derive(Debug)]
pub struct Guard {
    _worker: WorkerGuard,
    waiting: Arc<Waiting>,
}

impl Guard {
    /// Reads how many lines were dropped because the sink did not keep up, or failed.
    pub fn dropped_lines(&self) -> impl Fn() -> u64 + Send + Sync + 'static {
        let waiting = Arc::clone(&self.waiting);
        move || waiting.dropped()
    }
}

/// What is logged: as the environment says, else as `settings` do.
///
/// # Errors
/// Where the filter cannot be parsed.
pub fn filter(settings: &Settings) -> Result<EnvFilter, ParseError> {
    match std::env::var("RUST_LOG") {
        Ok(directives) if !directives.is_empty() => EnvFilter::builder().parse(directives),
        _ => EnvFilter::builder().parse(&settings.level),
    }
}

/// Begins to log to standard output. Called once, before anything is logged.
///
/// # Errors
/// As [`filter`].
pub fn init(settings: &Settings, extra: Option<Extra>) -> Result<Guard, ParseError> {
    let filter = filter(settings)?;
    let (sink, waiting, worker) = queue::before(std::io::stdout());
    // Per-layer filters: what one does not want the other may need.
    let lines: Extra = match settings.format {
        Format::Json => Box::new(
            fmt::layer()
                .json()
                .flatten_event(true)
                .with_current_span(false)
                .with_span_list(false)
                .with_writer(sink)
                .with_filter(filter),
        ),
        Format::Pretty => Box::new(
            fmt::layer()
                .with_ansi(std::io::stdout().is_terminal())
                .with_writer(sink)
                .with_filter(filter),
        ),
    };
    let mut layers = vec![lines];
    layers.extend(extra);
    registry().with(layers).init();
    Ok(Guard {
        _worker: worker,
        waiting,
    })
}
