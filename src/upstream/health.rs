//! What became of the exchanges: counted by cause, and said once when the upstream goes away and once when it is back.

use crate::{
    metrics::{Counter, Metrics},
    origin::{FetchError, OriginError},
};
use http::uri::Authority;
use std::{
    error::Error,
    sync::atomic::{AtomicBool, Ordering::Relaxed},
};

#[derive(Debug)]
pub(super) struct Health {
    authority: Authority,
    failures: Vec<(&'static str, Counter)>,
    /// The last exchange failed to connect.
    away: AtomicBool,
}

impl Health {
    pub(super) fn new(authority: Authority, metrics: &Metrics) -> Self {
        let counted = FetchError::CAUSES.map(|cause| (cause, metrics.upstream_failure(cause)));
        Self {
            authority,
            failures: counted.into(),
            away: AtomicBool::new(false),
        }
    }

    /// One more exchange ended in `answer`.
    pub(super) fn note<T>(&self, answer: &Result<T, FetchError>) {
        match answer {
            Ok(_) if self.away.load(Relaxed) && self.away.swap(false, Relaxed) => {
                tracing::info!(upstream = %self.authority, "the upstream is back");
            }
            Ok(_) => {}
            Err(error) => self.note_failure(error),
        }
    }

    fn note_failure(&self, error: &FetchError) {
        let counter = self
            .failures
            .iter()
            .find(|(cause, _)| *cause == error.cause());
        if let Some((_, counter)) = counter {
            counter.inc();
        }
        let unreachable = matches!(
            error,
            FetchError::Origin(OriginError::Connect(_) | OriginError::ConnectTimeout)
        );
        if unreachable && !self.away.swap(true, Relaxed) {
            let error = error as &dyn Error;
            tracing::warn!(upstream = %self.authority, error, "the upstream cannot be reached");
        }
    }
}
