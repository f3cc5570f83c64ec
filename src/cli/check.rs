//! `sidecache check`: the configuration, and nothing else.

use super::{
    failure::Failure,
    output::say,
    source::{Overrides, environment},
};
use crate::{config::Config, telemetry};
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
    /// The same, as `run` takes it
    #[arg(long, value_name = "FILE", conflicts_with = "file")]
    config: Option<PathBuf>,
    #[command(flatten)]
    overrides: Overrides,
}

impl Check {
    pub(super) fn execute(self) -> Result<(), Failure> {
        let file = self.config.as_ref().unwrap_or(&self.file);
        let config = Config::load(file, &self.overrides.set, &environment)?;
        telemetry::filter(&config.log).map_err(|_| super::run::NO_FILTER)?;
        let tiers = super::run::tiers(&config);
        say(&format!(
            "{}: good. {} → {}, {} route{}, stored in {tiers}",
            file.display(),
            config.server.listen,
            config.upstream.authority,
            config.routes.len(),
            if config.routes.len() == 1 { "" } else { "s" },
        ));
        Ok(())
    }
}
