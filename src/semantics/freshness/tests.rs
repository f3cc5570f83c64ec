//! Lifetimes and ages.

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
    assert_eq!((f.ttl(None, at(54)), f.ttl(None, at(65))), (1, -10));
    assert_eq!(f.staleness(at(65)), secs(10));
}

#[test]
fn what_was_purged_softly_has_no_freshness_left() {
    let f = freshness(60);
    let ttl = |purged, now| f.ttl(Some(secs(purged)), at(now));
    assert_eq!((ttl(0, 10), ttl(7, 10), ttl(7, 65)), (0, -7, -10));
}

#[test]
fn it_is_over_so_long_after_its_arrival_however_long_it_is_fresh() {
    let f = freshness(60);
    assert!(!f.is_over(secs(10), at(9)) && f.is_over(secs(10), at(10)));
    assert_eq!(f.retention(at(4), secs(0), secs(10)), secs(6));
    assert_eq!(f.retention(at(40), secs(0), secs(10)), secs(0));
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
