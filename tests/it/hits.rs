//! The simplest stories: a miss, a hit, and what both say of themselves.

use crate::support::{Origin, Proxy, Reply};

#[tokio::test]
async fn the_second_request_is_a_hit_with_age() {
    let origin = Origin::start().await;
    origin.answer("/a", Reply::fresh("hello", 60));
    let proxy = Proxy::to(&origin, "").await;
    let miss = proxy.get("/a").await;
    assert_eq!((miss.status, miss.text()), (200, "hello"));
    assert_eq!(miss.cache_status(), "fwd=uri-miss; stored");
    assert_eq!(
        miss.header("age"),
        None,
        "it comes straight from the origin"
    );
    proxy.advance(7);
    let hit = proxy.get("/a").await;
    assert_eq!((hit.status, hit.text()), (200, "hello"));
    assert_eq!(hit.cache_status(), "hit; ttl=53");
    assert_eq!(hit.header("age"), Some("7"));
    assert_eq!(origin.count("/a"), 1);
}

#[tokio::test]
async fn different_targets_are_different_answers() {
    let origin = Origin::start().await;
    for path in ["/a", "/b", "/a?x=1", "/a?x=2", "/A", "/a%2Fb", "/a/b"] {
        origin.answer(path, Reply::fresh(path, 60));
    }
    let proxy = Proxy::to(&origin, "").await;
    for _ in 0..2 {
        for path in ["/a", "/b", "/a?x=1", "/a?x=2", "/A", "/a%2Fb", "/a/b"] {
            assert_eq!(proxy.get(path).await.text(), path);
        }
    }
    let other_host = proxy.get_with("/a", &[("Host", "other.example")]).await;
    assert!(!other_host.is_hit(), "the host is part of the key");
}

#[tokio::test]
async fn the_etag_that_was_generated_answers_304() {
    let origin = Origin::start().await;
    origin.answer("/a", Reply::fresh("hello", 60).json());
    let proxy = Proxy::to(&origin, "").await;
    let etag = proxy
        .get("/a")
        .await
        .header("etag")
        .expect("a tag on the first answer")
        .to_owned();
    let not_modified = proxy.get_with("/a", &[("If-None-Match", &etag)]).await;
    assert_eq!(not_modified.status, 304);
    assert_eq!(not_modified.header("etag"), Some(&*etag));
    assert_eq!(
        not_modified.header("content-type"),
        None,
        "a 304 has no body to describe"
    );
    let modified = proxy
        .get_with("/a", &[("If-None-Match", "\"other\"")])
        .await;
    assert_eq!((modified.status, modified.text()), (200, "hello"));
    assert_eq!(origin.count("/a"), 1);
}

#[tokio::test]
async fn the_origins_etag_is_never_replaced() {
    let origin = Origin::start().await;
    origin.answer("/a", Reply::fresh("hello", 60).header("etag", "\"mine\""));
    let proxy = Proxy::to(&origin, "").await;
    assert_eq!(proxy.get("/a").await.header("etag"), Some("\"mine\""));
    assert_eq!(proxy.get("/a").await.header("etag"), Some("\"mine\""));
    assert_eq!(
        proxy
            .get_with("/a", &[("If-None-Match", "W/\"mine\"")])
            .await
            .status,
        304
    );
}

#[tokio::test]
async fn if_modified_since_answers_304() {
    let origin = Origin::start().await;
    let date = "Sun, 06 Nov 1994 08:49:37 GMT";
    origin.answer(
        "/a",
        Reply::fresh("hello", 60).header("last-modified", date),
    );
    let proxy = Proxy::to(&origin, "").await;
    proxy.get("/a").await;
    assert_eq!(
        proxy
            .get_with("/a", &[("If-Modified-Since", date)])
            .await
            .status,
        304
    );
    let earlier = [("If-Modified-Since", "Sat, 05 Nov 1994 08:49:37 GMT")];
    assert_eq!(proxy.get_with("/a", &earlier).await.status, 200);
}

#[tokio::test]
async fn a_conditional_miss_fills_the_cache() {
    let origin = Origin::start().await;
    origin.answer("/a", Reply::fresh("hello", 60).header("etag", "\"mine\""));
    let proxy = Proxy::to(&origin, "").await;
    assert_eq!(
        proxy
            .get_with("/a", &[("If-None-Match", "\"mine\"")])
            .await
            .status,
        304
    );
    assert_eq!(
        origin.last("/a").header("if-none-match"),
        None,
        "the whole was asked for"
    );
    assert!(proxy.get("/a").await.is_hit());
}

#[tokio::test]
async fn head_is_answered_from_a_stored_get() {
    let origin = Origin::start().await;
    origin.answer("/a", Reply::fresh("hello", 60));
    let proxy = Proxy::to(&origin, "").await;
    let before = proxy.send("HEAD", "/a", &[], "").await;
    assert_eq!(
        (before.status, before.header("content-length")),
        (200, Some("5"))
    );
    assert!(
        !proxy.get("/a").await.is_hit(),
        "an answer to HEAD is not stored for GET"
    );
    let after = proxy.send("HEAD", "/a", &[], "").await;
    assert!(after.is_hit());
    assert_eq!(after.header("content-length"), Some("5"));
}

#[tokio::test]
async fn a_chunked_body_is_stored_whole_and_gets_a_length() {
    let origin = Origin::start().await;
    origin.answer("/a", Reply::fresh("one ", 60).piece("two").chunked());
    let proxy = Proxy::to(&origin, "").await;
    let miss = proxy.get("/a").await;
    assert_eq!((miss.text(), miss.complete), ("one two", true));
    let hit = proxy.get("/a").await;
    assert!(hit.is_hit());
    assert_eq!(
        (hit.text(), hit.header("content-length")),
        ("one two", Some("7"))
    );
}

#[tokio::test]
async fn an_empty_body_and_204_are_stored() {
    let origin = Origin::start().await;
    origin.answer("/empty", Reply::fresh("", 60));
    origin.answer("/none", Reply::fresh("", 60).status(204));
    let proxy = Proxy::to(&origin, "").await;
    for (path, status, length) in [("/empty", 200, Some("0")), ("/none", 204, None)] {
        proxy.get(path).await;
        let hit = proxy.get(path).await;
        assert!(hit.is_hit(), "{path}");
        assert_eq!(
            (hit.status, hit.header("content-length")),
            (status, length),
            "{path}"
        );
    }
}

#[tokio::test]
async fn what_is_larger_than_max_object_passes_and_is_not_stored() {
    let origin = Origin::start().await;
    let large = "x".repeat(5000);
    origin.answer("/said", Reply::fresh(&large, 60));
    origin.answer(
        "/chunked",
        Reply::fresh(&large[..2500], 60)
            .piece(&large[2500..])
            .chunked(),
    );
    let proxy = Proxy::to(&origin, "[cache]\nmax_object = \"1KiB\"").await;
    for path in ["/said", "/chunked"] {
        for _ in 0..2 {
            let answer = proxy.get(path).await;
            assert_eq!((answer.text(), answer.complete), (&*large, true), "{path}");
            assert!(!answer.is_hit(), "{path}");
        }
        assert_eq!(origin.count(path), 2, "{path}");
    }
}

#[tokio::test]
async fn an_answer_to_post_that_is_what_a_get_would_bring_is_reused() {
    let origin = Origin::start().await;
    let proxy = Proxy::to(&origin, "").await;
    let created = || Reply::fresh("created", 60);
    for (path, reply, reused) in [
        ("/own", created().header("content-location", "/own"), true),
        (
            "/other",
            created().header("content-location", "/elsewhere"),
            false,
        ),
        ("/none", created(), false),
        (
            "/silent",
            Reply::ok("created").header("content-location", "/silent"),
            false,
        ),
        (
            "/private",
            Reply::ok("created")
                .header("content-location", "/private")
                .header("cache-control", "private, max-age=60"),
            false,
        ),
    ] {
        origin.answer(path, reply);
        let posted = proxy.send("POST", path, &[], "x").await;
        assert_eq!((posted.status, posted.text()), (200, "created"), "{path}");
        assert!(posted.cache_status().starts_with("fwd=method"), "{path}");
        origin.answer(path, Reply::fresh("fetched", 60));
        let expected = if reused { "created" } else { "fetched" };
        assert_eq!(proxy.get(path).await.text(), expected, "{path}");
    }
}

#[tokio::test]
async fn no_vary_search_is_learned_from_the_origin() {
    let origin = Origin::start().await;
    origin.answer(
        "/a",
        Reply::fresh("a", 60).header("no-vary-search", "params=(\"utm\"), key-order"),
    );
    let route = "[[route]]\nname = \"a\"\npath = \"/a\"\n";
    let proxy = Proxy::to(
        &origin,
        &format!("{route}key = {{ no_vary_search = true }}\n"),
    )
    .await;
    proxy.get("/a?q=1&p=2&utm=x").await;
    proxy.get("/a?q=1&p=2&utm=y").await; // the first by what was learned
    assert!(proxy.get("/a?utm=z&p=2&q=1").await.is_hit());
    assert!(
        !proxy.get("/a?q=2&p=2").await.is_hit(),
        "what counts still does"
    );
    let without = Proxy::to(&origin, route).await;
    without.get("/a?q=1&utm=x").await;
    without.get("/a?q=1&utm=y").await;
    assert!(
        !without.get("/a?q=1&utm=z").await.is_hit(),
        "only where the route asks for it"
    );
}

#[tokio::test]
async fn a_response_is_stored_only_under_what_its_own_no_vary_search_leaves() {
    let origin = Origin::start().await;
    let proxy = Proxy::to(
        &origin,
        "[[route]]\nname = \"p\"\npath = \"/p\"\nkey = { no_vary_search = true }\n",
    )
    .await;
    let all = Reply::fresh("x", 60).header("no-vary-search", "params");
    origin.answer("/p?x=1", all);
    origin.answer("/p?q=evil", Reply::fresh("evil", 60));
    origin.answer("/p?utm=x;q=evil", Reply::fresh("cloaked", 60));
    origin.answer("/p", Reply::fresh("plain", 60));
    proxy.get("/p?x=1").await;
    assert_eq!(proxy.get("/p?q=evil").await.text(), "evil");
    assert_eq!(proxy.get("/p").await.text(), "plain");
    origin.answer(
        "/p?x=1",
        Reply::fresh("x", 60).header("no-vary-search", "params=(\"utm\")"),
    );
    proxy.get("/p?x=2&utm=1").await;
    proxy.get("/p?x=1").await;
    proxy.get("/p?utm=x;q=evil").await;
    assert_eq!(proxy.get("/p").await.text(), "plain", "`;` hides nothing");
}

/// What an answer once took, hits do not take.
#[tokio::test]
async fn the_timing_of_the_origin_is_not_repeated() {
    let origin = Origin::start().await;
    let timed = |dur: &str| Reply::fresh("a", 60).header("server-timing", format!("db;dur={dur}"));
    origin.answer("/a", timed("7"));
    let proxy = Proxy::to(&origin, "").await;
    assert_eq!(
        proxy.get("/a").await.header("server-timing"),
        Some("db;dur=7")
    );
    let hit = proxy.get("/a").await;
    assert_eq!((hit.is_hit(), hit.header("server-timing")), (true, None));
    let keeping = Proxy::to(&origin, "[cache]\nkeep_server_timing = true\n").await;
    keeping.get("/a").await;
    assert_eq!(
        keeping.get("/a").await.header("server-timing"),
        Some("db;dur=7")
    );
}
