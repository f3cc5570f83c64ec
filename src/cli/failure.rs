//! Why a command ends without success.

use crate::config::ConfigError;
use std::error::Error;

/// Why a command ends without success, and with which exit code.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    /// Exit code 2; the text is complete.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// Exit code 2.
    #[error("{0}")]
    Usage(&'static str),
    /// All was printed already; the exit code.
    #[error("")]
    Told(u8),
    /// Exit code 1.
    #[error("{what}")]
    Failed {
        what: &'static str,
        source: Box<dyn Error + Send + Sync>,
    },
}

impl Failure {
    pub(super) fn new(what: &'static str, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::Failed {
            what,
            source: source.into(),
        }
    }
}
