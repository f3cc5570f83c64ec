//! What a HEAD that was passed on says of the stored response ([RFC 9111 §4.3.5]).
//!
//! [RFC 9111 §4.3.5]: https://www.rfc-editor.org/rfc/rfc9111#section-4.3.5

use super::{
    context::Context,
    job::{FetchStart, Job},
    request::may_be_confirmed,
    validated,
};
use crate::{
    cache::{ask::Ask, core::Core, tags::OriginTags},
    semantics::{
        Reason,
        selection::are_coded_alike,
        validation::{self, HeadVerdict},
    },
    store::Entry,
};
use http::{HeaderMap, StatusCode};
use std::sync::Arc;

/// A HEAD under way that may freshen a stored response.
#[derive(Debug)]
pub(crate) struct HeadUpdate {
    job: Job,
    start: FetchStart,
}

impl HeadUpdate {
    /// For a HEAD that begins at `start`, while this response is stored.
    pub(crate) fn new(ask: &Arc<Ask>, stored: Option<Arc<Entry>>, start: FetchStart) -> Self {
        let job = Job {
            ask: Arc::clone(ask),
            stored,
            why: Reason::Method,
        };
        Self { job, start }
    }

    /// A 200 that agrees with the stored response freshens it; one that does not says that it is out of date.
    pub(in crate::cache) fn end(mut self, core: &Core, status: StatusCode, head: &HeaderMap) {
        self.job.drop_purged(core);
        let stored = self.job.stored.as_ref();
        let Some(stored) = stored.filter(|stored| {
            status == StatusCode::OK
                && !self.job.ask.credentials
                && may_be_confirmed(stored, &self.job)
                // Another coding is another representation, with a tag of its own.
                && are_coded_alike(&stored.head.headers, head)
        }) else {
            return;
        };
        let cx = Context {
            core,
            job: &self.job,
            start: self.start,
        };
        match validation::verdict_of_head(&stored.head, head) {
            HeadVerdict::Same if stored.head.part.is_none() => {
                validated::confirm(&cx, stored, head, OriginTags::None);
            }
            HeadVerdict::Same | HeadVerdict::Nothing => {}
            HeadVerdict::Other => cx.forget(stored),
        }
    }
}
