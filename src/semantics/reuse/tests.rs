use super::*;
use crate::semantics::{freshness::Source, policy::Share, stored::sample};
use http::{HeaderName, HeaderValue};
use std::time::UNIX_EPOCH;

fn at(seconds: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(seconds)
}

fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn head() -> StoredHead {
    sample(&[])
}

fn request(fields: &[(&'static str, &'static str)]) -> HeaderMap {
    fields
        .iter()
        .map(|(n, v)| (HeaderName::from_static(n), HeaderValue::from_static(v)))
        .collect()
}

fn respect() -> Policy {
    Policy {
        client_directives: ClientDirectives::Respect,
        ..Policy::default()
    }
}

fn ask(head: &StoredHead, now: u64) -> Reuse {
    reuse(
        head,
        &request(&[]),
        &Policy::default(),
        PurgeState::Good,
        at(now),
    )
}

#[test]
fn fresh_is_served_and_stale_is_validated() {
    assert_eq!(ask(&head(), 59), Reuse::Serve);
    assert_eq!(ask(&head(), 60), Reuse::Validate(Reason::Expired));
}

#[test]
fn no_cache_is_validated_each_time() {
    let mut head = head();
    head.freshness.validate_always = true;
    assert_eq!(ask(&head, 1), Reuse::Validate(Reason::NoCache));
}

#[test]
fn stale_is_served_inside_the_revalidation_window_only() {
    let mut head = head();
    head.freshness.while_revalidate = secs(10);
    assert_eq!(ask(&head, 70), Reuse::ServeStale);
    assert_eq!(ask(&head, 71), Reuse::Validate(Reason::Expired));
}

#[test]
fn a_soft_purge_makes_stale() {
    let soft = |head: &StoredHead| {
        reuse(
            head,
            &request(&[]),
            &Policy::default(),
            PurgeState::SoftPurged(Duration::ZERO),
            at(1),
        )
    };
    let mut head = head();
    assert_eq!(soft(&head), Reuse::Validate(Reason::Purged));
    head.freshness.while_revalidate = secs(10);
    assert_eq!(soft(&head), Reuse::ServeStale);
}

#[test]
fn what_has_just_come_answers_who_waited_however_short_its_lifetime() {
    let answers = |head: &StoredHead, name, value| {
        answers_who_waited(head, &request(&[(name, value)]), &respect(), at(70))
    };
    let (mut head, mut at_once) = (head(), head());
    at_once.freshness.lifetime = Duration::ZERO;
    assert!(answers(&head, "accept", "*") && answers(&head, "cookie", "a=1"));
    assert!(answers(&at_once, "accept", "*") && !answers(&at_once, "cookie", "a=1"));
    for control in ["no-cache", "max-age=9", "min-fresh=9"] {
        assert!(!answers(&head, "cache-control", control), "{control}");
    }
    assert!(answers(&head, "cache-control", "max-age=90"));
    head.freshness.validate_always = true;
    assert!(!answers(&head, "accept", "*"));
}

#[test]
fn doubt_about_purges_validates_even_what_is_fresh() {
    let mut head = head();
    head.freshness.while_revalidate = secs(10);
    for (state, reason) in [
        (PurgeState::Doubtful, Reason::PurgeGap),
        (PurgeState::PerhapsPurged, Reason::Purged),
    ] {
        let verdict = reuse(&head, &request(&[]), &Policy::default(), state, at(1));
        assert_eq!(verdict, Reuse::Validate(reason), "{state:?}");
    }
}

#[test]
fn credentials_get_nothing_that_only_the_route_made_cacheable() {
    let mut head = head();
    for field in ["authorization", "cookie"] {
        let ask = |head: &StoredHead, policy: &Policy| {
            reuse(
                head,
                &request(&[(field, "x")]),
                policy,
                PurgeState::Good,
                at(1),
            )
        };
        head.freshness.source = Source::Route;
        assert_eq!(
            ask(&head, &Policy::default()),
            Reuse::Fetch(Reason::Credentials),
            "{field}"
        );
        let shared = Policy {
            share: Share::All,
            ..Policy::default()
        };
        assert_eq!(
            ask(&head, &shared),
            Reuse::Serve,
            "{field} with share = all"
        );
        head.freshness.source = Source::Origin;
        assert_eq!(
            ask(&head, &Policy::default()),
            Reuse::Serve,
            "{field} where the origin says fresh"
        );
    }
}

#[test]
fn client_directives_count_only_where_they_are_respected() {
    let cases = [
        ("no-cache", 10, Reuse::Validate(Reason::Client)),
        ("max-age=0", 0, Reuse::Validate(Reason::Client)),
        ("max-age=5", 10, Reuse::Validate(Reason::Client)),
        ("max-age=10", 10, Reuse::Serve),
        ("min-fresh=50", 10, Reuse::Serve),
        ("min-fresh=51", 10, Reuse::Validate(Reason::Client)),
        ("max-stale", 1000, Reuse::Serve),
        ("max-stale=10", 70, Reuse::Serve),
        ("max-stale=10", 71, Reuse::Validate(Reason::Expired)),
    ];
    for (cc, now, expected) in cases {
        let fields = request(&[("cache-control", cc)]);
        assert_eq!(
            reuse(&head(), &fields, &respect(), PurgeState::Good, at(now)),
            expected,
            "{cc}"
        );
    }
    let ignored = reuse(
        &head(),
        &request(&[("cache-control", "no-cache")]),
        &Policy::default(),
        PurgeState::Good,
        at(1),
    );
    assert_eq!(ignored, Reuse::Serve);
}

#[test]
fn max_stale_does_not_lift_the_origins_prohibition() {
    let mut head = head();
    head.freshness.forbids_stale = true;
    let fields = request(&[("cache-control", "max-stale")]);
    assert_eq!(
        reuse(&head, &fields, &respect(), PurgeState::Good, at(61)),
        Reuse::Validate(Reason::Expired)
    );
}

#[test]
fn stale_on_error_is_served_inside_its_window_only() {
    let mut f = head().freshness;
    let may_serve = |f: &Freshness, purged, now| {
        may_serve_on_error(f, &request(&[]), &Policy::default(), purged, at(now))
    };
    assert!(!may_serve(&f, None, 61));
    f.if_error = secs(10);
    assert!(may_serve(&f, None, 70));
    assert!(!may_serve(&f, Some(secs(11)), 50), "purged so long ago");
    assert!(!may_serve(&f, None, 71));
}

#[test]
fn credentials_get_nothing_stale_of_which_the_origin_says_no_more() {
    let mut head = head();
    head.freshness.lifetime = Duration::ZERO;
    head.freshness.while_revalidate = secs(10);
    head.freshness.if_error = secs(10);
    let policy = Policy {
        stale_on_disconnect: secs(10),
        ..respect()
    };
    for (source, name, allowed) in [
        (Source::StaleAtOnce, "cookie", false),
        (Source::StaleAtOnce, "x-api-key", false),
        (Source::StaleAtOnce, "accept", true),
        (Source::Origin, "cookie", true),
    ] {
        head.freshness.source = source;
        let fields = request(&[(name, "x=1")]);
        let patient = request(&[(name, "x=1"), ("cache-control", "max-stale, max-age=90")]);
        let ask = |fields| reuse(&head, fields, &policy, PurgeState::Good, at(5));
        assert_eq!(ask(&fields) == Reuse::ServeStale, allowed, "{name}");
        assert_eq!(ask(&patient) == Reuse::Serve, allowed, "{name}");
        let f = &head.freshness;
        assert_eq!(
            may_serve_on_error(f, &fields, &policy, None, at(5)),
            allowed,
            "{name}"
        );
        let disconnected = may_serve_disconnected(f, &fields, &policy, None, at(5));
        assert_eq!(disconnected, allowed, "{name}");
    }
}

#[test]
fn stale_is_served_disconnected_only_where_nothing_prohibits_it() {
    let policy = Policy {
        stale_on_disconnect: secs(10),
        ..Policy::default()
    };
    let mut f = head().freshness;
    let may_serve = |f: &Freshness, policy: &Policy, now| {
        may_serve_disconnected(f, &request(&[]), policy, None, at(now))
    };
    assert!(may_serve(&f, &policy, 70) && !may_serve(&f, &policy, 71));
    assert!(!may_serve(&f, &Policy::default(), 61));
    f.forbids_stale = true;
    assert!(!may_serve(&f, &policy, 61));
}
