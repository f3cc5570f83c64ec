//! One request: key, lookup, verdict, and the answer where memory has it.
//!
//! [`begin`] is synchronous and ends most requests; what has to wait is in `fetch`.

use super::{
    Shared,
    body::Body,
    deliver::{self, AgeField},
    forward, purge, query,
    route::Compiled,
    target::{BYPASS, Target},
};
use crate::{
    semantics::{
        Decision, Key, Outcome, Policy, Reason, Reuse, conditional::is_for_the_origin,
        freshness::refreshes_early, key::Builder, range, reuse::reuse,
    },
    store::{Entry, Found, Lookup},
};
use http::{HeaderMap, HeaderValue, Method, Request, Response};
use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

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
    /// It is answered with something that is to be refreshed.
    Refreshing(Answered, Refresh),
    /// It has to wait for something.
    Go(Plan),
}

/// What is to be refreshed in the background.
#[derive(Debug)]
pub(super) struct Refresh {
    pub(super) key: Key,
    pub(super) entry: Arc<Entry>,
    /// For how long it has been purged softly.
    pub(super) purged: Option<Duration>,
}

/// What a request has to wait for.
#[derive(Debug)]
pub(super) enum Plan {
    /// The upstream: the cache is not asked.
    Pass(Reason),
    /// The outer tier, and then perhaps the upstream.
    Ask { key: Key, memory: Miss },
    /// The body of a QUERY, which is part of its key.
    Query,
    /// The purge log.
    Purge,
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
    pub(super) reason: Reason,
    pub(super) stored: Option<Arc<Entry>>,
}

impl Miss {
    /// Whether what it has comes later from the origin than what `other` has, if anything.
    pub(super) fn is_newer_than(&self, other: &Self) -> bool {
        let came = |miss: &Self| {
            let stored = miss.stored.as_ref();
            stored.map(|entry| entry.head.freshness.response_time)
        };
        other.stored.is_none() || came(self) > came(other)
    }
}

/// As far as it goes without waiting: route to response for what memory has.
pub(super) fn begin<B>(
    shared: &Shared,
    route: &Compiled,
    target: &Target,
    request: &Request<B>,
) -> Begin {
    if purge::is_one(shared, request) {
        return Begin::Go(Plan::Purge);
    }
    if let Some(reason) = bypass(shared, &route.route.policy, request) {
        return Begin::Go(Plan::Pass(reason));
    }
    if query::is_one(request.method()) {
        return Begin::Go(Plan::Query);
    }
    look_up(
        shared,
        route,
        key_of(shared, route, target, request),
        request,
    )
}

/// What memory has for `key`.
pub(super) fn look_up<B>(
    shared: &Shared,
    route: &Compiled,
    key: Key,
    request: &Request<B>,
) -> Begin {
    let now = shared.clock.now();
    let miss = match shared.store.lookup_memory(&key, request.headers(), now) {
        Lookup::Hit(found) => match judge(&route.route.policy, request, &found, now) {
            Ok(decision) => {
                let refresh = wants_refresh(route, &found, decision, now).then(|| Refresh {
                    key,
                    entry: Arc::clone(&found.entry),
                    purged: found.standing.stale_for(),
                });
                return serve(shared, found, decision, refresh, request, now);
            }
            Err(miss) => miss,
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
    if !matches!(*request.method(), Method::GET | Method::HEAD) && !query::is_small(request) {
        return Some(Reason::Method);
    }
    if !policy.cache {
        return Some(Reason::Route);
    }
    if has_token(shared, headers) {
        return Some(Reason::Token);
    }
    is_for_the_origin(headers).then_some(Reason::Precondition)
}

fn has_token(shared: &Shared, headers: &HeaderMap) -> bool {
    same_secret(shared.settings.bypass_token.as_deref(), headers.get(BYPASS))
}

/// Compares in a time that does not tell how much of it was right.
pub(super) fn same_secret(token: Option<&str>, given: Option<&HeaderValue>) -> bool {
    let (Some(token), Some(given)) = (token, given) else {
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

/// The primary key: with everything that tells the upstream how it was reached, because it may answer by that.
pub(super) fn key_of<B>(
    shared: &Shared,
    route: &Compiled,
    target: &Target,
    request: &Request<B>,
) -> Key {
    key_builder(shared, route, target, request).build()
}

/// The key as far as the target and the fields make it.
pub(super) fn key_builder<B>(
    shared: &Shared,
    route: &Compiled,
    target: &Target,
    request: &Request<B>,
) -> Builder {
    let (headers, host) = (request.headers(), target.host(request));
    let mut key = Builder::new("http", host, target.path());
    for (name, value) in headers {
        if forward::says_how_it_was_reached(name) {
            key = key.field(name.as_str(), Some(value.as_bytes()));
        }
    }
    let spec = &route.route.key;
    match spec.no_vary_search {
        false => spec.complete(key, target.query(), headers),
        true => {
            let counted = shared.searches.counted(host, target.path(), target.query());
            spec.complete(key, counted.as_deref(), headers)
        }
    }
}

/// The decision to serve what was found, or why not and what of it is of use all the same.
pub(super) fn judge<B>(
    policy: &Policy,
    request: &Request<B>,
    found: &Found,
    now: SystemTime,
) -> Result<Decision, Miss> {
    let (method, request) = (request.method(), request.headers());
    if let Some(part) = found.entry.head.part
        && (*method != Method::GET // which alone knows ranges (RFC 9110 §14.2)
            || range::select_of_part(request, &found.entry.head, part).is_none())
    {
        // Only a part is stored, and something else is asked for. It may be completed.
        let stored = Some(Arc::clone(&found.entry));
        return Err(Miss {
            reason: Reason::Range,
            stored,
        });
    }
    let freshness = &found.entry.head.freshness;
    let (outcome, reason) = match reuse(&found.entry.head, request, policy, found.standing, now) {
        Reuse::Serve if freshness.is_fresh(now) => (Outcome::Hit, Reason::Fresh),
        Reuse::Serve => (Outcome::Stale, Reason::Client),
        Reuse::ServeStale => (Outcome::Stale, Reason::WhileRevalidate),
        Reuse::Validate(reason) => {
            let stored = Some(Arc::clone(&found.entry));
            return Err(Miss { reason, stored });
        }
        // What is stored is for others: it is neither confirmed nor replaced for this caller.
        Reuse::Fetch(reason) => {
            return Err(Miss {
                reason,
                stored: None,
            });
        }
    };
    Ok(Decision {
        tier: Some(found.tier),
        ttl: Some(freshness.ttl(now)),
        ..Decision::new(outcome, reason)
    })
}

/// Whether an answer from the store begins a refresh: one that is stale, and here and there one that soon will be.
pub(super) fn wants_refresh(
    route: &Compiled,
    found: &Found,
    decision: Decision,
    now: SystemTime,
) -> bool {
    match (decision.reason, route.route.refresh_ahead) {
        (Reason::WhileRevalidate, _) => true,
        (Reason::Fresh, Some(window)) => {
            let freshness = &found.entry.head.freshness;
            let left = freshness.lifetime.saturating_sub(freshness.age(now));
            // What is fresh for less than the window would be refreshed without end.
            let window = window.min(freshness.lifetime / 4);
            refreshes_early(left, window, fastrand::f64())
        }
        _ => false,
    }
}

fn serve<B>(
    shared: &Shared,
    found: Found,
    decision: Decision,
    refresh: Option<Refresh>,
    request: &Request<B>,
    now: SystemTime,
) -> Begin {
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
        (Some(response), Some(refresh)) => {
            Begin::Refreshing(Answered { response, decision }, refresh)
        }
        (None, refresh) => Begin::Go(Plan::Code {
            found,
            decision,
            refresh,
        }),
    }
}
