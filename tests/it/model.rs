//! Whatever the sequence of requests: an answer that was made for one caller is never served to another one, unless the
//! rules say that it may be shared. The oracle here knows nothing of the proxy's code, only of the rules.
//!
//! `SOAK=1` walks a hundred thousand steps and prints what was done; `WALK_SEED=7` walks the one that failed.

#![expect(clippy::print_stdout, reason = "what the long form did is read there")]

mod asks;
mod deployment;
mod kinds;
mod operators;
mod oracle;
mod origin;
mod walk;

use self::{
    asks::{Ask, CREDENTIALS, FORWARDING},
    operators::OPERATORS,
    oracle::objection,
    origin::resolve,
    walk::{Tally, walk},
};
use std::time::{Duration, Instant};

/// Walks and steps of each, in the short form and the long one.
const SHORT: (u64, usize) = (20, 140);
const LONG: (u64, usize) = (250, 400);

/// What a walk is made of: each has to have been met.
const FEATURES: &[&str] = &[
    "at once",
    "time passes",
    "purges",
    "restarts",
    "redis is emptied",
    "redis starts again",
    "collapsed",
    "detail=path",
    "fwd=stale",
    "disguised paths",
    "of an untrusted peer",
    "hit GET",
    "hit HEAD",
    "hit QUERY",
    "method POST",
    "method PUT",
    "status 200",
    "status 400",
    "status 404",
    "status 503",
];

#[tokio::test]
async fn no_walk_hands_one_callers_answer_to_another() {
    let soak = std::env::var_os("SOAK").is_some();
    let one = std::env::var("WALK_SEED").ok();
    let one = one.map(|seed| seed.parse::<u64>().unwrap());
    let long = soak || one.is_some(); // a short walk is how a long one begins
    let (walks, steps) = if long { LONG } else { SHORT };
    let begun = Instant::now();
    let mut tally = Tally::new();
    for seed in one.map_or(0..walks, |seed| seed..seed + 1) {
        for (what, count) in walk(seed, steps).await {
            *tally.entry(what).or_default() += count;
        }
    }
    if soak {
        report(&tally, begun.elapsed());
    }
    if one.is_none() {
        it_met_the_cache(&tally);
    }
}

/// A walk that meets no stored answer, or leaves out what is difficult, shows nothing.
fn it_met_the_cache(tally: &Tally) {
    let count = |what: &str| tally.get(what).copied().unwrap_or(0);
    for operator in OPERATORS {
        let steps = count(&format!("steps {}", operator.name));
        let hits = count(&format!("hits {}", operator.name));
        assert!(
            hits * 100 >= steps * operator.least_hits && hits > 0,
            "{}: {hits} hits in {steps} steps",
            operator.name
        );
    }
    let fields = CREDENTIALS
        .iter()
        .chain(FORWARDING.iter().map(|(name, _)| name));
    let fields = fields.map(|name| format!("with {name}"));
    let kinds = kinds::all().map(|kind| format!("kind {}", kind.name));
    let features = FEATURES.iter().map(|feature| (*feature).to_owned());
    let missing: Vec<String> = fields
        .chain(kinds)
        .chain(features)
        .filter(|what| count(what) == 0)
        .collect();
    assert!(missing.is_empty(), "no walk met {missing:?}");
}

fn report(tally: &Tally, took: Duration) {
    let steps: usize = OPERATORS
        .iter()
        .filter_map(|operator| tally.get(&format!("steps {}", operator.name)))
        .sum();
    println!("{steps} steps in {took:?}, nothing in the wrong hands:");
    for (what, count) in tally {
        println!("{count:>7} {what}");
    }
}

#[test]
fn the_oracle_tells_callers_apart() {
    let ask = |step, kind, fields: &[(&'static str, &str)]| Ask {
        step,
        kind: kinds::named(kind),
        fields: fields
            .iter()
            .map(|(name, value)| (*name, (*value).to_owned()))
            .collect(),
        ..Ask::plain("/feed")
    };
    let ttl = &OPERATORS[1];
    let alice: &[_] = &[("authorization", "alice")];
    let session: &[_] = &[("cookie", "session=bob")];
    for (kind, owner, reader, allowed) in [
        ("silent", &[][..], &[][..], true),
        ("silent", &[], alice, false),
        ("silent", alice, &[], false),
        ("silent", session, session, false),
        ("fresh", alice, &[], false),
        ("fresh", session, &[], true),
        ("fresh", &[], alice, true),
        ("public", alice, session, true),
        ("private", &[], &[], false),
        ("cookie", &[], &[], false),
        ("vary by credentials", alice, alice, true),
        ("vary by credentials", alice, &[], false),
    ] {
        let (owner, reader) = (ask(0, kind, owner), ask(1, kind, reader));
        let objection = objection(ttl, &reader, &owner, false);
        assert_eq!(objection.is_none(), allowed, "{kind}: {objection:?}");
        assert_eq!(oracle::objection(ttl, &owner, &owner, false), None);
    }
}

#[test]
fn the_origin_resolves_paths_as_obliging_servers_do() {
    for path in [
        "/api/me",
        "//api/./me",
        "/static/..%2fapi%5Cme",
        "/x/..;/api/me;y",
        "/%61pi/me%2f",
    ] {
        assert_eq!(resolve(path), "/api/me", "{path}");
    }
}
