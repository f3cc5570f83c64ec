//! A replica that starts beside a long log.

use super::{LOG, changed, confirmable, fill, in_redis, in_step, kept, replica, shared};
use crate::support::{
    Origin, Proxy, Reply, get,
    redis::Redis,
    relay::{Fault, Relay},
    until,
};
use std::time::Duration;

#[tokio::test]
async fn it_is_not_ready_until_it_is_in_step_and_then_redis_serves() {
    let (origin, redis) = (Origin::start().await, Redis::start());
    confirmable(&origin, "/a", "a");
    let warm = replica(&origin, &redis.url(), "").await;
    kept(&warm, "/a").await;
    in_redis(&redis, 1).await;
    fill(&redis, 9_000); // too few for a snapshot
    let relay = Relay::to(redis.port()).await;
    relay.set(Fault::Delay(Duration::from_millis(40)));
    let cold = Proxy::to(&origin, &shared(&relay.url(), "")).await;
    until("it reads the log", async || {
        let ready = get(cold.admin(), "/readyz", &[]).await;
        (ready.status, &ready.json()["status"]) == (503, &"starting".into())
    })
    .await;
    relay.set(Fault::None);
    in_step(&cold).await;
    assert!(cold.get("/a").await.is_hit(), "from redis");
    assert_eq!(origin.count("/a"), 1);
}

#[tokio::test]
async fn what_is_fetched_before_it_is_in_step_is_as_good_as_what_comes_after() {
    let (origin, redis) = (Origin::start().await, Redis::start());
    let warm = replica(&origin, &redis.url(), "").await;
    fill(&redis, 9_000); // too few for a snapshot
    let relay = Relay::to(redis.port()).await;
    relay.set(Fault::Delay(Duration::from_millis(40)));
    let cold = Proxy::to(&origin, &shared(&relay.url(), "")).await;
    until("it can write", async || {
        cold.metric("sidecache_redis_up") == 1.0
    })
    .await;
    origin.answer("/a", Reply::fresh("a", 3600));
    cold.get("/a").await;
    in_redis(&redis, 1).await;
    let ready = get(cold.admin(), "/readyz", &[]).await;
    assert_eq!(ready.json()["status"], "starting");
    relay.set(Fault::None);
    in_step(&cold).await;
    let third = replica(&origin, &redis.url(), "").await;
    assert!(third.get("/a").await.is_hit(), "it can be judged");
    assert_eq!(origin.count("/a"), 1);
    drop(warm);
}

#[tokio::test]
async fn of_a_long_log_a_snapshot_is_read_and_what_came_after_it() {
    let (origin, redis) = (Origin::start().await, Redis::start());
    for path in ["/a", "/b"] {
        confirmable(&origin, path, "old");
    }
    let warm = replica(&origin, &redis.url(), "").await;
    for path in ["/a", "/b", "/c"] {
        origin.answer("/c", Reply::fresh("c", 3600));
        kept(&warm, path).await;
    }
    in_redis(&redis, 3).await;
    changed(&origin, "/a", "new");
    assert_eq!(warm.send("PUT", "/a", &[], "x").await.status, 200);
    fill(&redis, 20_000);
    let snapshot = format!("{LOG}:snapshot");
    until("a snapshot is kept", async || {
        redis.command::<i64>(&["EXISTS", &snapshot]) == 1
    })
    .await;
    assert!(redis.command::<i64>(&["TTL", &snapshot]) > 0);
    changed(&origin, "/b", "new");
    assert_eq!(warm.send("PUT", "/b", &[], "x").await.status, 200);
    let cold = replica(&origin, &redis.url(), "").await;
    let read = cold.metric("sidecache_purges_total");
    assert!(read < 15_000.0, "{read} were read one by one");
    assert!(cold.get("/c").await.is_hit(), "from redis");
    for path in ["/a", "/b"] {
        assert_eq!(cold.get(path).await.text(), "new", "{path}");
    }
    // One that is spoilt is none.
    redis.command::<i64>(&["SETRANGE", &snapshot, "200", "spoilt"]);
    let third = replica(&origin, &redis.url(), "").await;
    assert!(third.metric("sidecache_purges_total") > 20_000.0);
    assert!(third.get("/c").await.is_hit(), "from redis");
}

#[tokio::test]
async fn a_redis_that_is_not_there_keeps_nobody_from_being_ready() {
    let origin = Origin::start().await;
    let port = crate::support::redis::free_port();
    let proxy = Proxy::to(&origin, &shared(&format!("redis://127.0.0.1:{port}"), "")).await;
    until("it is ready", async || {
        get(proxy.admin(), "/readyz", &[]).await.status == 200
    })
    .await;
}
