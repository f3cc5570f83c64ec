//! `sidecache check`: the configuration, and nothing else.

use super::{
    failure::Failure,
    output::{complain, say},
    source::Source,
};
use crate::{
    config::{Config, ConfigError, Finding, Problems, Severity},
    telemetry,
};
use clap::Args;
use serde_json::json;
use std::{io::IsTerminal, path::PathBuf};

/// Arguments of `check`.
#[derive(Debug, Args)]
#[command(
    after_help = "Errors: nothing starts. Warnings: it starts, and will probably not do what was meant. Notes: it does more than it \
    seems to.\n\nExit code: 0 good, also with warnings; 2 with errors; with --strict 1 where there are warnings.\n\n\
    Examples:\n  sidecache check proxy.toml\n  sidecache check --strict --json proxy.toml"
)]
pub(super) struct Check {
    /// The configuration file; wins over --config and SIDECACHE_CONFIG
    #[arg(value_name = "FILE")]
    file: Option<PathBuf>,
    /// Warnings are failures too: exit code 1
    #[arg(long)]
    strict: bool,
    /// Prints one JSON document, {"good": …, "problems": […]}, whatever is found
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    source: Source,
}

impl Check {
    pub(super) fn execute(self) -> Result<(), Failure> {
        let source = Source {
            config: self.file.or(self.source.config),
            ..self.source
        };
        let loaded = source.load();
        let has_filter = match &loaded {
            Ok((config, _)) => telemetry::filter(&config.log).is_ok(),
            Err(_) => true,
        };
        if self.json {
            return document(&loaded, has_filter, self.strict);
        }
        let (config, advice) = loaded?;
        if !has_filter {
            return Err(super::run::NO_FILTER);
        }
        if !advice.is_empty() {
            complain(&advice.render(std::io::stderr().is_terminal()));
        }
        if self.strict && advice.count(Severity::Warning) > 0 {
            let why = "--strict takes no warnings";
            return Err(Failure::new("the configuration would start, but", why));
        }
        say(&summary(&source.name(), &config, &advice));
        Ok(())
    }
}

/// What is configured, in one line.
fn summary(name: &str, config: &Config, advice: &Problems) -> String {
    let with = if advice.is_empty() {
        String::new()
    } else {
        format!(", with {}", advice.summary())
    };
    format!(
        "{name}: good{with}. {} → {}, {} route{}, stored in {}",
        config.server.listen,
        config.upstream.authority,
        config.routes.len(),
        if config.routes.len() == 1 { "" } else { "s" },
        super::run::tiers(config),
    )
}

/// The same for a program, errors too; the exit code is that of the text.
fn document(
    loaded: &Result<(Config, Problems), ConfigError>,
    has_filter: bool,
    strict: bool,
) -> Result<(), Failure> {
    let mut findings = match loaded {
        Ok((_, advice)) => advice.findings().collect(),
        Err(error) => error.findings(),
    };
    if !has_filter {
        let message = super::run::NO_FILTER.to_string();
        findings.push(Finding::of_file("the environment", message));
    }
    let has = |severity| findings.iter().any(|finding| finding.severity == severity);
    let code = match (has(Severity::Error), has(Severity::Warning) && strict) {
        (true, _) => 2,
        (false, true) => 1,
        (false, false) => 0,
    };
    say(&json!({ "good": code == 0, "problems": findings }).to_string());
    if code == 0 {
        Ok(())
    } else {
        Err(Failure::Told(code))
    }
}
