//! Keys whose last response could not be shared: for a short time nobody waits for another one's fetch of them.
//!
//! Varnish calls this hit-for-miss. It ends by itself, because the next response may be for all again.

use super::{caller::Caller, remembered::Remembered};
use std::time::Duration;
use tokio::time::Instant;

/// For how long nobody waits.
pub(super) const MEMORY: Duration = Duration::from_secs(5);

#[derive(Debug, Default)]
pub(super) struct HitForMiss(Remembered<Instant>);

impl HitForMiss {
    /// Whether the last response for `caller` was for nobody else, a short time ago.
    pub(super) fn has(&self, caller: &Caller) -> bool {
        let until = self.0.get(caller);
        until.is_some_and(|until| until > Instant::now())
    }

    /// So was another one.
    pub(super) fn add(&self, caller: &Caller) {
        self.0.insert(caller, Instant::now() + MEMORY);
    }
}
