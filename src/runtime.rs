//! What every long-lived part is started with.

use crate::{
    clock::{Clock, Step},
    metrics::Metrics,
};
use std::{sync::Arc, time::Duration};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// How often the wall clock is compared with the time that has passed.
const COMPARE: Duration = Duration::from_secs(1);

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

impl Runtime {
    /// Watches the clock from now on, until [`Runtime::stop`]. Must be called inside a runtime of tokio.
    pub fn start(clock: Clock, metrics: Arc<Metrics>) -> Self {
        let runtime = Self {
            clock,
            metrics,
            tasks: TaskTracker::new(),
            stop: CancellationToken::new(),
        };
        runtime.clock.compare(); // the first says where cache time begins
        let watching = watch(runtime.clock.clone(), runtime.stop.clone());
        runtime.tasks.spawn(watching);
        runtime
    }
}

/// Notices where the wall clock is set, and says so.
async fn watch(clock: Clock, stop: CancellationToken) {
    loop {
        tokio::select! {
            () = tokio::time::sleep(COMPARE) => {}
            () = stop.cancelled() => return,
        }
        match clock.compare() {
            Some(Step::Back(by)) => tracing::warn!(
                seconds = by.as_secs(),
                "the wall clock was set back: what is stored goes on ageing; new responses look younger than they are where \
                 their dates are right"
            ),
            Some(Step::Forward(by)) => tracing::warn!(
                seconds = by.as_secs(),
                "the wall clock was set forward, or the system stood still: what is stored is older by that"
            ),
            None => {}
        }
    }
}
