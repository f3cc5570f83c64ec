//! The ways in which a fill ends, each of which tells those who wait; and the body on its way into their buffer.

use super::{context::Context, stale};
use crate::{
    cache::flight::{Leader, Overflow, Provenance},
    message::{BodyError, Stream},
    origin::FetchError,
    semantics::{Refusal, policy::is_about_one_request, retry_after::is_for_later},
    store::Entry,
};
use bytes::Bytes;
use http::{HeaderMap, Response};
use http_body::Frame;
use http_body_util::BodyExt;
use std::{sync::Arc, time::Duration};
use tokio::time::Instant;

/// How long a body that nobody reads is collected, however steadily it trickles: it takes a place of the upstream.
pub(in crate::cache) const UNREAD_TIMEOUT: Duration = Duration::from_secs(300);

/// A fill under way.
pub(super) struct Fill<'a> {
    pub(super) cx: Context<'a>,
    pub(super) leader: &'a mut Leader,
}

/// What the cache has of a response in the end. A lease is given up by it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::cache) enum Kept {
    /// It is stored.
    Stored,
    /// Nothing of it is.
    Nothing,
}

/// How reading a body ended.
pub(super) enum Collected {
    /// All of it is in the buffer.
    Whole,
    /// The buffer has more than may be stored, and more is to come.
    TooLarge,
}

impl Fill<'_> {
    /// Nobody joins any more, and the stored response is the answer.
    pub(super) fn stored(
        &mut self,
        entry: Arc<Entry>,
        provenance: Provenance,
        withheld: HeaderMap,
    ) {
        self.leader.close();
        self.leader.stored(entry, provenance, withheld);
    }

    /// The origin gave no response: the stored one is served in its place, where that is allowed.
    pub(super) fn failed(&mut self, error: FetchError) -> Kept {
        self.leader.close();
        self.cx.job.note_failure(self.cx.core, &error);
        match stale::on_error(&self.cx, true) {
            Some(entry) => {
                let provenance = Provenance::StaleIfError(None);
                self.leader.stored(entry, provenance, HeaderMap::new());
            }
            None => self.leader.failed(error),
        }
        Kept::Nothing
    }

    /// The response may not be stored: it goes to its own client alone.
    pub(super) fn refuse(&mut self, refusal: Refusal, response: Response<Stream>) -> Kept {
        let (core, job) = (self.cx.core, self.cx.job);
        if is_about_one_request(response.status()) {
            self.leader.close(); // it says nothing of what others get
            self.leader.not_shared(response, refusal);
            return Kept::Nothing;
        }
        self.close_as_hit_for_miss();
        match &job.stored {
            // It stays for others; this caller's next stale answer need not try to refresh it at once.
            Some(_) if job.ask.credentials => core.backoff.declined(&job.ask.caller(), None),
            Some(stored) if !is_for_later(response.status()) => self.cx.forget(stored),
            Some(_) | None => {}
        }
        self.leader.not_shared(response, refusal);
        Kept::Nothing
    }

    /// The body broke off: whoever reads sees that.
    pub(super) fn broken(&mut self, error: BodyError) {
        self.cx.core.metrics.refused(Refusal::Incomplete);
        self.leader.close();
        self.leader.buffer().end(Err(error));
    }

    /// Nobody joins from now on; and nobody waits for the next one where each has to ask for itself in any case.
    pub(super) fn close_behind(&self, entry: &Entry) {
        let freshness = &entry.head.freshness;
        if freshness.is_fresh(freshness.response_time) {
            self.leader.close();
        } else {
            self.close_as_hit_for_miss();
        }
    }

    /// Nobody joins, and for a while nobody waits for another one's fetch of this key.
    pub(super) fn close_as_hit_for_miss(&self) {
        if self.leader.is_shared() {
            self.cx.core.hit_for_miss.add(&self.cx.ask().caller());
        }
        self.leader.close();
    }

    /// Reads into the buffer until the end or the limit. Cancel safe: what was read is in the buffer.
    pub(super) async fn collect(&self, body: &mut Stream) -> Result<Collected, BodyError> {
        let most = self.cx.settings().max_object;
        let mut unread = None;
        while let Some(frame) = self.next_frame(body).await {
            if self.leader.buffer().is_read() {
                unread = None;
            } else if unread.get_or_insert_with(Instant::now).elapsed() >= UNREAD_TIMEOUT {
                return Err(BodyError::Silent);
            }
            let Ok(data) = frame?.into_data() else {
                continue; // trailers are not stored
            };
            if self.leader.buffer().collect(data, most) == Err(Overflow) {
                return Ok(Collected::TooLarge);
            }
        }
        Ok(Collected::Whole)
    }

    /// The next frame of a body that others wait for too: one that goes silent must not be what they wait for.
    async fn next_frame(&self, body: &mut Stream) -> Option<Result<Frame<Bytes>, BodyError>> {
        let Some(limit) = self.cx.settings().body_timeout else {
            return body.frame().await;
        };
        match tokio::time::timeout(limit, body.frame()).await {
            Ok(frame) => frame,
            Err(_) => Some(Err(BodyError::Silent)),
        }
    }
}
