//! One request: key, lookup, verdict, then serve, or go and fetch.
//!
//! [`begin`] is synchronous and ends most requests; [`proceed`] does what has to wait.

use super::{
    Shared,
    body::Body,
    deliver::{self, AgeField},
    fill::{self, Fetch},
    flight::{Boarding, Fetched, Flight, Landing},
    forward, pass,
    rescue::Problem,
    route::{Compiled, RouteId},
    target::{BYPASS, Target},
    upstream::RequestBody,
};
use crate::{
    semantics::{
        Decision, Key, Outcome, Policy, Reason, Reuse, Storage, StoredHead, Tier,
        conditional::is_for_the_origin,
        directives::RequestDirectives,
        key::Builder,
        policy::{ClientDirectives, Share},
        reuse::{Standing, reuse},
    },
    store::{Entry, Found, Lookup},
};
use http::{
    HeaderMap, HeaderValue, Method, Request, Response,
    header::{AUTHORIZATION, COOKIE, RANGE},
};
use http_body_util::Either;
use hyper::body::Incoming;
use std::{net::SocketAddr, sync::Arc, time::SystemTime};

/// An answer with why.
#[derive(Debug)]
pub(super) struct Answered {
    pub(super) response: Response<Body>,
    pub(super) decision: Decision,
}

/// How far a request came without waiting.
#[derive(Debug)]
pub(super) enum Begin {
    /// It is answered.
    Answered(Answered),
    /// It is answered with something stale, which is to be refreshed.
    Stale(Answered, Refresh),
    /// It has to wait for something.
    Go(Plan),
}

/// What is to be refreshed in the background.
#[derive(Debug)]
pub(super) struct Refresh {
    pub(super) key: Key,
    pub(super) entry: Arc<Entry>,
}

/// What a request has to wait for.
#[derive(Debug)]
pub(super) enum Plan {
    /// The upstream: the cache is not asked.
    Pass(Reason),
    /// The outer tier, and then perhaps the upstream.
    Ask { key: Key, memory: Miss },
    /// A coding of what is stored; then the answer is there.
    Code {
        found: Found,
        decision: Decision,
        refresh: Option<Refresh>,
    },
}

/// Why memory could not answer, and what it has all the same.
#[derive(Debug)]
pub(super) struct Miss {
    reason: Reason,
    stored: Option<Arc<Entry>>,
}

/// A request on its way, as far as it is not the message itself.
#[derive(Clone, Debug)]
pub(super) struct Asked<'a> {
    pub(super) shared: &'a Arc<Shared>,
    pub(super) route: RouteId,
    pub(super) target: Target,
    pub(super) peer: SocketAddr,
    pub(super) id: HeaderValue,
}

/// As far as it goes without waiting: route to response for what memory has.
pub(super) fn begin<B>(
    shared: &Shared,
    route: &Compiled,
    target: &Target,
    request: &Request<B>,
) -> Begin {
    if let Some(reason) = bypass(shared, &route.route.policy, request) {
        return Begin::Go(Plan::Pass(reason));
    }
    let now = shared.clock.now();
    let key = key_of(route, target, request);
    let miss = match shared.store.lookup_memory(&key, request.headers(), now) {
        Lookup::Hit(found) => match judge(&route.route.policy, request.headers(), &found, now) {
            Ok(decision) => return serve(shared, key, found, decision, request, now),
            Err(reason) => Miss {
                reason,
                stored: Some(found.entry),
            },
        },
        Lookup::VaryMiss => Miss {
            reason: Reason::VaryMiss,
            stored: None,
        },
        Lookup::Miss => Miss {
            reason: Reason::UriMiss,
            stored: None,
        },
    };
    Begin::Go(Plan::Ask { key, memory: miss })
}

/// Why the cache is not asked, if so.
fn bypass<B>(shared: &Shared, policy: &Policy, request: &Request<B>) -> Option<Reason> {
    let headers = request.headers();
    if !shared.settings.enabled {
        return Some(Reason::Disabled);
    }
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        return Some(Reason::Method);
    }
    if !policy.cache {
        return Some(Reason::Route);
    }
    if headers.contains_key(BYPASS) && has_token(shared, headers) {
        return Some(Reason::Token);
    }
    if is_for_the_origin(headers) {
        return Some(Reason::Precondition);
    }
    headers.contains_key(RANGE).then_some(Reason::Range)
}

/// Compares in a time that does not tell how much of the token was right.
fn has_token(shared: &Shared, headers: &HeaderMap) -> bool {
    let (Some(token), Some(given)) = (&shared.settings.bypass_token, headers.get(BYPASS)) else {
        return false;
    };
    let (token, given) = (token.as_bytes(), given.as_bytes());
    token.len() == given.len()
        && token
            .iter()
            .zip(given)
            .fold(0, |differs, (a, b)| differs | (a ^ b))
            == 0
}

/// The primary key. Scheme and host are those that the upstream is told of, because it may answer by them.
pub(super) fn key_of<B>(route: &Compiled, target: &Target, request: &Request<B>) -> Key {
    let headers = request.headers();
    let scheme = headers
        .get(forward::X_FORWARDED_PROTO)
        .and_then(|proto| proto.to_str().ok())
        .unwrap_or("http");
    let mut key = Builder::new(scheme, target.host(request), target.path());
    if let Some(forwarded) = headers.get(forward::X_FORWARDED_HOST) {
        key = key.field("x-forwarded-host", Some(forwarded.as_bytes()));
    }
    route.route.key.complete(key, target.query(), headers)
}

/// The decision to serve what was found, or the reason not to.
fn judge(
    policy: &Policy,
    request: &HeaderMap,
    found: &Found,
    now: SystemTime,
) -> Result<Decision, Reason> {
    let freshness = &found.entry.head.freshness;
    let (outcome, reason) = match reuse(&found.entry.head, request, policy, found.standing, now) {
        Reuse::Serve if freshness.is_fresh(now) => (Outcome::Hit, Reason::Fresh),
        Reuse::Serve => (Outcome::Stale, Reason::Client),
        Reuse::ServeStale => (Outcome::Stale, Reason::WhileRevalidate),
        Reuse::Validate(reason) | Reuse::Fetch(reason) => return Err(reason),
    };
    Ok(Decision {
        tier: Some(found.tier),
        ttl: Some(freshness.ttl(now)),
        ..Decision::new(outcome, reason)
    })
}

fn serve<B>(
    shared: &Shared,
    key: Key,
    found: Found,
    decision: Decision,
    request: &Request<B>,
    now: SystemTime,
) -> Begin {
    let refresh = (decision.reason == Reason::WhileRevalidate).then(|| Refresh {
        key,
        entry: Arc::clone(&found.entry),
    });
    let (method, headers) = (request.method(), request.headers());
    match (
        deliver::stored(
            shared,
            &found.entry,
            method,
            headers,
            AgeField::Current,
            now,
        ),
        refresh,
    ) {
        (Some(response), None) => Begin::Answered(Answered { response, decision }),
        (Some(response), Some(refresh)) => Begin::Stale(Answered { response, decision }, refresh),
        (None, refresh) => Begin::Go(Plan::Code {
            found,
            decision,
            refresh,
        }),
    }
}

/// What has to wait. Dropping it gives up the request, but not a fetch that was begun for the cache.
pub(super) async fn proceed(
    asked: Asked<'_>,
    plan: Plan,
    request: Request<Incoming>,
) -> Result<Answered, Problem> {
    match plan {
        Plan::Pass(reason) => pass::pass(&asked, reason, request).await,
        Plan::Ask { key, memory } => asked.ask(key, memory, request).await,
        Plan::Code {
            found,
            decision,
            refresh,
        } => Ok(asked.code(found, decision, refresh, &request).await),
    }
}

impl Asked<'_> {
    fn route(&self) -> &Compiled {
        self.shared.routes.get(self.route)
    }

    async fn code<B>(
        &self,
        found: Found,
        decision: Decision,
        refresh: Option<Refresh>,
        request: &Request<B>,
    ) -> Answered {
        if let Some(refresh) = refresh {
            super::refresh::start(
                self.shared,
                self.route,
                &self.target,
                request,
                self.peer,
                refresh,
            );
        }
        let (method, headers) = (request.method(), request.headers());
        let response = deliver::stored_coding(
            self.shared,
            &found.entry,
            method,
            headers,
            AgeField::Current,
        )
        .await;
        Answered { response, decision }
    }

    /// The outer tier, then a flight.
    async fn ask(
        &self,
        key: Key,
        mut miss: Miss,
        request: Request<Incoming>,
    ) -> Result<Answered, Problem> {
        let policy = &self.route().route.policy;
        if self.shared.store.has_outer() && miss.stored.is_none() {
            let now = self.shared.clock.now();
            match self
                .shared
                .store
                .lookup_outer(&key, request.headers(), now)
                .await
            {
                Lookup::Hit(found) => match judge(policy, request.headers(), &found, now) {
                    Ok(decision) => {
                        let refresh =
                            (decision.reason == Reason::WhileRevalidate).then(|| Refresh {
                                key,
                                entry: Arc::clone(&found.entry),
                            });
                        return Ok(self.code(found, decision, refresh, &request).await);
                    }
                    Err(reason) => {
                        miss = Miss {
                            reason,
                            stored: Some(found.entry),
                        }
                    }
                },
                Lookup::VaryMiss => miss.reason = Reason::VaryMiss,
                Lookup::Miss => {}
            }
        }
        if only_if_cached(policy, request.headers()) {
            return Err(Problem::OnlyIfCached);
        }
        if *request.method() == Method::HEAD {
            return pass::pass(self, miss.reason, request).await; // there is no body to store
        }
        self.fly(key, miss, &request).await
    }

    /// Waits for a fetch: its own, or that of another request.
    async fn fly<B>(
        &self,
        key: Key,
        miss: Miss,
        request: &Request<B>,
    ) -> Result<Answered, Problem> {
        let flights = &self.shared.flights;
        // What such a caller fetches could not be shared, so nobody is to wait for it.
        let private = has_credentials(&self.route().route.policy, request.headers());
        let boarding = if private {
            Boarding::Lead(flights.alone())
        } else {
            flights.board(&key)
        };
        let reason = miss.reason;
        match boarding {
            Boarding::Lead(departure) => {
                let flight = Arc::clone(&departure.flight);
                self.depart(departure, key, miss.stored, request);
                self.land(&flight, reason, request).await
            }
            Boarding::Follow(flight) => match self.join(&flight, reason, request).await {
                Some(answered) => Ok(answered),
                None => {
                    let departure = flights.alone();
                    let flight = Arc::clone(&departure.flight);
                    self.depart(departure, key, miss.stored, request);
                    self.land(&flight, reason, request).await
                }
            },
        }
    }

    /// Begins the fetch in a task of its own, so that it outlives this client.
    fn depart<B>(
        &self,
        departure: super::flight::Departure,
        key: Key,
        stored: Option<Arc<Entry>>,
        request: &Request<B>,
    ) {
        let fetch = fetch_for(
            self.shared,
            self.route,
            &self.target,
            request,
            self.peer,
            &self.id,
            key,
            stored,
        );
        self.shared
            .tasks
            .spawn(fill::run(Arc::clone(self.shared), departure, fetch));
    }

    /// The answer of a fetch that this request began.
    async fn land<B>(
        &self,
        flight: &Flight,
        reason: Reason,
        request: &Request<B>,
    ) -> Result<Answered, Problem> {
        match flight.landing().await {
            Landing::Stored(entry, fetched) => {
                Ok(self.landed(&entry, fetched, reason, request).await)
            }
            Landing::Streaming(head) => {
                let response = deliver::arriving(self.shared, flight, &head, request.headers());
                let response = response.ok_or(super::upstream::UpstreamError::Abandoned)?;
                let decision = Decision {
                    storage: Storage::Stored,
                    ..Decision::new(Outcome::Miss, reason)
                };
                Ok(Answered { response, decision })
            }
            Landing::Alone(refusal) => {
                let response = flight
                    .take_refused()
                    .ok_or(super::upstream::UpstreamError::Abandoned)?;
                let decision = Decision {
                    storage: Storage::Refused(refusal),
                    ..Decision::new(Outcome::Miss, reason)
                };
                Ok(Answered {
                    response: pass::finish(self.shared, response, request.headers()),
                    decision,
                })
            }
            Landing::Failed(error) => Err(error.into()),
        }
    }

    /// The answer of another request's fetch, where it is for this one too.
    async fn join<B>(
        &self,
        flight: &Flight,
        reason: Reason,
        request: &Request<B>,
    ) -> Option<Answered> {
        let answered = match flight.landing().await {
            Landing::Stored(entry, fetched)
                if self.may_share(&entry.head, fetched, request.headers()) =>
            {
                self.landed(&entry, fetched, reason, request).await
            }
            Landing::Streaming(head) if self.may_share(&head, Fetched::New, request.headers()) => {
                let response = deliver::arriving(self.shared, flight, &head, request.headers())?;
                Answered {
                    response,
                    decision: Decision::new(Outcome::Miss, reason),
                }
            }
            Landing::Failed(error) => super::rescue::answer(error.into()),
            Landing::Stored(..) | Landing::Streaming(_) | Landing::Alone(_) => return None,
        };
        self.shared.metrics.collapsed.inc();
        Some(Answered {
            decision: Decision {
                collapsed: true,
                ..answered.decision
            },
            ..answered
        })
    }

    /// Whether what another request fetched is for this one: asked anew, as if it had been found in the store.
    fn may_share(&self, head: &StoredHead, fetched: Fetched, request: &HeaderMap) -> bool {
        let now = self.shared.clock.now();
        let verdict = reuse(
            head,
            request,
            &self.route().route.policy,
            Standing::Good,
            now,
        );
        let usable = match fetched {
            Fetched::New | Fetched::Confirmed => verdict == Reuse::Serve,
            Fetched::StaleOnError(_) => matches!(verdict, Reuse::Validate(Reason::Expired)),
        };
        usable && head.selecting.matches(request)
    }

    async fn landed<B>(
        &self,
        entry: &Arc<Entry>,
        fetched: Fetched,
        reason: Reason,
        request: &Request<B>,
    ) -> Answered {
        let age = match fetched {
            Fetched::New | Fetched::Confirmed => AgeField::AsReceived,
            Fetched::StaleOnError(_) => AgeField::Current,
        };
        let response =
            deliver::stored_coding(self.shared, entry, request.method(), request.headers(), age)
                .await;
        let decision = match fetched {
            Fetched::New => Decision {
                storage: Storage::Stored,
                ..Decision::new(Outcome::Miss, reason)
            },
            Fetched::Confirmed => Decision {
                fwd_status: Some(http::StatusCode::NOT_MODIFIED),
                storage: Storage::Stored,
                ..Decision::new(Outcome::Revalidated, reason)
            },
            Fetched::StaleOnError(status) => Decision {
                fwd_status: status,
                ttl: Some(entry.head.freshness.ttl(self.shared.clock.now())),
                tier: Some(Tier::Memory),
                ..Decision::new(Outcome::Stale, Reason::IfError)
            },
        };
        Answered { response, decision }
    }
}

/// What a fetch for the cache needs of the request that causes it.
#[expect(
    clippy::too_many_arguments,
    reason = "each is another fact about the request, and both callers have them apart"
)]
pub(super) fn fetch_for<B>(
    shared: &Shared,
    route: RouteId,
    target: &Target,
    request: &Request<B>,
    peer: SocketAddr,
    id: &HeaderValue,
    key: Key,
    stored: Option<Arc<Entry>>,
) -> Fetch {
    let authority = shared.upstream.authority();
    let mut upstream: Request<RequestBody> =
        Request::new(Either::Left(http_body_util::Empty::new()));
    *upstream.uri_mut() = forward::upstream_uri(target, authority);
    *upstream.headers_mut() = forward::request_headers(request, target, authority, id, peer);
    for name in [http::header::CONTENT_LENGTH, http::header::CONTENT_TYPE] {
        upstream.headers_mut().remove(name); // a body of a GET has no meaning and is not passed on (RFC 9110 §9.3.1)
    }
    let path = target.path().to_owned();
    Fetch {
        key,
        route,
        request: upstream,
        asked: request.headers().clone(),
        path,
        stored,
    }
}

/// Whether the caller may get an answer of his own that the route does not let others see.
fn has_credentials(policy: &Policy, request: &HeaderMap) -> bool {
    let own = |name, in_key: bool| request.contains_key(name) && !in_key;
    policy.share != Share::All
        && (own(AUTHORIZATION, policy.key_has_authorization) || own(COOKIE, policy.key_has_cookie))
}

/// RFC 9111 §5.2.1.7, where the route respects clients.
fn only_if_cached(policy: &Policy, request: &HeaderMap) -> bool {
    policy.client_directives == ClientDirectives::Respect
        && RequestDirectives::of(request).only_if_cached
}
