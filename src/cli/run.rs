//! `sidecache run`: the proxy until it is told to end.

use super::{failure::Failure, source::Source};
use crate::{
    app::App,
    clock::Clock,
    config::{Config, Problems, Severity},
    server::workers,
    telemetry::{self, Extra, Guard},
};
use clap::Args;
use std::io;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// Arguments of `run`.
#[derive(Debug, Args)]
pub(super) struct Run {
    #[command(flatten)]
    source: Source,
}

impl Run {
    pub(super) fn execute(self) -> Result<(), Failure> {
        let (config, advice) = self.source.load()?;
        let guard = begin_log(&config, None)?;
        log(&advice);
        runtime(&config)?.block_on(async {
            let mut signals = Signals::new()?;
            let app = start(config, &self.source.name(), &guard).await?;
            signals.wait().await;
            drain(app, &mut signals).await
        })
    }
}

/// Logs as the configuration says; `extra` listens too.
pub(super) fn begin_log(config: &Config, extra: Option<Extra>) -> Result<Guard, Failure> {
    telemetry::init(&config.log, extra).map_err(|_| NO_FILTER)
}

/// Says in the log what `check` says of the configuration.
pub(super) fn log(advice: &Problems) {
    for finding in advice.findings() {
        let place = match (finding.line, finding.column) {
            (Some(line), Some(column)) => format!("{}:{line}:{column}", finding.file),
            _ => finding.file,
        };
        let (key, help) = (finding.key, finding.help);
        match finding.severity {
            Severity::Note => {
                tracing::info!(target: "config", place, key, help, "{}", finding.message)
            }
            _ => tracing::warn!(target: "config", place, key, help, "{}", finding.message),
        }
    }
}

/// The level in the file was checked with it, so it is the environment's.
pub(super) const NO_FILTER: Failure = Failure::Usage(
    "RUST_LOG is no filter: write a level, or directives such as info,sidecache=debug",
);

/// The runtime that the configuration asks for.
pub(super) fn runtime(config: &Config) -> Result<tokio::runtime::Runtime, Failure> {
    workers::runtime(config.server.workers)
        .map_err(|error| Failure::new("no threads to run on", error))
}

/// Starts the proxy and says where, and by which `file` it goes.
pub(super) async fn start(config: Config, file: &str, guard: &Guard) -> Result<App, Failure> {
    let upstream = config.upstream.authority.clone();
    let (routes, tiers, cache) = (config.routes.len(), tiers(&config), config.proxy.enabled);
    let app = App::start(config, Clock::System)
        .await
        .map_err(|error| Failure::new("cannot start", error))?;
    app.metrics().watch_dropped_lines(guard.dropped_lines());
    tracing::info!(
        version = env!("CARGO_PKG_VERSION"),
        public = %app.public_address(),
        admin = %app.admin_address(),
        config = file,
        %upstream,
        routes,
        tiers,
        cache = if cache { "on" } else { "off" },
        "ready"
    );
    Ok(app)
}

/// Drains; a second signal ends it at once.
pub(super) async fn drain(app: App, signals: &mut Signals) -> Result<(), Failure> {
    tracing::info!("draining: requests under way may end");
    let ended = tokio::select! {
        ended = app.drain() => ended,
        () = signals.wait() => false,
    };
    if ended {
        tracing::info!("drained");
        Ok(())
    } else {
        Err(Failure::new("drain", "requests under way were cut off"))
    }
}

/// SIGTERM and SIGINT; and SIGHUP, which ends nothing.
#[derive(Debug)]
pub(super) struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hangup: Signal,
}

impl Signals {
    pub(super) fn new() -> Result<Self, Failure> {
        let listen = |kind| {
            signal(kind)
                .map_err(|error: io::Error| Failure::new("signals cannot be received", error))
        };
        Ok(Self {
            terminate: listen(SignalKind::terminate())?,
            interrupt: listen(SignalKind::interrupt())?,
            hangup: listen(SignalKind::hangup())?,
        })
    }

    pub(super) async fn wait(&mut self) {
        loop {
            tokio::select! {
                _ = self.terminate.recv() => return,
                _ = self.interrupt.recv() => return,
                // Other servers read their configuration again, and whoever sends it expects no end.
                _ = self.hangup.recv() => tracing::warn!(
                    "SIGHUP changes nothing: the configuration is read at the start; restart to change it"
                ),
            }
        }
    }
}

/// Where answers are kept, in words.
pub(super) fn tiers(config: &Config) -> &'static str {
    match (&config.store.redis, config.store.memory.max) {
        _ if !config.proxy.enabled => "nothing: the cache is off",
        (Some(_), 0) => "redis alone",
        (Some(_), _) => "memory over redis",
        (None, 0) => "nothing: no tier is on",
        (None, _) => "memory alone",
    }
}
