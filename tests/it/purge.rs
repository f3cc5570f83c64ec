//! What a write invalidates.

use crate::support::{Origin, Proxy, Reply, until};

const ROUTES: &str = r#"
[[route]]
name = "one"
path = "/c/{id}"
ttl = 300
stale_while_revalidate = "60s"
tags = ["c:{id}"]

[[route]]
name = "list"
path = "/c"
ttl = 300
tags = ["list"]

[[route]]
name = "write"
path = "/c/{id}"
methods = ["PUT", "DELETE"]
purge = ["tag:list", "hard:path:/parts/{id}*"]

[[route]]
name = "parts"
path = "/parts/{*rest}"
ttl = 300
"#;

async fn stored(proxy: &Proxy, paths: &[&str]) {
    for path in paths {
        proxy.get(path).await;
        assert!(proxy.get(path).await.is_hit(), "{path}");
    }
}

#[tokio::test]
async fn a_write_that_succeeds_invalidates_its_own_uri_with_every_query() {
    for (method, status) in [
        ("PUT", 200),
        ("POST", 201),
        ("PATCH", 204),
        ("DELETE", 204),
        ("POST", 303),
        ("M-SEARCH", 200),
    ] {
        let origin = Origin::start().await;
        let proxy = Proxy::to(&origin, "").await;
        for path in ["/a", "/a?q=1", "/ab"] {
            origin.answer(path, Reply::fresh("old", 60));
        }
        stored(&proxy, &["/a", "/a?q=1", "/ab"]).await;
        origin.answer("/a", Reply::ok("").status(status));
        assert_eq!(
            proxy.send(method, "/a", &[], "x").await.cache_status(),
            "fwd=method"
        );
        origin.answer("/a", Reply::fresh("new", 60));
        assert_eq!(proxy.get("/a").await.text(), "new", "{method} {status}");
        assert!(!proxy.get("/a?q=1").await.is_hit(), "{method} {status}");
        assert!(
            proxy.get("/ab").await.is_hit(),
            "{method} {status}: another path stays"
        );
    }
}

#[tokio::test]
async fn a_write_that_fails_invalidates_nothing() {
    for status in [400, 403, 404, 409, 500, 503] {
        let origin = Origin::start().await;
        let proxy = Proxy::to(&origin, "").await;
        origin.answer("/a", Reply::fresh("old", 60));
        stored(&proxy, &["/a"]).await;
        origin.answer("/a", Reply::ok("").status(status));
        proxy.send("PUT", "/a", &[], "x").await;
        assert!(proxy.get("/a").await.is_hit(), "{status}");
    }
}

#[tokio::test]
async fn safe_methods_invalidate_nothing() {
    let origin = Origin::start().await;
    let proxy = Proxy::to(&origin, "").await;
    origin.answer("/a", Reply::fresh("old", 60));
    stored(&proxy, &["/a"]).await;
    for method in ["OPTIONS", "TRACE", "QUERY", "HEAD"] {
        proxy.send(method, "/a", &[], "").await;
        assert!(proxy.get("/a").await.is_hit(), "{method}");
    }
}

#[tokio::test]
async fn a_route_purges_what_it_names_with_what_its_path_captured() {
    let origin = Origin::start().await;
    let proxy = Proxy::to(&origin, ROUTES).await;
    let paths = [
        "/c/1",
        "/c/2",
        "/c",
        "/c?page=2",
        "/parts/1/a",
        "/parts/2/a",
    ];
    for path in paths {
        origin.answer(path, Reply::ok("old"));
    }
    stored(&proxy, &paths).await;
    origin.answer("/c/1", Reply::ok("new"));
    proxy.send("PUT", "/c/1", &[], "x").await;
    assert_eq!(
        proxy.get("/c/1").await.cache_status(),
        "fwd=uri-miss; stored",
        "its own URI, hard"
    );
    for list in ["/c", "/c?page=2"] {
        assert_eq!(
            proxy.get(list).await.cache_status(),
            "fwd=stale; stored; detail=purged",
            "{list}, soft"
        );
    }
    assert_eq!(
        proxy.get("/parts/1/a").await.cache_status(),
        "fwd=uri-miss; stored",
        "by path, hard"
    );
    for kept in ["/c/2", "/parts/2/a"] {
        assert!(proxy.get(kept).await.is_hit(), "{kept}");
    }
}

#[tokio::test]
async fn a_star_in_the_url_of_a_write_does_not_purge_the_others() {
    let origin = Origin::start().await;
    let proxy = Proxy::to(&origin, ROUTES).await;
    for path in ["/parts/1/a", "/parts/2/a"] {
        origin.answer(path, Reply::ok("old"));
    }
    stored(&proxy, &["/parts/1/a", "/parts/2/a"]).await;
    origin.answer("/c/*", Reply::ok("done"));
    assert_eq!(proxy.send("PUT", "/c/*", &[], "x").await.status, 200);
    for kept in ["/parts/1/a", "/parts/2/a"] {
        assert!(proxy.get(kept).await.is_hit(), "{kept}");
    }
}

#[tokio::test]
async fn a_soft_purge_serves_stale_while_it_is_refreshed_where_the_route_allows_it() {
    let origin = Origin::start().await;
    let routes = ROUTES.replace("\"tag:list\"", "\"tag:list\", \"tag:c:2\"");
    let proxy = Proxy::to(&origin, &routes).await;
    origin.answer("/c/2", Reply::ok("old"));
    stored(&proxy, &["/c/2"]).await;
    origin.answer("/c/1", Reply::ok("done"));
    origin.answer("/c/2", Reply::ok("new"));
    proxy.send("PUT", "/c/1", &[], "x").await;
    let stale = proxy.get("/c/2").await;
    let (text, says) = (stale.text(), stale.cache_status());
    assert!(says.ends_with("; detail=stale-while-revalidate"), "{says}");
    let has_none_left = ["hit; ttl=0;", "hit; ttl=-"]
        .iter()
        .any(|begin| says.starts_with(begin));
    assert!(text == "old" && has_none_left, "of its 300 s: {says}");
    until("it is refreshed", async || {
        proxy.get("/c/2").await.text() == "new"
    })
    .await;
}

#[tokio::test]
async fn a_fetch_that_began_before_a_write_does_not_bring_old_content_back() {
    let origin = Origin::start().await;
    let proxy = Proxy::to(&origin, "").await;
    origin.answer("/a", Reply::fresh("old", 60).hold_body());
    origin.hold();
    let slow = tokio::spawn(crate::support::get(proxy.address(), "/a", &[]));
    until("the read is under way", async || origin.count("/a") == 1).await;
    // The write overtakes the read: the origin answers it at once.
    origin.answer("/a", Reply::ok("").hold_body_only());
    let written = proxy.send("DELETE", "/a", &[], "").await;
    assert_eq!(written.status, 200);
    origin.release();
    assert_eq!(
        slow.await.unwrap().text(),
        "old",
        "its client asked before the write"
    );
    origin.answer("/a", Reply::fresh("new", 60));
    let after = proxy.get("/a").await;
    assert_eq!((after.text(), after.is_hit()), ("new", false));
}

#[tokio::test]
async fn location_and_content_location_are_invalidated_within_the_origin() {
    for (field, value, invalidated) in [
        ("location", "/b", true),
        ("content-location", "b", true),
        ("location", "http://test.example/b", true),
        ("location", "http://other.example/b", false),
    ] {
        let origin = Origin::start().await;
        let proxy = Proxy::to(&origin, "").await;
        origin.answer("/b", Reply::fresh("old", 60));
        stored(&proxy, &["/b"]).await;
        origin.answer("/a", Reply::ok("").status(201).header(field, value));
        proxy.send("POST", "/a", &[], "x").await;
        assert_eq!(
            !proxy.get("/b").await.is_hit(),
            invalidated,
            "{field}: {value}"
        );
    }
}

#[tokio::test]
async fn a_write_invalidates_the_groups_that_its_answer_names() {
    let origin = Origin::start().await;
    let proxy = Proxy::to(&origin, "").await;
    for (path, groups) in [
        ("/a", "\"one\", \"two\""),
        ("/b", "\"two\""),
        ("/c", "\"three\""),
        ("/d", "\"two\","),
    ] {
        origin.answer(path, Reply::fresh("old", 60).header("cache-groups", groups));
    }
    stored(&proxy, &["/a", "/b", "/c", "/d"]).await;
    origin.answer(
        "/w",
        Reply::ok("").header("cache-group-invalidation", "\"two\""),
    );
    assert!(
        proxy.get("/w").await.status == 200 && proxy.get("/b").await.is_hit(),
        "a read invalidates nothing"
    );
    proxy.send("POST", "/w", &[], "x").await;
    let hits = [
        proxy.get("/a").await,
        proxy.get("/b").await,
        proxy.get("/c").await,
        proxy.get("/d").await,
    ];
    assert_eq!(
        hits.map(|answer| answer.is_hit()),
        [false, false, true, true]
    );
}

#[tokio::test]
async fn clear_site_data_purges_everything_only_where_the_operator_says_so() {
    for (toml, kept) in [("", true), ("[cache]\nclear_site_data = true\n", false)] {
        let origin = Origin::start().await;
        let proxy = Proxy::to(&origin, toml).await;
        origin.answer("/a", Reply::fresh("a", 60));
        stored(&proxy, &["/a"]).await;
        origin.answer(
            "/logout",
            Reply::ok("").header("clear-site-data", "\"cookies\", \"cache\""),
        );
        proxy.get("/logout").await;
        assert!(proxy.get("/a").await.is_hit(), "a read clears nothing");
        proxy.send("POST", "/logout", &[], "x").await;
        assert_eq!(proxy.get("/a").await.is_hit(), kept);
    }
}

#[tokio::test]
async fn the_answer_to_a_post_is_not_kept_where_another_write_overtook_it() {
    let redis = crate::support::redis::Redis::start();
    let shared = format!(
        "[cache]\nprefix = \"t\"\n[cache.redis]\nurl = \"{}\"\n",
        redis.url()
    );
    for toml in ["", &*shared] {
        let origin = Origin::start().await;
        let created = || Reply::fresh("old", 60).header("content-location", "/a");
        origin.answer("/a", created());
        let (one, two) = (
            Proxy::to(&origin, toml).await,
            Proxy::to(&origin, toml).await,
        );
        let overtaken_by: &[&Proxy] = if toml.is_empty() {
            &[&one]
        } else {
            &[&one, &two]
        };
        for other in overtaken_by {
            origin.answer("/a", created());
            origin.hold();
            let sent = origin.count("/a");
            let address = one.address();
            let slow = tokio::spawn(crate::support::request(address, "POST", "/a", &[], b""));
            until("it is under way", async || origin.count("/a") > sent).await;
            origin.answer("/a", Reply::ok("").early());
            assert_eq!(other.send("DELETE", "/a", &[], "").await.status, 200);
            origin.release();
            assert_eq!(slow.await.unwrap().text(), "old");
            origin.answer("/a", Reply::fresh("new", 60));
            assert_eq!(one.get("/a").await.text(), "new");
        }
    }
}

#[tokio::test]
async fn the_answer_to_a_post_is_as_old_as_its_request() {
    let origin = Origin::start().await;
    let proxy = Proxy::to(&origin, "").await;
    origin.answer(
        "/a",
        Reply::fresh("created", 60)
            .header("content-location", "/a")
            .header("age", "5"),
    );
    origin.hold();
    let address = proxy.address();
    let slow = tokio::spawn(crate::support::request(address, "POST", "/a", &[], b""));
    until("it is under way", async || origin.count("/a") == 1).await;
    proxy.advance(10);
    origin.release();
    slow.await.unwrap();
    let hit = proxy.get("/a").await;
    assert_eq!(
        (hit.text(), hit.header("age")),
        ("created", Some("15")),
        "age_value and response_delay (RFC 9111 §4.2.3)"
    );
}

#[tokio::test]
async fn what_was_purged_while_a_request_waited_is_not_confirmed() {
    let origin = Origin::start().await;
    let proxy = Proxy::to(&origin, "").await;
    let modified = "Sun, 06 Nov 1994 08:49:37 GMT";
    origin.answer(
        "/a",
        Reply::fresh("old", 10).header("last-modified", modified),
    );
    proxy.get("/a").await;
    proxy.advance(20);
    // The leader gets something that is only for itself, so that its follower goes on alone.
    let private = Reply::ok("mine").header("cache-control", "private");
    origin.answer("/a", private);
    origin.hold();
    let address = proxy.address();
    let leader = tokio::spawn(crate::support::get(address, "/a", &[]));
    until("the leader is at the origin", async || {
        origin.count("/a") == 2
    })
    .await;
    let follower = tokio::spawn(crate::support::get(address, "/a", &[]));
    until("the other one follows", async || {
        proxy.metric("sidecache_followers") == 1.0
    })
    .await;
    origin.answer("/a", Reply::ok("").early());
    assert_eq!(proxy.send("PUT", "/a", &[], "x").await.status, 200);
    origin.answer("/a", Reply::fresh("new", 60));
    origin.answer_when("/a", "if-modified-since", Reply::ok("").status(304));
    origin.release();
    leader.await.unwrap();
    follower.await.unwrap();
    assert_eq!(proxy.get("/a").await.text(), "new");
}
