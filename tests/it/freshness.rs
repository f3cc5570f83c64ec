//! How long an answer is kept, who says so, and what happens when it is over.

use crate::support::{Origin, Proxy, Reply};

const TTL: &str = "[[route]]\nname = \"all\"\npath = \"/{*rest}\"\nttl = 300\n";

#[tokio::test]
async fn the_routes_ttl_counts_where_the_origin_is_silent() {
    let origin = Origin::start().await;
    origin.answer("/silent", Reply::ok("a"));
    origin.answer("/said", Reply::fresh("a", 10));
    let proxy = Proxy::to(&origin, TTL).await;
    for path in ["/silent", "/said"] {
        proxy.get(path).await;
    }
    assert_eq!(proxy.get("/silent").await.cache_status(), "hit; ttl=300");
    assert_eq!(proxy.get("/said").await.cache_status(), "hit; ttl=10");
    proxy.advance(299);
    assert!(proxy.get("/silent").await.is_hit());
    proxy.advance(1);
    assert_eq!(
        proxy.get("/silent").await.cache_status(),
        "fwd=stale; stored; detail=expired"
    );
}

#[tokio::test]
async fn override_counts_where_the_origin_says_it_wrong() {
    let origin = Origin::start().await;
    origin.answer(
        "/a",
        Reply::ok("a").header("cache-control", "no-cache, no-store, must-revalidate"),
    );
    origin.answer(
        "/private",
        Reply::ok("a").header("cache-control", "private"),
    );
    let proxy = Proxy::to(&origin, &format!("{TTL}override = true\n")).await;
    proxy.get("/a").await;
    assert!(proxy.get("/a").await.is_hit());
    proxy.get("/private").await;
    assert_eq!(
        proxy.get("/private").await.cache_status(),
        "fwd=uri-miss; detail=private"
    );
}

#[tokio::test]
async fn a_ttl_by_name_is_that_duration() {
    let origin = Origin::start().await;
    origin.answer("/a", Reply::ok("a"));
    let toml = "[ttl]\nlong = \"2h\"\n[[route]]\nname = \"a\"\npath = \"/a\"\nttl = \"long\"\n";
    let proxy = Proxy::to(&origin, toml).await;
    proxy.get("/a").await;
    assert_eq!(proxy.get("/a").await.cache_status(), "hit; ttl=7200");
}

#[tokio::test]
async fn what_no_route_matches_follows_the_origin_alone() {
    let origin = Origin::start().await;
    origin.answer("/silent", Reply::ok("a"));
    origin.answer("/said", Reply::fresh("a", 10));
    let proxy = Proxy::to(&origin, "").await;
    for path in ["/silent", "/said"] {
        proxy.get(path).await;
    }
    assert_eq!(
        proxy.get("/silent").await.cache_status(),
        "fwd=uri-miss; detail=no-lifetime"
    );
    assert!(proxy.get("/said").await.is_hit());
}

/// It means what a route's `ttl` means: for an origin that is silent and a caller who does not say who he is.
#[tokio::test]
async fn the_default_ttl_counts_where_route_and_origin_are_silent() {
    let origin = Origin::start().await;
    for path in ["/silent", "/routed", "/own", "/cookie"] {
        origin.answer(path, Reply::ok("a"));
    }
    origin.answer("/said", Reply::fresh("a", 10));
    let toml = "[cache]\ndefault_ttl = \"5m\"\n\
        [[route]]\nname = \"routed\"\npath = \"/routed\"\ntags = [\"a\"]\n\
        [[route]]\nname = \"own\"\npath = \"/own\"\nttl = 60\n";
    let proxy = Proxy::to(&origin, toml).await;
    for (path, expected) in [
        ("/silent", "hit; ttl=300"),
        ("/routed", "hit; ttl=300"),
        ("/own", "hit; ttl=60"),
        ("/said", "hit; ttl=10"),
    ] {
        proxy.get(path).await;
        assert_eq!(proxy.get(path).await.cache_status(), expected, "{path}");
    }
    let with_cookie = || proxy.get_with("/cookie", &[("cookie", "session=1")]);
    assert_eq!(
        with_cookie().await.cache_status(),
        "fwd=uri-miss; detail=cookie"
    );
}

#[tokio::test]
async fn a_stale_answer_is_confirmed_by_the_origin_and_fresh_again() {
    let origin = Origin::start().await;
    origin.answer(
        "/a",
        Reply::fresh("a", 10)
            .header("etag", "\"1\"")
            .header("x-version", "1"),
    );
    let proxy = Proxy::to(&origin, "").await;
    proxy.get("/a").await;
    proxy.advance(11);
    let confirming = Reply::ok("")
        .status(304)
        .header("cache-control", "max-age=20")
        .header("x-version", "2");
    origin.answer("/a", confirming);
    let confirmed = proxy.get("/a").await;
    assert_eq!(origin.last("/a").header("if-none-match"), Some("\"1\""));
    assert_eq!((confirmed.status, confirmed.text()), (200, "a"));
    assert_eq!(confirmed.header("x-version"), Some("2"));
    assert_eq!(
        confirmed.cache_status(),
        "fwd=stale; fwd-status=304; stored; detail=expired"
    );
    assert_eq!(proxy.get("/a").await.cache_status(), "hit; ttl=20");
}

#[tokio::test]
async fn a_stale_answer_without_a_validator_of_the_origin_is_fetched_whole() {
    let origin = Origin::start().await;
    origin.answer("/a", Reply::fresh("a", 10));
    let proxy = Proxy::to(&origin, "").await;
    proxy.get("/a").await;
    proxy.advance(11);
    origin.answer("/a", Reply::fresh("b", 10));
    assert_eq!(proxy.get("/a").await.text(), "b");
    assert_eq!(
        origin.last("/a").header("if-none-match"),
        None,
        "the origin does not know our tag"
    );
}

#[tokio::test]
async fn stale_is_served_when_the_origin_fails_inside_its_window_only() {
    let origin = Origin::start().await;
    origin.answer(
        "/a",
        Reply::ok("a").header("cache-control", "max-age=10, stale-if-error=60"),
    );
    let proxy = Proxy::to(&origin, "").await;
    proxy.get("/a").await;
    proxy.advance(20);
    for failing in [Reply::ok("down").status(503), Reply::closing()] {
        origin.answer("/a", failing);
        let stale = proxy.get("/a").await;
        assert_eq!((stale.status, stale.text()), (200, "a"));
        assert!(
            stale
                .cache_status()
                .contains("ttl=-10; detail=stale-if-error"),
            "{}",
            stale.cache_status()
        );
    }
    proxy.advance(60);
    assert_eq!(proxy.get("/a").await.status, 502);
}

#[tokio::test]
async fn stale_is_served_while_it_is_refreshed_once() {
    let origin = Origin::start().await;
    origin.answer(
        "/a",
        Reply::ok("old").header("cache-control", "max-age=10, stale-while-revalidate=60"),
    );
    let proxy = Proxy::to(&origin, "").await;
    proxy.get("/a").await;
    proxy.advance(20);
    origin.answer(
        "/a",
        Reply::ok("new").header("cache-control", "max-age=10, stale-while-revalidate=60"),
    );
    origin.hold();
    for _ in 0..5 {
        let stale = proxy.get("/a").await;
        assert_eq!(stale.text(), "old");
        assert_eq!(
            stale.cache_status(),
            "hit; ttl=-10; detail=stale-while-revalidate"
        );
    }
    origin.release();
    crate::support::until("the refresh is stored", async || {
        proxy.get("/a").await.text() == "new"
    })
    .await;
    assert_eq!(origin.count("/a"), 2, "one refresh at a time");
}

#[tokio::test]
async fn a_clock_that_goes_backwards_serves_and_shows_no_negative_age() {
    let origin = Origin::start().await;
    origin.answer("/a", Reply::fresh("a", 60));
    let proxy = Proxy::to(&origin, "").await;
    proxy.get("/a").await;
    proxy
        .clock()
        .step_back(std::time::Duration::from_secs(3600));
    let hit = proxy.get("/a").await;
    assert_eq!((hit.is_hit(), hit.header("age")), (true, Some("0")));
}

#[tokio::test]
async fn client_directives_count_only_where_they_are_respected() {
    let origin = Origin::start().await;
    origin.answer("/a", Reply::fresh("a", 60));
    let reload = [("Cache-Control", "no-cache")];
    let ignoring = Proxy::to(&origin, "").await;
    ignoring.get("/a").await;
    assert!(ignoring.get_with("/a", &reload).await.is_hit());
    let respecting = Proxy::to(&origin, "[cache]\nclient_directives = \"respect\"").await;
    let only = respecting
        .get_with("/a", &[("Cache-Control", "only-if-cached")])
        .await;
    assert_eq!(only.status, 504);
    respecting.get("/a").await;
    assert_eq!(
        respecting.get_with("/a", &reload).await.cache_status(),
        "fwd=request; stored; detail=client"
    );
    assert!(
        respecting
            .get_with("/a", &[("Cache-Control", "only-if-cached")])
            .await
            .is_hit()
    );
}

#[tokio::test]
async fn a_head_freshens_what_is_stored_or_says_that_it_is_out_of_date() {
    let origin = Origin::start().await;
    let reply = |body: &str, tag: &str, version: &str| {
        Reply::fresh(body, 10)
            .header("etag", tag)
            .header("x-version", version)
    };
    let proxy = Proxy::to(&origin, "").await;
    origin.answer("/a", reply("same", "\"1\"", "1"));
    proxy.get("/a").await;
    proxy.advance(20);
    origin.answer("/a", reply("same", "\"1\"", "2"));
    assert_eq!(proxy.send("HEAD", "/a", &[], "").await.status, 200);
    let hit = proxy.get("/a").await;
    assert_eq!(
        (hit.is_hit(), hit.text(), hit.header("x-version")),
        (true, "same", Some("2"))
    );
    proxy.advance(20);
    origin.answer("/a", reply("else", "\"2\"", "3"));
    proxy.send("HEAD", "/a", &[], "").await;
    assert_eq!(proxy.get("/a").await.text(), "else");
    assert_eq!(
        origin.last("/a").header("if-none-match"),
        None,
        "it was forgotten"
    );
}

#[tokio::test]
async fn a_head_without_a_validator_says_nothing_of_what_is_stored() {
    let origin = Origin::start().await;
    let proxy = Proxy::to(&origin, "").await;
    origin.answer("/a", Reply::fresh("v1", 10).chunked());
    proxy.get("/a").await;
    origin.answer("/a", Reply::fresh("v2", 60).chunked());
    proxy.advance(20);
    proxy.send("HEAD", "/a", &[], "").await;
    assert_eq!(proxy.get("/a").await.text(), "v2");
}

#[tokio::test]
async fn a_304_about_another_response_confirms_nothing() {
    let origin = Origin::start().await;
    let proxy = Proxy::to(&origin, "").await;
    origin.answer("/a", Reply::fresh("old", 10).header("etag", "\"a\""));
    proxy.get("/a").await;
    proxy.advance(20);
    let other = Reply::ok("").status(304).header("etag", "\"b\"");
    origin.answer_when("/a", "if-none-match", other);
    origin.answer("/a", Reply::fresh("new", 60).header("etag", "\"b\""));
    let answer = proxy.get("/a").await;
    assert_eq!(
        (answer.text(), answer.header("etag")),
        ("new", Some("\"b\""))
    );
    assert_eq!(proxy.get("/a").await.text(), "new");
}
