//! A replica that starts beside a long log.

use super::{LOG, confirmable, in_redis, in_step, kept, replica, shared};
use crate::support::{
    Origin, Proxy, Reply, get,
    redis::Redis,
    relay::{Fault, Relay},
    until,
};
use std::time::Duration;

/// So many purges of other things.
fn fill(redis: &Redis, count: usize) {
    let mut connection = redis::Client::open(redis.url())
        .unwrap()
        .get_connection()
        .unwrap();
    for from in (0..count).step_by(10_000) {
        let mut filling = redis::pipe();
        for n in from..count.min(from + 10_000) {
            let mut record = [0; 33];
            record[25..].copy_from_slice(&n.to_be_bytes());
            filling
                .cmd("XADD")
                .arg(LOG)
                .arg("*")
                .arg("tag")
                .arg(&record[..]);
        }
        filling.exec(&mut connection).unwrap();
    }
}

#[tokio::test]
async fn it_is_not_ready_until_it_is_in_step_and_then_redis_serves() {
    let (origin, redis) = (Origin::start().await, Redis::start());
    confirmable(&origin, "/a", "a");
    let warm = replica(&origin, &redis.url(), "").await;
    kept(&warm, "/a").await;
    in_redis(&redis, 1).await;
    fill(&redis, 20_000);
    let relay = Relay::to(redis.port()).await;
    relay.set(Fault::Delay(Duration::from_millis(5)));
    let cold = Proxy::to(&origin, &shared(&relay.url(), "")).await;
    let ready = get(cold.admin(), "/readyz", &[]).await;
    assert_eq!(
        (ready.status, &ready.json()["status"]),
        (503, &"starting".into())
    );
    relay.set(Fault::None);
    in_step(&cold).await;
    assert!(cold.get("/a").await.is_hit(), "from redis");
    assert_eq!(origin.count("/a"), 1);
}

#[tokio::test]
async fn what_is_fetched_before_it_is_in_step_is_as_good_as_what_comes_after() {
    let (origin, redis) = (Origin::start().await, Redis::start());
    let warm = replica(&origin, &redis.url(), "").await;
    fill(&redis, 20_000);
    let relay = Relay::to(redis.port()).await;
    let cold = Proxy::to(&origin, &shared(&relay.url(), "")).await;
    relay.set(Fault::Delay(Duration::from_millis(5)));
    until("it can write", async || {
        cold.metric("sidecache_redis_up") == 1.0
    })
    .await;
    origin.answer("/a", Reply::fresh("a", 3600));
    cold.get("/a").await;
    in_redis(&redis, 1).await;
    relay.set(Fault::None);
    in_step(&cold).await;
    let third = replica(&origin, &redis.url(), "").await;
    assert!(third.get("/a").await.is_hit(), "it can be judged");
    assert_eq!(origin.count("/a"), 1);
    drop(warm);
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
