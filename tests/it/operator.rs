//! What the operator purges: over the admin port, from a shell, by PURGE, and by tags that the origin gives.

use crate::support::{
    Answer, Origin, Proxy, Reply, client::request, proxy::synchronised, redis::Redis, until,
};
use std::process::{Command, Output};

const ROUTES: &str = "[[route]]\nname = \"t\"\npath = \"/t/{id}\"\nttl = 300\nstale_while_revalidate = \"60s\"\n\
                      tags = [\"t\", \"t:{id}\", \"page:{?page}\"]\n";

async fn purge(proxy: &Proxy, json: &str) -> Answer {
    let headers = [("Content-Type", "application/json")];
    request(
        proxy.admin(),
        "POST",
        "/api/purge",
        &headers,
        json.as_bytes(),
    )
    .await
}

async fn stored(proxy: &Proxy, origin: &Origin, paths: &[&str]) {
    for path in paths {
        origin.answer(path, Reply::ok("old"));
        proxy.get(path).await;
        assert!(proxy.get(path).await.is_hit(), "{path}");
        origin.answer(path, Reply::ok("new"));
    }
}

#[tokio::test]
async fn each_selector_purges_what_it_names() {
    let paths = ["/t/1", "/t/1?page=2", "/t/2", "/t/3?page=2"];
    for (json, purged) in [
        (
            r#"{"tags": ["t:1"], "hard": true}"#,
            [true, true, false, false],
        ),
        (
            r#"{"tags": ["page:2"], "hard": true}"#,
            [false, true, false, true],
        ),
        (
            r#"{"paths": ["/t/1*"], "hard": true}"#,
            [true, true, false, false],
        ),
        (
            r#"{"paths": ["/t/*?page=2"], "hard": true}"#,
            [false, true, false, true],
        ),
        (
            r#"{"urls": ["http://test.example/t/1"], "hard": true}"#,
            [true, true, false, false],
        ),
        (
            r#"{"urls": ["http://other.example/t/1"], "hard": true}"#,
            [false; 4],
        ),
        (r#"{"all": true, "hard": true}"#, [true; 4]),
    ] {
        let origin = Origin::start().await;
        let proxy = Proxy::to(&origin, ROUTES).await;
        stored(&proxy, &origin, &paths).await;
        let dry = json.replace('}', ", \"dry_run\": true}");
        let would = purge(&proxy, &dry).await.json();
        let concerned = purged.iter().filter(|purged| **purged).count();
        assert_eq!(would["in_memory"]["entries"], concerned, "{json}");
        let answer = purge(&proxy, json).await;
        assert_eq!(answer.status, 200, "{json}: {}", answer.text());
        for (path, purged) in paths.iter().zip(purged) {
            assert_eq!(!proxy.get(path).await.is_hit(), purged, "{json}: {path}");
        }
    }
}

#[tokio::test]
async fn a_purge_is_soft_unless_told_otherwise_and_a_dry_run_is_none() {
    let origin = Origin::start().await;
    let proxy = Proxy::to(&origin, ROUTES).await;
    stored(&proxy, &origin, &["/t/1"]).await;
    purge(&proxy, r#"{"all": true, "dry_run": true}"#).await;
    assert_eq!(proxy.get("/t/1").await.cache_status(), "hit; ttl=300");
    let said = purge(&proxy, r#"{"tags": ["t"]}"#).await.json();
    assert_eq!(
        (&said["purged"], &said["hard"], said["shared"].is_null()),
        (&1.into(), &false.into(), true)
    );
    let stale = proxy.get("/t/1").await;
    assert_eq!(
        (stale.text(), stale.cache_status()),
        ("old", "hit; ttl=0; detail=stale-while-revalidate")
    );
    until("it is refreshed", async || {
        proxy.get("/t/1").await.text() == "new"
    })
    .await;
}

#[tokio::test]
async fn what_cannot_be_purged_is_refused_and_purges_nothing() {
    let origin = Origin::start().await;
    let proxy = Proxy::to(&origin, ROUTES).await;
    stored(&proxy, &origin, &["/t/1"]).await;
    for (json, status, word) in [
        ("{}", 400, "nothing is named"),
        (r#"{"tag": "t"}"#, 422, "unknown field `tag`"),
        (r#"{"paths": ["t"]}"#, 400, "begin with `/`"),
        ("rubbish", 400, "JSON"),
    ] {
        let answer = purge(&proxy, json).await;
        assert_eq!(answer.status, status, "{json}");
        let why = answer.json()["detail"].as_str().unwrap().to_owned();
        assert!(why.contains(word), "{json}: {why}");
    }
    // A page in a browser can send this without being asked first.
    let simple = [("Content-Type", "text/plain")];
    let body = br#"{"all": true}"#;
    let answer = request(proxy.admin(), "POST", "/api/purge", &simple, body).await;
    assert_eq!(answer.status, 415);
    assert!(proxy.get("/t/1").await.is_hit());
    let public = request(proxy.address(), "POST", "/api/purge", &[], body).await;
    assert_eq!(public.status, 404, "the public port knows nothing of it");
}

async fn run(arguments: Vec<String>) -> Output {
    let command = move || {
        Command::new(env!("CARGO_BIN_EXE_sidecache"))
            .arg("purge")
            .args(arguments)
            .output()
            .unwrap()
    };
    tokio::task::spawn_blocking(command).await.unwrap()
}

#[tokio::test]
async fn the_command_purges_and_says_where_it_holds() {
    let (origin, redis) = (Origin::start().await, Redis::start());
    let toml = format!(
        "{ROUTES}[cache]\nprefix = \"t\"\n[cache.redis]\nurl = \"{}\"\n",
        redis.url()
    );
    let (one, two) = (
        Proxy::to(&origin, &toml).await,
        Proxy::to(&origin, &toml).await,
    );
    stored(&one, &origin, &["/t/1"]).await;
    origin.answer("/t/1", Reply::ok("old"));
    two.get("/t/1").await;
    origin.answer("/t/1", Reply::ok("new"));
    let purge = async |more: &[&str]| {
        let admin = one.admin().to_string();
        let arguments = more.iter().copied().chain(["--admin", &admin]);
        run(arguments.map(str::to_owned).collect()).await
    };
    let text = |output: &Output| String::from_utf8_lossy(&output.stdout).into_owned();
    let dry = purge(&["--tag", "t:1", "--dry-run"]).await;
    assert!(
        text(&dry).starts_with("would purge 1 stored response"),
        "{}",
        text(&dry)
    );
    let hard = purge(&["--tag", "t:1", "--hard"]).await;
    assert_eq!(hard.status.code(), Some(0));
    assert_eq!(
        text(&hard),
        "purged by 1 selector, hard, on every replica\n"
    );
    assert_eq!(one.get("/t/1").await.text(), "new");
    until("the other replica obeys", async || {
        two.get("/t/1").await.text() == "new"
    })
    .await;
    let public = one.address().to_string();
    let elsewhere = run(["--all", "--admin", &public].map(str::to_owned).to_vec()).await;
    assert_eq!(
        elsewhere.status.code(),
        Some(1),
        "that is not an admin port"
    );
    let nothing = purge(&[]).await;
    assert_eq!(nothing.status.code(), Some(2));
    let wrong = purge(&["--path", "t"]).await;
    let complaint = String::from_utf8_lossy(&wrong.stderr).into_owned();
    assert_eq!(wrong.status.code(), Some(1));
    assert!(
        complaint.contains("the proxy refuses: the path `t`"),
        "{complaint}"
    );
}

#[tokio::test]
async fn purge_on_the_public_port_needs_its_token() {
    const TOKEN: &str = "0123456789abcdef";
    let origin = Origin::start().await;
    let with_token = format!("{ROUTES}[cache]\npurge_token = \"{TOKEN}\"\n");
    let proxy = Proxy::to(&origin, &with_token).await;
    stored(&proxy, &origin, &["/t/1", "/t/1?page=2", "/t/2"]).await;
    for (headers, status) in [
        (vec![], 403),
        (vec![("X-Sidecache-Purge", "0123456789abcdeX")], 403),
        (vec![("X-Sidecache-Purge", TOKEN)], 200),
    ] {
        assert!(proxy.get("/t/1").await.is_hit());
        assert_eq!(
            proxy.send("PURGE", "/t/1", &headers, "").await.status,
            status
        );
    }
    assert_eq!(proxy.get("/t/1").await.text(), "new");
    assert_eq!(proxy.get("/t/1?page=2").await.text(), "new", "every query");
    assert!(proxy.get("/t/2").await.is_hit());
    assert!(
        origin
            .requests("/t/1")
            .iter()
            .all(|seen| !seen.line.starts_with("PURGE"))
    );
    let without = Proxy::to(&origin, ROUTES).await;
    let token = [("X-Sidecache-Purge", TOKEN)];
    without.send("PURGE", "/t/1", &token, "").await;
    let passed = origin.last("/t/1");
    assert!(passed.line.starts_with("PURGE"), "a method like any other");
    assert_eq!(
        passed.header("x-sidecache-purge"),
        None,
        "but no token goes on"
    );
}

#[tokio::test]
async fn the_origins_tags_name_its_responses_and_end_here() {
    let origin = Origin::start().await;
    let proxy = Proxy::to(&origin, "").await;
    let tagged = |tags: &str| Reply::fresh("old", 60).header("surrogate-key", tags);
    origin.answer("/a", tagged("one two").header("cache-tag", "three,four"));
    origin.answer("/b", tagged("two").header("etag", "\"b\""));
    origin.answer("/c", tagged(&"many ".repeat(1001)));
    let first = proxy.get("/a").await;
    assert_eq!(
        (first.header("surrogate-key"), first.header("cache-tag")),
        (None, None)
    );
    proxy.get("/b").await;
    assert_eq!(
        proxy.get("/c").await.cache_status(),
        "fwd=uri-miss; detail=tags"
    );
    purge(&proxy, r#"{"tags": ["four"], "hard": true}"#).await;
    assert!(!proxy.get("/a").await.is_hit() && proxy.get("/b").await.is_hit());
    // A confirmation that says nothing of tags takes none away.
    proxy.advance(70);
    let silent = Reply::ok("")
        .status(304)
        .header("cache-control", "max-age=60");
    origin.answer_when("/b", "if-none-match", silent);
    assert!(
        proxy
            .get("/b")
            .await
            .cache_status()
            .contains("fwd-status=304")
    );
    purge(&proxy, r#"{"tags": ["two"], "hard": true}"#).await;
    assert!(!proxy.get("/b").await.is_hit());
    let passing = Proxy::to(&origin, "[cache]\npass_tag_headers = true\n").await;
    assert_eq!(
        passing.get("/a").await.header("cache-tag"),
        Some("three,four")
    );
}

#[tokio::test]
async fn a_soft_purge_opens_its_window_from_then_on() {
    let origin = Origin::start().await;
    let routes = ROUTES.replace("60s", "50ms");
    let proxy = Proxy::to(&origin, &routes).await;
    stored(&proxy, &origin, &["/t/1"]).await;
    origin.answer("/t/1", Reply::ok("").status(500));
    purge(&proxy, r#"{"tags": ["t"]}"#).await;
    // It has been stored for long enough: no window begins before what it is of.
    proxy.advance(1);
    // Until the window has passed, although the lifetime has not.
    until("the origin is waited for", async || {
        proxy.get("/t/1").await.status == 500
    })
    .await;
}

#[tokio::test]
async fn needless_escapes_hide_nothing_from_a_purge() {
    for json in [
        r#"{"paths": ["/t/1*"], "hard": true}"#,
        r#"{"urls": ["http://test.example:80/t/1"], "hard": true}"#,
        r#"{"tags": ["t:1"], "hard": true}"#,
    ] {
        let origin = Origin::start().await;
        let proxy = Proxy::to(&origin, ROUTES).await;
        stored(&proxy, &origin, &["/t/%31"]).await;
        purge(&proxy, json).await;
        assert!(!proxy.get("/t/%31").await.is_hit(), "{json}");
    }
}

#[tokio::test]
async fn no_page_in_a_browser_can_purge() {
    let origin = Origin::start().await;
    let proxy = Proxy::to(&origin, ROUTES).await;
    stored(&proxy, &origin, &["/t/1"]).await;
    let headers = [
        ("Content-Type", "application/json"),
        ("Origin", "http://evil.example"),
        ("Host", "evil.example"),
    ];
    let all = br#"{"all": true, "hard": true}"#;
    let answer = request(proxy.admin(), "POST", "/api/purge", &headers, all).await;
    assert_eq!(answer.status, 403);
    assert!(proxy.get("/t/1").await.is_hit());
}

#[tokio::test]
async fn many_purges_at_once_reach_the_others_as_what_they_are() {
    let (origin, redis) = (Origin::start().await, Redis::start());
    let toml = format!(
        "{ROUTES}[cache]\nprefix = \"t\"\n[cache.redis]\nurl = \"{}\"\n",
        redis.url()
    );
    let (one, two) = (
        Proxy::to(&origin, &toml).await,
        Proxy::to(&origin, &toml).await,
    );
    // What is stored before the shared log is known is dropped when it is.
    synchronised(&one).await;
    synchronised(&two).await;
    stored(&two, &origin, &["/t/1"]).await;
    for batch in 0..4 {
        let tags: Vec<String> = (0..1000).map(|n| format!("\"{batch}:{n}\"")).collect();
        let said = purge(&one, &format!("{{\"tags\": [{}]}}", tags.join(",")))
            .await
            .json();
        assert_eq!(
            (&said["purged"], &said["shared"]),
            (&1000.into(), &true.into())
        );
    }
    until("the other replica knows of all", async || {
        two.metric("sidecache_purges_total") >= 4000.0
    })
    .await;
    let answer = two.get("/t/1").await;
    let status = answer.cache_status();
    assert!(answer.is_hit(), "none of them concerns it: {status}");
}
