//! The proxy as a user has it: real sockets, a scripted origin, real redis-servers.

#![expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test that cannot go on fails, and a test has no drain to wait for"
)]

mod support;

mod admin;
mod architecture;
mod attacks;
mod bad_config;
mod bounds;
mod callers;
mod chaos;
mod check;
mod cli;
mod clock;
mod collapse;
mod conditions;
mod corners;
mod cors;
mod crowd;
mod degraded;
#[cfg(feature = "demo")]
mod demo;
#[cfg(feature = "demo")]
mod demo_proxy;
mod documents;
mod drain;
mod early;
mod encoding;
mod fleet;
mod forwarding;
mod framing;
mod freshness;
mod hits;
mod hostile;
mod interim;
mod keys;
mod layer;
mod leaving;
mod loaded;
mod log;
mod logs;
mod model;
mod newcomers;
mod newer;
mod operations;
mod operator;
mod origin_codings;
mod parts;
mod paths;
mod poison;
mod post_reads;
mod private;
mod purge;
mod purge_bounds;
mod query;
mod ranges;
mod reasons;
mod refresh;
mod reliability;
mod sent;
#[cfg(feature = "demo")]
mod sessions;
mod slow;
mod snapshot;
mod spoilt;
mod streams;
mod surplus;
mod tiers;
mod timeouts;
mod topologies;
mod trust;
mod tunnels;
mod variants;
mod written;
