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

    /// Seconds of freshness left, negative when stale, for `Cache-Status`.
    pub fn ttl(&self, now: SystemTime) -> i64 {
        let seconds = |d: Duration| i64::try_from(d.as_secs()).unwrap_or(i64::MAX);
        seconds(self.lifetime).saturating_sub(seconds(self.age(now)))
    }

    /// For how long after expiry it is at `now`; zero while fresh.
    pub fn staleness(&self, now: SystemTime) -> Duration {
        self.age(now).saturating_sub(self.lifetime)
    }

    /// How long from `now` on any use of it may still be made, where it is of some use for `stale` after its lifetime in
    /// any case; limited by `max`. That is what the tiers keep it for.
    pub fn retention(&self, now: SystemTime, stale: Duration, max: Duration) -> Duration {
        let window = self.while_revalidate.max(self.if_error).max(stale);
        self.lifetime
            .saturating_add(window)
            .saturating_sub(self.age(now))
            .min(max)
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
mod tests {
    use super::*;
    use http::{HeaderName, HeaderValue};
    use std::time::UNIX_EPOCH;

    fn at(seconds: u64) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(1_000_000_000 + seconds)
    }

    fn secs(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn headers(fields: &[(HeaderName, &str)]) -> HeaderMap {
        fields
            .iter()
            .map(|(n, v)| (n.clone(), HeaderValue::from_str(v).unwrap()))
            .collect()
    }

    fn text(time: SystemTime) -> String {
        String::from_utf8(date::format(time).to_vec()).unwrap()
    }

    fn lifetime(fields: &[(HeaderName, &str)]) -> Option<Duration> {
        let headers = headers(fields);
        explicit_lifetime(&headers, &ResponseDirectives::of(&headers), at(0))
    }

    #[test]
    fn lifetime_prefers_the_most_specific_source() {
        use http::header::CACHE_CONTROL as CC;
        let hour = text(at(3600));
        assert_eq!(
            lifetime(&[(CC, "max-age=10, s-maxage=20"), (EXPIRES, &hour)]),
            Some(secs(20))
        );
        assert_eq!(
            lifetime(&[(CC, "max-age=10"), (EXPIRES, &hour)]),
            Some(secs(10))
        );
        assert_eq!(lifetime(&[(EXPIRES, &hour)]), Some(secs(3600)));
        assert_eq!(lifetime(&[]), None);
    }

    #[test]
    fn expires_counts_from_date_and_invalid_means_expired() {
        assert_eq!(
            lifetime(&[(EXPIRES, &text(at(100))), (DATE, &text(at(40)))]),
            Some(secs(60))
        );
        assert_eq!(
            lifetime(&[(EXPIRES, &text(at(40))), (DATE, &text(at(100)))]),
            Some(secs(0))
        );
        assert_eq!(lifetime(&[(EXPIRES, "0")]), Some(secs(0)));
        assert_eq!(
            lifetime(&[(EXPIRES, &text(at(60))), (DATE, "yesterday")]),
            Some(secs(60))
        );
    }

    #[test]
    fn initial_age_is_the_larger_of_apparent_and_stated() {
        let age =
            |fields: &[(HeaderName, &str)]| corrected_initial_age(&headers(fields), secs(2), at(2));
        assert_eq!(age(&[]), secs(2), "the delay of the response counts");
        assert_eq!(age(&[(AGE, "10")]), secs(12));
        assert_eq!(age(&[(DATE, &text(at(0))), (AGE, "0")]), secs(2));
        assert_eq!(age(&[(DATE, &text(at(2) - secs(30)))]), secs(30));
        assert_eq!(
            age(&[(DATE, &text(at(60)))]),
            secs(2),
            "a fast origin clock makes nothing younger"
        );
    }

    #[test]
    fn age_that_is_not_a_number_is_ignored_and_the_first_counts() {
        let age = |values: &[&str]| {
            let map = values
                .iter()
                .map(|v| (AGE, HeaderValue::from_str(v).unwrap()))
                .collect();
            corrected_initial_age(&map, secs(0), at(0))
        };
        for ignored in ["abc", "-10", "7200.0", ""] {
            assert_eq!(age(&[ignored]), secs(0), "{ignored}");
        }
        assert_eq!(age(&["0, 7200"]), secs(0));
        assert_eq!(age(&["0", "7200"]), secs(0));
        assert_eq!(age(&["7200", "0"]), secs(7200));
        assert_eq!(age(&["99999999999"]), secs(1 << 31));
    }

    fn freshness(lifetime: u64) -> Freshness {
        Freshness {
            initial_age: secs(5),
            response_time: at(0),
            request_time: at(0),
            lifetime: secs(lifetime),
            source: Source::Origin,
            while_revalidate: secs(10),
            if_error: secs(20),
            validate_always: false,
            forbids_stale: false,
        }
    }

    #[test]
    fn a_response_is_fresh_while_its_age_is_below_its_lifetime() {
        let f = freshness(60);
        assert!(f.is_fresh(at(54)));
        assert!(!f.is_fresh(at(55)));
        assert_eq!((f.ttl(at(54)), f.ttl(at(65))), (1, -10));
        assert_eq!(f.staleness(at(65)), secs(10));
    }

    #[test]
    fn nothing_is_younger_than_on_arrival() {
        assert_eq!(freshness(60).age(at(0) - secs(3600)), secs(5));
    }

    #[test]
    fn an_early_refresh_becomes_more_likely_towards_the_end() {
        let window = secs(70);
        let likely = |left| {
            let rolls = (0..10_000).map(|n| (f64::from(n) + 0.5) / 10_000.0);
            rolls
                .filter(|roll| refreshes_early(secs(left), window, *roll))
                .count()
        };
        assert_eq!(likely(70), 0, "not before");
        assert!((5..20).contains(&likely(69)), "{}", likely(69));
        assert!((3_600..3_750).contains(&likely(10)), "{}", likely(10));
        assert_eq!(likely(0), 10_000);
        assert!(refreshes_early(secs(0), window, 0.0) && !refreshes_early(secs(9), secs(0), 0.0));
    }

    #[test]
    fn retention_covers_the_stale_windows_and_no_more_than_the_maximum() {
        assert_eq!(
            freshness(60).retention(at(0), secs(0), secs(1000)),
            secs(75)
        );
        assert_eq!(freshness(60).retention(at(0), secs(0), secs(30)), secs(30));
        assert_eq!(
            freshness(60).retention(at(600), secs(0), secs(1000)),
            secs(0)
        );
        assert_eq!(
            freshness(60).retention(at(70), secs(20), secs(1000)),
            secs(5)
        );
    }

    #[test]
    fn heuristic_is_a_tenth_for_statuses_that_allow_it() {
        let map = headers(&[(LAST_MODIFIED, &text(at(0) - secs(1000)))]);
        let guess = |status: u16, cc: &str| {
            let mut map = map.clone();
            map.insert(
                http::header::CACHE_CONTROL,
                HeaderValue::from_str(cc).unwrap(),
            );
            let status = StatusCode::from_u16(status).unwrap();
            heuristic_lifetime(status, &map, &ResponseDirectives::of(&map), at(0))
        };
        assert_eq!(guess(200, ""), Some(secs(100)));
        assert_eq!(guess(201, ""), None);
        assert_eq!(guess(599, "public"), Some(secs(100)));
    }

    #[test]
    fn s_maxage_and_must_revalidate_forbid_staleness() {
        let policy = Policy {
            stale_if_error: Some(secs(60)),
            ..Policy::default()
        };
        let windows = |cc: &str| {
            let d = ResponseDirectives::of(&headers(&[(http::header::CACHE_CONTROL, cc)]));
            (while_revalidate(&d, &policy), if_error(&d, &policy))
        };
        assert_eq!(
            windows("max-age=1, stale-while-revalidate=5"),
            (secs(5), secs(60))
        );
        for forbidding in [
            "s-maxage=1",
            "max-age=1, must-revalidate",
            "max-age=1, proxy-revalidate",
            "no-cache",
        ] {
            assert_eq!(
                windows(&format!("{forbidding}, stale-while-revalidate=5")),
                (secs(0), secs(0)),
                "{forbidding}"
            );
        }
    }
}
