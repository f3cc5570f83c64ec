//! Redis in trouble, with traffic: no request fails, none waits longer than the budget, and it recovers by itself.

use crate::support::{
    Proxy, Reply, get,
    load::{Load, hits_again, origin},
    redis::{Redis, free_port},
    relay::{Fault, Relay},
    until,
};
use std::time::Duration;

fn toml(url: &str) -> String {
    // No memory tier: every request asks Redis.
    format!("[cache]\nprefix = \"t\"\n[cache.memory]\nmax = 0\n[cache.redis]\nurl = \"{url}\"\n")
}

#[tokio::test]
async fn redis_absent_at_start_and_there_later() {
    let origin = origin().await;
    let port = free_port();
    let proxy = Proxy::to(&origin, &toml(&format!("redis://127.0.0.1:{port}"))).await;
    assert_eq!(proxy.get("/1").await.text(), "/1");
    let ready = get(proxy.admin(), "/readyz", &[]).await;
    assert_eq!(
        (
            ready.status,
            &ready.json()["status"],
            &ready.json()["redis"]
        ),
        (200, &"degraded".into(), &"out".into())
    );
    assert_eq!(proxy.metric("sidecache_redis_up"), 0.0);
    let _redis = Redis::start_with(port, &[]);
    hits_again(&proxy).await;
    until("a hit comes from redis", async || {
        proxy.get("/1").await;
        proxy.metric("sidecache_redis_calls_total{result=\"hit\"}") >= 1.0
    })
    .await;
    assert_eq!(proxy.metric("sidecache_redis_up"), 1.0);
    until("it is ready", async || {
        let ready = get(proxy.admin(), "/readyz", &[]).await.json();
        (&ready["status"], &ready["redis"]) == (&"ready".into(), &"up".into())
    })
    .await;
}

#[tokio::test]
async fn redis_killed_under_load_and_started_again_empty() {
    let (origin, mut redis) = (origin().await, Redis::start());
    let proxy = Proxy::to(&origin, &toml(&redis.url())).await;
    hits_again(&proxy).await;
    let load = Load::on(proxy.address());
    load.goes_on().await;
    redis.kill();
    load.goes_on().await;
    until("it is seen to be out", async || {
        proxy.metric("sidecache_redis_up") == 0.0
    })
    .await;
    load.goes_on().await;
    redis.start_again();
    hits_again(&proxy).await;
    load.goes_on().await;
    load.end().await;
}

#[tokio::test]
async fn redis_frozen_under_load() {
    let (origin, redis) = (origin().await, Redis::start());
    let proxy = Proxy::to(&origin, &toml(&redis.url())).await;
    hits_again(&proxy).await;
    let load = Load::on(proxy.address());
    load.goes_on().await;
    redis.freeze();
    load.goes_on().await;
    until("it is seen to be out", async || {
        proxy.metric("sidecache_redis_up") == 0.0
    })
    .await;
    assert!(proxy.metric("sidecache_redis_calls_total{result=\"timeout\"}") >= 1.0);
    load.goes_on().await;
    redis.thaw();
    hits_again(&proxy).await;
    load.end().await;
}

#[tokio::test]
async fn redis_behind_a_bad_network() {
    let (origin, redis) = (origin().await, Redis::start());
    let relay = Relay::to(redis.port()).await;
    let proxy = Proxy::to(&origin, &toml(&relay.url())).await;
    hits_again(&proxy).await;
    let load = Load::on(proxy.address());
    for fault in [
        Fault::Delay(Duration::from_millis(200)),
        Fault::CutAfter(40),
        Fault::Garbage,
        Fault::Blackhole,
    ] {
        relay.set(fault);
        load.goes_on().await;
        relay.set(Fault::None);
        hits_again(&proxy).await;
    }
    load.end().await;
}

#[tokio::test]
async fn redis_that_refuses_writes_is_still_read() {
    let (origin, redis) = (origin().await, Redis::start());
    let proxy = Proxy::to(&origin, &toml(&redis.url())).await;
    hits_again(&proxy).await;
    redis.command::<String>(&["CONFIG", "SET", "maxmemory", "1"]);
    origin.answer("/new", Reply::fresh("new", 3600));
    let dropped = "sidecache_redis_writes_dropped_total{reason=\"refused\"}";
    until("a write is dropped", async || {
        proxy.get("/new").await;
        proxy.metric(dropped) >= 1.0
    })
    .await;
    assert!(proxy.get("/1").await.is_hit(), "what is there is used");
    assert_eq!(proxy.metric("sidecache_redis_up"), 1.0);
}

#[tokio::test]
async fn redis_that_became_a_replica_or_wants_a_password_is_left_and_found_again() {
    let (origin, redis) = (origin().await, Redis::start());
    let other = Redis::start();
    let proxy = Proxy::to(&origin, &toml(&redis.url())).await;
    hits_again(&proxy).await;
    let load = Load::on(proxy.address());
    let port = other.port().to_string();
    redis.command::<String>(&["REPLICAOF", "127.0.0.1", &port]);
    load.goes_on().await;
    redis.command::<String>(&["REPLICAOF", "NO", "ONE"]);
    hits_again(&proxy).await;
    redis.command::<String>(&["ACL", "SETUSER", "default", "-getrange", "-set"]);
    load.goes_on().await;
    redis.command::<String>(&["ACL", "SETUSER", "default", "+getrange", "+set"]);
    hits_again(&proxy).await;
    load.end().await;
}

#[tokio::test]
async fn values_that_do_not_check_out_are_misses_and_are_healed() {
    let (origin, redis) = (origin().await, Redis::start());
    let proxy = Proxy::to(&origin, &toml(&redis.url())).await;
    hits_again(&proxy).await;
    until("it is written", async || !redis.keys().is_empty()).await;
    let key = redis.keys().into_iter().next().unwrap();
    let whole: Vec<u8> = redis.command(&["GET", &key]);
    let path = (0..20)
        .rev() // the longer name first: it holds the shorter one
        .map(|n| format!("/{n}"))
        .find(|p| whole.windows(p.len()).any(|w| w == p.as_bytes()))
        .unwrap();
    let corruptions: [&dyn Fn(); 7] = [
        &|| redis.command(&["SET", &key, ""]),
        &|| redis.command(&["SET", &key, "x"]),
        &|| redis.command(&["SETRANGE", &key, "3", "\u{7f}"]),
        &|| redis.command(&["SETRANGE", &key, "40", "flipped"]),
        &|| redis.command(&["APPEND", &key, "more"]),
        &|| redis.command(&["SETRANGE", &key, "4000000", "too long"]),
        &|| {
            redis.command::<()>(&["DEL", &key]);
            redis.command::<()>(&["LPUSH", &key, "another program's"]);
        },
    ];
    for (number, corrupt) in corruptions.iter().enumerate() {
        until("it is stored", async || proxy.get(&path).await.is_hit()).await;
        corrupt();
        let answer = proxy.get(&path).await;
        assert_eq!(
            (answer.text(), answer.is_hit()),
            (&*path, false),
            "corruption {number}"
        );
    }
    until("it is healed", async || proxy.get(&path).await.is_hit()).await;
    assert!(proxy.metric("sidecache_redis_calls_total{result=\"corrupt\"}") >= 6.0);
}

#[tokio::test]
async fn memory_asks_the_origin_while_purges_may_be_missed() {
    let origin = origin().await;
    let mut redis = Redis::start();
    let toml = format!(
        "[cache]\nprefix = \"t\"\npurge_gap = \"300ms\"\n[cache.redis]\nurl = \"{}\"\n",
        redis.url()
    );
    let proxy = Proxy::to(&origin, &toml).await;
    assert_eq!(proxy.get("/1").await.text(), "/1");
    assert!(proxy.get("/1").await.is_hit());
    redis.kill();
    proxy.advance(1);
    until("the gap is noticed", async || {
        proxy.get("/1").await.cache_status().contains("purge-gap")
    })
    .await;
    assert!(
        proxy.get("/1").await.is_hit(),
        "what was just confirmed is served"
    );
    redis.start_again();
    until("the log is followed again", async || {
        let ready = get(proxy.admin(), "/readyz", &[]).await;
        ready.json()["status"] == "ready"
    })
    .await;
    until("hits need no confirmation", async || {
        proxy.get("/1").await.is_hit()
    })
    .await;
}

#[tokio::test]
async fn a_purge_while_redis_is_out_holds_and_is_told_to_the_others_later() {
    let origin = origin().await;
    let mut redis = Redis::start();
    let shared = format!(
        "[cache]\nprefix = \"t\"\n[cache.redis]\nurl = \"{}\"\n",
        redis.url()
    );
    let one = Proxy::to(&origin, &shared).await;
    let two = Proxy::to(&origin, &shared).await;
    for proxy in [&one, &two] {
        proxy.get("/1").await;
        proxy.get("/1").await;
    }
    redis.kill();
    until("it is out", async || {
        one.metric("sidecache_redis_up") == 0.0
    })
    .await;
    origin.answer("/1", Reply::ok("done"));
    assert_eq!(one.send("PUT", "/1", &[], "x").await.status, 200);
    origin.answer("/1", Reply::fresh("new", 3600));
    assert_eq!(one.get("/1").await.text(), "new", "here it holds at once");
    redis.start_again();
    until("the other replica learns of it", async || {
        two.get("/1").await.text() == "new"
    })
    .await;
}

#[tokio::test]
async fn a_purge_that_a_full_redis_does_not_take_is_not_ignored_by_the_others() {
    let origin = origin().await;
    let redis = Redis::start();
    let shared = format!(
        "[cache]\nprefix = \"t\"\npurge_gap = \"300ms\"\n[cache.redis]\nurl = \"{}\"\n",
        redis.url()
    );
    let (one, two) = (
        Proxy::to(&origin, &shared).await,
        Proxy::to(&origin, &shared).await,
    );
    for proxy in [&one, &two] {
        until("it is stored", async || proxy.get("/1").await.is_hit()).await;
    }
    redis.command::<String>(&["CONFIG", "SET", "maxmemory", "1"]);
    origin.answer("/1", Reply::ok("done"));
    assert_eq!(one.send("PUT", "/1", &[], "x").await.status, 200);
    origin.answer("/1", Reply::fresh("new", 3600));
    assert_eq!(one.get("/1").await.text(), "new");
    two.advance(1);
    until("the other replica asks the origin", async || {
        two.get("/1").await.text() == "new"
    })
    .await;
    let ready = get(one.admin(), "/readyz", &[]).await;
    assert_eq!(ready.json()["redis"], "purges");
    redis.command::<String>(&["CONFIG", "SET", "maxmemory", "0"]);
    until("all is well again", async || {
        get(one.admin(), "/readyz", &[]).await.json()["status"] == "ready"
    })
    .await;
}

#[tokio::test]
async fn a_link_that_comes_and_goes_ends_up_connected() {
    let (origin, redis, other) = (origin().await, Redis::start(), Redis::start());
    let proxy = Proxy::to(&origin, &toml(&redis.url())).await;
    hits_again(&proxy).await;
    let load = Load::on(proxy.address());
    let port = other.port().to_string();
    for _ in 0..5 {
        redis.command::<String>(&["REPLICAOF", "127.0.0.1", &port]);
        load.goes_on().await;
        redis.command::<String>(&["REPLICAOF", "NO", "ONE"]);
        load.goes_on().await;
    }
    hits_again(&proxy).await;
    load.end().await;
}

#[tokio::test]
async fn what_the_origin_has_superseded_does_not_come_back_from_redis() {
    let (origin, redis) = (origin().await, Redis::start());
    let proxy = Proxy::to(&origin, &toml(&redis.url())).await;
    let stale =
        || Reply::ok("old").header("cache-control", "max-age=1, stale-while-revalidate=600");
    origin.answer("/s", stale());
    until("it is in redis", async || proxy.get("/s").await.is_hit()).await;
    proxy.advance(5);
    origin.answer(
        "/s",
        Reply::ok("gone")
            .status(404)
            .header("cache-control", "no-store"),
    );
    until("it is gone", async || proxy.get("/s").await.status == 404).await;
    assert_eq!(proxy.get("/s").await.status, 404);
    // Each variant is also kept by the language that it is in.
    let variant = || {
        stale()
            .header("vary", "Accept-Language")
            .header("content-language", "en")
    };
    origin.answer("/v", variant());
    let english = [("Accept-Language", "en-GB, en;q=0.5")];
    until("it is in redis", async || {
        proxy.get_with("/v", &english).await.is_hit()
    })
    .await;
    proxy.advance(5);
    origin.answer("/v", Reply::ok("new").header("cache-control", "no-store"));
    until("it is gone", async || {
        proxy.get_with("/v", &english).await.text() == "new"
    })
    .await;
    assert_eq!(proxy.get_with("/v", &english).await.text(), "new");
}

/// How many bytes Redis has sent.
fn sent(redis: &Redis) -> u64 {
    let stats: String = redis.command(&["INFO", "stats"]);
    let line = stats
        .lines()
        .find_map(|line| line.strip_prefix("total_net_output_bytes:"));
    line.unwrap().trim().parse().unwrap()
}

#[tokio::test]
async fn of_a_value_that_is_larger_than_any_of_ours_no_more_is_read_than_one_may_have() {
    const HUGE: &str = "100000000";
    let (origin, redis) = (origin().await, Redis::start());
    let route = "[[route]]\nname = \"all\"\npath = \"/{*rest}\"\ncollapse = \"cluster\"\n";
    let proxy = Proxy::to(&origin, &format!("{}{route}", toml(&redis.url()))).await;
    proxy.get("/1").await;
    until("it is written", async || proxy.get("/1").await.is_hit()).await;
    let main = redis
        .keys()
        .into_iter()
        .find(|key| key.ends_with(":m"))
        .unwrap();
    let before = sent(&redis);
    redis.command::<u64>(&["SETRANGE", &main, HUGE, "x"]);
    assert!(!proxy.get("/1").await.is_hit());
    until("it is healed", async || proxy.get("/1").await.is_hit()).await;
    let lease = main.replace(":m", ":l");
    redis.command::<u64>(&["SETRANGE", &lease, HUGE, "x"]);
    redis.command::<u64>(&["PEXPIRE", &lease, "300"]);
    redis.command::<u64>(&["DEL", &main]);
    assert_eq!(proxy.get("/1").await.text(), "/1", "once the lease is over");
    let read = sent(&redis) - before;
    assert!(read < 8_000_000, "{read} bytes");
}
