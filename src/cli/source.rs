//! Which configuration a command works with.

use crate::config::{Config, ConfigError};
use clap::Args;
use std::path::PathBuf;

/// Which configuration.
#[derive(Clone, Debug, Args)]
pub(super) struct Source {
    /// The configuration file
    #[arg(
        long,
        value_name = "FILE",
        env = "SIDECACHE_CONFIG",
        default_value = "proxy.toml"
    )]
    config: PathBuf,
    #[command(flatten)]
    overrides: Overrides,
}

/// What wins over the file.
#[derive(Clone, Debug, Args)]
pub(super) struct Overrides {
    /// Sets one key, as in `--set server.listen=127.0.0.1:8081`; may be repeated, the last one counts
    #[arg(long, value_name = "SECTION.KEY=VALUE")]
    pub(super) set: Vec<String>,
}

impl Source {
    pub(super) fn load(&self) -> Result<Config, ConfigError> {
        Config::load(&self.config, &self.overrides.set, &environment)
    }
}

pub(super) fn environment(name: &str) -> Option<String> {
    std::env::var(name).ok()
}
