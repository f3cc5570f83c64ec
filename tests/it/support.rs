//! What every scenario is made of: a proxy, an origin, a client, Redis, and waiting for a condition.

pub(crate) mod client;
pub(crate) mod coding;
pub(crate) mod load;
pub(crate) mod origin;
pub(crate) mod process;
pub(crate) mod proxy;
pub(crate) mod redis;
pub(crate) mod relay;

pub(crate) use self::{
    client::{Answer, get, request},
    origin::{Origin, Reply},
    proxy::Proxy,
};

use std::time::{Duration, Instant};

/// How long a condition may take on a slow machine. Nothing waits this long unless it fails.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// Waits until `condition` holds.
pub(crate) async fn until(what: &str, mut condition: impl AsyncFnMut() -> bool) {
    let end = Instant::now() + PATIENCE;
    while !condition().await {
        assert!(Instant::now() < end, "waited in vain until {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
