//! The access line.

use crate::{
    message::{Watch, excerpt},
    semantics::{Decision, Storage, Tier, query::redacted},
};
use http::{HeaderValue, Method, StatusCode, Uri};
use std::{borrow::Cow, time::Duration};
use tokio::time::Instant;

/// What is shown of a path, and of a query, in bytes: a line is what many requests may leave behind at once.
const MAX_SHOWN: usize = 2048;

/// What is shown of a host, in bytes. A name has 253 at most.
const MAX_HOST: usize = 256;

/// What is shown of a method, in bytes.
const MAX_METHOD: usize = 64;

/// What the access line says of a request.
#[derive(Debug)]
pub(super) struct Line {
    pub(super) method: Method,
    pub(super) uri: Uri,
    pub(super) host: Option<HeaderValue>,
}

/// The access line of one request, written when its body has ended, however that was.
#[derive(Debug)]
pub(super) struct Event {
    pub(super) line: Line,
    pub(super) route: String,
    pub(super) status: StatusCode,
    pub(super) decision: Decision,
    pub(super) request_id: HeaderValue,
    pub(super) started: Instant,
    pub(super) head: Duration,
    pub(super) bytes: u64,
    pub(super) end: End,
}

impl Line {
    fn host(&self) -> Option<Cow<'_, str>> {
        let host = self.host.as_ref()?.to_str().ok()?;
        Some(excerpt(host, MAX_HOST, Cow::Borrowed))
    }

    fn query(&self) -> Option<Cow<'_, str>> {
        Some(excerpt(self.uri.query()?, MAX_SHOWN, redacted))
    }
}

#[derive(Clone, Copy, Debug)]
pub(super) enum End {
    /// The whole body was sent.
    Complete,
    /// The upstream failed in the middle.
    Broken,
    /// The client left, or the connection failed.
    Left,
}

impl Event {
    /// All `bytes` of a whole body are sent in one piece.
    pub(super) fn sent_whole(mut self, bytes: u64) {
        self.bytes = bytes;
        self.end = End::Complete;
    }
}

impl Watch for Event {
    fn sent(&mut self, bytes: usize) {
        self.bytes += bytes as u64;
    }

    fn broke(&mut self) {
        self.end = End::Broken;
    }

    fn ended(&mut self) {
        self.end = End::Complete;
    }
}

impl Drop for Event {
    fn drop(&mut self) {
        let Decision {
            outcome,
            reason,
            tier,
            storage,
            collapsed,
            ..
        } = self.decision;
        tracing::info!(
            target: "access",
            method = &*excerpt(self.line.method.as_str(), MAX_METHOD, Cow::Borrowed),
            host = self.line.host().as_deref(),
            path = &*excerpt(self.line.uri.path(), MAX_SHOWN, redacted),
            query = self.line.query().as_deref(),
            status = self.status.as_u16(),
            route = self.route,
            outcome = outcome.as_str(),
            reason = reason.as_str(),
            tier = tier.map(Tier::as_str),
            stored = match storage {
                Storage::None => None,
                Storage::Stored => Some("yes"),
                Storage::Arriving => Some("arriving"),
                Storage::Refused(refusal) => Some(refusal.as_str()),
            },
            collapsed,
            head_ms = millis(self.head),
            total_ms = millis(self.started.elapsed()),
            bytes = self.bytes,
            end = match self.end {
                End::Complete => "complete",
                End::Broken => "broken",
                End::Left => "left",
            },
            request_id = self.request_id.to_str().unwrap_or_default(),
            "served"
        );
    }
}

/// Milliseconds with three decimals.
fn millis(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 1e6).round() / 1e3
}
