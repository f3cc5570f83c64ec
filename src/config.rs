//! `proxy.toml`, `--set` and the environment, as settings that make sense together.
//!
//! Every layer owns the type of its settings; here they are read, checked and assembled. `check`
//! runs the same code as a start, and all that is wrong is reported at once.

mod address;
mod admin;
mod advice;
mod cache;
mod compress;
mod document;
mod env;
mod error;
mod file;
mod finding;
mod key;
mod keyed;
mod lifetimes;
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
mod system;
#[cfg(test)]
mod tests;
mod trusted;
mod typed;
mod units;
mod unreachable;
mod upgrade;
mod value;
mod written;

use std::{
    fs::File,
    io::{self, Read},
    path::Path,
    sync::Arc,
};

use self::{
    document::Document, env::Env, reader::Reader, section::Section, source::Source,
    written::Written,
};
pub use self::{
    error::ConfigError,
    file::Config,
    finding::Finding,
    problem::{Problems, Severity},
    system::System,
};

/// A configuration is written by hand; what is larger is some other file.
const LARGEST_FILE: u64 = 1 << 20;

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
        let (config, problems) = read(&sources, env, |root, document| {
            file::read(root, Written::new(&sources, document))
        });
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
        let (settings, problems) = read(&sources, env, |root, _| {
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
    pick: impl FnOnce(Section<'_>, &Document<'_>) -> Option<T>,
) -> (Option<T>, Problems) {
    let mut problems = Problems::new(Arc::clone(sources));
    let document = Document::parse(sources, &mut problems);
    let reader = Reader::new(sources, &document, env, problems);
    let found = pick(Section::root(&reader, &document), &document);
    (found, reader.into_problems())
}
