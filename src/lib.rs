//! lib
pub mod admin;
pub mod app;
pub mod cli;
pub mod clock;
pub mod config;
#[cfg(feature = "demo")]
pub mod demo;
pub mod metrics;
pub mod semantics;
pub mod server;
pub mod service;
pub mod store;
pub mod telemetry;
