//! What the handlers work with.

use crate::{metrics::Metrics, proxy::Proxy};
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// What the operator is told about.
#[derive(Clone, Debug)]
pub struct Subject {
    /// The proxy.
    pub proxy: Proxy,
    /// What it counts.
    pub metrics: Arc<Metrics>,
    /// Cancelled when the drain has begun.
    pub draining: CancellationToken,
}
