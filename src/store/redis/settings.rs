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
    /// Where the purge log is. The number is that of the format of its records: replicas of another one do not read it. The
    /// braces keep all that belongs to it in one slot of a cluster.
    pub(super) fn log_key(&self) -> String {
        format!("{0}:{{{0}}}:v2:purges", self.prefix)
    }

    /// Where replicas are told that a fetch which they wait for has ended.
    pub(super) fn ended_key(&self) -> String {
        format!("{0}:{{{0}}}:ended", self.prefix)
    }

    /// Where other programs leave what they want to be purged. Its format does not change.
    pub(super) fn inbox_key(&self) -> String {
        format!("{0}:{{{0}}}:invalidate", self.prefix)
    }
}
