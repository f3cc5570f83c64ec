//! Where responses are kept: the process's memory over Redis, and the log of what was purged.
//!
//! A failing tier is a slow cache, never a failing request: lookups answer [`Lookup`], not `Result`.

mod codec;
pub mod entry;
pub mod memory;
pub mod purge_log;
pub mod redis;
mod tiered;

pub use self::{
    entry::{Entry, Position, Rendition, StreamId},
    purge_log::{Purge, Selector},
    redis::Lease,
    tiered::{Found, Health, Lookup, Matching, Reach, Store},
};

use std::time::Duration;

/// What `[cache]` says about the tiers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// `[cache.memory]`.
    pub memory: memory::Settings,
    /// `[cache.redis]`; `None` where the section is absent or its URL is empty.
    pub redis: Option<redis::Settings>,
    /// For how long the purge log may be unreachable before the memory tier asks the origin.
    pub purge_gap: Duration,
    /// Stale responses are kept at least this long, because a disconnected upstream may make them welcome.
    pub keep_stale: Duration,
    /// Nothing is kept longer; the purge log is trimmed behind it.
    pub max_lifetime: Duration,
}
