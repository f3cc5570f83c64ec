//! Which configuration a command works with.

use crate::{
    admin,
    config::{Config, ConfigError, Problems, Severity, System},
};
use clap::Args;
use std::path::{Path, PathBuf};

/// What is read where nobody names a file.
const FILE: &str = "proxy.toml";

/// Which configuration.
#[derive(Clone, Debug, Args)]
pub(super) struct Source {
    /// The configuration file; where none is named, `proxy.toml` if it is here
    #[arg(long, value_name = "FILE", env = "SIDECACHE_CONFIG")]
    pub(super) config: Option<PathBuf>,
    /// The backend, as in `--upstream http://127.0.0.1:3000`; without a file its own headers decide what is stored
    #[arg(long, value_name = "URL")]
    pub(super) upstream: Option<String>,
    #[command(flatten)]
    pub(super) overrides: Overrides,
}

/// What wins over the file.
#[derive(Clone, Debug, Args)]
pub(super) struct Overrides {
    /// Sets one key, as in `--set server.listen=127.0.0.1:8081`; may be repeated, the last one counts
    #[arg(long, value_name = "SECTION.KEY=VALUE")]
    pub(super) set: Vec<String>,
}

// === impl Source ===

impl Source {
    /// The configuration, and what is worth a second look in it.
    pub(super) fn load(&self) -> Result<(Config, Problems), ConfigError> {
        judged(self.read()?)
    }

    fn read(&self) -> Result<Config, ConfigError> {
        let set = &self.set();
        match self.file() {
            Some(file) => Config::load(file, set, &environment),
            None if self.upstream.is_some() || self.overrides.name_an_upstream() => {
                Config::parse(NO_FILE, "", set, &environment)
            }
            None => Err(ConfigError::NoFile),
        }
    }

    /// `[admin]` alone: what else is wrong is no matter of who asks a running proxy.
    pub(super) fn load_admin(&self) -> Result<admin::Settings, ConfigError> {
        let set = &self.set();
        match self.file() {
            Some(file) => Config::load_admin(file, set, &environment),
            None => Config::parse_admin(NO_FILE, "", set, &environment),
        }
    }

    /// What wins over the file, as `section.key=value` each; the last one counts.
    fn set(&self) -> Vec<String> {
        let upstream = self
            .upstream
            .iter()
            .map(|url| format!("upstream.url={url}"));
        self.overrides.set.iter().cloned().chain(upstream).collect()
    }

    /// What the file is called.
    pub(super) fn name(&self) -> String {
        self.file()
            .map_or(NO_FILE.to_owned(), |file| file.display().to_string())
    }

    /// The file that somebody named, or the one that is here.
    fn file(&self) -> Option<&Path> {
        let here = Path::new(FILE);
        self.config.as_deref().or(here.exists().then_some(here))
    }
}

/// With the advice for this machine, on which some of it may be an error.
pub(super) fn judged(config: Config) -> Result<(Config, Problems), ConfigError> {
    let advice = config.advice(&System::read());
    if advice.count(Severity::Error) > 0 {
        return Err(ConfigError::Problems(advice));
    }
    Ok((config, advice))
}

/// How problems call what nobody wrote.
const NO_FILE: &str = "no file";

impl Overrides {
    fn name_an_upstream(&self) -> bool {
        let key =
            |argument: &String| argument.split('=').next().map(str::trim) == Some("upstream.url");
        self.set.iter().any(key)
    }
}

pub(super) fn environment(name: &str) -> Option<String> {
    std::env::var(name).ok()
}
