//! Where responses are kept: the process's memory over Redis, and the log of what was purged.
//!
//! A failing tier is a slow cache, never a failing request: lookups answer [`Lookup`], not `Result`.

mod codec;
pub mod entry;
pub mod memory;
pub mod purge_log;
pub mod redis;
mod secret;
mod tiered;

pub use self::{
    entry::{Entry, Position, Rendition, StreamId},
    purge_log::{Purge, Selector},
    redis::{Landing, Lease},
    secret::Secret,
    tiered::{
        Found, Health, Lookup, Matching, Settings, Store,
        purging::{Reach, UnderWay},
    },
};
