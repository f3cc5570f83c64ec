//! What every long-lived part is started with.

use crate::{clock::Clock, metrics::Metrics};
use std::sync::Arc;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// Clones share everything.
#[derive(Clone, Debug)]
pub struct Runtime {
    /// Where `now` comes from.
    pub clock: Clock,
    /// What is counted.
    pub metrics: Arc<Metrics>,
    /// What runs in the background runs under it: the end of the process waits for its end.
    pub tasks: TaskTracker,
    /// Cancelled when what runs in the background is to end.
    pub stop: CancellationToken,
}
