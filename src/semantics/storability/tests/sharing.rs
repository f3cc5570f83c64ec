//! Whose a response may be: what keeps it from being stored for others.

use super::{Case, FRESH};
use crate::semantics::{Refusal, SetCookie, Share};
use http::HeaderName;
use std::time::Duration;

#[test]
fn authorization_forbids_unless_the_response_lifts_it() {
    let case = Case::new().request(&[("authorization", "Bearer a")]);
    assert_eq!(case.refused(&[FRESH]), Some(Refusal::Authorization));
    for lifting in [
        "s-maxage=60",
        "max-age=60, public",
        "max-age=60, must-revalidate",
    ] {
        assert_eq!(
            case.refused(&[("cache-control", lifting)]),
            None,
            "{lifting}"
        );
    }
}

#[test]
fn authorization_and_cookie_forbid_what_only_the_route_makes_cacheable() {
    for (field, refusal) in [
        ("authorization", Refusal::Authorization),
        ("cookie", Refusal::Cookie),
        ("x-api-key", Refusal::Credential),
        ("x-user-id", Refusal::Credential),
    ] {
        let mut case = Case::ttl(60).request(&[(field, "secret")]);
        assert_eq!(
            case.refused(&[("cache-control", "public")]),
            Some(refusal),
            "{field}"
        );
        case.policy.share = Share::All;
        assert_eq!(case.refused(&[]), None, "{field} with share = all");
        case.policy.share = Share::Anonymous;
        case.policy.keyed = [HeaderName::from_static(field)].into();
        assert_eq!(case.refused(&[]), None, "{field} in the key");
    }
}

#[test]
fn cookie_does_not_forbid_what_the_origin_calls_fresh() {
    assert_eq!(
        Case::new().request(&[("cookie", "a=1")]).refused(&[FRESH]),
        None
    );
}

#[test]
fn a_key_of_an_api_forbids_as_authorization_does() {
    let case = Case::new().request(&[("x-api-key", "a")]);
    assert_eq!(case.refused(&[FRESH]), Some(Refusal::Credential));
    assert_eq!(
        case.refused(&[("cache-control", "max-age=60, public")]),
        None
    );
}

#[test]
fn set_cookie_forbids_unless_the_route_says_otherwise() {
    let response = [FRESH, ("set-cookie", "a=1")];
    let mut case = Case::new();
    assert_eq!(case.refused(&response), Some(Refusal::SetCookie));
    case.policy.set_cookie = SetCookie::Store;
    assert_eq!(case.refused(&response), None);
    case.policy.set_cookie = SetCookie::Strip;
    assert!(case.stored(&response).strip_set_cookie);
}

#[test]
fn private_forbids_even_with_override() {
    let cc = [("cache-control", "private, max-age=60")];
    assert_eq!(Case::new().refused(&cc), Some(Refusal::Private));
    let mut case = Case::ttl(60);
    case.policy.override_origin = true;
    assert_eq!(case.refused(&cc), Some(Refusal::Private));
    case.policy.share = Share::All;
    assert_eq!(case.refused(&cc), None, "the operator vouched twice");
}

#[test]
fn private_with_fields_withholds_them() {
    let verdict = Case::new().stored(&[("cache-control", "private=\"x-user\", max-age=60")]);
    assert_eq!(verdict.withheld_fields, ["x-user"]);
}

/// What a lifetime of zero looks like.
const STALE_AT_ONCE: [(&str, &str); 6] = [
    ("expires", "0"),
    ("cache-control", "max-age=0"),
    ("cache-control", "max-age = 0"),
    ("cache-control", "max-age=0, must-revalidate"),
    ("cache-control", "s-maxage=0"),
    ("cache-control", "no-cache"),
];

/// Everything that an operator may open.
fn windows() -> Case {
    let mut case = Case::ttl(60);
    case.policy.stale_while_revalidate = Some(Duration::from_secs(30));
    case.policy.stale_if_error = Some(Duration::from_secs(600));
    case
}

#[test]
fn what_is_stale_at_once_is_stored_for_a_caller_with_credentials_to_be_confirmed_and_for_nothing_else()
 {
    for field in STALE_AT_ONCE {
        let case = windows().request(&[("cookie", "sid=1")]);
        assert!(case.refused(&[field]).is_some(), "{field:?}");
        let stored = case.stored(&[field, ("etag", "\"1\"")]).freshness;
        assert!(stored.forbids_stale, "{field:?}");
        assert_eq!(stored.while_revalidate.max(stored.if_error), Duration::ZERO);
        let mut over = windows().request(&[("cookie", "sid=1")]);
        over.policy.override_origin = true;
        over.policy.ttl = None;
        let stored = over.stored(&[field, ("etag", "\"1\"")]).freshness;
        assert!(stored.forbids_stale, "{field:?}");
    }
    let silent = windows().request(&[("cookie", "sid=1")]);
    assert_eq!(silent.refused(&[STALE_AT_ONCE[0]]), Some(Refusal::Cookie));
}

#[test]
fn what_is_stale_at_once_keeps_its_windows_where_it_is_nobodys_own() {
    let cookie = || windows().request(&[("cookie", "sid=1")]);
    for (case, control) in [
        (windows(), "max-age=0"),
        (cookie(), "max-age=0, public"),
        (cookie(), "max-age=0, stale-while-revalidate=30"),
        (cookie(), "max-age=0, stale-if-error=30"),
    ] {
        let stored = case.stored(&[("cache-control", control)]).freshness;
        assert!(
            !stored.forbids_stale && !stored.while_revalidate.is_zero(),
            "{control}"
        );
    }
    let mut shared = cookie();
    shared.policy.share = Share::All;
    assert!(!shared.stored(&[STALE_AT_ONCE[0]]).freshness.forbids_stale);
}
