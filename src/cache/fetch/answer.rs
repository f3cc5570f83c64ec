//! From what a fetch brought to the answer of each request that waits for it.

use crate::{
    cache::{
        answer::{Answered, Unanswered},
        ask::Ask,
        caller::Caller,
        coding,
        core::{Core, limits},
        deliver::{self, AgeField},
        fill::stands_in,
        flight::{Coded, Fetched, Flight, Own, OwnAnswer, Provenance, Reading, Seat},
        variants::Boarding,
    },
    message::{Body, Stream},
    metrics::Metrics,
    origin::{FetchError, OriginError},
    semantics::{
        Coding, Decision, Outcome, Reason, Refusal, Reuse, Storage, StoredHead, Tier,
        reuse::{PurgeState, answers_who_waited, may_serve_on_error, reuse},
        vary::{Selecting, Selects},
    },
    store::Entry,
};
use http::{HeaderMap, Response, StatusCode, header::CONTENT_RANGE};
use std::{sync::Arc, time::SystemTime};

/// What came of waiting for another request's fetch.
pub(super) enum Followed {
    /// Its result is for this one too.
    Answered(Box<Result<Answered, Unanswered>>),
    /// It is not.
    Alone,
    /// It is for those who select another response of the key, by these fields.
    OfAnother(Selecting),
    /// The origin did not answer that one; it may answer another.
    Again,
}

/// A request that waits for a response.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reply<'a> {
    pub(super) core: &'a Arc<Core>,
    pub(super) ask: &'a Arc<Ask>,
    /// Why the store could not answer.
    pub(super) reason: Reason,
}

impl Reply<'_> {
    /// The answer of the fetch that this request began.
    pub(super) async fn of_own(&self, own: Own) -> Result<Answered, Unanswered> {
        match own.answer().await {
            OwnAnswer::Stored {
                entry,
                provenance,
                mut withheld,
            } => {
                self.learn(&entry.head);
                let mut answered = self.of_stored(&entry, provenance).await;
                let response = &mut answered.response;
                let as_it_came = response.body().known_size() == Some(entry.body.len() as u64);
                if let Some(range) = withheld.remove(CONTENT_RANGE).filter(|_| as_it_came)
                    && response.status() == StatusCode::PARTIAL_CONTENT
                {
                    response.headers_mut().insert(CONTENT_RANGE, range);
                }
                give_back(response, withheld);
                Ok(answered)
            }
            OwnAnswer::Streaming {
                head,
                flight,
                body,
                withheld,
                storage,
            } => {
                self.learn(&head);
                let mut answered = self.of_stream(&flight, body, &head).await;
                give_back(&mut answered.response, withheld);
                answered.decision.storage = storage;
                Ok(answered)
            }
            OwnAnswer::NotShared(response, refusal) => Ok(self.of_refused(response, refusal)),
            OwnAnswer::Failed(error) => Err(error.into()),
        }
    }

    /// Those who come later know by what the key has variants.
    fn learn(&self, head: &StoredHead) {
        (self.core.variants).learn(&self.ask.caller(), &head.selecting);
    }

    /// The answer of another request's fetch, where it is for this one too; `second` where it is not the first that this
    /// one waits for.
    pub(super) async fn of_flight(
        &self,
        flight: &Arc<Flight>,
        seat: Seat,
        second: bool,
    ) -> Followed {
        let waited = flight.is_waited_for();
        let fetched = {
            let _waiting = Waiting::new(&self.core.metrics);
            flight.fetched().await
        };
        let answer = match fetched {
            Fetched::Stored(entry, provenance)
                if self.may_share_stored(&entry, provenance, waited) =>
            {
                Ok(self.of_stored(&entry, provenance).await)
            }
            Fetched::Streaming(head) if self.may_share(&head, Provenance::Origin, waited) => {
                let Some(body) = seat.read() else {
                    return Followed::Alone;
                };
                Ok(self.of_stream(flight, body, &head).await)
            }
            Fetched::Failed(error) => match failure_of_all(error, second) {
                Ok(error) => Err(error),
                Err(followed) => return followed,
            },
            Fetched::Stored(entry, provenance) => {
                return self.not_shared(&entry.head, provenance, waited);
            }
            Fetched::Streaming(head) => {
                return self.not_shared(&head, Provenance::Origin, waited);
            }
            Fetched::NotShared => return Followed::Alone,
        };
        self.core.metrics.collapsed.inc();
        let answer = match answer {
            Ok(mut answered) => {
                answered.decision.collapsed = true;
                Ok(answered)
            }
            Err(error) => Err(Unanswered {
                error,
                collapsed: true,
            }),
        };
        Followed::Answered(Box::new(answer))
    }

    /// What becomes of this request where what another one fetched is not for it: it may be that only because of the variant.
    fn not_shared(&self, head: &StoredHead, provenance: Provenance, waited: bool) -> Followed {
        if !self.selects(head) && self.is_usable(head, provenance, waited) {
            Followed::OfAnother(head.selecting.clone())
        } else {
            Followed::Alone
        }
    }

    /// Whom this request shares a flight with, as far as it is known.
    pub(super) fn boarding(&self, caller: &Caller) -> Boarding {
        let selects = Selects::new(&self.ask.request, self.core.store.secret());
        self.core.variants.boarding(caller, &selects)
    }

    /// Whether what another request was given is for this one.
    fn may_share_stored(&self, entry: &Entry, provenance: Provenance, waited: bool) -> bool {
        let Provenance::StaleIfError(status) = provenance else {
            return self.may_share(&entry.head, provenance, waited);
        };
        let (core, ask, now) = (self.core, self.ask, self.core.clock.now());
        let Some(standing) = core.store.standing(entry, now) else {
            return false; // purged since
        };
        let verdict = reuse(&entry.head, &ask.request, &ask.rule.policy, standing, now);
        match verdict {
            // As it would be after a failure of its own.
            Reuse::Validate(why @ (Reason::Expired | Reason::Purged | Reason::PurgeGap)) => {
                self.selects(&entry.head) && stands_in(core, ask, entry, why, status.is_none())
            }
            Reuse::Validate(_) | Reuse::Fetch(_) | Reuse::Serve | Reuse::ServeStale => false,
        }
    }

    /// Whether what another request fetched is for this one.
    fn may_share(&self, head: &StoredHead, provenance: Provenance, waited: bool) -> bool {
        self.is_usable(head, provenance, waited) && self.selects(head)
    }

    /// Whether it may be given to this one, if it selects it: asked anew, as if it had been found in the store, unless this one
    /// had `waited` when it came.
    fn is_usable(&self, head: &StoredHead, provenance: Provenance, waited: bool) -> bool {
        let (request, policy) = (&self.ask.request, &self.ask.rule.policy);
        let now = self.core.clock.now();
        let verdict = reuse(head, request, policy, PurgeState::Good, now);
        match provenance {
            Provenance::Origin | Provenance::Validated => {
                verdict == Reuse::Serve
                    || (waited && answers_who_waited(head, request, policy, now))
            }
            Provenance::Replica => verdict == Reuse::Serve,
            Provenance::ValidatedOnce | Provenance::StaleIfError(_) => false,
        }
    }

    fn selects(&self, head: &StoredHead) -> bool {
        head.is_selected_by(&Selects::new(&self.ask.request, self.core.store.secret()))
    }

    /// The answer that a stored response gives.
    pub(super) async fn of_stored(&self, entry: &Arc<Entry>, provenance: Provenance) -> Answered {
        let now = self.core.clock.now();
        let age = match provenance {
            Provenance::Origin | Provenance::Validated | Provenance::ValidatedOnce => {
                AgeField::AsReceived(now)
            }
            Provenance::StaleIfError(_) | Provenance::Replica => AgeField::Current(now),
        };
        let Ask {
            rule,
            method,
            request,
            ..
        } = &**self.ask;
        Answered {
            response: deliver::stored_coding(self.core, rule, entry, method, request, age).await,
            decision: self.decision_of_stored(entry, provenance, now),
        }
    }

    fn decision_of_stored(
        &self,
        entry: &Entry,
        provenance: Provenance,
        now: SystemTime,
    ) -> Decision {
        let ttl = || {
            let standing = self.core.store.standing(entry, now);
            let purged = standing.and_then(PurgeState::stale_for);
            Some(entry.head.freshness.ttl(purged, now))
        };
        let revalidated = |storage| Decision {
            fwd_status: Some(StatusCode::NOT_MODIFIED),
            storage,
            ..Decision::new(Outcome::Revalidated, self.reason)
        };
        match provenance {
            Provenance::Origin => Decision {
                storage: Storage::Stored,
                ..Decision::new(Outcome::Miss, self.reason)
            },
            Provenance::Validated => revalidated(Storage::Stored),
            Provenance::ValidatedOnce => revalidated(Storage::None),
            Provenance::Replica => Decision {
                ttl: ttl(),
                tier: Some(Tier::Redis),
                collapsed: true,
                ..Decision::new(Outcome::Hit, Reason::Fresh)
            },
            Provenance::StaleIfError(status) => Decision {
                fwd_status: status,
                ttl: ttl(),
                ..Decision::new(Outcome::Stale, self.why_stale(entry, now))
            },
        }
    }

    /// By which permission it is served although the origin failed.
    fn why_stale(&self, entry: &Entry, now: SystemTime) -> Reason {
        let freshness = &entry.head.freshness;
        let (request, policy) = (&self.ask.request, &self.ask.rule.policy);
        if may_serve_on_error(freshness, request, policy, None, now) {
            Reason::IfError
        } else if freshness.is_fresh(now) {
            Reason::PurgeGap
        } else {
            Reason::OnDisconnect
        }
    }

    /// The answer with a body that arrives, or has just arrived.
    async fn of_stream(&self, flight: &Flight, body: Reading, head: &StoredHead) -> Answered {
        if let Some(entry) = flight.stored() {
            return self.of_stored(entry, Provenance::Origin).await;
        }
        let settings = &self.ask.rule.settings.coding;
        let (request, now) = (&self.ask.request, self.core.clock.now());
        let body = Arriving {
            reply: self,
            flight,
            body: Some(body),
        };
        Answered {
            response: deliver::arriving(settings, body, head, request, now),
            decision: Decision::new(Outcome::Miss, self.reason),
        }
    }

    /// The answer that may not be stored.
    pub(super) fn of_refused(&self, response: Response<Stream>, refusal: Refusal) -> Answered {
        let settings = &self.ask.rule.settings.coding;
        let (method, request) = (&self.ask.method, &self.ask.request);
        Answered {
            response: deliver::passing(self.core, settings, response, method, request),
            decision: Decision {
                storage: Storage::Refused(refusal),
                ..Decision::new(Outcome::Miss, self.reason)
            },
        }
    }
}

/// The body of a flight for one who reads it: as it is, or in a coding that all share who want it.
struct Arriving<'r> {
    reply: &'r Reply<'r>,
    flight: &'r Flight,
    /// From its beginning. There until it is given away.
    body: Option<Reading>,
}

impl deliver::Arriving for Arriving<'_> {
    fn in_coding(&mut self, coding: Coding) -> Option<Stream> {
        let core = self.reply.core;
        match self.flight.in_coding(coding, self.body.take()?) {
            Coded::Shared(coded) => Some(Box::pin(coded)),
            Coded::Begun(coded, making) => {
                core.metrics.coded(coding);
                let settings = &self.reply.ask.rule.settings;
                let encoder = coding::stream_encoder(coding, settings.coding.levels);
                let coders = Arc::clone(&core.stream_coders);
                core.spawn(making.run(encoder, coders, limits(settings)));
                Some(Box::pin(coded))
            }
            Coded::TooLate(body) => {
                self.body = Some(body);
                None
            }
        }
    }

    fn identity(self) -> Stream {
        Box::pin(self.body.expect("it is given away once"))
    }
}

/// The error that a follower fails with too. An origin that cannot be reached answers nobody; another failure may be about
/// one request. Neither does one answer that hangs twice, and to find that out has taken long enough. That there was no
/// place for the leader may be because of all that its client asks for; another one's turn comes sooner.
fn failure_of_all(error: FetchError, second: bool) -> Result<FetchError, Followed> {
    match error {
        FetchError::Origin(OriginError::Connect(_) | OriginError::ConnectTimeout) => Ok(error),
        FetchError::Origin(OriginError::Timeout) | FetchError::Overloaded if second => Ok(error),
        FetchError::Origin(OriginError::Timeout) | FetchError::Overloaded => Err(Followed::Again),
        FetchError::Origin(OriginError::TooLarge | OriginError::Broken(_))
        | FetchError::ClientBody
        | FetchError::ClientSlow
        | FetchError::Abandoned
        | FetchError::OnlyIfCached => Err(Followed::Alone),
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
