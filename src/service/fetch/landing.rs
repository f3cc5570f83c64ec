//! From what a fetch brought to the answer of each request that waits for it.

use super::Asked;
use crate::{
    metrics::Metrics,
    semantics::{
        Decision, Outcome, Reason, Refusal, Reuse, Storage, StoredHead, Tier,
        reuse::{PurgeState, may_serve_on_error, reuse},
    },
    service::{
        body::Body,
        cache::Answered,
        deliver::{self, AgeField},
        flight::{Fetched, Flight, Landing},
        pass,
        rescue::{self, Problem},
        upstream::{UpstreamBody, UpstreamError},
    },
    store::Entry,
};
use http::{HeaderMap, Request, Response, StatusCode, header::CONTENT_RANGE};
use std::{sync::Arc, time::SystemTime};

/// What came of waiting for another request's fetch.
pub(super) enum Joined {
    /// Its answer is for this one too.
    Answered(Box<Answered>),
    /// It is not.
    Alone,
    /// The origin did not answer that one; it may answer another.
    Again,
}

impl Asked<'_> {
    /// The answer of a fetch that this request began.
    pub(in crate::service) async fn land<B>(
        &self,
        flight: &Flight,
        reason: Reason,
        request: &Request<B>,
    ) -> Result<Answered, Problem> {
        match flight.landing().await {
            Landing::Stored(entry, fetched) => {
                let mut answered = self.landed(&entry, fetched, reason, request).await;
                let mut withheld = flight.take_withheld();
                let as_it_came =
                    answered.response.body().known_size() == Some(entry.body.len() as u64);
                if let Some(range) = withheld.remove(CONTENT_RANGE).filter(|_| as_it_came)
                    && answered.response.status() == StatusCode::PARTIAL_CONTENT
                {
                    answered.response.headers_mut().insert(CONTENT_RANGE, range);
                }
                give_back(&mut answered.response, withheld);
                Ok(answered)
            }
            Landing::Streaming(head) => {
                let stream = flight.take_seat().ok_or(UpstreamError::Abandoned)?;
                let mut response = deliver::arriving(self.shared, stream, &head, request.headers());
                give_back(&mut response, flight.take_withheld());
                let decision = Decision {
                    storage: Storage::Stored,
                    ..Decision::new(Outcome::Miss, reason)
                };
                Ok(Answered { response, decision })
            }
            Landing::Alone(refusal) => {
                let response = flight.take_refused().ok_or(UpstreamError::Abandoned)?;
                Ok(self.refused(response, refusal, reason, request))
            }
            Landing::Failed(error) => Err(error.into()),
        }
    }

    /// The answer that may not be stored.
    pub(super) fn refused<B>(
        &self,
        response: Response<UpstreamBody>,
        refusal: Refusal,
        reason: Reason,
        request: &Request<B>,
    ) -> Answered {
        let (method, headers) = (request.method(), request.headers());
        Answered {
            response: pass::finish(self.shared, response, method, headers),
            decision: Decision {
                storage: Storage::Refused(refusal),
                ..Decision::new(Outcome::Miss, reason)
            },
        }
    }

    /// The answer of another request's fetch, where it is for this one too; `second` where it is not the first that this
    /// one waits for.
    pub(super) async fn join<B>(
        &self,
        flight: &Flight,
        reason: Reason,
        request: &Request<B>,
        second: bool,
    ) -> Joined {
        let landing = {
            let _waiting = Waiting::new(&self.shared.metrics);
            flight.landing().await
        };
        let answered = match landing {
            Landing::Stored(entry, fetched)
                if self.may_share(&entry.head, fetched, request.headers()) =>
            {
                self.landed(&entry, fetched, reason, request).await
            }
            Landing::Streaming(head) if self.may_share(&head, Fetched::New, request.headers()) => {
                let Some(stream) = flight.buffer.read() else {
                    return Joined::Alone;
                };
                let response = deliver::arriving(self.shared, stream, &head, request.headers());
                Answered {
                    response,
                    decision: Decision::new(Outcome::Miss, reason),
                }
            }
            // An origin that cannot be reached answers nobody; another failure may be about one request.
            Landing::Failed(
                error @ (UpstreamError::Connect(_)
                | UpstreamError::ConnectTimeout
                | UpstreamError::Busy),
            ) => rescue::answer(&error.into()),
            // Neither does one that hangs twice, and to find that out has taken long enough.
            Landing::Failed(error @ UpstreamError::Timeout) if second => {
                rescue::answer(&error.into())
            }
            Landing::Failed(UpstreamError::Timeout) => return Joined::Again,
            Landing::Stored(..)
            | Landing::Streaming(_)
            | Landing::Alone(_)
            | Landing::Failed(_) => {
                return Joined::Alone;
            }
        };
        self.shared.metrics.collapsed.inc();
        Joined::Answered(Box::new(Answered {
            decision: Decision {
                collapsed: true,
                ..answered.decision
            },
            ..answered
        }))
    }

    /// Whether what another request fetched is for this one: asked anew, as if it had been found in the store.
    fn may_share(&self, head: &StoredHead, fetched: Fetched, request: &HeaderMap) -> bool {
        let now = self.shared.clock.now();
        let verdict = reuse(
            head,
            request,
            &self.route().route.policy,
            PurgeState::Good,
            now,
        );
        let usable = match fetched {
            Fetched::New | Fetched::Confirmed | Fetched::Elsewhere => verdict == Reuse::Serve,
            Fetched::ConfirmedOnce => false,
            Fetched::StaleOnError(_) => matches!(verdict, Reuse::Validate(Reason::Expired)),
        };
        usable && head.is_selected_by(request)
    }

    pub(super) async fn landed<B>(
        &self,
        entry: &Arc<Entry>,
        fetched: Fetched,
        reason: Reason,
        request: &Request<B>,
    ) -> Answered {
        let age = match fetched {
            Fetched::New | Fetched::Confirmed | Fetched::ConfirmedOnce => AgeField::AsReceived,
            Fetched::StaleOnError(_) | Fetched::Elsewhere => AgeField::Current,
        };
        let response =
            deliver::stored_coding(self.shared, entry, request.method(), request.headers(), age)
                .await;
        let decision = match fetched {
            Fetched::New => Decision {
                storage: Storage::Stored,
                ..Decision::new(Outcome::Miss, reason)
            },
            Fetched::Confirmed | Fetched::ConfirmedOnce => Decision {
                fwd_status: Some(StatusCode::NOT_MODIFIED),
                storage: match fetched {
                    Fetched::Confirmed => Storage::Stored,
                    _ => Storage::None,
                },
                ..Decision::new(Outcome::Revalidated, reason)
            },
            Fetched::Elsewhere => Decision {
                ttl: Some(entry.head.freshness.ttl(self.shared.clock.now())),
                tier: Some(Tier::Redis),
                collapsed: true,
                ..Decision::new(Outcome::Hit, Reason::Fresh)
            },
            Fetched::StaleOnError(status) => Decision {
                fwd_status: status,
                ttl: Some(entry.head.freshness.ttl(self.shared.clock.now())),
                tier: Some(Tier::Memory),
                ..Decision::new(Outcome::Stale, why_stale(entry, self.shared.clock.now()))
            },
        };
        Answered { response, decision }
    }
}

/// Counts a request while it waits, however that ends.
struct Waiting<'a>(&'a Metrics);

impl<'a> Waiting<'a> {
    fn new(metrics: &'a Metrics) -> Self {
        metrics.followers.inc();
        Self(metrics)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.followers.dec();
    }
}

/// By which permission it is served although the origin failed.
fn why_stale(entry: &Entry, now: SystemTime) -> Reason {
    let freshness = &entry.head.freshness;
    match (
        may_serve_on_error(freshness, None, now),
        freshness.is_fresh(now),
    ) {
        (true, _) => Reason::IfError,
        (false, true) => Reason::PurgeGap,
        (false, false) => Reason::OnDisconnect,
    }
}

/// Adds the fields that are stored without to the answer of the client that they were meant for.
fn give_back(response: &mut Response<Body>, withheld: HeaderMap) {
    let mut name = None;
    for (next, value) in withheld {
        name = next.or(name);
        if let Some(name) = &name {
            response.headers_mut().append(name, value);
        }
    }
}
