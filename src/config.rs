//! `proxy.toml`, `--set` and the environment, as settings that make sense together.
//!
//! Every layer owns the type of its settings; here they are read, checked and assembled. `check`
//! runs the same code as a start, and all that is wrong is reported at once.

mod address;
mod cache;
mod compress;
mod document;
mod env;
mod file;
mod key;
mod lint;
mod nearest;
mod overlay;
mod problem;
mod reader;
mod render;
mod routes;
mod secret;
mod section;
mod source;
#[cfg(test)]
mod tests;
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

/// Why there is no configuration.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// There is no such file.
    #[error("{}: no such file; write one (see `sidecache --help`) or name it with --config", path.display())]
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
            Ok(text) => Self::parse(&name, &text, set, env),
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
        let sources: Arc<[Source]> = std::iter::once(source(name, text))
            .chain(overlays)
            .collect();
        let (config, mut problems) = read(&sources, env);
        match config {
            Some(config) if problems.is_empty() => Ok(config),
            _ => {
                problems.sort();
                Err(ConfigError::Problems(problems))
            }
        }
    }
}

fn read(sources: &Arc<[Source]>, env: Env<'_>) -> (Option<Config>, Problems) {
    let mut problems = Problems::new(Arc::clone(sources));
    let document = Document::parse(sources, &mut problems);
    let reader = Reader::new(sources, &document, env, problems);
    let config = file::read(Section::root(&reader, &document));
    (config, reader.into_problems())
}

// === impl ConfigError ===

impl ConfigError {
    /// The complete text, which begins with `error: `; `color` is for a terminal.
    pub fn render(&self, color: bool) -> String {
        match self {
            Self::Problems(problems) => problems.render(color),
            Self::Missing { .. }
            | Self::Unreadable { .. }
            | Self::NotText { .. }
            | Self::TooLarge { .. } => format!("error: {self}"),
        }
    }
}
