//! QUERY: the body is part of what is asked.

use crate::support::{Answer, Origin, Proxy, Reply, until};

const JSON: &[(&str, &str)] = &[("Content-Type", "application/json")];

async fn ask(proxy: &Proxy, body: &str) -> Answer {
    proxy.send("QUERY", "/search", JSON, body).await
}

#[tokio::test]
async fn equal_questions_share_an_answer_and_others_do_not() {
    let origin = Origin::start().await;
    origin.answer("/search", Reply::fresh("about cats", 60));
    let proxy = Proxy::to(&origin, "").await;
    let miss = ask(&proxy, "{\"q\":\"cats\"}").await;
    assert_eq!(
        (miss.text(), miss.cache_status()),
        ("about cats", "fwd=uri-miss; stored")
    );
    let seen = origin.last("/search");
    assert!(seen.line.starts_with("QUERY ") && seen.body == b"{\"q\":\"cats\"}");
    assert_eq!(seen.header("content-type"), Some("application/json"));
    assert!(ask(&proxy, "{\"q\":\"cats\"}").await.is_hit());
    origin.answer("/search", Reply::fresh("about dogs", 60));
    assert_eq!(ask(&proxy, "{\"q\":\"dogs\"}").await.text(), "about dogs");
    assert_eq!(
        proxy
            .send(
                "QUERY",
                "/search",
                &[("Content-Type", "text/plain")],
                "{\"q\":\"cats\"}"
            )
            .await
            .text(),
        "about dogs"
    );
    assert!(
        !proxy.get("/search").await.is_hit(),
        "a GET is another question"
    );
    assert_eq!(ask(&proxy, "{\"q\":\"cats\"}").await.text(), "about cats");
}

#[tokio::test]
async fn a_stale_answer_is_confirmed_with_the_same_question() {
    let origin = Origin::start().await;
    let reply = Reply::ok("cats").header("cache-control", "max-age=10, stale-while-revalidate=60");
    origin.answer("/search", reply.header("etag", "\"1\""));
    let proxy = Proxy::to(&origin, "").await;
    ask(&proxy, "cats").await;
    proxy.advance(20);
    origin.answer(
        "/search",
        Reply::ok("")
            .status(304)
            .header("cache-control", "max-age=10"),
    );
    let stale = ask(&proxy, "cats").await;
    assert_eq!((stale.status, stale.text()), (200, "cats"));
    until("it is confirmed in the background", async || {
        origin.count("/search") == 2
    })
    .await;
    let seen = origin.last("/search");
    assert_eq!(
        (seen.header("if-none-match"), &seen.body[..]),
        (Some("\"1\""), &b"cats"[..])
    );
}

#[tokio::test]
async fn a_write_to_the_uri_invalidates_every_question() {
    let origin = Origin::start().await;
    origin.answer("/search", Reply::fresh("old", 60));
    let proxy = Proxy::to(&origin, "").await;
    ask(&proxy, "cats").await;
    proxy.send("PUT", "/search", &[], "x").await;
    origin.answer("/search", Reply::fresh("new", 60));
    assert_eq!(ask(&proxy, "cats").await.text(), "new");
}

#[tokio::test]
async fn a_question_that_is_too_long_passes_through() {
    let origin = Origin::start().await;
    origin.answer("/search", Reply::fresh("answer", 60));
    let proxy = Proxy::to(&origin, "").await;
    let long = "x".repeat(70_000);
    for count in 1..=2 {
        assert_eq!(ask(&proxy, &long).await.cache_status(), "fwd=method");
        assert_eq!(
            (origin.count("/search"), origin.last("/search").body.len()),
            (count, 70_000)
        );
    }
}

#[tokio::test]
async fn what_says_how_to_read_the_question_is_part_of_it() {
    let origin = Origin::start().await;
    let proxy = Proxy::to(&origin, "").await;
    let metadata: [&[(&str, &str)]; 8] = [
        &[],
        &[("Content-Type", "")],
        &[("Content-Encoding", "")],
        &[("Content-Encoding", ""), ("Content-Encoding", "gzip")],
        &[("Content-Encoding", "gzip")],
        &[("Content-Language", "de")],
        &[("Content-Language", "en")],
        &[("Content-Location", "/other")],
    ];
    for (number, fields) in metadata.iter().enumerate() {
        let answer = format!("answer {number}");
        origin.answer("/search", Reply::fresh(&answer, 60));
        let miss = proxy.send("QUERY", "/search", fields, "q").await;
        assert_eq!(
            (miss.text(), miss.is_hit()),
            (&*answer, false),
            "{fields:?}"
        );
        let hit = proxy.send("QUERY", "/search", fields, "q").await;
        assert_eq!((hit.text(), hit.is_hit()), (&*answer, true), "{fields:?}");
    }
}

#[tokio::test]
async fn head_and_query_follow_the_route_of_get() {
    let origin = Origin::start().await;
    for path in ["/secret/search", "/keyed/search"] {
        origin.answer(path, Reply::fresh("a", 60));
    }
    let toml = "[[route]]\nname = \"off\"\npath = \"/secret/{*rest}\"\nmethods = [\"GET\"]\ncache = false\n\
                [[route]]\nname = \"keyed\"\npath = \"/keyed/{*rest}\"\nttl = 60\ntags = [\"keyed\"]\n\
                key = { headers = [\"x-lang\"] }\n";
    let proxy = Proxy::to(&origin, toml).await;
    for method in ["GET", "HEAD", "QUERY"] {
        let body = if method == "QUERY" { "q" } else { "" };
        for _ in 0..2 {
            let answer = proxy.send(method, "/secret/search", JSON, body).await;
            assert_eq!(
                answer.cache_status(),
                "fwd=bypass; detail=route",
                "{method}"
            );
        }
    }
    let keyed = async |language| {
        let fields = [JSON[0], ("X-Lang", language)];
        proxy.send("QUERY", "/keyed/search", &fields, "q").await
    };
    keyed("en").await;
    assert!(keyed("en").await.is_hit());
    assert!(!keyed("de").await.is_hit(), "the key of the route holds");
    for selector in ["\"tags\": [\"keyed\"]", "\"paths\": [\"/keyed/*\"]"] {
        assert!(keyed("en").await.is_hit());
        let body = format!("{{{selector}, \"hard\": true}}");
        let address = proxy.admin();
        let purged =
            crate::support::client::request(address, "POST", "/api/purge", JSON, body.as_bytes());
        assert_eq!(purged.await.status, 200);
        assert!(!keyed("en").await.is_hit(), "{selector}");
    }
    proxy.send("PUT", "/keyed/search", &[], "x").await;
    assert!(
        !keyed("en").await.is_hit(),
        "a write purges what a QUERY of its path has stored"
    );
}

#[tokio::test]
async fn a_route_of_the_same_path_may_take_query_for_itself() {
    let origin = Origin::start().await;
    origin.answer("/search", Reply::fresh("a", 60));
    let toml = "[[route]]\nname = \"get\"\npath = \"/search\"\ncache = false\n\
                [[route]]\nname = \"query\"\npath = \"/search\"\nmethods = [\"QUERY\"]\n";
    let proxy = Proxy::to(&origin, toml).await;
    ask(&proxy, "q").await;
    assert!(ask(&proxy, "q").await.is_hit());
    assert!(!proxy.get("/search").await.is_hit());
}

/// It is read before the cache is asked, and takes no place of the upstream.
#[tokio::test]
async fn a_question_that_trickles_is_408() {
    let origin = Origin::start().await;
    let proxy = Proxy::to(&origin, "body_timeout = \"500ms\"\nmin_rate = \"1KiB\"\n").await;
    let mut slow = crate::support::client::Connection::open(proxy.address()).await;
    slow.send("QUERY /search HTTP/1.1\r\nHost: a\r\nContent-Length: 10000\r\n\r\n")
        .await;
    while !slow.has_something().await {
        slow.send("x").await;
    }
    assert!(slow.read_until(|bytes| bytes.ends_with(b"}")).await);
    assert!(slow.received().starts_with(b"HTTP/1.1 408 "));
    assert_eq!(origin.count("/search"), 0);
}
