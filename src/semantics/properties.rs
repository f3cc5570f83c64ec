//! What holds for any bytes that an origin or a client may send: nothing panics, nothing overflows, bounds are kept.

mod oracles;

use super::{
    Policy, date,
    directives::{RequestDirectives, ResponseDirectives},
    fields,
    freshness::{corrected_initial_age, explicit_lifetime, heuristic_lifetime},
    host, invalidation, key, part, path, range, reached,
    storability::{Exchange, Storability, storability},
    stored::sample,
    structured, targeted, vary,
    veil::tests::Thin,
};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use proptest::prelude::*;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Fields that the rules read, with values that look like the real ones more often than chance would.
fn headers() -> impl Strategy<Value = HeaderMap> {
    const NAMES: [&str; 19] = [
        "cache-control",
        "cdn-cache-control",
        "age",
        "date",
        "expires",
        "last-modified",
        "etag",
        "vary",
        "set-cookie",
        "range",
        "content-range",
        "if-range",
        "cache-groups",
        "content-location",
        "accept-language",
        "content-language",
        "forwarded",
        "x-forwarded-host",
        "x-forwarded-proto",
    ];
    let words = "(max-age|s-maxage|private|no-store|no-cache|public|bytes|stale-if-error|\\*|en|\"|=|,|;| |-|/|[0-9]{1,22}|GMT|Sun, 06 Nov 1994 08:49:37 GMT|q=0\\.5|host=|proto=https|\\PC)";
    let value = prop::collection::vec(words, 0..12).prop_map(|words| words.concat());
    let line = (
        0..NAMES.len(),
        prop_oneof![
            value.prop_map(String::into_bytes),
            prop::collection::vec(any::<u8>(), 0..40)
        ],
    );
    prop::collection::vec(line, 0..10).prop_map(|lines| {
        lines
            .into_iter()
            .filter_map(|(name, value)| {
                Some((
                    HeaderName::from_static(NAMES[name]),
                    HeaderValue::from_bytes(&value).ok()?,
                ))
            })
            .collect()
    })
}

fn time() -> impl Strategy<Value = SystemTime> {
    (0_u64..=253_402_300_799).prop_map(|seconds| UNIX_EPOCH + Duration::from_secs(seconds))
}

proptest! {
    #[test]
    fn ages_and_lifetimes_never_overflow(headers in headers(), delay in 0_u64..=u64::MAX, response_time in time(), now in time()) {
        let age = corrected_initial_age(&headers, Duration::from_secs(delay), response_time);
        let directives = ResponseDirectives::of(&headers);
        explicit_lifetime(&headers, &directives, response_time);
        heuristic_lifetime(StatusCode::OK, &headers, &directives, response_time);
        let mut freshness = sample(&[]).freshness;
        freshness.initial_age = age;
        freshness.response_time = response_time;
        prop_assert!(freshness.age(now) >= age, "a clock makes nothing younger than on arrival");
        freshness.ttl(Some(Duration::from_secs(9)), now);
        prop_assert!(freshness.retention(now, Duration::from_secs(9), Duration::from_secs(60)) <= Duration::from_secs(60));
    }

    #[test]
    fn every_answer_gets_a_verdict_within_its_bounds(
        request in headers(), response in headers(), status in 100_u16..1000, now in time(), ttl in 0_u64..100_000,
    ) {
        let policy = Policy { ttl: Some(Duration::from_secs(ttl)), heuristic: true, ..Policy::default() };
        let exchange = Exchange {
            method: &Method::GET,
            request: &request,
            status: StatusCode::from_u16(status).expect("in range"),
            response: &response,
            request_time: now,
            response_time: now,
            wall: now,
            veil: &Thin,
        };
        if let Storability::Store(verdict) = storability(&exchange, &policy) {
            prop_assert!(verdict.freshness.lifetime <= policy.max_lifetime);
            let directives = targeted::directives(&response, &policy.targeted);
            prop_assert!(!directives.private, "private is never stored");
            prop_assert!(!response.contains_key("set-cookie") || !directives.withheld_fields.is_empty());
        }
    }

    #[test]
    fn ranges_lie_within_what_there_is(headers in headers(), length in 0_u64..10_000) {
        let stored = sample(&[("etag", "\"a\"")]);
        let within = |r: &part::ByteRange| r.first <= r.last && r.last < length;
        match range::select(&headers, &stored, length) {
            range::Selected::One(one) => prop_assert!(within(&one)),
            range::Selected::Several(several) => prop_assert!(several.iter().all(within)),
            range::Selected::Whole | range::Selected::Unsatisfiable => {}
        }
        if let Some(part) = part::part_of(&headers, length, Some(length)) {
            prop_assert_eq!(part.range.length(), length);
        }
    }

    #[test]
    fn parsers_take_any_bytes(bytes in prop::collection::vec(any::<u8>(), 0..200), headers in headers(), now in time()) {
        structured::dictionary(&bytes);
        structured::list(&bytes);
        date::parse(&bytes, now);
        fields::members(&bytes).count();
        fields::delta_seconds(&bytes);
        fields::quality(&bytes);
        host::normal(&bytes);
        reached::is_closed(&bytes);
        let text = String::from_utf8_lossy(&bytes);
        path::loosest(&format!("/{text}"));
        reached::Reached::of(&headers, None);
        reached::as_received(&headers);
        RequestDirectives::of(&headers);
        let selects = vary::Selects::new(&headers, &Thin);
        let _ = vary::Selecting::of(&headers, &selects).map(|selecting| selecting.matches(&selects, &headers));
        invalidation::groups(&headers, &invalidation::CACHE_GROUPS);
        invalidation::named_paths(&headers, b"a", "/x/y");
        let stored = key::Key::from_stored(bytes.into());
        stored.target();
        stored.path_and_query();
    }

    #[test]
    fn a_date_that_is_written_is_read_back(time in time()) {
        prop_assert_eq!(date::parse(&date::format(time), UNIX_EPOCH), Some(time));
    }

    #[test]
    fn a_selection_matches_the_request_that_made_it(response in headers(), request in headers()) {
        let selects = vary::Selects::new(&request, &Thin);
        if let Ok(selecting) = vary::Selecting::of(&response, &selects) {
            prop_assert!(selecting.matches(&selects, &response));
        }
    }

    #[test]
    fn different_parts_never_make_equal_keys(one in prop::collection::vec(".{0,6}", 4), other in prop::collection::vec(".{0,6}", 4)) {
        let key = |parts: &[String]| {
            key::Builder::new(&parts[0], parts[1].as_bytes(), &parts[2]).query(Some(&parts[3])).build()
        };
        let lower = |parts: &[String]| {
            let mut parts = parts.to_vec();
            parts[1].make_ascii_lowercase(); // hosts ignore case
            parts
        };
        prop_assert_eq!(key(&one) == key(&other), lower(&one) == lower(&other));
    }
}
