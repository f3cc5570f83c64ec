//! Whose a response may be: what keeps it from being stored for others.

use super::{Case, FRESH};
use crate::semantics::{Refusal, SetCookie, Share};
use http::HeaderName;

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
