//! What `[cache.redis]` says.

use super::address::{Address, Certificates};
use std::time::Duration;

/// The tier in Redis, as it was configured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Where it is.
    pub address: Address,
    /// For `rediss` addresses.
    pub certificates: Certificates,
    /// What every key begins with.
    pub prefix: String,
    /// Connections for exclusive use, for large values.
    pub pool_size: usize,
    /// What one call may take.
    pub budget: Duration,
    /// What connecting may take.
    pub connect_timeout: Duration,
    /// Larger bodies are compressed at rest, in bytes; `None` for none.
    pub compress_above: Option<u64>,
}

impl Settings {
    /// Where the purge log is.
    pub(super) fn log_key(&self) -> String {
        format!("{}:v1:purges", self.prefix)
    }
}
