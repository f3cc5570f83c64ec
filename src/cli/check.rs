//! `sidecache check`: the configuration, and nothing else.

use super::{failure::Failure, output::say, source::Source};
use crate::telemetry;
use clap::Args;
use std::path::PathBuf;

/// Arguments of `check`.
#[derive(Debug, Args)]
pub(super) struct Check {
    /// The configuration file; wins over --config and SIDECACHE_CONFIG
    #[arg(value_name = "FILE")]
    file: Option<PathBuf>,
    #[command(flatten)]
    source: Source,
}

impl Check {
    pub(super) fn execute(self) -> Result<(), Failure> {
        let source = Source {
            config: self.file.or(self.source.config),
            ..self.source
        };
        let config = source.load()?;
        telemetry::filter(&config.log).map_err(|_| super::run::NO_FILTER)?;
        let tiers = super::run::tiers(&config);
        say(&format!(
            "{}: good. {} → {}, {} route{}, stored in {tiers}",
            source.name(),
            config.server.listen,
            config.upstream.authority,
            config.routes.len(),
            if config.routes.len() == 1 { "" } else { "s" },
        ));
        Ok(())
    }
}
