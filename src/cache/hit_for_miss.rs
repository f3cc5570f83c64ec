//! Keys whose last response could not be kept: for a short time nobody waits for another one's fetch of them, and until one
//! is kept the origin hears what a client has already.
//!
//! Varnish calls the first hit-for-miss. It ends by itself, because the next response may be for all again.

use super::{caller::Caller, remembered::Remembered};
use crate::semantics::Refusal;
use std::time::Duration;
use tokio::time::Instant;

/// For how long nobody waits.
pub(super) const MEMORY: Duration = Duration::from_secs(5);

/// What became of the last response for a caller.
#[derive(Clone, Copy, Debug)]
pub(super) struct NotShared {
    /// Why it was not kept; `None` where it was, but each request has to ask for itself in any case.
    pub(super) why: Option<Refusal>,
    until: Instant,
}

impl NotShared {
    /// Whether it came a short time ago.
    pub(super) fn is_recent(self) -> bool {
        self.until > Instant::now()
    }
}

#[derive(Debug, Default)]
pub(super) struct HitForMiss(Remembered<NotShared>);

impl HitForMiss {
    /// What became of the last response for `caller`, where it was for nobody else.
    pub(super) fn last(&self, caller: &Caller) -> Option<NotShared> {
        self.0.get(caller)
    }

    /// So was another one.
    pub(super) fn add(&self, caller: &Caller, why: Option<Refusal>) {
        let until = Instant::now() + MEMORY;
        self.0.insert(caller, NotShared { why, until });
    }

    /// The next one may be for all.
    pub(super) fn forget(&self, caller: &Caller) {
        self.0.remove(caller);
    }
}
