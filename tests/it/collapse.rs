//! Concurrent misses share one fetch, which belongs to the key.

use crate::support::{
    Origin, PATIENCE, Proxy, Reply, client::Connection, get, proxy::synchronised, redis::Redis,
    until,
};
use tokio::time::timeout;

#[tokio::test]
async fn concurrent_misses_share_one_fetch() {
    let origin = Origin::start().await;
    origin.answer("/a", Reply::fresh("shared", 60));
    origin.hold();
    let proxy = Proxy::to(&origin, "").await;
    let address = proxy.address();
    let clients: Vec<_> = (0..50)
        .map(|_| tokio::spawn(get(address, "/a", &[])))
        .collect();
    until("all have arrived", async || {
        proxy.metric("sidecache_connections") == 50.0
    })
    .await;
    until("the fetch is under way", async || origin.count("/a") == 1).await;
    origin.release();
    let mut collapsed = 0;
    for client in clients {
        let answer = client.await.unwrap();
        assert_eq!(answer.text(), "shared");
        collapsed += usize::from(answer.cache_status().contains("collapsed"));
    }
    assert_eq!(origin.count("/a"), 1);
    assert!(collapsed > 0);
    assert_eq!(proxy.metric("sidecache_collapsed_total"), collapsed as f64);
    assert_eq!(proxy.metric("sidecache_flights"), 0.0);
}

#[tokio::test]
async fn followers_read_the_body_as_it_arrives() {
    let origin = Origin::start().await;
    let piece = "#".repeat(100_000);
    origin.answer(
        "/a",
        Reply::fresh("", 60)
            .piece(&piece)
            .piece(&piece)
            .chunked()
            .hold_body(),
    );
    origin.hold();
    let proxy = Proxy::to(&origin, "").await;
    let mut readers = Vec::new();
    for _ in 0..5 {
        let mut reader = Connection::open(proxy.address()).await;
        reader.send("GET /a HTTP/1.1\r\nHost: a\r\n\r\n").await;
        readers.push(reader);
    }
    until("the fetch is under way", async || origin.count("/a") == 1).await;
    origin.release();
    for reader in &mut readers {
        assert!(
            reader
                .read_until(|bytes| bytes.ends_with(b"0\r\n\r\n"))
                .await
        );
        assert_eq!(
            reader.received().iter().filter(|b| **b == b'#').count(),
            200_000
        );
    }
    assert_eq!(origin.count("/a"), 1);
}

#[tokio::test]
async fn the_fetch_outlives_the_client_that_began_it() {
    let origin = Origin::start().await;
    origin.answer("/a", Reply::fresh("kept", 60));
    origin.hold();
    let proxy = Proxy::to(&origin, "").await;
    let mut client = Connection::open(proxy.address()).await;
    client
        .send("GET /a HTTP/1.1\r\nHost: test.example\r\n\r\n")
        .await;
    until("the fetch is under way", async || origin.count("/a") == 1).await;
    drop(client);
    until("the client has left", async || {
        proxy.metric("sidecache_connections") == 0.0
    })
    .await;
    origin.release();
    until("the fetch has ended", async || {
        proxy.metric("sidecache_flights") == 0.0
    })
    .await;
    assert!(proxy.get("/a").await.is_hit());
    assert_eq!(origin.count("/a"), 1);
}

#[tokio::test]
async fn those_who_wait_get_the_failure_too() {
    let origin = Origin::start().await;
    origin.answer("/a", Reply::closing());
    origin.hold();
    let proxy = Proxy::to(&origin, "").await;
    let address = proxy.address();
    let clients: Vec<_> = (0..5)
        .map(|_| tokio::spawn(get(address, "/a", &[])))
        .collect();
    until("the fetch is under way", async || origin.count("/a") >= 1).await;
    origin.release();
    for client in clients {
        assert_eq!(
            timeout(PATIENCE, client).await.unwrap().unwrap().status,
            502
        );
    }
}

#[tokio::test]
async fn a_caller_with_credentials_does_not_wait_for_anyone() {
    let origin = Origin::start().await;
    origin.answer("/a", Reply::ok("a"));
    origin.hold();
    let proxy = Proxy::to(
        &origin,
        "[[route]]\nname = \"a\"\npath = \"/a\"\nttl = 60\n",
    )
    .await;
    let address = proxy.address();
    let anonymous = tokio::spawn(get(address, "/a", &[]));
    until("the first fetch is under way", async || {
        origin.count("/a") == 1
    })
    .await;
    let alice = tokio::spawn(get(address, "/a", &[("Authorization", "alice")]));
    until("the second is too", async || origin.count("/a") == 2).await;
    origin.release();
    assert!(!alice.await.unwrap().cache_status().contains("stored"));
    assert!(anonymous.await.unwrap().cache_status().contains("stored"));
}

#[tokio::test]
async fn a_cut_body_is_broken_for_all_and_not_stored() {
    let origin = Origin::start().await;
    let proxy = Proxy::to(&origin, "").await;
    let large = "x".repeat(100_000);
    for (path, reply) in [
        ("/small", Reply::fresh("half", 60).cut()),
        ("/large", Reply::fresh(&large, 60).cut()),
        (
            "/chunked",
            Reply::raw(
                "HTTP/1.1 200 OK\r\ncache-control: max-age=60\r\ntransfer-encoding: chunked\r\n\r\n4\r\nhalf\r\n",
            ),
        ),
    ] {
        origin.answer(path, reply);
        let broken = proxy.get(path).await;
        assert!(
            broken.status == 502 || !broken.complete,
            "{path}: the client sees that it is not whole"
        );
        origin.answer(path, Reply::fresh("whole", 60));
        let next = proxy.get(path).await;
        assert_eq!((next.text(), next.is_hit()), ("whole", false), "{path}");
    }
    assert_eq!(
        proxy.metric("sidecache_refusals_total{reason=\"incomplete\"}"),
        3.0
    );
}

#[tokio::test]
async fn callers_with_cookies_share_what_the_origin_lets_them_share() {
    let origin = Origin::start().await;
    origin.answer("/a", Reply::fresh("public", 60));
    origin.hold();
    let proxy = Proxy::to(&origin, "").await;
    let address = proxy.address();
    let clients: Vec<_> = (0..20)
        .map(|n| {
            let cookie = format!("session={n}");
            tokio::spawn(async move { get(address, "/a", &[("Cookie", &cookie)]).await })
        })
        .collect();
    until("all have arrived", async || {
        proxy.metric("sidecache_connections") == 20.0 && origin.count("/a") == 1
    })
    .await;
    origin.release();
    for client in clients {
        assert_eq!(client.await.unwrap().text(), "public");
    }
    assert_eq!(origin.count("/a"), 1);
}

/// It took longer than it is fresh, and there is nothing to confirm it by: thirty callers once cost thirty requests.
#[tokio::test]
async fn an_answer_that_is_stale_when_it_comes_is_for_all_who_have_waited() {
    let origin = Origin::start().await;
    let proxy = Proxy::to(&origin, "").await;
    let address = proxy.address();
    for round in 1..3 {
        origin.answer("/a", Reply::fresh("a", 1));
        origin.hold();
        let clients: Vec<_> = (0..30)
            .map(|_| tokio::spawn(get(address, "/a", &[])))
            .collect();
        until("all wait for one", async || {
            proxy.metric("sidecache_followers") == 29.0 && origin.count("/a") == round
        })
        .await;
        proxy.advance(2);
        origin.release();
        for client in clients {
            let answer = client.await.unwrap();
            assert_eq!(answer.text(), "a");
            assert!(!answer.is_hit() && !answer.cache_status().contains("stored"));
        }
        assert_eq!(origin.count("/a"), round);
    }
}

#[tokio::test]
async fn switched_off_every_miss_asks_the_origin() {
    let origin = Origin::start().await;
    origin.answer("/a", Reply::fresh("a", 60));
    origin.hold();
    let route = "[[route]]\nname = \"a\"\npath = \"/a\"\ncollapse = \"off\"\n";
    let proxy = Proxy::to(&origin, route).await;
    let address = proxy.address();
    let clients: Vec<_> = (0..5)
        .map(|_| tokio::spawn(get(address, "/a", &[])))
        .collect();
    until("each asks", async || origin.count("/a") == 5).await;
    origin.release();
    for client in clients {
        assert_eq!(client.await.unwrap().text(), "a");
    }
}

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

#[tokio::test]
async fn an_origin_that_never_answers_is_waited_for_twice_at_most() {
    let origin = Origin::start().await;
    origin.answer("/a", Reply::never());
    let proxy = Proxy::to(&origin, "timeout = \"500ms\"\n").await;
    let address = proxy.address();
    let clients: Vec<_> = (0..10)
        .map(|_| tokio::spawn(get(address, "/a", &[])))
        .collect();
    for client in clients {
        assert_eq!(client.await.unwrap().status, 504);
    }
    assert!(
        origin.count("/a") <= 2,
        "a second one finds out whether it was the first one's fault"
    );
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
