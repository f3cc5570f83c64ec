//! How long answers and failures are kept, and when they are asked for again before anybody has to wait.

use crate::support::{Origin, Proxy, Reply, get, until};

#[tokio::test]
async fn failures_are_kept_where_the_route_says_for_how_long() {
    let origin = Origin::start().await;
    let proxy = Proxy::to(
        &origin,
        "[[route]]\nname = \"r\"\npath = \"/{*rest}\"\nttl_by_status = { 404 = \"30s\", 4xx = 5, 503 = \"2s\" }\n",
    )
    .await;
    for (status, ttl) in [
        (404, Some(30)),
        (410, Some(5)),
        (503, Some(2)),
        (500, None),
        (200, None),
    ] {
        let path = format!("/{status}");
        origin.answer(&path, Reply::ok("no").status(status));
        proxy.get(&path).await;
        let again = proxy.get(&path).await;
        let expected = ttl.map(|ttl| format!("hit; ttl={ttl}"));
        assert_eq!(
            again.is_hit().then(|| again.cache_status().to_owned()),
            expected,
            "{status}"
        );
    }
    origin.answer("/stated", Reply::fresh("no", 60).status(404));
    proxy.get("/stated").await;
    assert_eq!(
        proxy.get("/stated").await.cache_status(),
        "hit; ttl=60",
        "the origin knows better"
    );
    proxy.advance(31);
    assert!(!proxy.get("/404").await.is_hit());
}

#[tokio::test]
async fn jitter_spreads_what_the_route_keeps_and_nothing_else() {
    let origin = Origin::start().await;
    let proxy = Proxy::to(
        &origin,
        "[[route]]\nname = \"r\"\npath = \"/{*rest}\"\nttl = 1000\nttl_jitter = 20\n",
    )
    .await;
    let mut lifetimes = std::collections::BTreeSet::new();
    for number in 0..20 {
        let path = format!("/{number}");
        origin.answer(&path, Reply::ok("a"));
        proxy.get(&path).await;
        let hit = proxy.get(&path).await;
        let ttl = hit.cache_status().strip_prefix("hit; ttl=").unwrap();
        lifetimes.insert(ttl.parse::<u32>().unwrap());
    }
    assert!(lifetimes.len() > 5, "{lifetimes:?}");
    assert!(
        lifetimes.iter().all(|ttl| (799..=1000).contains(ttl)),
        "{lifetimes:?}"
    );
    origin.answer("/stated", Reply::fresh("a", 1000));
    proxy.get("/stated").await;
    assert_eq!(proxy.get("/stated").await.cache_status(), "hit; ttl=1000");
}

#[tokio::test]
async fn what_is_in_demand_is_refreshed_before_it_expires() {
    let origin = Origin::start().await;
    let proxy = Proxy::to(
        &origin,
        "[[route]]\nname = \"a\"\npath = \"/a\"\nttl = 100\nrefresh_ahead = \"20s\"\n",
    )
    .await;
    origin.answer("/a", Reply::ok("old"));
    proxy.get("/a").await;
    proxy.advance(70);
    for _ in 0..50 {
        assert_eq!(proxy.get("/a").await.text(), "old");
    }
    assert_eq!(origin.count("/a"), 1, "it is not yet time");
    origin.answer("/a", Reply::ok("new"));
    proxy.advance(29);
    until("a hit has refreshed it", async || {
        let hit = proxy.get("/a").await;
        assert!(hit.is_hit(), "nobody waits for it: {}", hit.cache_status());
        hit.text() == "new"
    })
    .await;
    assert_eq!(origin.count("/a"), 2);
}

#[tokio::test]
async fn an_origin_that_fails_is_left_alone_for_a_while() {
    let origin = Origin::start().await;
    let proxy = Proxy::to(
        &origin,
        "[[route]]\nname = \"a\"\npath = \"/{*rest}\"\nttl = 10\nstale_while_revalidate = \"10m\"\nstale_if_error = \"1h\"\n",
    )
    .await;
    for (path, failing) in [
        (
            "/unavailable",
            Reply::ok("").status(503).header("retry-after", "600"),
        ),
        (
            "/busy",
            Reply::ok("").status(429).header("retry-after", "600"),
        ),
    ] {
        origin.answer(path, Reply::ok("old"));
        proxy.get(path).await;
        origin.answer(path, failing);
        proxy.advance(20);
        assert_eq!(proxy.get(path).await.text(), "old");
        until("it was asked", async || origin.count(path) == 2).await;
        until("the refresh has ended", async || {
            proxy.metric("sidecache_flights") == 0.0
        })
        .await;
        for _ in 0..20 {
            assert_eq!(proxy.get(path).await.text(), "old");
        }
        assert_eq!(origin.count(path), 2, "{path}: Retry-After is honoured");
    }
    proxy.advance(1200); // past the window of refreshing, inside that of errors
    let spared = proxy.get("/unavailable").await;
    assert_eq!(
        (spared.text(), spared.cache_status()),
        ("old", "hit; ttl=-1230; detail=stale-if-error")
    );
    assert_eq!(
        origin.count("/unavailable"),
        2,
        "nobody waits for an origin that fails"
    );
}

#[tokio::test]
async fn an_error_does_not_take_the_place_of_what_still_serves() {
    let origin = Origin::start().await;
    let proxy = Proxy::to(
        &origin,
        "[[route]]\nname = \"r\"\npath = \"/{*rest}\"\nttl = 10\nstale_while_revalidate = \"60s\"\nttl_by_status = { 5xx = 30, 4xx = 30 }\n",
    )
    .await;
    origin.answer("/a", Reply::ok("good"));
    proxy.get("/a").await;
    origin.answer("/a", Reply::ok("bad").status(500));
    proxy.advance(20);
    assert_eq!(proxy.get("/a").await.text(), "good");
    until("the refresh has failed", async || {
        origin.count("/a") == 2 && proxy.metric("sidecache_flights") == 0.0
    })
    .await;
    assert_eq!(proxy.get("/a").await.text(), "good");
    // A class of statuses leaves out what is said of one request.
    origin.answer("/b", Reply::ok("too large").status(431));
    proxy.get("/b").await;
    assert!(!proxy.get("/b").await.is_hit());
}

#[tokio::test]
async fn one_callers_limit_is_not_everybodys() {
    let origin = Origin::start().await;
    let proxy = Proxy::to(
        &origin,
        "[[route]]\nname = \"r\"\npath = \"/{*rest}\"\nttl = 10\nstale_if_error = \"10m\"\n",
    )
    .await;
    origin.answer("/a", Reply::ok("old"));
    proxy.get("/a").await;
    let limit = || {
        Reply::ok("slow down")
            .status(429)
            .header("retry-after", "600")
    };
    origin.answer("/a", limit());
    let caller = [("Authorization", "one")];
    assert_eq!(proxy.get_with("/a", &caller).await.status, 429);
    proxy.advance(20);
    assert_eq!(
        proxy.get("/a").await.status,
        429,
        "it is asked, and may be passed on"
    );
    origin.answer("/a", Reply::ok("new"));
    assert_eq!(proxy.get("/a").await.text(), "new");
}

#[tokio::test]
async fn a_purge_is_not_kept_waiting_by_an_origin_that_failed_before() {
    let origin = Origin::start().await;
    let proxy = Proxy::to(
        &origin,
        "[[route]]\nname = \"a\"\npath = \"/a\"\nttl = 10\nstale_while_revalidate = \"10m\"\ntags = [\"a\"]\n\
         [[route]]\nname = \"w\"\npath = \"/w\"\nmethods = [\"POST\"]\npurge = [\"tag:a\"]\n",
    )
    .await;
    origin.answer("/a", Reply::ok("old"));
    origin.answer("/w", Reply::ok("done"));
    proxy.get("/a").await;
    proxy.advance(20);
    origin.answer("/a", Reply::ok("").status(503).header("retry-after", "600"));
    proxy.get("/a").await;
    until("the refresh has failed", async || {
        origin.count("/a") == 2 && proxy.metric("sidecache_flights") == 0.0
    })
    .await;
    origin.answer("/a", Reply::ok("new"));
    proxy.send("POST", "/w", &[], "x").await;
    until("it is asked for again", async || {
        proxy.get("/a").await.text() == "new"
    })
    .await;
}

#[tokio::test]
async fn an_early_refresh_leaves_short_lifetimes_alone() {
    let origin = Origin::start().await;
    let proxy = Proxy::to(
        &origin,
        "[[route]]\nname = \"a\"\npath = \"/a\"\nrefresh_ahead = \"10m\"\n",
    )
    .await;
    origin.answer("/a", Reply::fresh("a", 100));
    proxy.get("/a").await;
    proxy.advance(70);
    for _ in 0..200 {
        assert!(proxy.get("/a").await.is_hit());
    }
    assert_eq!(origin.count("/a"), 1);
}

#[tokio::test]
async fn one_callers_error_hides_no_variant_and_deletes_nothing() {
    let origin = Origin::start().await;
    let proxy = Proxy::to(
        &origin,
        "[[route]]\nname = \"r\"\npath = \"/{*rest}\"\nttl_by_status = { 5xx = 30, 404 = 30 }\nstale_if_error = \"10m\"\n",
    )
    .await;
    let english = [("X-Lang", "en")];
    for status in [503, 404] {
        let path = format!("/{status}");
        origin.answer(&path, Reply::fresh("good", 60).header("vary", "X-Lang"));
        proxy.get_with(&path, &english).await;
        origin.answer(&path, Reply::ok("bad").status(status));
        assert_eq!(
            proxy.get_with(&path, &[("X-Lang", "xx")]).await.status,
            status
        );
        assert_eq!(
            proxy.get_with(&path, &english).await.text(),
            "good",
            "{status}"
        );
    }
    // What is about one request neither takes away what is stored for others, nor sends them all to the origin.
    origin.answer("/a", Reply::fresh("old", 10));
    proxy.get("/a").await;
    proxy.advance(20);
    origin.answer("/a", Reply::ok("not acceptable").status(406));
    assert_eq!(proxy.get("/a").await.status, 406);
    origin.answer("/a", Reply::closing());
    assert_eq!(
        proxy.get("/a").await.text(),
        "old",
        "it is still there for an origin that fails"
    );
}

#[tokio::test]
async fn a_route_that_hangs_leaves_refreshes_to_the_others() {
    let origin = Origin::start().await;
    let route = |name: &str| {
        format!(
            "[[route]]\nname = \"{name}\"\npath = \"/{name}/{{n}}\"\nttl = 10\nstale_while_revalidate = \"10m\"\n"
        )
    };
    let proxy = Proxy::to(&origin, &(route("hung") + &route("well"))).await;
    origin.answer_below("/hung/", Reply::ok("old"));
    origin.answer("/well/1", Reply::ok("old"));
    for number in 0..40 {
        proxy.get(&format!("/hung/{number}")).await;
    }
    proxy.get("/well/1").await;
    proxy.advance(20);
    origin.answer_below("/hung/", Reply::never());
    origin.answer("/well/1", Reply::ok("new"));
    for number in 0..40 {
        assert_eq!(proxy.get(&format!("/hung/{number}")).await.text(), "old");
    }
    assert_eq!(proxy.metric("sidecache_refresh_skipped_total"), 8.0);
    until("the other route is refreshed", async || {
        proxy.get("/well/1").await.text() == "new"
    })
    .await;
}

/// Expired by age it was asked once, and purged softly by each of fifty.
#[tokio::test]
async fn after_a_soft_purge_an_origin_that_fails_is_asked_once() {
    let origin = Origin::start().await;
    let proxy = Proxy::to(
        &origin,
        "[[route]]\nname = \"a\"\npath = \"/a\"\nttl = 600\nstale_if_error = \"10m\"\ntags = [\"a\"]\n\
         [[route]]\nname = \"w\"\npath = \"/w\"\nmethods = [\"POST\"]\npurge = [\"tag:a\"]\n",
    )
    .await;
    origin.answer("/a", Reply::ok("old"));
    origin.answer("/w", Reply::ok("done"));
    proxy.get("/a").await;
    proxy.send("POST", "/w", &[], "x").await;
    let failing = Reply::ok("").status(503).header("retry-after", "600");
    origin.answer("/a", failing);
    origin.hold();
    let address = proxy.address();
    let clients: Vec<_> = (0..50)
        .map(|_| tokio::spawn(get(address, "/a", &[])))
        .collect();
    until("all wait for the one", async || {
        proxy.metric("sidecache_followers") == 49.0 && origin.count("/a") == 2
    })
    .await;
    origin.release();
    for client in clients {
        assert_eq!(client.await.unwrap().text(), "old");
    }
    for _ in 0..5 {
        let stale = proxy.get("/a").await;
        assert_eq!(stale.text(), "old");
        let says = stale.cache_status();
        assert!(
            says.starts_with("hit; ") && says.ends_with("detail=stale-if-error"),
            "{says}"
        );
    }
    assert_eq!(origin.count("/a"), 2);
    proxy.send("POST", "/w", &[], "x").await;
    assert_eq!(proxy.get("/a").await.text(), "old");
    assert_eq!(
        origin.count("/a"),
        3,
        "whoever purges anew wants it asked for"
    );
}
