//! What the store has for a request: memory at once, Redis where memory has nothing usable.

use super::{
    answer::{Answered, Unanswered},
    ask::Ask,
    core::Core,
    deliver::{self, AgeField},
    refresh::Refresh,
    rule::Rule,
};
use crate::{
    origin::FetchError,
    semantics::{
        Decision, Key, Outcome, Policy, Reason, Reuse, StoredHead, directives::RequestDirectives,
        freshness::refreshes_early, policy::ClientDirectives, range, reuse::reuse,
    },
    store::{self, Entry, Found},
};
use http::{HeaderMap, Method};
use std::{sync::Arc, time::SystemTime};

/// What memory has for a request.
#[derive(Debug)]
pub(crate) enum Lookup {
    /// The answer, and what of it is to be refreshed.
    Hit(Answered, Option<Refresh>),
    /// A response whose content coding has to be made first.
    Encode(Encode),
    /// Nothing that may be served.
    Miss(Miss),
}

/// A stored response that may be served once it is coded.
#[derive(Debug)]
pub(crate) struct Encode {
    entry: Arc<Entry>,
    decision: Decision,
    /// What is to be refreshed meanwhile.
    pub(crate) refresh: Option<Refresh>,
}

/// Why the store could not answer, and what it has all the same.
#[derive(Debug)]
pub(crate) struct Miss {
    pub(crate) reason: Reason,
    /// What may be confirmed, completed, or served if the origin fails.
    pub(crate) stored: Option<Arc<Entry>>,
}

/// What came of asking Redis.
#[derive(Debug)]
pub(crate) enum Outer {
    /// The answer.
    Hit(Answered),
    /// The origin has to be asked.
    Miss(Miss),
}

impl Miss {
    const fn empty(reason: Reason) -> Self {
        Self {
            reason,
            stored: None,
        }
    }

    /// Whether what it has comes later from the origin than what `other` has, if anything.
    fn is_newer_than(&self, other: &Self) -> bool {
        let came = |miss: &Self| {
            let stored = miss.stored.as_ref();
            stored.map(|entry| entry.head.freshness.response_time)
        };
        other.stored.is_none() || came(self) > came(other)
    }
}

/// What memory has for `key`. Synchronous: this is the way of nearly every request.
pub(super) fn memory(
    core: &Core,
    rule: &Rule,
    key: &Key,
    method: &Method,
    request: &HeaderMap,
) -> Lookup {
    let now = core.clock.now();
    let found = match core.store.lookup_memory(key, request, now) {
        store::Lookup::Hit(found) => found,
        store::Lookup::VaryMiss => return Lookup::Miss(Miss::empty(Reason::VaryMiss)),
        store::Lookup::Miss => return Lookup::Miss(Miss::empty(Reason::UriMiss)),
    };
    let decision = match judge(&rule.policy, method, request, &found, now) {
        Ok(decision) => decision,
        Err(miss) => return Lookup::Miss(miss),
    };
    let refresh = wanted_refresh(rule, &found, decision, now);
    let settings = &rule.settings.coding;
    let age = AgeField::Current(now);
    match deliver::stored(settings, &found.entry, method, request, age) {
        Ok(response) => Lookup::Hit(Answered { response, decision }, refresh),
        Err(_) => Lookup::Encode(Encode {
            entry: found.entry,
            decision,
            refresh,
        }),
    }
}

/// Makes the coding that a hit needs.
pub(super) async fn encode(
    core: &Core,
    rule: &Rule,
    hit: Encode,
    method: &Method,
    request: &HeaderMap,
) -> Answered {
    let (entry, age) = (&hit.entry, AgeField::Current(core.clock.now()));
    Answered {
        response: deliver::stored_coding(core, rule, entry, method, request, age).await,
        decision: hit.decision,
    }
}

/// What Redis has, where memory has nothing, or something expired or purged: what another replica has refreshed since is
/// nearer than the origin.
pub(super) async fn outer(
    core: &Arc<Core>,
    ask: &Arc<Ask>,
    mut miss: Miss,
) -> Result<Outer, Unanswered> {
    let may_be_newer = matches!(miss.reason, Reason::Expired | Reason::Purged);
    if core.store.has_outer() && (miss.stored.is_none() || may_be_newer) {
        let now = core.clock.now();
        match core.store.lookup_outer(&ask.key, &ask.request, now).await {
            store::Lookup::Hit(found) => {
                match judge(&ask.rule.policy, &ask.method, &ask.request, &found, now) {
                    Ok(decision) => return Ok(Outer::Hit(serve(core, ask, found, decision).await)),
                    Err(other) if other.is_newer_than(&miss) => miss = other,
                    Err(_) => {}
                }
            }
            store::Lookup::VaryMiss if miss.stored.is_none() => miss.reason = Reason::VaryMiss,
            store::Lookup::VaryMiss | store::Lookup::Miss => {}
        }
    }
    if only_if_cached(&ask.rule.policy, &ask.request) {
        return Err(FetchError::OnlyIfCached.into());
    }
    Ok(Outer::Miss(miss))
}

/// The answer that Redis gives.
async fn serve(core: &Arc<Core>, ask: &Arc<Ask>, found: Found, decision: Decision) -> Answered {
    let now = core.clock.now();
    if let Some(refresh) = wanted_refresh(&ask.rule, &found, decision, now) {
        super::refresh::start(core, &ask.rule, &ask.caller(), refresh, || Ask::clone(ask));
    }
    let age = AgeField::Current(now);
    let (method, request) = (&ask.method, &ask.request);
    let response =
        deliver::stored_coding(core, &ask.rule, &found.entry, method, request, age).await;
    Answered { response, decision }
}

/// The decision to serve what was found, or why not and what of it is of use all the same.
fn judge(
    policy: &Policy,
    method: &Method,
    request: &HeaderMap,
    found: &Found,
    now: SystemTime,
) -> Result<Decision, Miss> {
    let with_stored = |reason| Miss {
        reason,
        stored: Some(Arc::clone(&found.entry)),
    };
    let verdict = reuse(&found.entry.head, request, policy, found.standing, now);
    let freshness = &found.entry.head.freshness;
    let (outcome, reason) = match verdict {
        // The stored response is for others: it is neither confirmed, completed nor replaced for this caller.
        Reuse::Fetch(reason) => return Err(Miss::empty(reason)),
        // Only a part is stored, and something else is asked for. It may be completed.
        _ if !has_what_is_asked_for(&found.entry.head, method, request) => {
            return Err(with_stored(Reason::Range));
        }
        Reuse::Serve if freshness.is_fresh(now) => (Outcome::Hit, Reason::Fresh),
        Reuse::Serve => (Outcome::Stale, Reason::Client),
        Reuse::ServeStale => (Outcome::Stale, Reason::WhileRevalidate),
        Reuse::Validate(reason) => return Err(with_stored(reason)),
    };
    Ok(Decision {
        tier: Some(found.tier),
        ttl: Some(freshness.ttl(found.standing.stale_for(), now)),
        ..Decision::new(outcome, reason)
    })
}

/// Whether what is stored is the whole, or the part that is asked for; GET alone knows ranges ([RFC 9110 §14.2]).
///
/// [RFC 9110 §14.2]: https://www.rfc-editor.org/rfc/rfc9110#section-14.2
fn has_what_is_asked_for(head: &StoredHead, method: &Method, request: &HeaderMap) -> bool {
    head.part.is_none_or(|part| {
        *method == Method::GET && range::select_of_part(request, head, part).is_some()
    })
}

/// What a hit begins to refresh: a response that is stale, and here and there one that soon will be.
fn wanted_refresh(
    rule: &Rule,
    found: &Found,
    decision: Decision,
    now: SystemTime,
) -> Option<Refresh> {
    let wanted = match (decision.reason, rule.refresh_ahead) {
        (Reason::WhileRevalidate, _) => true,
        (Reason::Fresh, Some(window)) => {
            let freshness = &found.entry.head.freshness;
            let left = freshness.lifetime.saturating_sub(freshness.age(now));
            // What is fresh for less than the window would be refreshed without end.
            let window = window.min(freshness.lifetime / 4);
            refreshes_early(left, window, fastrand::f64())
        }
        _ => false,
    };
    wanted.then(|| Refresh {
        entry: Arc::clone(&found.entry),
    })
}

/// RFC 9111 §5.2.1.7, where the route respects clients.
fn only_if_cached(policy: &Policy, request: &HeaderMap) -> bool {
    policy.client_directives == ClientDirectives::Respect
        && RequestDirectives::of(request).only_if_cached
}
