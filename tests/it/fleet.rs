//! Several replicas before one Redis: one of them fetches, or refreshes, for all.

use crate::support::{Origin, Proxy, Reply, get, proxy::synchronised, redis::Redis, until};

/// Replicas before one Redis that fetch `/a` once for all.
async fn replicas(origin: &Origin, redis: &Redis) -> Vec<Proxy> {
    let toml = format!(
        "[[route]]\nname = \"a\"\npath = \"/a\"\ncollapse = \"cluster\"\n[cache]\nprefix = \"t\"\n\
         [cache.redis]\nurl = \"{}\"\nbudget = \"1s\"\n",
        redis.url()
    );
    let mut proxies = Vec::new();
    for _ in 0..3 {
        let proxy = Proxy::to(origin, &toml).await;
        synchronised(&proxy).await;
        proxies.push(proxy);
    }
    proxies
}

#[tokio::test]
async fn one_replica_fetches_for_all() {
    let (origin, redis) = (Origin::start().await, Redis::start());
    let proxies = replicas(&origin, &redis).await;
    origin.answer("/a", Reply::fresh("a", 60));
    origin.hold();
    let clients: Vec<_> = proxies
        .iter()
        .flat_map(|proxy| (0..30).map(|_| tokio::spawn(get(proxy.address(), "/a", &[]))))
        .collect();
    until("the fetch is under way", async || origin.count("/a") == 1).await;
    until("the others wait", async || {
        proxies
            .iter()
            .all(|proxy| proxy.metric("sidecache_flights") == 1.0)
    })
    .await;
    origin.release();
    for client in clients {
        assert_eq!(client.await.unwrap().text(), "a");
    }
    assert_eq!(origin.count("/a"), 1);
    until("the lease is given back", async || {
        redis.keys().iter().all(|key| !key.ends_with(":l"))
    })
    .await;
}

#[tokio::test]
async fn what_is_not_for_others_is_fetched_by_each_replica_at_once() {
    let (origin, redis) = (Origin::start().await, Redis::start());
    let proxies = replicas(&origin, &redis).await;
    let private = Reply::ok("mine").header("cache-control", "private");
    origin.answer("/a", private);
    origin.hold();
    let first = tokio::spawn(get(proxies[0].address(), "/a", &[]));
    until("the fetch is under way", async || origin.count("/a") == 1).await;
    let others: Vec<_> = proxies[1..]
        .iter()
        .map(|proxy| tokio::spawn(get(proxy.address(), "/a", &[])))
        .collect();
    until("the others wait", async || {
        proxies
            .iter()
            .all(|proxy| proxy.metric("sidecache_flights") == 1.0)
    })
    .await;
    origin.release();
    assert_eq!(first.await.unwrap().text(), "mine");
    for other in others {
        assert_eq!(other.await.unwrap().text(), "mine");
    }
    assert_eq!(origin.count("/a"), 3);
}

#[tokio::test]
async fn a_replica_that_dies_with_the_lease_delays_nobody_for_long() {
    let (origin, redis) = (Origin::start().await, Redis::start());
    let proxies = replicas(&origin, &redis).await;
    origin.answer("/a", Reply::fresh("a", 60));
    let probe: Vec<String> = redis.keys();
    assert!(
        probe.iter().all(|key| key.starts_with("t:v6:{")),
        "{probe:?}"
    );
    origin.hold();
    let dying = tokio::spawn(get(proxies[0].address(), "/a", &[]));
    let lease = async || redis.keys().into_iter().find(|key| key.ends_with(":l"));
    until("it has the lease", async || lease().await.is_some()).await;
    let name = lease().await.unwrap();
    let ttl: i64 = redis.command(&["PTTL", &name]);
    assert!((1..=5000).contains(&ttl), "{ttl}");
    let waiting = tokio::spawn(get(proxies[1].address(), "/a", &[]));
    until("the other one waits", async || {
        proxies[1].metric("sidecache_flights") == 1.0
    })
    .await;
    assert_eq!(origin.count("/a"), 1);
    redis.command::<i64>(&["DEL", &name]); // as its TTL would
    until("the other one fetches", async || origin.count("/a") == 2).await;
    origin.release();
    assert_eq!(waiting.await.unwrap().text(), "a");
    dying.await.unwrap();
}

#[tokio::test]
async fn a_replica_that_drains_while_it_waits_for_another_answers_first() {
    let (origin, redis) = (Origin::start().await, Redis::start());
    let mut proxies = replicas(&origin, &redis).await;
    origin.answer("/a", Reply::fresh("a", 60));
    origin.hold();
    let first = tokio::spawn(get(proxies[0].address(), "/a", &[]));
    until("one fetches", async || origin.count("/a") == 1).await;
    let draining = proxies.remove(1);
    let waiting = tokio::spawn(get(draining.address(), "/a", &[]));
    until("the other one waits", async || {
        draining.metric("sidecache_flights") == 1.0
    })
    .await;
    let drained = tokio::spawn(draining.drain());
    tokio::task::yield_now().await;
    assert!(!drained.is_finished());
    origin.release();
    assert_eq!(first.await.unwrap().text(), "a");
    assert_eq!(waiting.await.unwrap().text(), "a");
    assert!(drained.await.unwrap());
    assert_eq!(origin.count("/a"), 1);
}

#[tokio::test]
async fn variants_and_what_each_has_to_ask_for_are_not_waited_for() {
    let (origin, redis) = (Origin::start().await, Redis::start());
    let proxies = replicas(&origin, &redis).await;
    origin.answer("/a", Reply::fresh("en", 60).header("vary", "X-Lang"));
    proxies[0].get_with("/a", &[("X-Lang", "en")]).await;
    origin.answer("/a", Reply::fresh("de", 60).header("vary", "X-Lang"));
    origin.hold();
    let de = |proxy: &Proxy| {
        let address = proxy.address();
        tokio::spawn(async move { get(address, "/a", &[("X-Lang", "de")]).await })
    };
    let fr = proxies[1].address();
    let first = de(&proxies[0]);
    until("the first has the lease", async || origin.count("/a") == 2).await;
    let other = tokio::spawn(async move { get(fr, "/a", &[("X-Lang", "fr")]).await });
    until("another variant is fetched beside it", async || {
        origin.count("/a") == 3
    })
    .await;
    origin.release();
    assert_eq!(first.await.unwrap().text(), "de");
    assert_eq!(other.await.unwrap().status, 200);
}

#[tokio::test]
async fn one_replica_refreshes_for_all() {
    let (origin, redis) = (Origin::start().await, Redis::start());
    let proxies = replicas(&origin, &redis).await;
    let stale =
        |body| Reply::ok(body).header("cache-control", "max-age=10, stale-while-revalidate=600");
    origin.answer("/a", stale("old"));
    for proxy in &proxies {
        proxy.get("/a").await;
        until("it is stored", async || proxy.get("/a").await.is_hit()).await;
    }
    let before = origin.count("/a");
    origin.answer("/a", stale("new"));
    for proxy in &proxies {
        proxy.advance(20);
    }
    for proxy in &proxies {
        until("it is refreshed", async || {
            proxy.get("/a").await.text() == "new"
        })
        .await;
    }
    assert_eq!(origin.count("/a"), before + 1);
}

/// What a route says to have stale answers refreshed, and no word of other replicas.
const REFRESHED: &str =
    "[[route]]\nname = \"a\"\npath = \"/a\"\nstale_while_revalidate = \"10m\"\n";

/// So many replicas with `old` in their memories, stale, and an origin that has something new.
async fn stale_replicas(origin: &Origin, redis: &Redis, count: usize) -> Vec<Proxy> {
    let toml = format!(
        "{REFRESHED}[cache]\nprefix = \"t\"\n[cache.redis]\nurl = \"{}\"\nbudget = \"1s\"\n",
        redis.url()
    );
    origin.answer("/a", Reply::fresh("old", 10));
    let mut proxies = Vec::new();
    for _ in 0..count {
        let proxy = Proxy::to(origin, &toml).await;
        synchronised(&proxy).await;
        until("it is in memory", async || {
            let hit = proxy.get("/a").await;
            hit.is_hit() && !hit.cache_status().contains("redis")
        })
        .await;
        proxies.push(proxy);
    }
    assert_eq!(origin.count("/a"), 1, "the others have it from redis");
    origin.answer("/a", Reply::fresh("new", 10));
    for proxy in &proxies {
        proxy.advance(20);
    }
    proxies
}

async fn is_refreshed(proxy: &Proxy) {
    until("it is refreshed", async || {
        let hit = proxy.get("/a").await;
        assert!(hit.is_hit(), "{}", hit.cache_status());
        hit.text() == "new"
    })
    .await;
}

#[tokio::test]
async fn a_refresh_takes_what_another_replica_has_brought() {
    let (origin, redis) = (Origin::start().await, Redis::start());
    let proxies = stale_replicas(&origin, &redis, 10).await;
    for proxy in &proxies {
        is_refreshed(proxy).await;
    }
    assert_eq!(origin.count("/a"), 2, "one for each lifetime");
}

#[tokio::test]
async fn what_has_expired_is_looked_for_in_redis_before_the_origin_is_asked() {
    let (origin, redis) = (Origin::start().await, Redis::start());
    let proxies = stale_replicas(&origin, &redis, 5).await;
    for (n, proxy) in proxies.iter().enumerate() {
        proxy.advance(1000); // past the window in which it is served stale
        assert_eq!(proxy.get("/a").await.text(), "new");
        until("it is in redis", async || {
            n > 0 || proxy.metric("sidecache_redis_calls_total{result=\"written\"}") >= 2.0
        })
        .await;
    }
    assert_eq!(origin.count("/a"), 2);
}

#[tokio::test]
async fn replicas_that_refresh_at_the_same_time_ask_once() {
    let (origin, redis) = (Origin::start().await, Redis::start());
    let proxies = stale_replicas(&origin, &redis, 4).await;
    origin.hold();
    for proxy in &proxies {
        assert_eq!(proxy.get("/a").await.text(), "old");
    }
    until("each of them is at it", async || {
        let mut flights = proxies
            .iter()
            .map(|proxy| proxy.metric("sidecache_flights"));
        origin.count("/a") == 2 && flights.all(|flights| flights == 1.0)
    })
    .await;
    origin.release();
    for proxy in &proxies {
        is_refreshed(proxy).await;
    }
    assert_eq!(origin.count("/a"), 2);
}

#[tokio::test]
async fn an_early_refresh_goes_through_the_lease_too() {
    let (origin, redis) = (Origin::start().await, Redis::start());
    let toml = format!(
        "[[route]]\nname = \"a\"\npath = \"/a\"\ncollapse = \"cluster\"\nrefresh_ahead = \"10m\"\n\
         [cache]\nprefix = \"t\"\n[cache.redis]\nurl = \"{}\"\nbudget = \"1s\"\n",
        redis.url()
    );
    let proxy = Proxy::to(&origin, &toml).await;
    synchronised(&proxy).await;
    origin.answer("/a", Reply::fresh("old", 100));
    proxy.get("/a").await;
    origin.answer("/a", Reply::fresh("new", 100));
    proxy.advance(99);
    until("a hit has refreshed it", async || {
        let hit = proxy.get("/a").await;
        assert!(hit.is_hit(), "{}", hit.cache_status());
        hit.text() == "new"
    })
    .await;
}

/// How often Redis was sent these commands since its counters began.
fn sent(redis: &Redis, commands: &[&str]) -> u64 {
    let text: String = redis.command(&["INFO", "commandstats"]);
    let count = |command: &&str| {
        let begin = format!("cmdstat_{command}:calls=");
        let line = text.lines().find_map(|line| line.strip_prefix(&begin));
        let count = line.and_then(|line| line.split(',').next());
        count.map_or(0, |count| count.parse::<u64>().unwrap())
    };
    commands.iter().map(count).sum()
}

fn told(redis: &Redis) -> u64 {
    redis.command(&["XLEN", "t:{t}:ended"])
}

/// It was 33 commands a second, for each replica that waits and each key.
#[tokio::test]
async fn who_waits_for_another_replica_is_told_and_does_not_keep_asking() {
    let (origin, redis) = (Origin::start().await, Redis::start());
    let proxies = replicas(&origin, &redis).await;
    origin.answer("/a", Reply::fresh("a", 60));
    origin.hold();
    let first = tokio::spawn(get(proxies[0].address(), "/a", &[]));
    until("one fetches", async || origin.count("/a") == 1).await;
    redis.cli(&["CONFIG", "RESETSTAT"]);
    let second = tokio::spawn(get(proxies[1].address(), "/a", &[]));
    until("it has waited for as long as it does", async || {
        origin.count("/a") == 2
    })
    .await;
    let sent = sent(&redis, &["set", "get", "getrange", "del"]);
    assert!(sent <= 15, "{sent} commands in five seconds");
    origin.release();
    for client in [first, second] {
        assert_eq!(client.await.unwrap().text(), "a");
    }
}

#[tokio::test]
async fn the_end_of_a_fetch_is_told_where_somebody_waits_for_it() {
    let (origin, redis) = (Origin::start().await, Redis::start());
    let proxies = replicas(&origin, &redis).await;
    origin.answer("/a", Reply::fresh("a", 10));
    proxies[0].get("/a").await;
    let none_has = |end: &str| redis.keys().iter().all(|key| !key.ends_with(end));
    until("the lease is given back", async || none_has(":l")).await;
    assert_eq!(told(&redis), 0, "nobody waited");
    let private = Reply::ok("a").header("cache-control", "private");
    for (reply, fetches) in [(Reply::fresh("a", 60), 1), (private, 2)] {
        let (before, asked) = (told(&redis), origin.count("/a"));
        for proxy in &proxies {
            proxy.advance(100);
        }
        origin.answer("/a", reply);
        origin.hold();
        let first = tokio::spawn(get(proxies[0].address(), "/a", &[]));
        until("one fetches", async || origin.count("/a") == asked + 1).await;
        let second = tokio::spawn(get(proxies[1].address(), "/a", &[]));
        until("it says that it waits", async || !none_has(":w")).await;
        origin.release();
        for client in [first, second] {
            assert_eq!(client.await.unwrap().text(), "a");
        }
        assert_eq!(origin.count("/a"), asked + fetches);
        until("it was told", async || told(&redis) == before + 1).await;
    }
}
