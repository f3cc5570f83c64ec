//! Why there is no configuration.

use std::{io, path::PathBuf};

use super::{finding::Finding, problem::Problems};

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
        "there is no proxy.toml here; name a file with --config, say `--upstream http://127.0.0.1:9000` to run \
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

    /// As [`Problems::findings`], also where the file could not be read.
    pub fn findings(&self) -> Vec<Finding> {
        match self {
            Self::Problems(problems) => problems.findings().collect(),
            Self::NoFile => vec![Finding::of_file("proxy.toml", self.to_string())],
            Self::Missing { path } | Self::Unreadable { path, .. } => {
                vec![Finding::of_file(
                    path.display().to_string(),
                    self.to_string(),
                )]
            }
            Self::NotText { name, line } => vec![Finding {
                line: Some(*line),
                ..Finding::of_file(name, self.to_string())
            }],
            Self::TooLarge { name } => vec![Finding::of_file(name, self.to_string())],
        }
    }
}
