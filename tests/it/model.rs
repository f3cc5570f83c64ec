//! Whatever the sequence of requests: an answer that was made for one caller is never served to another one, unless the
//! rules say that it may be shared. The oracle here knows nothing of the proxy's code, only of the rules.

use crate::support::{Origin, Proxy, Reply};

const CALLERS: [(&str, &[(&str, &str)]); 5] = [
    ("anonymous", &[]),
    ("other", &[]),
    ("alice", &[("Authorization", "alice")]),
    ("bob", &[("Authorization", "bob")]),
    ("carol", &[("Cookie", "session=carol")]),
];

/// How the origin answers, and whether what one kind of caller got may be given to another kind.
struct Kind {
    name: &'static str,
    fields: &'static [(&'static str, &'static str)],
    /// By a caller without credentials, with `Authorization`, with `Cookie`: may others get what such a caller got?
    shared: [bool; 3],
    /// May a caller with credentials get what a caller without got?
    for_credentials: bool,
}

const KINDS: [Kind; 9] = [
    Kind {
        name: "silent",
        fields: &[],
        shared: [true, false, false],
        for_credentials: false,
    },
    Kind {
        name: "private",
        fields: &[("cache-control", "private, max-age=60")],
        shared: [false; 3],
        for_credentials: false,
    },
    Kind {
        name: "no-store",
        fields: &[("cache-control", "no-store")],
        shared: [false; 3],
        for_credentials: false,
    },
    Kind {
        name: "fresh",
        fields: &[("cache-control", "max-age=60")],
        shared: [true, false, true],
        for_credentials: true,
    },
    Kind {
        name: "public",
        fields: &[("cache-control", "public, max-age=60")],
        shared: [true; 3],
        for_credentials: true,
    },
    Kind {
        name: "cookie",
        fields: &[("cache-control", "max-age=60"), ("set-cookie", "a=1")],
        shared: [false; 3],
        for_credentials: false,
    },
    Kind {
        name: "star",
        fields: &[("cache-control", "max-age=60"), ("vary", "*")],
        shared: [false; 3],
        for_credentials: false,
    },
    Kind {
        name: "varies",
        fields: &[
            ("cache-control", "public, max-age=60"),
            ("vary", "Authorization, Cookie"),
        ],
        shared: [true, false, false], // only with who sends the same, which no other caller here does
        for_credentials: false,
    },
    Kind {
        name: "zero",
        fields: &[("cache-control", "max-age=0"), ("etag", "\"z\"")],
        // Stale at once is not private: it may be confirmed, or served while it is refreshed.
        shared: [true, false, true],
        for_credentials: true,
    },
];

fn credential(caller: usize) -> usize {
    match CALLERS[caller].1 {
        [("Authorization", _)] => 1,
        [("Cookie", _)] => 2,
        _ => 0,
    }
}

fn may_get(reader: usize, owner: usize, kind: &Kind) -> bool {
    reader == owner
        || (kind.shared[credential(owner)] && (credential(reader) == 0 || kind.for_credentials))
}

async fn walk(seed: u64) {
    let mut random = fastrand::Rng::with_seed(seed);
    let origin = Origin::start().await;
    let toml = "[[route]]\nname = \"all\"\npath = \"/{*rest}\"\nttl = 30\nstale_while_revalidate = \"20s\"\nstale_if_error = \"60s\"\n";
    let proxy = Proxy::to(&origin, toml).await;
    let mut hits = 0;
    for step in 0..300 {
        let (path, caller) = (
            format!("/{}", random.usize(..3)),
            random.usize(..CALLERS.len()),
        );
        let (name, credentials) = CALLERS[caller];
        let number = caller.to_string();
        let fields = &[credentials, &[("X-Caller", number.as_str())]].concat()[..];
        let kind = random.usize(..KINDS.len());
        let script = |status: u16| {
            let body = format!(" {kind}");
            KINDS[kind].fields.iter().fold(
                Reply::ok(body).echo("x-caller").status(status),
                |reply, (n, v)| reply.header(n, *v),
            )
        };
        match random.u8(..10) {
            0 => proxy.advance(random.u64(1..40)),
            1 => {
                origin.answer(&path, Reply::ok("written"));
                proxy.send("PUT", &path, fields, "x").await;
            }
            2 => {
                origin.answer(&path, script(503));
                check(
                    &proxy.get_with(&path, fields).await,
                    caller,
                    seed,
                    step,
                    name,
                );
            }
            _ => {
                origin.answer(&path, script(200));
                let answer = proxy.get_with(&path, fields).await;
                hits += usize::from(answer.is_hit());
                check(&answer, caller, seed, step, name);
            }
        }
    }
    assert!(
        hits > 10,
        "seed {seed}: the walk meets the cache ({hits} hits)"
    );
}

fn check(answer: &crate::support::Answer, reader: usize, seed: u64, step: usize, name: &str) {
    let Some((owner, kind)) = answer.text().split_once(' ') else {
        return;
    };
    let (Ok(owner), Ok(kind)) = (owner.parse::<usize>(), kind.parse::<usize>()) else {
        return;
    };
    let kind = &KINDS[kind];
    assert!(
        may_get(reader, owner, kind),
        "seed {seed}, step {step}: {name} got what was made for {} ({}): {}",
        CALLERS[owner].0,
        kind.name,
        answer.cache_status()
    );
}

#[tokio::test]
async fn no_walk_hands_one_callers_answer_to_another() {
    for seed in 0..8 {
        walk(seed).await;
    }
}

#[test]
fn the_oracle_tells_callers_apart() {
    let by_name = |name| KINDS.iter().find(|kind| kind.name == name).unwrap();
    assert!(may_get(1, 0, by_name("silent")) && !may_get(2, 0, by_name("silent")));
    assert!(!may_get(0, 2, by_name("fresh")) && may_get(0, 2, by_name("public")));
    assert!(!may_get(3, 2, by_name("private")) && may_get(2, 2, by_name("private")));
}
