//! lib
pub mod clock;
#[cfg(feature = "demo")]
pub mod demo;
pub mod metrics;
pub mod semantics;
pub mod service;
pub mod store;
