//! `sidecache demo`: the demo backend and the proxy in front of it, to try the cache with.

mod backend;
mod migrate;

use self::{
    backend::{Backend, Place},
    migrate::Migrate,
};
use super::{
    failure::Failure,
    output::say,
    run::{Signals, begin_log, drain, log, runtime, start, tiers},
    source::{Overrides, environment, judged},
};
use crate::{
    config::{Config, ConfigError},
    demo::{self, profiler},
};
use clap::{Args, Subcommand};
use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
};
use tokio_util::sync::CancellationToken;

/// What is used where there is no `proxy.toml`.
const CONFIG: &str = include_str!("../../config/demo.toml");

/// What that is called.
const BUILT_IN: &str = "built-in demo.toml";

/// Arguments of `demo`.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(super) struct Demo {
    #[command(subcommand)]
    instead: Option<Instead>,
    /// The configuration of the proxy; without it `proxy.toml` here, or the one that is built in
    #[arg(long, value_name = "FILE", env = "SIDECACHE_CONFIG")]
    config: Option<PathBuf>,
    #[command(flatten)]
    overrides: Overrides,
    #[command(flatten)]
    backend: Backend,
    /// Runs the backend alone, without the proxy
    #[arg(long)]
    backend_only: bool,
    /// Logs every SQL statement of every request; as RUST_LOG=info,sidecache::demo=debug does
    #[arg(long)]
    echo: bool,
    #[command(flatten)]
    place: Place,
}

/// What `demo` can do instead of running.
#[derive(Debug, Subcommand)]
enum Instead {
    /// Changes and inspects the tables of a database that stays
    Migrate(Migrate),
}

impl Demo {
    pub(super) fn execute(self) -> Result<(), Failure> {
        if let Some(Instead::Migrate(migrate)) = self.instead {
            return migrate.execute(&self.place);
        }
        let settings = self.backend.settings(self.place.database()?);
        let (mut config, advice) = judged(self.load()?)?;
        if self.echo {
            config.log.level.push_str(",sidecache::demo=debug");
        }
        let guard = begin_log(&config, Some(Box::new(profiler::layer())))?;
        log(&advice);
        runtime(&config)?.block_on(async {
            let mut signals = Signals::new()?;
            let stop = CancellationToken::new();
            let backend = demo::Demo::start(settings, stop.clone())
                .await
                .map_err(|error| Failure::new("the demo backend cannot start", error))?;
            let drained = if self.backend_only {
                say(&format!("demo backend  http://{}", backend.address()));
                signals.wait().await;
                Ok(())
            } else {
                let tiers = tiers(&config);
                let app = start(config, &self.name(), &guard).await?;
                say(&greeting(
                    backend.address(),
                    app.public_address(),
                    app.admin_address(),
                    tiers,
                ));
                signals.wait().await;
                drain(app, &mut signals).await
            };
            stop.cancel();
            backend.finished().await;
            drained
        })
    }

    /// The proxy asks the backend, wherever that was put; `--set upstream.url=…` still wins.
    fn load(&self) -> Result<Config, ConfigError> {
        let backend = format!("upstream.url=http://{}", self.backend.backend);
        let mut set = if self.config.is_none() {
            vec![backend]
        } else {
            Vec::new()
        };
        set.extend(self.overrides.set.iter().cloned());
        let set = &set;
        match self.file() {
            Some(file) => Config::load(file, set, &environment),
            None => Config::parse(BUILT_IN, CONFIG, set, &environment),
        }
    }

    /// What the configuration is called.
    fn name(&self) -> String {
        self.file()
            .map_or(BUILT_IN.to_owned(), |file| file.display().to_string())
    }

    /// The file that somebody named, or the one that is here.
    fn file(&self) -> Option<&Path> {
        let here = Path::new("proxy.toml");
        self.config.as_deref().or(here.exists().then_some(here))
    }
}

fn greeting(backend: SocketAddr, public: SocketAddr, admin: SocketAddr, tiers: &str) -> String {
    format!(
        "\n\
         demo backend  http://{backend}\n\
         proxy         http://{public}  (stored in {tiers})\n\
         admin         http://{admin}/metrics\n\
         \n\
         Worth trying:\n\
         \n\
         curl -i http://{public}/api/conversations/1\n\
         curl -i http://{public}/api/conversations -H 'Accept-Encoding: gzip' -o /dev/null -D -\n\
         curl -i -X PUT http://{public}/api/conversations/1 -H 'Content-Type: application/json' -d '{{\"title\":\"New\"}}'\n\
         curl -i 'http://{public}/api/naive/conversations?limit=100' -o /dev/null -D -\n\
         \n\
         The first one twice: a miss, then a hit with Age. The last one takes 101 SQL statements, without naive/ two.\n\
         Ctrl-C ends.\n"
    )
}
