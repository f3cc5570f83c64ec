//! May a stored response answer this request now? ([RFC 9111 §4])
//!
//! [RFC 9111 §4]: https://www.rfc-editor.org/rfc/rfc9111#section-4

use super::{
    decision::Reason,
    directives::RequestDirectives,
    freshness::Freshness,
    policy::{ClientDirectives, Policy},
    sharing::{Carried, withheld_from, withheld_while_stale},
    stored::StoredHead,
};
use http::{
    HeaderMap,
    header::{CACHE_CONTROL, PRAGMA},
};
use std::time::{Duration, SystemTime};

/// What to do with a stored response whose key and variant match.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reuse {
    /// Serve it as it is.
    Serve,
    /// Serve it although it is stale, and refresh it in the background.
    ServeStale,
    /// Ask the origin whether it still holds.
    Validate(Reason),
    /// It is not for this request: fetch, and why.
    Fetch(Reason),
}

/// What the store knows about the entry beside its head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PurgeState {
    /// Nothing speaks against it.
    Good,
    /// A soft purge made it stale so long ago: it may be served while it is refreshed, where that is allowed at all.
    SoftPurged(Duration),
    /// It is older than purges that are not remembered one by one, and one of them may have been of it: ask before serving.
    PerhapsPurged,
    /// Purges may have been missed: ask before serving.
    Doubtful,
}

impl PurgeState {
    /// For how long it has been stale by that; none where it is not.
    pub fn stale_for(self) -> Option<Duration> {
        match self {
            Self::SoftPurged(since) => Some(since),
            Self::Good | Self::PerhapsPurged | Self::Doubtful => None,
        }
    }
}

/// Decides ([RFC 9111 §4]). Method, key and variant have been compared already.
///
/// [RFC 9111 §4]: https://www.rfc-editor.org/rfc/rfc9111#section-4
pub fn reuse(
    head: &StoredHead,
    request: &HeaderMap,
    policy: &Policy,
    purge_state: PurgeState,
    now: SystemTime,
) -> Reuse {
    if withheld_from(head.freshness.source, request, policy) {
        return Reuse::Fetch(Reason::Credentials);
    }
    if let Some(reason) = must_validate(&head.freshness, purge_state) {
        return Reuse::Validate(reason);
    }
    let client = client_directives(request, policy);
    if client.no_cache {
        return Reuse::Validate(Reason::Client);
    }
    let fresh = head.freshness.is_fresh(now) && purge_state == PurgeState::Good;
    if fresh {
        return if satisfies(&head.freshness, &client, now) {
            Reuse::Serve
        } else {
            Reuse::Validate(Reason::Client)
        };
    }
    if !withheld_while_stale(head.freshness.source, request, policy) {
        if may_serve_while_revalidating(&head.freshness, purge_state, now)
            && client.max_age.is_none()
        {
            return Reuse::ServeStale;
        }
        if accepts_stale(&head.freshness, &client, purge_state, now) {
            return Reuse::Serve;
        }
    }
    Reuse::Validate(match purge_state.stale_for() {
        Some(_) => Reason::Purged,
        None => Reason::Expired,
    })
}

/// Whether a response that has just come answers a request that had waited for it, although its lifetime may be over: it is as
/// new as any that this request would get ([RFC 9111 §4]).
///
/// What is stale at once says nothing of who may share it, so it is not for callers with credentials.
///
/// [RFC 9111 §4]: https://www.rfc-editor.org/rfc/rfc9111#section-4
pub fn answers_who_waited(
    head: &StoredHead,
    request: &HeaderMap,
    policy: &Policy,
    now: SystemTime,
) -> bool {
    let freshness = &head.freshness;
    let one_caller = freshness.lifetime.is_zero() && Carried::of(request, policy).any();
    if one_caller || freshness.validate_always || withheld_from(freshness.source, request, policy) {
        return false;
    }
    let client = client_directives(request, policy);
    !client.no_cache && satisfies(freshness, &client, now)
}

/// `no-cache` ([RFC 9111 §5.2.2.4]), or doubt whether it was purged.
///
/// [RFC 9111 §5.2.2.4]: https://www.rfc-editor.org/rfc/rfc9111#section-5.2.2.4
fn must_validate(freshness: &Freshness, purge_state: PurgeState) -> Option<Reason> {
    if freshness.validate_always {
        return Some(Reason::NoCache);
    }
    match purge_state {
        PurgeState::Doubtful => Some(Reason::PurgeGap),
        PurgeState::PerhapsPurged => Some(Reason::Purged),
        PurgeState::Good | PurgeState::SoftPurged(_) => None,
    }
}

/// The client's directives, where the route respects them.
fn client_directives(request: &HeaderMap, policy: &Policy) -> RequestDirectives {
    let respected = policy.client_directives == ClientDirectives::Respect
        && (request.contains_key(CACHE_CONTROL) || request.contains_key(PRAGMA));
    if respected {
        RequestDirectives::of(request)
    } else {
        RequestDirectives::default()
    }
}

/// `max-age` and `min-fresh` of the request ([RFC 9111 §5.2.1.1], [§5.2.1.3]).
///
/// [RFC 9111 §5.2.1.1]: https://www.rfc-editor.org/rfc/rfc9111#section-5.2.1.1
/// [§5.2.1.3]: https://www.rfc-editor.org/rfc/rfc9111#section-5.2.1.3
fn satisfies(freshness: &Freshness, client: &RequestDirectives, now: SystemTime) -> bool {
    let age = freshness.age(now);
    let young = client
        .max_age
        .is_none_or(|max| age <= max && !max.is_zero());
    let lasting = client
        .min_fresh
        .is_none_or(|min| freshness.lifetime >= age.saturating_add(min));
    young && lasting
}

/// `max-stale` of the request ([RFC 9111 §5.2.1.2]); the origin's prohibition wins, which shows as a closed window.
///
/// [RFC 9111 §5.2.1.2]: https://www.rfc-editor.org/rfc/rfc9111#section-5.2.1.2
fn accepts_stale(
    freshness: &Freshness,
    client: &RequestDirectives,
    purge_state: PurgeState,
    now: SystemTime,
) -> bool {
    purge_state == PurgeState::Good
        && !freshness.forbids_stale
        && client
            .max_stale
            .is_some_and(|max| freshness.staleness(now) <= max)
}

/// For how long it has been stale, be it by its age or because it was purged softly so long ago.
fn staleness(freshness: &Freshness, purged: Option<Duration>, now: SystemTime) -> Duration {
    freshness.staleness(now).max(purged.unwrap_or_default())
}

/// `stale-while-revalidate` ([RFC 5861 §3]). A soft purge opens the same window at once.
///
/// [RFC 5861 §3]: https://www.rfc-editor.org/rfc/rfc5861#section-3
fn may_serve_while_revalidating(
    freshness: &Freshness,
    purge_state: PurgeState,
    now: SystemTime,
) -> bool {
    matches!(purge_state, PurgeState::Good | PurgeState::SoftPurged(_))
        && freshness.while_revalidate > Duration::ZERO
        && staleness(freshness, purge_state.stale_for(), now) <= freshness.while_revalidate
}

/// Whether `request` may be answered with it although the origin failed ([RFC 5861 §4], [RFC 9111 §4.2.4]).
///
/// [RFC 5861 §4]: https://www.rfc-editor.org/rfc/rfc5861#section-4
/// [RFC 9111 §4.2.4]: https://www.rfc-editor.org/rfc/rfc9111#section-4.2.4
pub fn may_serve_on_error(
    freshness: &Freshness,
    request: &HeaderMap,
    policy: &Policy,
    purged: Option<Duration>,
    now: SystemTime,
) -> bool {
    freshness.if_error > Duration::ZERO
        && staleness(freshness, purged, now) <= freshness.if_error
        && !withheld_while_stale(freshness.source, request, policy)
}

/// Whether `request` may be answered with it although it is stale, because the origin gives no answer at all
/// ([RFC 9111 §4.2.4]).
///
/// [RFC 9111 §4.2.4]: https://www.rfc-editor.org/rfc/rfc9111#section-4.2.4
pub fn may_serve_disconnected(
    freshness: &Freshness,
    request: &HeaderMap,
    policy: &Policy,
    purged: Option<Duration>,
    now: SystemTime,
) -> bool {
    !freshness.forbids_stale
        && !freshness.validate_always
        && policy.stale_on_disconnect > Duration::ZERO
        && staleness(freshness, purged, now) <= policy.stale_on_disconnect
        && !withheld_while_stale(freshness.source, request, policy)
}

#[cfg(test)]
mod tests;
