//! The ways in which a fill ends, each of which tells those who wait; and the body on its way into their buffer.

use super::{context::Context, digest::Digest, stale};
use crate::{
    cache::{
        core::limits,
        flight::{Leader, Overflow, Provenance},
        rule::Collapse,
    },
    message::{BodyError, Stream, join::joined},
    origin::FetchError,
    semantics::{
        Refusal, StoredHead, policy::is_about_one_request, retry_after::is_for_later,
        reuse::answers_who_waited,
    },
    store::Entry,
};
use bytes::Bytes;
use http::{HeaderMap, Response, StatusCode};
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
    /// More is to come, and the buffer has more than may be stored.
    Overflow(Refusal),
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
        if is_about_one_request(response.status()) {
            self.leader.close(); // it says nothing of what others get
            self.leader.not_shared(response, refusal);
            return Kept::Nothing;
        }
        self.close_as_hit_for_miss(Some(refusal));
        self.supersede(response.status());
        self.leader.not_shared(response, refusal);
        Kept::Nothing
    }

    /// The origin has answered otherwise than is stored, and nothing takes its place.
    pub(super) fn supersede(&self, status: StatusCode) {
        let (core, job) = (self.cx.core, self.cx.job);
        match &job.stored {
            // It stays for others; this caller's next stale answer need not try to refresh it at once.
            Some(_) if job.ask.credentials => {
                let purges = core.store.purges_seen();
                core.backoff.declined(&job.ask.caller(), None, purges);
            }
            Some(stored) if !is_for_later(status) => self.cx.forget(stored),
            Some(_) | None => {}
        }
    }

    /// The body broke off: whoever reads sees that.
    pub(super) fn broken(&mut self, error: BodyError) {
        self.cx.core.metrics.refused(Refusal::Incomplete);
        self.leader.close();
        self.leader.buffer().end(Err(error));
    }

    /// Nobody joins from now on; and nobody waits for the next one where each has to ask for itself in any case.
    pub(super) fn close_behind(&self, entry: &Entry) {
        if self.is_fresh(&entry.head) || self.answers_who_waited(&entry.head) {
            self.leader.close();
        } else {
            self.close_as_hit_for_miss(None);
        }
    }

    /// Whether those who come from now on may join: what is not fresh when it comes is for those who have waited alone.
    pub(super) fn is_fresh(&self, head: &StoredHead) -> bool {
        head.freshness.is_fresh(head.freshness.response_time)
    }

    fn answers_who_waited(&self, head: &StoredHead) -> bool {
        let (request, policy) = (&self.cx.ask().request, &self.cx.rule().policy);
        answers_who_waited(head, request, policy, head.freshness.response_time)
    }

    /// Nobody joins, and for a while nobody waits for another one's fetch of this key, which was not kept because of `why`.
    pub(super) fn close_as_hit_for_miss(&self, why: Option<Refusal>) {
        let ask = self.cx.ask();
        if self.leader.is_shared() || ask.rule.collapse == Collapse::Off {
            self.cx.core.hit_for_miss.add(&ask.caller(), why);
        }
        self.leader.close();
    }

    /// Takes room for a body of `length` bytes in advance. `false` where there is none.
    pub(super) fn reserve(&self, length: u64) -> bool {
        let limits = limits(self.cx.settings());
        self.leader.buffer().reserve(length, limits)
    }

    /// Reads into the buffer until the end or a limit, and into `digest` where there is one. Cancel safe: what was read is in
    /// the buffer.
    pub(super) async fn collect(
        &self,
        body: &mut Stream,
        mut digest: Option<&mut Digest>,
    ) -> Result<Collected, BodyError> {
        let (limits, buffer) = (limits(self.cx.settings()), self.leader.buffer());
        let mut unread = None;
        while let Some(frame) = self.next_frame(body).await {
            if buffer.is_read() {
                unread = None;
            } else if unread.get_or_insert_with(Instant::now).elapsed() >= UNREAD_TIMEOUT {
                return Err(BodyError::Silent);
            }
            let Ok(data) = frame?.into_data() else {
                continue; // trailers are not stored
            };
            match buffer.collect(data, limits) {
                Ok(()) => {}
                Err(Overflow::Object) => return Ok(Collected::Overflow(Refusal::TooLarge)),
                Err(Overflow::Together) => return Ok(Collected::Overflow(Refusal::NoRoom)),
            }
            if let Some(digest) = &mut digest {
                digest.catch_up(buffer).await;
            }
        }
        if let Some(digest) = &mut digest {
            digest.catch_up(buffer).await; // with what an earlier call left
        }
        Ok(Collected::Whole)
    }

    /// What was collected, as one piece. Whoever reads it waits meanwhile.
    pub(super) async fn whole(&self) -> Result<Bytes, BodyError> {
        let pieces = self.leader.buffer().take();
        let length = pieces.iter().map(Bytes::len).sum();
        joined(pieces, length).await.ok_or(BodyError::Broken) // the runtime is going down
    }

    /// Whoever reads gets the rest as it comes, with back-pressure.
    pub(super) async fn pass_on(&self, mut body: Stream) {
        let buffer = self.leader.buffer();
        buffer.stop_collecting();
        while buffer.room().await {
            match self.next_frame(&mut body).await {
                Some(Ok(frame)) => {
                    if let Ok(data) = frame.into_data() {
                        buffer.pass(data);
                    }
                }
                Some(Err(error)) => return buffer.end(Err(error)),
                None => return buffer.end(Ok(())),
            }
        }
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
