//! Memory over Redis, shared by replicas.

use crate::support::{Origin, Proxy, Reply, proxy::synchronised, redis::Redis, until};

fn with_redis(url: &str, more: &str) -> String {
    format!("[cache]\nprefix = \"t\"\n{more}[cache.redis]\nurl = \"{url}\"\n")
}

async fn replicas(origin: &Origin, redis: &Redis, routes: &str) -> (Proxy, Proxy) {
    let toml = with_redis(&redis.url(), "") + routes;
    let one = Proxy::to(origin, &toml).await;
    let two = Proxy::to(origin, &toml).await;
    for proxy in [&one, &two] {
        synchronised(proxy).await;
    }
    (one, two)
}

async fn written(proxy: &Proxy, count: f64) {
    let line = "sidecache_redis_calls_total{result=\"written\"}";
    until("it is in redis", async || proxy.metric(line) >= count).await;
}

#[tokio::test]
async fn what_one_replica_stored_is_a_hit_on_the_other() {
    let (origin, redis) = (Origin::start().await, Redis::start());
    let (one, two) = replicas(&origin, &redis, "").await;
    origin.answer(
        "/a",
        Reply::fresh("shared", 60).json().header("x-kept", "1"),
    );
    let miss = one.get("/a").await;
    written(&one, 1.0).await;
    two.advance(10);
    let hit = two.get("/a").await;
    assert_eq!(
        hit.cache_status(),
        "hit; ttl=50; detail=redis",
        "not a second longer than it had left"
    );
    assert_eq!(
        (hit.text(), hit.header("x-kept"), hit.header("age")),
        ("shared", Some("1"), Some("10"))
    );
    assert_eq!(hit.header("etag"), miss.header("etag"));
    assert_eq!(
        two.get("/a").await.cache_status(),
        "hit; ttl=50",
        "promoted to memory"
    );
    assert_eq!(origin.count("/a"), 1);
}

#[tokio::test]
async fn large_values_are_compressed_at_rest_and_come_back_whole() {
    let (origin, redis) = (Origin::start().await, Redis::start());
    let toml = with_redis(&redis.url(), "") + "compress_above = \"1KiB\"\n";
    let one = Proxy::to(&origin, &toml).await;
    let two = Proxy::to(&origin, &toml).await;
    for proxy in [&one, &two] {
        synchronised(proxy).await;
    }
    let body = "sidecache ".repeat(1_000);
    origin.answer("/a", Reply::fresh(&body, 60));
    one.get("/a").await;
    written(&one, 1.0).await;
    let stored: usize = redis
        .keys()
        .iter()
        .filter_map(|key| redis.try_command::<usize>(&["STRLEN", key]).ok())
        .sum();
    assert!((1..2_000).contains(&stored), "{stored} bytes");
    let hit = two.get("/a").await;
    assert!(hit.is_fresh_from_redis(), "{}", hit.cache_status());
    assert_eq!(hit.text(), body);
}

#[tokio::test]
async fn without_memory_every_hit_comes_from_redis() {
    let (origin, redis) = (Origin::start().await, Redis::start());
    let toml = with_redis(&redis.url(), "") + "[cache.memory]\nmax = 0\n";
    let proxy = Proxy::to(&origin, &toml).await;
    synchronised(&proxy).await;
    origin.answer("/a", Reply::fresh("a", 60));
    proxy.get("/a").await;
    written(&proxy, 1.0).await;
    for _ in 0..2 {
        let hit = proxy.get("/a").await;
        assert!(hit.is_fresh_from_redis(), "{}", hit.cache_status());
    }
}

#[tokio::test]
async fn variants_are_kept_apart_in_redis_too() {
    let (origin, redis) = (Origin::start().await, Redis::start());
    let (one, two) = replicas(&origin, &redis, "").await;
    for (number, language) in [(1.0, "en"), (2.0, "de")] {
        origin.answer("/a", Reply::fresh(language, 60).header("vary", "X-Lang"));
        one.get_with("/a", &[("X-Lang", language)]).await;
        written(&one, number).await;
    }
    for language in ["en", "de"] {
        let hit = two.get_with("/a", &[("X-Lang", language)]).await;
        assert_eq!((hit.text(), hit.is_hit()), (language, true));
    }
    assert!(!two.get("/a").await.is_hit());
}

#[tokio::test]
async fn a_write_through_one_replica_reaches_the_memory_of_the_other() {
    let (origin, redis) = (Origin::start().await, Redis::start());
    let routes = "[[route]]\nname = \"r\"\npath = \"/t/{id}\"\nttl = 300\ntags = [\"t:{id}\"]\n\
                  [[route]]\nname = \"w\"\npath = \"/w/{id}\"\nmethods = [\"PUT\"]\npurge = [\"hard:tag:t:{id}\"]\n";
    let (one, two) = replicas(&origin, &redis, routes).await;
    for path in ["/a", "/t/1", "/t/2"] {
        origin.answer(path, Reply::fresh("old", 60));
        two.get(path).await;
        assert!(two.get(path).await.is_hit());
    }
    written(&two, 3.0).await;
    for path in ["/a", "/w/1"] {
        origin.answer(path, Reply::ok("done"));
        assert_eq!(one.send("PUT", path, &[], "x").await.status, 200);
    }
    for path in ["/a", "/t/1"] {
        origin.answer(path, Reply::fresh("new", 60));
    }
    for path in ["/a", "/t/1"] {
        until("the other replica obeys", async || {
            two.get(path).await.text() == "new"
        })
        .await;
        assert_eq!(
            one.get(path).await.text(),
            "new",
            "and redis does not bring it back: {path}"
        );
    }
    assert!(two.get("/t/2").await.is_hit(), "nothing else was purged");
}

#[tokio::test]
async fn a_replica_that_starts_later_knows_what_was_purged_before() {
    let (origin, redis) = (Origin::start().await, Redis::start());
    let toml = with_redis(&redis.url(), "");
    let one = Proxy::to(&origin, &toml).await;
    synchronised(&one).await;
    origin.answer("/a", Reply::fresh("old", 60));
    origin.answer("/kept", Reply::fresh("kept", 60));
    for path in ["/a", "/kept"] {
        one.get(path).await;
    }
    written(&one, 2.0).await;
    origin.answer("/a", Reply::ok("done"));
    one.send("PUT", "/a", &[], "x").await;
    origin.answer("/a", Reply::fresh("new", 60));
    let later = Proxy::to(&origin, &toml).await;
    synchronised(&later).await;
    assert_eq!(
        later.get("/a").await.text(),
        "new",
        "it is still in redis, and is not used"
    );
    assert!(later.get("/kept").await.is_hit());
}

#[tokio::test]
async fn every_key_has_a_ttl_and_the_prefix() {
    let (origin, redis) = (Origin::start().await, Redis::start());
    let (one, _two) = replicas(&origin, &redis, "").await;
    origin.answer("/a", Reply::fresh("a", 60));
    origin.answer("/v", Reply::fresh("a", 60).header("vary", "X-Lang"));
    origin.answer(
        "/s",
        Reply::ok("a").header("cache-control", "max-age=1, stale-if-error=600"),
    );
    for path in ["/a", "/v", "/s"] {
        one.get(path).await;
    }
    one.send("DELETE", "/other", &[], "").await;
    written(&one, 3.0).await;
    let keys: Vec<String> = redis.command(&["KEYS", "*"]);
    assert!(keys.len() >= 5, "{keys:?}");
    for key in keys {
        let ttl: i64 = redis.command(&["TTL", &key]);
        assert!(key.starts_with("t:") && ttl > 0, "{key} has {ttl}");
    }
}

#[tokio::test]
async fn a_large_body_goes_to_redis_and_back() {
    let (origin, redis) = (Origin::start().await, Redis::start());
    let (one, two) = replicas(&origin, &redis, "").await;
    let body: Vec<u8> = (0..900_000_u32).map(|n| (n % 251) as u8).collect();
    origin.answer("/a", Reply::fresh(&body, 60));
    one.get("/a").await;
    written(&one, 1.0).await;
    let hit = two.get("/a").await;
    assert!(hit.is_fresh_from_redis(), "{}", hit.cache_status());
    assert!(hit.body == body);
}

#[tokio::test]
async fn memory_stays_within_its_limit() {
    let origin = Origin::start().await;
    let proxy = Proxy::to(
        &origin,
        "[cache.memory]\nmax = \"2MiB\"\n[cache]\nmax_object = \"100KiB\"\n",
    )
    .await;
    let body = "x".repeat(50_000);
    for number in 0..100 {
        let path = format!("/{number}");
        origin.answer(&path, Reply::fresh(&body, 60));
        proxy.get(&path).await;
        assert!(proxy.metric("sidecache_memory_bytes") <= 2.0 * 1024.0 * 1024.0);
    }
    assert!(proxy.metric("sidecache_memory_removed_total{reason=\"evicted\"}") > 0.0);
    assert!(
        proxy.metric("sidecache_memory_entries") > 20.0,
        "and it is used"
    );
}

#[tokio::test]
async fn a_purge_log_that_is_lost_takes_what_was_stored_by_it_along() {
    let (origin, redis) = (Origin::start().await, Redis::start());
    let toml = with_redis(&redis.url(), "");
    let one = Proxy::to(&origin, &toml).await;
    synchronised(&one).await;
    origin.answer("/a", Reply::fresh("old", 600));
    one.get("/a").await;
    written(&one, 1.0).await;
    origin.answer("/a", Reply::ok("done"));
    one.send("PUT", "/a", &[], "x").await;
    redis.command::<()>(&["DEL", "t:{t}:v2:purges"]);
    // Another purge must not begin a stream that looks as if it knew everything.
    origin.answer("/b", Reply::ok("done"));
    one.send("PUT", "/b", &[], "x").await;
    until("there is a log again", async || {
        redis.command::<i64>(&["EXISTS", "t:{t}:v2:purges"]) == 1
    })
    .await;
    origin.answer("/a", Reply::fresh("new", 600));
    let later = Proxy::to(&origin, &toml).await;
    synchronised(&later).await;
    assert_eq!(
        later.get("/a").await.text(),
        "new",
        "the old one is in redis and cannot be judged"
    );
}

#[tokio::test]
async fn a_purge_holds_although_another_replica_has_trimmed_it() {
    let (origin, redis) = (Origin::start().await, Redis::start());
    let toml = with_redis(&redis.url(), "");
    let one = Proxy::to(&origin, &toml).await;
    synchronised(&one).await;
    origin.answer("/a", Reply::fresh("old", 3600));
    one.get("/a").await;
    written(&one, 1.0).await;
    for path in ["/a", "/b", "/c"] {
        origin.answer(path, Reply::ok("done"));
        one.send("PUT", path, &[], "x").await;
    }
    // As one with a short `max_lifetime` would.
    redis.command::<i64>(&["XTRIM", "t:{t}:v2:purges", "MAXLEN", "1"]);
    origin.answer("/a", Reply::fresh("new", 3600));
    let later = Proxy::to(&origin, &toml).await;
    synchronised(&later).await;
    assert_eq!(later.get("/a").await.text(), "new");
}

#[tokio::test]
async fn replicas_that_begin_the_log_together_lose_nothing() {
    let (origin, redis) = (Origin::start().await, Redis::start());
    let (one, two) = replicas(&origin, &redis, "").await;
    origin.answer("/a", Reply::fresh("a", 60));
    for proxy in [&one, &two] {
        proxy.get("/a").await;
        until("it is stored", async || proxy.get("/a").await.is_hit()).await;
    }
    // As a third one would that found none a moment ago.
    let nobody = "\0".repeat(24);
    let begin = ["XADD", "t:{t}:v2:purges", "*", "begin", &nobody];
    let last: String = redis.command(&begin);
    origin.answer("/b", Reply::ok("done"));
    one.send("PUT", "/b", &[], "x").await;
    until("the other one has read past it", async || {
        two.metric("sidecache_purges_total") >= 1.0
    })
    .await;
    for proxy in [&one, &two] {
        assert!(proxy.get("/a").await.is_hit(), "{last}");
    }
}

/// What is older than the purge log goes back may have been purged, and nobody would know.
#[tokio::test]
async fn nothing_is_used_longer_than_max_lifetime_from_memory_or_redis() {
    let (origin, redis) = (Origin::start().await, Redis::start());
    let toml = with_redis(&redis.url(), "max_lifetime = \"60s\"\n");
    let one = Proxy::to(&origin, &toml).await;
    let two = Proxy::to(&origin, &toml).await;
    for proxy in [&one, &two] {
        synchronised(proxy).await;
    }
    let stale = |body| {
        let control = "max-age=10, stale-while-revalidate=6000, stale-if-error=6000";
        Reply::ok(body).header("cache-control", control)
    };
    let failing = || Reply::ok("").status(503);
    for (proxy, path) in [(&two, "/redis"), (&one, "/memory")] {
        origin.answer(path, stale("old"));
        let before = one.metric("sidecache_redis_calls_total{result=\"written\"}");
        one.get(path).await;
        written(&one, before + 1.0).await;
        origin.answer(path, failing());
        proxy.advance(50);
        assert_eq!(proxy.get(path).await.text(), "old", "{path}");
        until("the refresh has failed", async || {
            proxy.metric("sidecache_flights") == 0.0
        })
        .await;
        proxy.advance(10);
        assert_eq!(proxy.get(path).await.status, 503, "{path}");
    }
}
