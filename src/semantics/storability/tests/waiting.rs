//! What those who have waited may share although it is not stored.

use super::{Case, NOW, map};
use crate::semantics::{
    refusal::Refusal,
    storability::{Exchange, for_those_who_wait},
    veil::tests::Thin,
};
use http::StatusCode;

impl Case {
    fn is_for_those_who_wait(&self, response: &[(&'static str, &'static str)]) -> bool {
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
        for_those_who_wait(&exchange, &self.policy).is_some()
    }
}

#[test]
fn what_is_refused_for_its_lifetime_alone_is_for_those_who_wait() {
    let cases = [
        (&[("cache-control", "max-age=0")][..], Refusal::NoLifetime),
        (&[("expires", "0")], Refusal::NoLifetime),
        (
            &[("cache-control", "max-age=60"), ("age", "60")],
            Refusal::Aged,
        ),
    ];
    for (response, refusal) in cases {
        assert_eq!(Case::new().refused(response), Some(refusal));
        assert!(Case::new().is_for_those_who_wait(response), "{response:?}");
    }
    assert!(Case::ttl(0).is_for_those_who_wait(&[]));
}

#[test]
fn what_is_refused_for_anything_else_is_not() {
    for control in [
        "max-age=0, no-store",
        "max-age=0, private",
        "max-age=0, no-cache",
        "no-cache",
    ] {
        let response = [("cache-control", control)];
        assert!(!Case::new().is_for_those_who_wait(&response), "{control}");
    }
    for field in [("set-cookie", "a=1"), ("vary", "*")] {
        let response = [("cache-control", "max-age=0"), field];
        assert!(!Case::new().is_for_those_who_wait(&response), "{field:?}");
    }
}

#[test]
fn what_nobody_calls_storable_is_not_for_those_who_wait() {
    assert_eq!(Case::new().refused(&[]), Some(Refusal::NoLifetime));
    for response in [
        &[][..],
        &[("etag", "\"1\"")],
        &[("cache-control", "public")],
    ] {
        assert!(!Case::new().is_for_those_who_wait(response), "{response:?}");
    }
}

#[test]
fn what_is_stale_at_once_is_for_its_caller_where_that_has_credentials() {
    for field in [("cookie", "sid=1"), ("authorization", "x")] {
        let caller = Case::new().request(&[field]);
        for control in ["max-age=0", "public, max-age=0", "s-maxage=0"] {
            let response = [("cache-control", control)];
            assert!(
                !caller.is_for_those_who_wait(&response),
                "{field:?} {control}"
            );
        }
    }
    let aged = [("cache-control", "max-age=60"), ("age", "60")];
    let with = |field| Case::new().request(&[field]).is_for_those_who_wait(&aged);
    assert!(with(("cookie", "sid=1")) && !with(("authorization", "x")));
}
