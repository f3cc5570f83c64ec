mod sharing;
mod waiting;

use super::*;
use crate::semantics::veil::tests::Thin;
use http::{HeaderName, HeaderValue};
use std::time::UNIX_EPOCH;

const NOW: SystemTime = UNIX_EPOCH;

fn map(fields: &[(&'static str, &'static str)]) -> HeaderMap {
    fields
        .iter()
        .map(|(n, v)| (HeaderName::from_static(n), HeaderValue::from_static(v)))
        .collect()
}

struct Case {
    method: Method,
    status: u16,
    request: HeaderMap,
    policy: Policy,
}

impl Case {
    fn new() -> Self {
        Self {
            method: Method::GET,
            status: 200,
            request: HeaderMap::new(),
            policy: Policy::default(),
        }
    }

    fn ttl(seconds: u64) -> Self {
        Self {
            policy: Policy {
                ttl: Some(Duration::from_secs(seconds)),
                ..Policy::default()
            },
            ..Self::new()
        }
    }

    fn request(mut self, fields: &[(&'static str, &'static str)]) -> Self {
        self.request = map(fields);
        self
    }

    fn answer(&self, response: &[(&'static str, &'static str)]) -> Storability {
        let exchange = Exchange {
            method: &self.method,
            request: &self.request,
            status: StatusCode::from_u16(self.status).unwrap(),
            response: &map(response),
            request_time: NOW,
            response_time: NOW,
            wall: NOW,
            veil: &Thin,
        };
        storability(&exchange, &self.policy)
    }

    fn refused(&self, response: &[(&'static str, &'static str)]) -> Option<Refusal> {
        match self.answer(response) {
            Storability::Refuse(why) => Some(why),
            Storability::Store(_) => None,
        }
    }

    fn stored(&self, response: &[(&'static str, &'static str)]) -> Verdict {
        match self.answer(response) {
            Storability::Store(verdict) => *verdict,
            Storability::Refuse(why) => panic!("refused: {why:?}"),
        }
    }
}

const FRESH: (&str, &str) = ("cache-control", "max-age=60");

#[test]
fn explicit_freshness_is_stored() {
    let verdict = Case::new().stored(&[FRESH]);
    assert_eq!(
        (verdict.freshness.lifetime, verdict.freshness.source),
        (Duration::from_secs(60), Source::Origin)
    );
}

#[test]
fn only_answers_to_get_and_to_a_post_that_reads_are_stored() {
    let post = Case {
        method: Method::POST,
        ..Case::new()
    };
    assert_eq!(post.refused(&[FRESH]), None);
    for method in [Method::HEAD, Method::PUT] {
        assert_eq!(
            Case {
                method,
                ..Case::new()
            }
            .refused(&[FRESH]),
            Some(Refusal::Method)
        );
    }
}

/// Nor is one kept that could only be confirmed: no POST asks for that.
#[test]
fn of_a_post_no_freshness_is_guessed() {
    let tag = ("etag", "\"1\"");
    let modified = ("last-modified", "Wed, 01 Jan 1969 00:00:00 GMT");
    for (method, guessed, confirmed) in [
        (Method::GET, None, None),
        (
            Method::POST,
            Some(Refusal::NoLifetime),
            Some(Refusal::NoLifetime),
        ),
    ] {
        let mut case = Case {
            method,
            ..Case::new()
        };
        case.policy.heuristic = true;
        assert_eq!(case.refused(&[modified]), guessed);
        let control = ("cache-control", "no-cache");
        assert_eq!(case.refused(&[tag, control]), confirmed);
    }
}

#[test]
fn interim_not_modified_and_unspecified_parts_are_not_stored() {
    for status in [103, 206, 304] {
        assert_eq!(
            Case {
                status,
                ..Case::new()
            }
            .refused(&[FRESH]),
            Some(Refusal::Status),
            "{status}"
        );
    }
}

#[test]
fn a_part_that_says_which_is_stored() {
    let case = Case {
        status: 206,
        ..Case::new()
    };
    assert_eq!(
        case.refused(&[FRESH, ("content-range", "bytes 0-4/10")]),
        None
    );
    assert_eq!(
        case.refused(&[FRESH, ("content-range", "bytes 0-4/4")]),
        Some(Refusal::Status)
    );
    let ttl = Case {
        status: 206,
        ..Case::ttl(300)
    };
    assert_eq!(ttl.refused(&[("content-range", "bytes 0-4/10")]), None);
}

#[test]
fn any_final_status_is_stored_with_explicit_freshness() {
    for status in [200, 203, 204, 299, 301, 302, 404, 410, 499, 500, 503, 599] {
        assert_eq!(
            Case {
                status,
                ..Case::new()
            }
            .refused(&[FRESH]),
            None,
            "{status}"
        );
    }
}

#[test]
fn no_store_forbids() {
    assert_eq!(
        Case::new().refused(&[("cache-control", "no-store, max-age=60")]),
        Some(Refusal::NoStore)
    );
}

#[test]
fn must_understand_lifts_no_store_for_understood_statuses_only() {
    let cc = [("cache-control", "no-store, must-understand, max-age=60")];
    assert_eq!(Case::new().refused(&cc), None);
    assert_eq!(
        Case {
            status: 599,
            ..Case::new()
        }
        .refused(&cc),
        Some(Refusal::NoStore)
    );
}

#[test]
fn vary_star_forbids() {
    assert_eq!(
        Case::new().refused(&[FRESH, ("vary", "*")]),
        Some(Refusal::VaryStar)
    );
}

#[test]
fn the_route_ttl_applies_where_the_origin_is_silent() {
    let case = Case::ttl(300);
    let verdict = case.stored(&[]);
    assert_eq!(
        (verdict.freshness.lifetime, verdict.freshness.source),
        (Duration::from_secs(300), Source::Route)
    );
    assert_eq!(
        case.stored(&[FRESH]).freshness.lifetime,
        Duration::from_secs(60)
    );
    assert_eq!(
        case.refused(&[("cache-control", "no-cache")]),
        Some(Refusal::NoLifetime),
        "no-cache is not silence"
    );
}

#[test]
fn the_route_ttl_does_not_keep_failures() {
    for status in [404, 500, 503] {
        assert_eq!(
            Case {
                status,
                ..Case::ttl(300)
            }
            .refused(&[]),
            Some(Refusal::Status),
            "{status}"
        );
    }
}

#[test]
fn override_wins_over_the_origin() {
    let mut case = Case::ttl(300);
    case.policy.override_origin = true;
    for cc in [
        "max-age=1",
        "no-store",
        "no-cache, must-revalidate",
        "s-maxage=0",
    ] {
        let freshness = case.stored(&[("cache-control", cc)]).freshness;
        assert_eq!(
            (freshness.lifetime, freshness.validate_always),
            (Duration::from_secs(300), false),
            "{cc}"
        );
    }
}

#[test]
fn silence_without_a_ttl_is_not_stored() {
    assert_eq!(
        Case::new().refused(&[("etag", "\"a\"")]),
        Some(Refusal::NoLifetime)
    );
}

#[test]
fn what_is_stale_at_once_is_stored_only_with_a_validator() {
    for cc in ["max-age=0", "no-cache"] {
        assert_eq!(
            Case::new().refused(&[("cache-control", cc)]),
            Some(Refusal::NoLifetime),
            "{cc}"
        );
        assert_eq!(
            Case::new().refused(&[("cache-control", cc), ("etag", "\"a\"")]),
            None,
            "{cc} with a validator"
        );
    }
}

#[test]
fn a_request_no_store_counts_only_where_clients_are_respected() {
    let mut case = Case::new().request(&[("cache-control", "no-store")]);
    assert_eq!(case.refused(&[FRESH]), None);
    case.policy.client_directives = ClientDirectives::Respect;
    assert_eq!(case.refused(&[FRESH]), Some(Refusal::NoStore));
}

#[test]
fn heuristics_are_off_unless_asked_for() {
    let response = [
        ("last-modified", "Wed, 01 Jan 1969 00:00:00 GMT"),
        ("date", "Thu, 01 Jan 1970 00:00:00 GMT"),
    ];
    assert_eq!(Case::new().refused(&response), Some(Refusal::NoLifetime));
}

#[test]
fn an_origin_whose_clock_is_behind_is_kept_for_as_long_as_the_route_says() {
    let now = UNIX_EPOCH + Duration::from_secs(700);
    let age = |case: &Case, response: &[(&'static str, &'static str)]| {
        let response = map(response);
        let exchange = Exchange {
            method: &case.method,
            request: &case.request,
            status: StatusCode::OK,
            response: &response,
            request_time: now,
            response_time: now,
            wall: now,
            veil: &Thin,
        };
        match storability(&exchange, &case.policy) {
            Storability::Store(verdict) => Ok(verdict.freshness.initial_age.as_secs()),
            Storability::Refuse(refusal) => Err(refusal),
        }
    };
    let late = ("date", "Thu, 01 Jan 1970 00:01:40 GMT");
    assert_eq!(age(&Case::ttl(60), &[late]), Ok(0));
    assert_eq!(age(&Case::ttl(60), &[late, ("age", "10")]), Ok(10));
    assert_eq!(age(&Case::new(), &[late, FRESH]), Err(Refusal::Aged));
    let lasting = ("cache-control", "max-age=1000");
    assert_eq!(age(&Case::new(), &[late, lasting]), Ok(600));
}

/// What only one request provoked is for nobody else, unless the route names that very status.
#[test]
fn errors_about_one_request_are_stored_only_by_name() {
    let named = |statuses: std::ops::RangeInclusive<u16>, status| {
        let one = crate::semantics::policy::StatusTtl {
            statuses,
            ttl: Duration::from_secs(5),
        };
        let policy = Policy {
            status_ttl: [one].into(),
            ..Policy::default()
        };
        Case {
            status,
            policy,
            ..Case::new()
        }
    };
    for status in [
        400, 401, 403, 405, 406, 413, 414, 415, 416, 417, 421, 429, 431,
    ] {
        let silent = Case {
            status,
            ..Case::ttl(300)
        };
        let class = named(400..=499, status);
        for case in [silent, class] {
            for response in [&[FRESH][..], &[], &[FRESH, ("etag", "\"a\"")]] {
                assert_eq!(
                    case.refused(response),
                    Some(Refusal::OneRequest),
                    "{status}"
                );
            }
        }
        let case = named(status..=status, status);
        let lifetime = |response: &[_]| case.stored(response).freshness.lifetime;
        assert_eq!(lifetime(&[FRESH]), Duration::from_secs(60), "the origin's");
        assert_eq!(lifetime(&[]), Duration::from_secs(5));
        let no_store = [("cache-control", "no-store")];
        assert_eq!(case.refused(&no_store), Some(Refusal::NoStore), "{status}");
    }
    for status in [402, 407, 408, 411, 412, 422, 425, 426, 428] {
        assert_eq!(
            Case {
                status,
                ..Case::new()
            }
            .refused(&[FRESH]),
            Some(Refusal::OneRequest),
            "{status}"
        );
    }
}

/// The origin was not silent, it was misunderstood: what nobody can read is stale (RFC 9111 §4.2.1).
#[test]
fn the_route_ttl_does_not_take_the_place_of_a_malformed_lifetime() {
    for (name, value) in [
        ("cache-control", "max-age = 60"),
        ("cache-control", "max-age=x"),
        ("cache-control", "public; max-age=60"),
        ("cache-control", "s-maxage = 0"),
        ("expires", "0"),
        ("cdn-cache-control", "max-age = 60"),
        ("cdn-cache-control", "MAX-AGE=60"),
    ] {
        let case = Case::ttl(300);
        assert_eq!(
            case.refused(&[(name, value)]),
            Some(Refusal::NoLifetime),
            "{value}"
        );
        let verdict = case.stored(&[(name, value), ("etag", "\"a\"")]);
        assert_eq!(verdict.freshness.lifetime, Duration::ZERO, "{value}");
    }
}
