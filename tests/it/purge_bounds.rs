//! What writes and operators may purge, however much and by whatever text, and what that never costs others.

use crate::support::{
    Answer, Origin, Proxy, Reply, get, proxy::synchronised, redis::Redis, request, until,
};

const READS: &str = r#"
[[route]]
name = "profile"
path = "/profiles/{id}"
ttl = 3600
tags = ["user:{id}"]

[[route]]
name = "house"
path = "/houses/{id}"
ttl = 3600
tags = ["owner:{id}"]

[[route]]
name = "rest"
path = "/{*rest}"
ttl = 3600
"#;

fn writes(purge: &str) -> String {
    format!(
        "{READS}\n[[route]]\nname = \"write\"\npath = \"/api/users/{{id}}\"\nmethods = [\"PUT\"]\npurge = [{purge}]\n"
    )
}

async fn stored(proxy: &Proxy, paths: &[&str]) {
    for path in paths {
        proxy.get(path).await;
        assert!(proxy.get(path).await.is_hit(), "{path}");
    }
}

/// Each kind of template, and what a write to user 7 takes with it, beside its own URI.
const TEMPLATES: &[(&str, &str)] = &[
    (r#""tag:user:{id}""#, "/profiles/7"),
    (r#""hard:tag:owner:{id}""#, "/houses/7"),
    (r#""path:/lists/{id}""#, "/lists/7"),
    (r#""hard:path:/sets/{id}/all""#, "/sets/7/all"),
    (r#""path:/begun/{id}*""#, "/begun/7/all"),
    (r#""path:/list?user={id}""#, "/list?user=7"),
    (r#""path:/found?user={id}*""#, "/found?user=7&page=2"),
    (r#""path:/of/{?by}/{id}*""#, "/of/me/7/all"),
];

/// A proxy with all of [`TEMPLATES`], and an answer of each to user 7 stored.
async fn with_templates(origin: &Origin, others: &[&str]) -> Proxy {
    origin.answer_by(|_| Reply::ok("a"));
    let templates: Vec<_> = TEMPLATES.iter().map(|(template, _)| *template).collect();
    let proxy = Proxy::to(origin, &writes(&templates.join(", "))).await;
    stored(&proxy, others).await;
    for (_, own) in TEMPLATES {
        stored(&proxy, &[own]).await;
    }
    proxy
}

#[tokio::test]
async fn a_thousand_writes_with_as_many_ids_lose_no_other_url() {
    let origin = Origin::start().await;
    let others = [
        "/other",
        "/lists",
        "/begun",
        "/list?user=none",
        "/profiles/none",
    ];
    let proxy = with_templates(&origin, &others).await;
    for id in 0..1000 {
        let path = format!("/api/users/{id}?by=me");
        assert_eq!(proxy.send("PUT", &path, &[], "x").await.status, 200);
    }
    for path in others {
        assert!(proxy.get(path).await.is_hit(), "{path}");
    }
    for (template, own) in TEMPLATES {
        assert!(!proxy.get(own).await.is_hit(), "{template}: {own}");
    }
}

/// What means something to somebody: stars, separators, ends, escapes and escapes of them.
const HOSTILE: &[&str] = &[
    "*",
    "%2A",
    "%2a%2A",
    "**",
    "\\*",
    "%5C*",
    "?",
    "%3F*",
    "*?by=*",
    "7*",
    "7,8",
    "7%2C8",
    "7%208",
    "7+8",
    "%0A*",
    "%0d%0a7",
    "%00",
    "9;v=1",
    "%3b",
    "..%2f*",
    "%2e%2e%2f%2A",
    "%25",
    "%252A",
    "%",
    "%2",
    "{id}",
    "%7Bid%7D",
    "'*'",
    "tag:user:7",
    "user:7",
    "$*",
    "(.*)",
    "[0-9]",
    "\u{e9}*",
];

#[tokio::test]
async fn no_text_of_a_client_purges_what_others_are_called() {
    let origin = Origin::start().await;
    let proxy = with_templates(&origin, &["/other", "/", "/api/users/8"]).await;
    let owns = TEMPLATES.iter().map(|(_, own)| *own);
    let others: Vec<_> = owns.chain(["/other", "/", "/api/users/8"]).collect();
    let long = format!("7{}", "*".repeat(4_000));
    for id in HOSTILE.iter().copied().chain([&*long]) {
        let path = format!("/api/users/{id}");
        // As the id, and as a parameter beside one; some of them are no request at all.
        for path in [
            format!("{path}?by={id}"),
            format!("/api/users/9?by={id}"),
            path,
        ] {
            proxy.send("PUT", &path, &[], "x").await;
        }
        for path in &others {
            assert!(proxy.get(path).await.is_hit(), "{id}: {path}");
        }
    }
}

async fn purge_paths(proxy: &Proxy, paths: &[String]) -> Answer {
    let asked = serde_json::json!({ "paths": paths, "hard": true }).to_string();
    let json = [("content-type", "application/json")];
    request(proxy.admin(), "POST", "/api/purge", &json, asked.as_bytes()).await
}

#[tokio::test]
async fn more_patterns_than_are_remembered_cost_others_a_confirmation() {
    let origin = Origin::start().await;
    origin.answer(
        "/other",
        Reply::fresh("other", 3600).header("etag", "\"1\""),
    );
    origin.answer("/x/none", Reply::fresh("old", 3600));
    let proxy = Proxy::to(&origin, "").await;
    stored(&proxy, &["/other", "/x/none"]).await;
    let patterns: Vec<_> = (0..1000).map(|n| format!("/*/x{n}")).collect();
    assert_eq!(
        purge_paths(&proxy, &["/*/none".to_owned()]).await.status,
        200
    );
    assert_eq!(purge_paths(&proxy, &patterns).await.status, 200);
    origin.answer("/x/none", Reply::ok("").status(503));
    let answer = proxy.get("/x/none").await;
    assert_eq!(answer.status, 503, "it is not served, also in need");
    origin.answer("/other", Reply::ok("").status(304));
    let says = proxy.get("/other").await.cache_status().to_owned();
    assert_eq!(says, "fwd=stale; fwd-status=304; stored; detail=purged");
    assert!(proxy.get("/other").await.is_hit(), "confirmed once");
    origin.answer("/x/none", Reply::fresh("new", 3600));
    let answer = proxy.get("/x/none").await;
    assert_eq!(answer.text(), "new", "what was purged is not lost");
}

#[tokio::test]
async fn a_pattern_that_cannot_be_kept_as_it_is_is_refused() {
    let origin = Origin::start().await;
    let proxy = Proxy::to(&origin, "").await;
    for (path, remedy) in [
        (format!("/*/{}", "x".repeat(600)), "512"),
        (format!("/{}*", "x".repeat(600)), "256"),
    ] {
        let answer = purge_paths(&proxy, &[path]).await;
        assert_eq!(answer.status, 400);
        let detail = answer.json()["detail"].as_str().unwrap().to_owned();
        assert!(detail.contains(remedy), "{detail}");
    }
    let exact = format!("/{}", "x".repeat(600));
    assert_eq!(purge_paths(&proxy, &[exact]).await.status, 200);
    assert_eq!(get(proxy.admin(), "/healthz", &[]).await.status, 200);
}

/// A replica, and another one that has the routes of [`writes`].
async fn replicas(origin: &Origin, redis: &Redis, purge: &str) -> (Proxy, Proxy) {
    let url = redis.url();
    let toml = format!(
        "{}[cache]\nprefix = \"t\"\n[cache.redis]\nurl = \"{url}\"\n",
        writes(purge)
    );
    let (one, two) = (
        Proxy::to(origin, &toml).await,
        Proxy::to(origin, &toml).await,
    );
    synchronised(&one).await;
    synchronised(&two).await;
    (one, two)
}

#[tokio::test]
async fn a_record_that_a_replica_cannot_read_costs_a_confirmation() {
    let (origin, redis) = (Origin::start().await, Redis::start());
    let reply = Reply::fresh("a", 3600).header("etag", "\"1\"");
    origin.answer("/other", reply);
    let (proxy, _) = replicas(&origin, &redis, r#""tag:x""#).await;
    stored(&proxy, &["/other"]).await;
    let newer = ["kind", "of a later version", "value", "x", "hard", "1"];
    let record = [
        &["XADD", "t:{t}:v2:purges", "*", "from", "another"][..],
        &newer,
    ]
    .concat();
    let _: String = redis.command(&record);
    origin.answer("/other", Reply::ok("").status(304));
    until("it was read", async || {
        let answer = proxy.get("/other").await;
        answer.cache_status() == "fwd=stale; fwd-status=304; stored; detail=purged"
    })
    .await;
    assert!(proxy.get("/other").await.is_hit());
}

#[tokio::test]
async fn other_replicas_obey_purges_by_long_text_and_their_records_are_short() {
    let (origin, redis) = (Origin::start().await, Redis::start());
    origin.answer_by(|_| Reply::ok("a"));
    let purge = r#""hard:path:/lists/{id}", "hard:path:/lists/{id}/*""#;
    let (one, two) = replicas(&origin, &redis, purge).await;
    let long = "x".repeat(10_000);
    let (exact, below) = (format!("/lists/{long}"), format!("/lists/{long}/all"));
    stored(&two, &["/other", "/lists/y/all", &exact, &below]).await;
    let before = redis.command::<usize>(&["MEMORY", "USAGE", "t:{t}:v2:purges"]);
    for id in 0..100 {
        let path = format!("/api/users/{long}{id}");
        assert_eq!(one.send("PUT", &path, &[], "x").await.status, 200);
    }
    one.send("PUT", &format!("/api/users/{long}"), &[], "x")
        .await;
    until("the other replica obeys", async || {
        !two.get(&exact).await.is_hit()
    })
    .await;
    assert!(!two.get(&below).await.is_hit());
    for path in ["/other", "/lists/y/all"] {
        assert!(two.get(path).await.is_hit(), "{path}");
    }
    let bytes = redis.command::<usize>(&["MEMORY", "USAGE", "t:{t}:v2:purges"]) - before;
    assert!(bytes < 303 * 200, "{bytes} bytes for 303 records");
}
