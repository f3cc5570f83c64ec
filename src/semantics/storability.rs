//! May this response be stored, and for how long? ([RFC 9111 §3])
//!
//! Who may share it and which key it has are different questions: nothing here looks at the key.
//!
//! [RFC 9111 §3]: https://www.rfc-editor.org/rfc/rfc9111#section-3

use super::{
    directives::{RequestDirectives, ResponseDirectives},
    freshness::{
        Freshness, Source, corrected_initial_age, explicit_lifetime, forbids_stale,
        heuristic_lifetime, if_error, stated_age, while_revalidate,
    },
    part::claimed_part,
    policy::{ClientDirectives, Policy, SetCookie, is_about_one_request, route_ttl_applies},
    refusal::Refusal,
    selection::selection,
    sharing::{Carried, withheld_while_stale},
    targeted,
    vary::{Selecting, Selects},
    veil::Veil,
};
use http::{
    HeaderMap, Method, StatusCode,
    header::{ETAG, LAST_MODIFIED, SET_COOKIE},
};
use std::time::{Duration, SystemTime};

/// Whether a response may be stored.
#[derive(Clone, Debug, PartialEq)]
pub enum Storability {
    /// It may be stored.
    Store(Box<Verdict>),
    /// It may not, and why.
    Refuse(Refusal),
}

/// What storing it needs to know.
#[derive(Clone, Debug, PartialEq)]
pub struct Verdict {
    /// How long it may be used.
    pub freshness: Freshness,
    /// What selected it.
    pub selecting: Selecting,
    /// The fields that it is stored without, in lower case (`private="…"`, `no-cache="…"`).
    pub withheld_fields: Vec<String>,
    /// See [`Policy::set_cookie`].
    pub strip_set_cookie: bool,
    /// The origin forbids any transformation.
    pub no_transform: bool,
}

/// A request and the response that it got, with the times of both.
#[derive(Clone, Copy, Debug)]
pub struct Exchange<'a> {
    /// The method of the request: GET, or POST where the operator says that it is a read.
    pub method: &'a Method,
    /// The fields of the request.
    pub request: &'a HeaderMap,
    /// The status of the response.
    pub status: StatusCode,
    /// The fields of the response, hop-by-hop ones already gone.
    pub response: &'a HeaderMap,
    /// When the request was sent, in cache time.
    pub request_time: SystemTime,
    /// When the head of the response arrived, in cache time.
    pub response_time: SystemTime,
    /// What the wall clock said when it arrived: what the dates in it are compared with.
    pub wall: SystemTime,
    /// What is kept of the fields that select it.
    pub veil: &'a dyn Veil,
}

/// Decides ([RFC 9111 §3]).
///
/// [RFC 9111 §3]: https://www.rfc-editor.org/rfc/rfc9111#section-3
pub fn storability(exchange: &Exchange<'_>, policy: &Policy) -> Storability {
    match verdict(exchange, policy) {
        Ok(verdict) => Storability::Store(Box::new(verdict)),
        Err(refusal) => Storability::Refuse(refusal),
    }
}

/// What a response that is refused for its lifetime alone is for those who have waited for it: storable, but for nobody who
/// comes later ([RFC 9111 §4]). `None` where they may not share it.
///
/// Where nobody says that it may be stored it is not for them either: it may be made for an address, or hold a token. Nor is one
/// that is stale at once, where it was made for a caller with credentials: many frameworks say no more of a user's own page.
///
/// [RFC 9111 §4]: https://www.rfc-editor.org/rfc/rfc9111#section-4
pub fn for_those_who_wait(exchange: &Exchange<'_>, policy: &Policy) -> Option<Verdict> {
    let verdict = verdict_whatever_its_lifetime(exchange, policy).ok()?;
    let Freshness {
        lifetime,
        validate_always,
        ..
    } = verdict.freshness;
    let one_caller = lifetime.is_zero() && Carried::of(exchange.request, policy).any();
    (!validate_always && !one_caller).then_some(verdict)
}

fn verdict(exchange: &Exchange<'_>, policy: &Policy) -> Result<Verdict, Refusal> {
    let mut verdict = verdict_whatever_its_lifetime(exchange, policy)?;
    let useless = if verdict.freshness.lifetime.is_zero() {
        Refusal::NoLifetime
    } else {
        Refusal::Aged
    };
    refuse_if(!can_be_used_again(exchange, &verdict.freshness), useless)?;
    if withheld_while_stale(verdict.freshness.source, exchange.request, policy) {
        verdict.freshness = Freshness {
            while_revalidate: Duration::ZERO,
            if_error: Duration::ZERO,
            forbids_stale: true, // each use needs the origin's word
            ..verdict.freshness
        };
        let refusal = Carried::of(exchange.request, policy).refusal();
        refuse_if(
            !can_be_used_again(exchange, &verdict.freshness),
            refusal.unwrap_or(useless),
        )?;
    }
    Ok(verdict)
}

/// All but whether keeping it would help anybody.
fn verdict_whatever_its_lifetime(
    exchange: &Exchange<'_>,
    policy: &Policy,
) -> Result<Verdict, Refusal> {
    let directives = targeted::directives(exchange.response, &policy.targeted);
    // HEAD has no body that a GET could be given.
    refuse_if(
        !matches!(*exchange.method, Method::GET | Method::POST),
        Refusal::Method,
    )?;
    refuse_if(!is_final_and_whole(exchange), Refusal::Status)?;
    refuse_if(
        is_about_one_request(exchange.status) && !policy.names(exchange.status),
        Refusal::OneRequest,
    )?;
    refuse_if(
        forbidden_by_no_store(exchange, &directives, policy),
        Refusal::NoStore,
    )?;
    refuse_if(forbidden_by_private(&directives, policy), Refusal::Private)?;
    refuse_if(
        forbidden_by_set_cookie(exchange.response, &directives, policy),
        Refusal::SetCookie,
    )?;
    let selects = Selects::new(exchange.request, exchange.veil);
    let selecting = selection(exchange.response, &selects).map_err(|_| Refusal::VaryStar)?;
    let silent = match policy.ttl {
        Some(_) if !route_ttl_applies(exchange.status) => Refusal::Status,
        _ => Refusal::NoLifetime,
    };
    let (lifetime, source) = lifetime(exchange, &directives, policy).ok_or(silent)?;
    let credentials = Carried::of(exchange.request, policy);
    let by_origin = matches!(source, Source::Origin | Source::StaleAtOnce);
    let lifted = by_origin && lifts_credentials(&directives);
    refuse_if(credentials.authorization && !lifted, Refusal::Authorization)?;
    refuse_if(credentials.other && !lifted, Refusal::Credential)?;
    // Where the origin itself calls it fresh, it has had the chance to say `Vary: Cookie`.
    refuse_if(credentials.cookie && !by_origin, Refusal::Cookie)?;
    // What the route keeps of failures is to be short, and over when it is over.
    let is_failure = source == Source::Route && exchange.status.as_u16() >= 400;
    let window = |window: Duration| if is_failure { Duration::ZERO } else { window };
    let freshness = Freshness {
        initial_age: age_on_arrival(exchange, source),
        response_time: exchange.response_time,
        request_time: exchange.request_time,
        lifetime: lifetime.min(policy.max_lifetime),
        source,
        while_revalidate: window(while_revalidate(&directives, policy)),
        if_error: window(if_error(&directives, policy)),
        validate_always: directives.no_cache && !policy.override_origin,
        forbids_stale: forbids_stale(&directives, policy),
    };
    Ok(Verdict {
        freshness,
        selecting,
        withheld_fields: directives.withheld_fields,
        strip_set_cookie: policy.set_cookie == SetCookie::Strip,
        no_transform: directives.no_transform,
    })
}

fn refuse_if(forbidden: bool, refusal: Refusal) -> Result<(), Refusal> {
    if forbidden { Err(refusal) } else { Ok(()) }
}

/// Interim responses and 304 are never stored, nor is 226: it is the difference to what its own client has ([RFC 3229 §10.4.1]).
/// Partial ones are where they say which part they are ([RFC 9111 §3], [§3.3]).
///
/// [RFC 9111 §3]: https://www.rfc-editor.org/rfc/rfc9111#section-3
/// [§3.3]: https://www.rfc-editor.org/rfc/rfc9111#section-3.3
/// [RFC 3229 §10.4.1]: https://www.rfc-editor.org/rfc/rfc3229#section-10.4.1
fn is_final_and_whole(exchange: &Exchange<'_>) -> bool {
    if exchange.status == StatusCode::PARTIAL_CONTENT {
        return claimed_part(exchange.response).is_some();
    }
    exchange.status.as_u16() >= 200
        && !matches!(
            exchange.status,
            StatusCode::NOT_MODIFIED | StatusCode::IM_USED
        )
}

/// `no-store` forbids, except beside `must-understand` with a status that is understood
/// ([RFC 9111 §5.2.2.3], [§5.2.2.5], [§5.2.1.5]).
///
/// [RFC 9111 §5.2.2.3]: https://www.rfc-editor.org/rfc/rfc9111#section-5.2.2.3
/// [§5.2.2.5]: https://www.rfc-editor.org/rfc/rfc9111#section-5.2.2.5
/// [§5.2.1.5]: https://www.rfc-editor.org/rfc/rfc9111#section-5.2.1.5
fn forbidden_by_no_store(
    exchange: &Exchange<'_>,
    directives: &ResponseDirectives,
    policy: &Policy,
) -> bool {
    let understood = is_understood(exchange.status);
    let by_response = if directives.must_understand {
        !understood
    } else {
        directives.no_store
    };
    let by_request = policy.client_directives == ClientDirectives::Respect
        && RequestDirectives::of(exchange.request).no_store;
    (by_response && !policy.override_origin) || by_request
}

/// The final statuses whose caching this cache implements ([RFC 9110 §15]).
///
/// [RFC 9110 §15]: https://www.rfc-editor.org/rfc/rfc9110#section-15
fn is_understood(status: StatusCode) -> bool {
    matches!(status.as_u16(),
        200..=205 | 300..=303 | 305 | 307 | 308 | 400..=417 | 421 | 422 | 426 | 428 | 429 | 431 | 451 | 500..=505 | 511)
}

/// A shared cache never stores it; `override` does not help, because this is about who may see it
/// ([RFC 9111 §5.2.2.7]).
///
/// [RFC 9111 §5.2.2.7]: https://www.rfc-editor.org/rfc/rfc9111#section-5.2.2.7
fn forbidden_by_private(directives: &ResponseDirectives, policy: &Policy) -> bool {
    directives.private && !(policy.override_origin && policy.share.is_all())
}

/// Not a rule of HTTP, which allows it: a cookie in a shared answer is another caller's session.
fn forbidden_by_set_cookie(
    response: &HeaderMap,
    directives: &ResponseDirectives,
    policy: &Policy,
) -> bool {
    response.contains_key(SET_COOKIE)
        && policy.set_cookie == SetCookie::Bypass
        && !directives
            .withheld_fields
            .iter()
            .any(|field| field == SET_COOKIE.as_str())
}

/// `Authorization` forbids storing unless the response says that it is for everybody ([RFC 9111 §3.5]); so do the fields
/// that backends have in its place.
///
/// [RFC 9111 §3.5]: https://www.rfc-editor.org/rfc/rfc9111#section-3.5
fn lifts_credentials(directives: &ResponseDirectives) -> bool {
    directives.public || directives.must_revalidate || directives.s_maxage.is_some()
}

/// The freshness lifetime and who stated it: the route where it overrides, the origin, the route, a guess. Nothing is guessed of a
/// POST ([RFC 9110 §9.3.3]).
///
/// [RFC 9110 §9.3.3]: https://www.rfc-editor.org/rfc/rfc9110#section-9.3.3
fn lifetime(
    exchange: &Exchange<'_>,
    directives: &ResponseDirectives,
    policy: &Policy,
) -> Option<(Duration, Source)> {
    // A part is as lasting as the representation that it is a part of.
    let status = match exchange.status {
        StatusCode::PARTIAL_CONTENT => StatusCode::OK,
        status => status,
    };
    let route = policy.ttl_of(status).map(|ttl| (ttl, Source::Route));
    if policy.override_origin && route.is_some() {
        return route;
    }
    if let Some(lifetime) = explicit_lifetime(exchange.response, directives, exchange.wall) {
        return Some((lifetime, by_origin(lifetime, directives)));
    }
    if directives.no_cache || directives.malformed_lifetime {
        return Some((Duration::ZERO, by_origin(Duration::ZERO, directives))); // the origin did say: ask each time
    }
    route.or_else(|| {
        (policy.heuristic && *exchange.method == Method::GET)
            .then(|| heuristic_lifetime(status, exchange.response, directives, exchange.wall))?
            .map(|lifetime| (lifetime, Source::Heuristic))
    })
}

/// What the origin's lifetime says of who may share the response. One of zero says nothing, but for `public` or a stale window
/// beside it: `s-maxage=0` and `must-revalidate` permit no use of it without the origin's word either.
fn by_origin(lifetime: Duration, directives: &ResponseDirectives) -> Source {
    let opens = |window: Option<Duration>| window.is_some_and(|window| !window.is_zero());
    let for_all = directives.public
        || opens(directives.stale_while_revalidate)
        || opens(directives.stale_if_error);
    if lifetime.is_zero() && !for_all {
        Source::StaleAtOnce
    } else {
        Source::Origin
    }
}

/// An origin that is slow, or whose clock is behind, makes all that it sends look old, which is no reason not to keep what the
/// route says is fresh.
fn age_on_arrival(exchange: &Exchange<'_>, source: Source) -> Duration {
    match source {
        Source::Route => stated_age(exchange.response),
        Source::Origin | Source::StaleAtOnce | Source::Heuristic => {
            let delay = exchange.response_time.duration_since(exchange.request_time);
            corrected_initial_age(exchange.response, delay.unwrap_or_default(), exchange.wall)
        }
    }
}

/// Without time left or a validator to ask with, which no POST has ([RFC 9110 §13.1.2]), keeping it would help nobody.
///
/// [RFC 9110 §13.1.2]: https://www.rfc-editor.org/rfc/rfc9110#section-13.1.2
fn can_be_used_again(exchange: &Exchange<'_>, freshness: &Freshness) -> bool {
    let has_validator = *exchange.method == Method::GET
        && (exchange.response.contains_key(ETAG) || exchange.response.contains_key(LAST_MODIFIED));
    let window = freshness.while_revalidate.max(freshness.if_error);
    let usable = freshness.lifetime.saturating_add(window) > freshness.initial_age;
    (usable && !freshness.validate_always) || has_validator
}

#[cfg(test)]
mod tests;
