//! Freshness lifetime and age ([RFC 9111 §4.2]).
//!
//! [RFC 9111 §4.2]: https://www.rfc-editor.org/rfc/rfc9111#section-4.2

use super::{
    date,
    directives::ResponseDirectives,
    fields::{delta_seconds, members},
    policy::Policy,
};
use http::{
    HeaderMap, StatusCode,
    header::{AGE, DATE, EXPIRES, LAST_MODIFIED},
};
use std::time::{Duration, SystemTime};

/// Who said how long a response is fresh. It decides who may share it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// The origin, by `Cache-Control` or `Expires`.
    Origin,
    /// The origin, which calls it stale at once (`max-age=0`, an `Expires` that is over) and does not say that it is for all:
    /// many frameworks say no more of a user's own page.
    StaleAtOnce,
    /// The route's `ttl`.
    Route,
    /// A guess from `Last-Modified`.
    Heuristic,
}

/// How long a stored response may be used, and how old it was when it arrived.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Freshness {
    /// The corrected initial age (RFC 9111 §4.2.3).
    pub initial_age: Duration,
    /// When the head of the response arrived, in cache time: not what a wall clock says.
    pub response_time: SystemTime,
    /// When the request left that brought it, in cache time (RFC 9111 §4.2.3): of two answers the one that was asked for later is
    /// the newer one, however long each took.
    pub request_time: SystemTime,
    /// The freshness lifetime (RFC 9111 §4.2.1).
    pub lifetime: Duration,
    /// Who stated `lifetime`.
    pub source: Source,
    /// For how long past `lifetime` it may be served while it is refreshed.
    pub while_revalidate: Duration,
    /// For how long past `lifetime` it may be served when the origin fails.
    pub if_error: Duration,
    /// Each use needs the origin's word (`no-cache`).
    pub validate_always: bool,
    /// The origin prohibits serving it stale (RFC 9111 §4.2.4), or it was made for one caller.
    pub forbids_stale: bool,
}

impl Freshness {
    /// Whether callers without credentials, and they alone, may still be served it stale at `now`, be it only because the
    /// origin gives no answer: for `disconnected` past its lifetime.
    pub fn is_in_a_window_of_strangers(&self, disconnected: Duration, now: SystemTime) -> bool {
        let window = self.while_revalidate.max(self.if_error).max(disconnected);
        self.source == Source::StaleAtOnce
            && !self.forbids_stale
            && !window.is_zero()
            && self.staleness(now) <= window
    }

    /// The current age at `now`, which is in cache time, as in all that is asked here ([RFC 9111 §4.2.3]).
    ///
    /// [RFC 9111 §4.2.3]: https://www.rfc-editor.org/rfc/rfc9111#section-4.2.3
    pub fn age(&self, now: SystemTime) -> Duration {
        let resident = now.duration_since(self.response_time).unwrap_or_default();
        self.initial_age.saturating_add(resident)
    }

    /// Whether it may be served without asking ([RFC 9111 §4.2]).
    ///
    /// [RFC 9111 §4.2]: https://www.rfc-editor.org/rfc/rfc9111#section-4.2
    pub fn is_fresh(&self, now: SystemTime) -> bool {
        !self.validate_always && self.age(now) < self.lifetime
    }

    /// Seconds of freshness left, negative when stale, for `Cache-Status` ([RFC 9211 §2.4]). What was `purged` softly so long
    /// ago has been stale since then, however young it is.
    ///
    /// [RFC 9211 §2.4]: https://www.rfc-editor.org/rfc/rfc9211#section-2.4
    pub fn ttl(&self, purged: Option<Duration>, now: SystemTime) -> i64 {
        let seconds = |d: Duration| i64::try_from(d.as_secs()).unwrap_or(i64::MAX);
        let left = seconds(self.lifetime).saturating_sub(seconds(self.age(now)));
        purged.map_or(left, |since| left.min(-seconds(since)))
    }

    /// For how long after expiry it is at `now`; zero while fresh.
    pub fn staleness(&self, now: SystemTime) -> Duration {
        self.age(now).saturating_sub(self.lifetime)
    }

    /// Whether no use at all may be made of it any more at `now`, which none may `max` after it came or was confirmed last.
    pub fn is_over(&self, max: Duration, now: SystemTime) -> bool {
        self.left(max, now).is_zero()
    }

    /// How much of `max` is left at `now`, from its arrival or last confirmation on.
    fn left(&self, max: Duration, now: SystemTime) -> Duration {
        max.saturating_sub(now.duration_since(self.response_time).unwrap_or_default())
    }

    /// How long from `now` on any use of it may still be made, where it is of some use for `stale` after its lifetime in
    /// any case, and of none `max` after it came. That is what the tiers keep it for.
    pub fn retention(&self, now: SystemTime, stale: Duration, max: Duration) -> Duration {
        let window = self.while_revalidate.max(self.if_error).max(stale);
        self.lifetime
            .saturating_add(window)
            .saturating_sub(self.age(now))
            .min(self.left(max, now))
    }
}

/// The age on arrival: the larger of the apparent age, by what the `wall` clock said then, and the stated one with the `delay`
/// of the response added ([RFC 9111 §4.2.3]).
///
/// [RFC 9111 §4.2.3]: https://www.rfc-editor.org/rfc/rfc9111#section-4.2.3
pub fn corrected_initial_age(headers: &HeaderMap, delay: Duration, wall: SystemTime) -> Duration {
    let apparent = date_of(headers, wall)
        .and_then(|date| wall.duration_since(date).ok())
        .unwrap_or_default();
    apparent.max(stated_age(headers).saturating_add(delay))
}

/// The first member of the first `Age` line; anything but digits is ignored ([RFC 9111 §5.1]).
///
/// It is all that counts where the route says how long a response is fresh: that lifetime begins with its arrival, however
/// long it took and whatever the origin's clock says.
///
/// [RFC 9111 §5.1]: https://www.rfc-editor.org/rfc/rfc9111#section-5.1
pub fn stated_age(headers: &HeaderMap) -> Duration {
    let first = headers
        .get(AGE)
        .and_then(|line| members(line.as_bytes()).next());
    Duration::from_secs(first.and_then(delta_seconds).unwrap_or(0))
}

fn date_of(headers: &HeaderMap, now: SystemTime) -> Option<SystemTime> {
    headers
        .get(DATE)
        .and_then(|value| date::parse(value.as_bytes(), now))
}

/// The lifetime that the origin states, from the most specific source ([RFC 9111 §4.2.1]).
///
/// [RFC 9111 §4.2.1]: https://www.rfc-editor.org/rfc/rfc9111#section-4.2.1
pub fn explicit_lifetime(
    headers: &HeaderMap,
    directives: &ResponseDirectives,
    wall: SystemTime,
) -> Option<Duration> {
    let stated = directives.s_maxage.or(directives.max_age);
    stated.or_else(|| {
        if directives.targeted {
            None
        } else {
            lifetime_of_expires(headers, wall)
        }
    })
}

/// `Expires` minus `Date`; an invalid or repeated-and-different date means already expired ([RFC 9111 §5.3]).
///
/// [RFC 9111 §5.3]: https://www.rfc-editor.org/rfc/rfc9111#section-5.3
fn lifetime_of_expires(headers: &HeaderMap, wall: SystemTime) -> Option<Duration> {
    let mut lines = headers.get_all(EXPIRES).iter();
    let value = lines.next()?;
    if lines.any(|other| other != value) {
        return Some(Duration::ZERO); // the first may count or none (§4.2.1): whoever wrote them did not know either
    }
    let base = date_of(headers, wall).unwrap_or(wall);
    let lifetime =
        date::parse(value.as_bytes(), wall).and_then(|expires| expires.duration_since(base).ok());
    Some(lifetime.unwrap_or_default())
}

/// A tenth of the time since `Last-Modified`, at most a day, for statuses that allow a guess ([RFC 9111 §4.2.2]).
///
/// [RFC 9111 §4.2.2]: https://www.rfc-editor.org/rfc/rfc9111#section-4.2.2
pub fn heuristic_lifetime(
    status: StatusCode,
    headers: &HeaderMap,
    directives: &ResponseDirectives,
    wall: SystemTime,
) -> Option<Duration> {
    if !heuristically_cacheable(status) && !directives.public {
        return None;
    }
    let modified = date::parse(headers.get(LAST_MODIFIED)?.as_bytes(), wall)?;
    let base = date_of(headers, wall).unwrap_or(wall);
    let lifetime = base.duration_since(modified).ok()? / 10;
    Some(lifetime.min(Duration::from_secs(24 * 3600)))
}

/// The statuses that are heuristically cacheable ([RFC 9110 §15.1]); 206 needs its range and is not among them here.
///
/// [RFC 9110 §15.1]: https://www.rfc-editor.org/rfc/rfc9110#section-15.1
pub fn heuristically_cacheable(status: StatusCode) -> bool {
    matches!(
        status.as_u16(),
        200 | 203 | 204 | 300 | 301 | 308 | 404 | 405 | 410 | 414 | 501
    )
}

/// Whether a hit with `left` of its lifetime begins a refresh, where the last `window` of it is for that; `roll` is evenly
/// spread over 0 to 1. One hit in a thousand does at the beginning of the window, every one at its end, so that a popular
/// entry is refreshed before it expires and one that nobody asks for is not.
///
/// The exponential gap of Vattani, Chierichetti and Lowenstein, "Optimal Probabilistic Cache Stampede Prevention", VLDB
/// 2015, with a seventh of the window in the place of their Δβ, and cut off at the window.
pub fn refreshes_early(left: Duration, window: Duration, roll: f64) -> bool {
    left < window
        && left.as_secs_f64() < -roll.max(f64::MIN_POSITIVE).ln() * window.as_secs_f64() / 7.0
}

/// The time past expiry during which a stale response may be served while it is refreshed ([RFC 5861 §3]).
///
/// [RFC 5861 §3]: https://www.rfc-editor.org/rfc/rfc5861#section-3
pub fn while_revalidate(directives: &ResponseDirectives, policy: &Policy) -> Duration {
    if forbids_stale(directives, policy) {
        return Duration::ZERO;
    }
    directives
        .stale_while_revalidate
        .or(policy.stale_while_revalidate)
        .unwrap_or_default()
}

/// The time past expiry during which a stale response may be served when the origin fails ([RFC 5861 §4]).
///
/// [RFC 5861 §4]: https://www.rfc-editor.org/rfc/rfc5861#section-4
pub fn if_error(directives: &ResponseDirectives, policy: &Policy) -> Duration {
    if forbids_stale(directives, policy) {
        return Duration::ZERO;
    }
    directives
        .stale_if_error
        .or(policy.stale_if_error)
        .unwrap_or_default()
}

/// Whether serving it stale is prohibited for a shared cache ([RFC 9111 §4.2.4]).
///
/// [RFC 9111 §4.2.4]: https://www.rfc-editor.org/rfc/rfc9111#section-4.2.4
pub fn forbids_stale(directives: &ResponseDirectives, policy: &Policy) -> bool {
    let stated = directives.must_revalidate
        || directives.proxy_revalidate
        || directives.s_maxage.is_some() // implies proxy-revalidate (RFC 9111 §5.2.2.10)
        || directives.no_cache;
    stated && !policy.override_origin
}

#[cfg(test)]
mod tests;
