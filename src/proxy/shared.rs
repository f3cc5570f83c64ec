//! The state that all requests of one proxy share.

use super::{circle::Instance, live::Live};
use crate::{cache::Cache, clock::Clock, metrics::Metrics, upstream::Upstream};
use arc_swap::ArcSwap;
use std::sync::Arc;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// What a proxy is made of.
#[derive(Debug)]
pub struct Parts {
    /// What a reload may replace.
    pub live: Live,
    /// The way to the upstream.
    pub upstream: Upstream,
    /// The cache.
    pub cache: Cache,
    /// The time.
    pub clock: Clock,
    /// What is counted.
    pub metrics: Arc<Metrics>,
    /// What goes on when its client has left; the drain waits for it.
    pub tasks: TaskTracker,
    /// What clients and the upstream have open.
    pub tunnels: Tunnels,
    /// Whether each request is logged.
    pub access_log: bool,
}

/// The tunnels of one proxy. Clones are of the same one.
#[derive(Clone, Debug, Default)]
pub struct Tunnels {
    /// They run here.
    pub tasks: TaskTracker,
    /// Ends them.
    pub stop: CancellationToken,
}

/// See the module docs.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) live: ArcSwap<Live>,
    pub(super) upstream: Upstream,
    pub(super) cache: Cache,
    pub(super) clock: Clock,
    pub(super) metrics: Arc<Metrics>,
    pub(super) tasks: TaskTracker,
    pub(super) tunnels: Tunnels,
    pub(super) access_log: bool,
    /// See [`Instance`].
    pub(super) instance: Instance,
}

impl Shared {
    pub(super) fn new(parts: Parts) -> Self {
        Self {
            live: ArcSwap::from_pointee(parts.live),
            upstream: parts.upstream,
            cache: parts.cache,
            clock: parts.clock,
            metrics: parts.metrics,
            tasks: parts.tasks,
            tunnels: parts.tunnels,
            access_log: parts.access_log,
            instance: Instance::random(),
        }
    }
}
