//! What a fetch is for, and from which moment on.

use crate::{
    cache::{ask::Ask, core::Core},
    origin::FetchError,
    semantics::{
        Reason,
        retry_after::{is_for_later, retry_after},
    },
    store::{Entry, Position},
};
use http::{HeaderMap, StatusCode};
use std::{sync::Arc, time::SystemTime};

/// What is fetched, and why.
#[derive(Debug)]
pub(in crate::cache) struct Job {
    pub(in crate::cache) ask: Arc<Ask>,
    /// What is stored and may be confirmed, completed, or served if the origin fails.
    pub(in crate::cache) stored: Option<Arc<Entry>>,
    /// Why the store could not answer.
    pub(in crate::cache) why: Reason,
}

/// The moment before a request leaves: whatever is purged from then on may have changed its response.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FetchStart {
    pub(super) position: Position,
    pub(super) request_time: SystemTime,
}

impl FetchStart {
    pub(in crate::cache) fn now(core: &Core) -> Self {
        Self {
            position: core.store.position(),
            request_time: core.clock.now(),
        }
    }

    /// For what a write itself brought: after the `own` purges that it caused. `None` where there may have been others.
    pub(in crate::cache) async fn after_own(self, core: &Core, own: usize) -> Option<Self> {
        let position = core.store.position_after_own(self.position, own).await?;
        Some(Self { position, ..self })
    }
}

impl Job {
    /// Forgets what was purged while this request waited: nothing confirms it any more.
    pub(super) fn drop_purged(&mut self, core: &Core) {
        let now = core.clock.now();
        self.stored
            .take_if(|entry| core.store.standing(entry, now).is_none());
    }

    /// Whether nobody waits for it, unless it was asked for since.
    pub(super) fn is_refresh(&self) -> bool {
        self.why == Reason::WhileRevalidate
    }

    /// Whether other requests select other responses of this key ([RFC 9111 §4.1]), as far as the lookup saw.
    ///
    /// [RFC 9111 §4.1]: https://www.rfc-editor.org/rfc/rfc9111#section-4.1
    pub(super) fn saw_variants(&self) -> bool {
        let selects = |entry: &Arc<Entry>| !entry.head.selecting.is_empty();
        self.why == Reason::VaryMiss || self.stored.as_ref().is_some_and(selects)
    }

    /// Remembers whether the origin could answer.
    pub(super) fn note(&self, core: &Core, status: StatusCode, headers: &HeaderMap) {
        let wish = || retry_after(headers, core.clock.wall());
        let (caller, purges) = (self.ask.caller(), core.store.purges_seen());
        match status {
            StatusCode::TOO_MANY_REQUESTS => core.backoff.declined(&caller, wish(), purges),
            status if is_for_later(status) => core.backoff.failed(&caller, wish(), purges),
            _ => core.backoff.answered(&caller),
        }
    }

    /// Remembers that it could not.
    pub(super) fn note_failure(&self, core: &Core, error: &FetchError) {
        if let FetchError::Origin(_) = error {
            let purges = core.store.purges_seen();
            core.backoff.failed(&self.ask.caller(), None, purges);
        }
    }
}
