//! lib
pub mod clock;
pub mod metrics;
pub mod semantics;
pub mod store;
