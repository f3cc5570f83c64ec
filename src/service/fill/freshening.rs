//! What a HEAD that was passed on says of what is stored ([RFC 9111 §4.3.5]).
//!
//! [RFC 9111 §4.3.5]: https://www.rfc-editor.org/rfc/rfc9111#section-4.3.5

use super::{Begun, Fetch, Filling};
use crate::{
    semantics::validation::{self, HeadVerdict},
    service::{Shared, flight::Departure, tags::OriginTags},
};
use http::{HeaderMap, StatusCode};
use std::sync::{Arc, atomic::AtomicBool};

/// A HEAD under way that may freshen what is stored.
pub(in crate::service) struct Freshening<'a> {
    shared: &'a Arc<Shared>,
    departure: Departure,
    fetch: Fetch,
    begun: Begun,
}

impl<'a> Freshening<'a> {
    /// Before the request leaves.
    pub(in crate::service) fn begin(
        shared: &'a Arc<Shared>,
        departure: Departure,
        fetch: Fetch,
    ) -> Self {
        Self {
            begun: Begun::now(shared),
            shared,
            departure,
            fetch,
        }
    }

    /// A 200 that agrees with what is stored freshens it; one that does not says that it is out of date.
    pub(in crate::service) fn end(self, status: StatusCode, head: &HeaderMap) {
        let Some(stored) = self
            .fetch
            .stored
            .as_ref()
            .filter(|_| status == StatusCode::OK && !self.fetch.private)
        else {
            return;
        };
        match validation::verdict_of_head(&stored.head, head) {
            HeadVerdict::Same if stored.head.part.is_none() => {}
            HeadVerdict::Same | HeadVerdict::Nothing => return,
            HeadVerdict::Other => return self.shared.store.forget(stored),
        }
        let filling = Filling {
            shared: self.shared,
            departure: &self.departure,
            fetch: &self.fetch,
            begun: self.begun,
            kept: AtomicBool::new(false),
        };
        filling.confirmed(stored, head, OriginTags::None);
    }
}
