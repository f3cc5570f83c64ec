//! What has to wait: a coding, the outer tier, and a fetch, its own or another request's.

#[path = "fetch/answer.rs"]
mod landing;

use self::landing::Joined;
use super::{
    Shared,
    cache::{Answered, Miss, Plan, Refresh, judge, wants_refresh},
    deliver::{self, AgeField},
    fill::{self, Fetch, Inline},
    flight::{Boarding, Departure, Fetched, Party},
    forward, pass, purge, query,
    rescue::Problem,
    route::{Collapse, Compiled, RouteId},
    target::Target,
    upstream::RequestBody,
};
use crate::{
    interim::Interim,
    semantics::{
        Decision, Key, Policy, Reason,
        directives::RequestDirectives,
        policy::{ClientDirectives, Share},
        range::is_asked_for,
        reuse::may_serve_on_error,
    },
    store::{Entry, Found, Lookup},
};
use bytes::Bytes;
use http::{
    HeaderMap, HeaderValue, Method, Request,
    header::{AUTHORIZATION, COOKIE},
};
use http_body_util::Either;
use hyper::body::Incoming;
use std::{net::SocketAddr, sync::Arc};

/// A request on its way, as far as it is not the message itself.
#[derive(Clone, Debug)]
pub(super) struct Asked<'a> {
    pub(super) shared: &'a Arc<Shared>,
    pub(super) route: RouteId,
    pub(super) target: Target,
    pub(super) peer: SocketAddr,
    pub(super) id: HeaderValue,
    /// The body of a QUERY.
    pub(super) query: Option<Bytes>,
    /// Where its interim responses go; `None` for a client that knows none.
    pub(super) interim: Option<Interim>,
}

/// What has to wait. Dropping it gives up the request, but not a fetch that was begun for the cache.
pub(super) async fn proceed(
    asked: Asked<'_>,
    plan: Plan,
    request: Request<Incoming>,
) -> Result<Answered, Problem> {
    // Thousands may wait for one fetch: what only others need has a box of its own, and takes no room in their future.
    match plan {
        Plan::Pass(reason) => Box::pin(pass::pass(&asked, reason, request)).await,
        // The outer tier, then a flight.
        Plan::Ask { key, memory } => {
            match Box::pin(asked.ask_outer(key, memory, &request)).await? {
                Outer::Answered(answered) => Ok(answered),
                Outer::Miss(key, miss) if *request.method() == Method::HEAD => {
                    Box::pin(asked.head(key, miss, request)).await
                }
                Outer::Miss(key, miss) => asked.fly(key, miss, &request).await,
            }
        }
        Plan::Query => Box::pin(query::answer(asked, request)).await,
        Plan::Purge => Box::pin(purge::answer(asked.shared, &asked.target, &request)).await,
        Plan::Code {
            found,
            decision,
            refresh,
        } => Ok(Box::pin(asked.code(found, decision, refresh, &request)).await),
    }
}

/// What became of asking the outer tier.
pub(super) enum Outer {
    Answered(Answered),
    Miss(Key, Miss),
}

impl Asked<'_> {
    pub(super) fn route(&self) -> &Compiled {
        self.shared.routes.get(self.route)
    }

    pub(super) async fn code<B>(
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

    /// Passes a HEAD on: there is no body to store, but what is stored may be freshened by it (RFC 9111 §4.3.5).
    async fn head(
        &self,
        key: Key,
        miss: Miss,
        request: Request<Incoming>,
    ) -> Result<Answered, Problem> {
        let shared = self.shared;
        let freshening = miss.stored.map(|stored| {
            let departure = shared.flights.alone(shared.store.purges_seen());
            let fetch = fetch_for(
                shared,
                self.route,
                &self.target,
                &request,
                self.peer,
                &self.id,
                key,
                Some(stored),
            );
            fill::Freshening::begin(shared, departure, fetch)
        });
        let answered = pass::pass(self, miss.reason, request).await?;
        if let Some(freshening) = freshening {
            freshening.end(answered.response.status(), answered.response.headers());
        }
        Ok(answered)
    }

    /// What the outer tier has, where memory has nothing, or something expired or purged.
    pub(super) async fn ask_outer<B>(
        &self,
        key: Key,
        mut miss: Miss,
        request: &Request<B>,
    ) -> Result<Outer, Problem> {
        let (policy, headers) = (&self.route().route.policy, request.headers());
        // What another replica has refreshed since is nearer than the upstream.
        let may_be_newer = matches!(miss.reason, Reason::Expired | Reason::Purged);
        if self.shared.store.has_outer() && (miss.stored.is_none() || may_be_newer) {
            let now = self.shared.clock.now();
            match self.shared.store.lookup_outer(&key, headers, now).await {
                Lookup::Hit(found) => match judge(policy, request, &found, now) {
                    Ok(decision) => {
                        let stale = decision.reason == Reason::WhileRevalidate;
                        let entry = Arc::clone(&found.entry);
                        if stale && query::is_one(request.method()) {
                            miss = Miss {
                                reason: Reason::Expired,
                                stored: Some(entry),
                            };
                            return Ok(Outer::Miss(key, miss));
                        }
                        let wanted = wants_refresh(self.route(), &found, decision, now)
                            && !query::is_one(request.method());
                        let refresh = wanted.then_some(Refresh {
                            key,
                            entry,
                            purged: found.standing.stale_for(),
                        });
                        let answered = self.code(found, decision, refresh, request).await;
                        return Ok(Outer::Answered(answered));
                    }
                    Err(other) if other.is_newer_than(&miss) => miss = other,
                    Err(_) => {}
                },
                Lookup::VaryMiss if miss.stored.is_none() => miss.reason = Reason::VaryMiss,
                Lookup::VaryMiss | Lookup::Miss => {}
            }
        }
        match only_if_cached(policy, headers) {
            true => Err(Problem::OnlyIfCached),
            false => Ok(Outer::Miss(key, miss)),
        }
    }

    /// Waits for a fetch: its own, or that of another request.
    pub(super) async fn fly<B>(
        &self,
        key: Key,
        miss: Miss,
        request: &Request<B>,
    ) -> Result<Answered, Problem> {
        let (flights, route) = (&self.shared.flights, &self.route().route);
        let party = Party {
            key: key.clone(),
            private: has_credentials(&route.policy, request.headers()),
        };
        if let Some(answered) = self.spared(&party, &miss, request).await {
            return Ok(answered);
        }
        // A part is not what others wait for.
        let mut alone = is_asked_for(request.headers()) || route.collapse == Collapse::Off;
        if !alone && flights.is_uncacheable(&party) {
            match miss.stored {
                None => return Box::pin(self.fly_inline(party, miss, request)).await,
                Some(_) => alone = true,
            }
        }
        let mut second = false;
        let departure = loop {
            let purges = self.shared.store.purges_seen();
            let boarding = match alone {
                true => Boarding::Lead(flights.alone(purges)),
                false => flights.board(party.clone(), purges),
            };
            match boarding {
                Boarding::Lead(departure) => break departure,
                Boarding::Follow(flight) => {
                    match self.join(&flight, miss.reason, request, second).await {
                        Joined::Answered(answered) => return Ok(*answered),
                        // What it brought is not for this caller, or it broke on something in its leader's request.
                        Joined::Alone => alone = true,
                        Joined::Again => second = true,
                    }
                }
            }
        };
        let flight = Arc::clone(&departure.flight);
        flight.seat_leader();
        let reason = miss.reason;
        self.depart(departure, key, miss, request);
        self.land(&flight, reason, request).await
    }

    /// What is stored, where the origin has just failed for this key and that is reason enough (RFC 5861 §4).
    async fn spared<B>(
        &self,
        party: &Party,
        miss: &Miss,
        request: &Request<B>,
    ) -> Option<Answered> {
        let stored = miss
            .stored
            .as_ref()
            .filter(|_| miss.reason == Reason::Expired)?;
        let (shared, now) = (self.shared, self.shared.clock.now());
        let purged = shared.store.standing(stored, now)?.stale_for();
        let spare = shared.refresher.is_failing(party)
            && may_serve_on_error(&stored.head.freshness, purged, now)
            && stored.head.part.is_none();
        if !spare {
            return None;
        }
        let fetched = Fetched::StaleOnError(None);
        Some(self.landed(stored, fetched, miss.reason, request).await)
    }

    /// For a key whose last answer was for nobody else: without a task, and without anybody who waits.
    async fn fly_inline<B>(
        &self,
        party: Party,
        miss: Miss,
        request: &Request<B>,
    ) -> Result<Answered, Problem> {
        let (shared, reason) = (self.shared, miss.reason);
        let fetch = self.prepare(party.key.clone(), miss, request);
        match fill::inline(shared, fetch).await? {
            Inline::Refused(response, refusal) => {
                shared.flights.remember_uncacheable(&party);
                Ok(self.refused(response, refusal, reason, request))
            }
            Inline::Storable(came) => {
                let (begun, fetch, response) = *came;
                let departure = shared.flights.alone(shared.store.purges_seen());
                let flight = Arc::clone(&departure.flight);
                flight.seat_leader();
                let keeping = fill::keep(Arc::clone(shared), departure, begun, fetch, response);
                shared.tasks.spawn(keeping);
                self.land(&flight, reason, request).await
            }
        }
    }

    /// Begins the fetch in a task of its own, so that it outlives this client.
    fn depart<B>(&self, departure: Departure, key: Key, miss: Miss, request: &Request<B>) {
        let fetch = self.prepare(key, miss, request);
        self.shared
            .tasks
            .spawn(fill::run(Arc::clone(self.shared), departure, fetch));
    }

    /// What is to be fetched for this request.
    fn prepare<B>(&self, key: Key, miss: Miss, request: &Request<B>) -> Fetch {
        let mut fetch = fetch_for(
            self.shared,
            self.route,
            &self.target,
            request,
            self.peer,
            &self.id,
            key,
            miss.stored,
        );
        if let Some(body) = &self.query {
            query::ask(&mut fetch.request, request.headers(), body);
        }
        if let Some(interim) = &self.interim {
            forward::pass_interim(&mut fetch.request, interim);
        }
        fetch.only_in_doubt = miss.reason == Reason::PurgeGap;
        fetch.has_variants = miss.reason == Reason::VaryMiss;
        fetch
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
        Request::new(Either::Left(http_body_util::Full::default()));
    *upstream.uri_mut() = forward::upstream_uri(target, authority);
    *upstream.headers_mut() = forward::request_headers(request, target, authority, id, peer);
    for name in [http::header::CONTENT_LENGTH, http::header::CONTENT_TYPE] {
        upstream.headers_mut().remove(name); // a body of a GET has no meaning and is not passed on (RFC 9110 §9.3.1)
    }
    let (host, path) = (target.host(request).to_vec(), target.path().to_owned());
    Fetch {
        query: target.query().map(str::to_owned),
        key,
        route,
        request: upstream,
        asked: request.headers().clone(),
        host,
        path,
        stored,
        private: has_credentials(&shared.routes.get(route).route.policy, request.headers()),
        only_in_doubt: false,
        has_variants: false,
    }
}

/// Whether the caller may get an answer of his own that the route does not let others see.
pub(super) fn has_credentials(policy: &Policy, request: &HeaderMap) -> bool {
    let own = |name, in_key: bool| request.contains_key(name) && !in_key;
    policy.share != Share::All
        && (own(AUTHORIZATION, policy.key_has_authorization) || own(COOKIE, policy.key_has_cookie))
}

/// RFC 9111 §5.2.1.7, where the route respects clients.
fn only_if_cached(policy: &Policy, request: &HeaderMap) -> bool {
    policy.client_directives == ClientDirectives::Respect
        && RequestDirectives::of(request).only_if_cached
}
