//! `proxy.toml`, `--set` and the environment, as settings that make sense together.
//!
//! Every layer owns the type of its settings; here they are read, checked and assembled. `check`
//! runs the same code as a start, and all that is wrong is reported at once.

mod address;
mod admin;
mod cache;
mod compress;
mod document;
mod env;
mod file;
mod keyed;
mod lint;
mod nearest;
mod overlay;
mod problem;
mod reader;
mod render;
mod routes;
mod secret;
mod section;
mod sharing;
mod source;
#[cfg(test)]
mod tests;
mod trusted;
mod typed;
mod units;
mod unreachable;
mod value;

use std::{
    fs::File,
    io::{self, Read},
    path::{Path, PathBuf},
    sync::Arc,
};

use self::{document::Document, env::Env, reader::Reader, section::Section, source::Source};
pub use self::{file::Config, problem::Problems};

/// A configuration is written by hand; what is larger is some other file.
const LARGEST_FILE: u64 = 1 << 20;

/// A whole `proxy.toml`.
const SMALLEST: &str = "\
# proxy.toml
[upstream]
url = \"http://127.0.0.1:9000\"   # your backend";

/// Why there is no configuration.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// Nobody named a file, and there is none.
    #[error(
        "there is no proxy.toml here; name a file with --config, say `--set upstream.url=http://127.0.0.1:9000` to run \
         with the defaults, or write one:\n\n{SMALLEST}"
    )]
    NoFile,
    /// There is no such file.
    #[error(
        "{}: no such file; name another one with --config, or write it: `[upstream]` and below it \
         `url = \"http://127.0.0.1:9000\"` are enough",
        path.display()
    )]
    Missing {
        /// The file that was looked for.
        path: PathBuf,
    },
    /// The file is there but cannot be read.
    #[error("{}: cannot be read; check that it is a file and that this user may read it", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The file is not text.
    #[error("{name}: not UTF-8 from line {line} on; save it as UTF-8")]
    NotText {
        /// The file.
        name: String,
        /// The line with the first byte that is wrong.
        line: usize,
    },
    /// The file is too large to be one.
    #[error(
        "{name}: larger than 1MiB, which no configuration is; name the right file with --config"
    )]
    TooLarge {
        /// The file.
        name: String,
    },
    /// The text has mistakes.
    #[error("{0}")]
    Problems(Problems),
}

// === impl Config ===

impl Config {
    /// Reads the file at `path`, overlaid with each `section.key=value` of `set`.
    ///
    /// # Errors
    /// The file cannot be read, or says something that it should not: then with every problem.
    pub fn load(
        path: &Path,
        set: &[String],
        env: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Config, ConfigError> {
        Self::parse(&path.display().to_string(), &text(path)?, set, env)
    }

    /// As [`Config::load`] from `text`, which problems call `name`.
    ///
    /// # Errors
    /// Everything that is wrong with the text, or that it is too large to be looked at.
    pub fn parse(
        name: &str,
        text: &str,
        set: &[String],
        env: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Config, ConfigError> {
        let sources = sources(name, text, set)?;
        let (config, problems) = read(&sources, env, |root| file::read(root));
        sound(config, problems)
    }

    /// As [`Config::load`], `[admin]` alone: for who asks a running proxy, whose other settings are no matter of his.
    ///
    /// # Errors
    /// As [`Config::load`], but only for what is wrong in `[admin]` or no TOML.
    pub fn load_admin(
        path: &Path,
        set: &[String],
        env: &dyn Fn(&str) -> Option<String>,
    ) -> Result<crate::admin::Settings, ConfigError> {
        Self::parse_admin(&path.display().to_string(), &text(path)?, set, env)
    }

    /// As [`Config::load_admin`] from `text`, which problems call `name`.
    ///
    /// # Errors
    /// As [`Config::load_admin`].
    pub fn parse_admin(
        name: &str,
        text: &str,
        set: &[String],
        env: &dyn Fn(&str) -> Option<String>,
    ) -> Result<crate::admin::Settings, ConfigError> {
        let sources = sources(name, text, set)?;
        let (settings, problems) = read(&sources, env, |root| {
            Some(admin::read(root.table("admin")).0)
        });
        sound(settings, problems)
    }
}

/// What the file at `path` holds.
fn text(path: &Path) -> Result<String, ConfigError> {
    let name = path.display().to_string();
    let mut bytes = Vec::new();
    let read =
        File::open(path).and_then(|file| file.take(LARGEST_FILE + 1).read_to_end(&mut bytes));
    match read {
        Ok(_) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Err(ConfigError::Missing {
                path: path.to_owned(),
            });
        }
        Err(source) => {
            return Err(ConfigError::Unreadable {
                path: path.to_owned(),
                source,
            });
        }
    }
    match String::from_utf8(bytes) {
        Ok(text) => Ok(text),
        // The limit may have cut a character.
        Err(error) if error.as_bytes().len() as u64 > LARGEST_FILE => {
            Err(ConfigError::TooLarge { name })
        }
        Err(error) => {
            let sound = &error.as_bytes()[..error.utf8_error().valid_up_to()];
            let line = 1 + sound.iter().filter(|&&byte| byte == b'\n').count();
            Err(ConfigError::NotText { name, line })
        }
    }
}

/// The file, then each argument.
fn sources(name: &str, text: &str, set: &[String]) -> Result<Arc<[Source]>, ConfigError> {
    if text.len() as u64 > LARGEST_FILE {
        return Err(ConfigError::TooLarge {
            name: name.to_owned(),
        });
    }
    let source = |name: &str, text: &str| Source {
        name: name.to_owned(),
        text: text.to_owned(),
    };
    let overlays = set.iter().map(|argument| source("--set", argument));
    Ok(std::iter::once(source(name, text))
        .chain(overlays)
        .collect())
}

fn sound<T>(found: Option<T>, mut problems: Problems) -> Result<T, ConfigError> {
    match found {
        Some(found) if problems.is_empty() => Ok(found),
        _ => {
            problems.sort();
            Err(ConfigError::Problems(problems))
        }
    }
}

/// What `pick` takes from all that is written, and what is wrong with that.
fn read<T>(
    sources: &Arc<[Source]>,
    env: Env<'_>,
    pick: impl FnOnce(Section<'_>) -> Option<T>,
) -> (Option<T>, Problems) {
    let mut problems = Problems::new(Arc::clone(sources));
    let document = Document::parse(sources, &mut problems);
    let reader = Reader::new(sources, &document, env, problems);
    let found = pick(Section::root(&reader, &document));
    (found, reader.into_problems())
}

// === impl ConfigError ===

impl ConfigError {
    /// The complete text, which begins with `error: `; `color` is for a terminal.
    pub fn render(&self, color: bool) -> String {
        match self {
            Self::Problems(problems) => problems.render(color),
            Self::NoFile
            | Self::Missing { .. }
            | Self::Unreadable { .. }
            | Self::NotText { .. }
            | Self::TooLarge { .. } => format!("error: {self}"),
        }
    }
}
