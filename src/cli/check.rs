//! `sidecache check`: the configuration, and nothing else.

use super::{Failure, Overrides, environment, say};
use crate::config::Config;
use clap::Args;
use std::path::PathBuf;

/// Arguments of `check`.
#[derive(Debug, Args)]
pub(super) struct Check {
    /// The configuration file
    #[arg(
        value_name = "FILE",
        env = "SIDECACHE_CONFIG",
        default_value = "proxy.toml"
    )]
    file: PathBuf,
    #[command(flatten)]
    overrides: Overrides,
}

impl Check {
    pub(super) fn execute(self) -> Result<(), Failure> {
        let config = Config::load(&self.file, &self.overrides.set, &environment)?;
        let tiers = match (&config.store.redis, config.store.memory.max) {
            (Some(_), 0) => "redis alone",
            (Some(_), _) => "memory over redis",
            (None, 0) => "nothing: no tier is on",
            (None, _) => "memory alone",
        };
        say(&format!(
            "{}: good. {} → {}, {} route{}, stored in {tiers}",
            self.file.display(),
            config.server.listen,
            config.upstream.authority,
            config.routes.len(),
            if config.routes.len() == 1 { "" } else { "s" },
        ));
        Ok(())
    }
}
