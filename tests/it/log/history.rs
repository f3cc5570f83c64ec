//! A log that was lost, trimmed, or is an older copy: what is stored is confirmed, nothing is emptied, once for all replicas.

use super::{
    LOG, changed, confirmable, fill, in_redis, in_step, kept, process, records, replica, shared,
};
use crate::support::{Origin, Proxy, Reply, get, redis::Redis, until};

#[tokio::test]
async fn a_redis_that_restarts_empty_costs_confirmations_and_nothing_else() {
    let (origin, mut redis) = (Origin::start().await, Redis::start());
    confirmable(&origin, "/a", "a");
    let mut replicas = Vec::new();
    for _ in 0..3 {
        let proxy = replica(&origin, &redis.url(), "").await;
        kept(&proxy, "/a").await;
        replicas.push(proxy);
    }
    let fetched = origin.count("/a");
    redis.kill();
    redis.start_again();
    for proxy in &replicas {
        in_step(proxy).await;
        until("it is confirmed", async || {
            let answer = proxy.get("/a").await;
            assert_eq!(answer.text(), "a");
            answer.is_hit()
        })
        .await;
    }
    let asked = origin.requests("/a");
    let confirmations = asked[fetched..]
        .iter()
        .filter(|request| request.header("if-none-match").is_some());
    assert_eq!(confirmations.count(), asked.len() - fetched);
    assert!(
        asked.len() - fetched <= 2 * replicas.len(),
        "{}",
        asked.len()
    );
}

#[tokio::test]
async fn an_older_copy_is_told_of_once_and_brings_nothing_back() {
    let (origin, mut redis) = (Origin::start().await, Redis::start());
    confirmable(&origin, "/a", "old");
    let mut replicas = Vec::new();
    for _ in 0..5 {
        replicas.push(replica(&origin, &redis.url(), "").await);
    }
    kept(&replicas[0], "/a").await;
    in_redis(&redis, 1).await;
    redis.command::<String>(&["SAVE"]);
    changed(&origin, "/a", "new");
    assert_eq!(replicas[0].send("PUT", "/a", &[], "x").await.status, 200);
    for proxy in &replicas {
        until("it has learned of the purge", async || {
            proxy.metric("sidecache_purges_total") >= 1.0
        })
        .await;
    }
    redis.kill();
    redis.start_again(); // from what was saved
    for proxy in &replicas {
        in_step(proxy).await;
        assert_eq!(proxy.get("/a").await.text(), "new");
    }
    until("it is told", async || records(&redis, "lost") >= 1).await;
    // Those that see it in the same moment may both say so.
    let told = records(&redis, "lost");
    assert!(told <= 3, "{told}");
    let later = replica(&origin, &redis.url(), "").await;
    assert_eq!(later.get("/a").await.text(), "new");
}

#[tokio::test]
async fn a_redis_that_came_back_older_than_anybody_knows_is_not_believed() {
    let (origin, mut redis) = (Origin::start().await, Redis::start());
    confirmable(&origin, "/a", "old");
    let one = replica(&origin, &redis.url(), "").await;
    kept(&one, "/a").await;
    in_redis(&redis, 1).await;
    redis.command::<String>(&["SAVE"]);
    changed(&origin, "/a", "new");
    assert_eq!(one.send("PUT", "/a", &[], "x").await.status, 200);
    // Redis and the only replica end together: nobody is left who knows of the purge.
    redis.kill();
    one.drain().await;
    redis.start_again();
    let later = replica(&origin, &redis.url(), "").await;
    assert_eq!(later.get("/a").await.text(), "new");
    // Who starts after that believes what was stored since.
    until("it is in redis", async || {
        let third = replica(&origin, &redis.url(), "").await;
        third.get("/a").await.cache_status().contains("hit")
    })
    .await;
}

#[tokio::test]
async fn who_was_in_contact_vouches_for_a_redis_that_was_started_again() {
    let (origin, mut redis) = (Origin::start().await, Redis::start());
    confirmable(&origin, "/a", "a");
    let one = replica(&origin, &redis.url(), "").await;
    kept(&one, "/a").await;
    in_redis(&redis, 1).await;
    redis.command::<String>(&["SAVE"]);
    redis.kill();
    redis.start_again();
    until("it is vouched for", async || records(&redis, "server") >= 1).await;
    assert!(one.get("/a").await.is_hit());
    let later = replica(&origin, &redis.url(), "").await;
    assert!(later.get("/a").await.is_hit(), "from redis");
    assert_eq!(origin.count("/a"), 1);
    assert_eq!(records(&redis, "lost"), 0);
}

#[tokio::test]
async fn what_was_trimmed_before_it_was_read_is_doubted() {
    let (origin, redis) = (Origin::start().await, Redis::start());
    let behind = process(&origin, "", &redis.url(), "").await;
    let other = replica(&origin, &redis.url(), "").await;
    origin.answer("/a", Reply::fresh("old", 3600));
    until("it is kept", async || {
        get(behind.address(), "/a", &[]).await.is_hit()
    })
    .await;
    behind.freeze();
    assert_eq!(other.send("PUT", "/a", &[], "x").await.status, 200);
    origin.answer("/a", Reply::fresh("new", 3600));
    fill(&redis, 3000);
    redis.command::<i64>(&["XTRIM", LOG, "MAXLEN", "2000"]);
    behind.thaw();
    until("it has read on", async || {
        behind.metric("sidecache_purges_total").await >= 1000.0
    })
    .await;
    until("it asks", async || {
        get(behind.address(), "/a", &[]).await.text() == "new"
    })
    .await;
}

#[tokio::test]
async fn a_log_that_was_emptied_is_not_trusted_by_who_starts() {
    let (origin, redis) = (Origin::start().await, Redis::start());
    let one = replica(&origin, &redis.url(), "").await;
    confirmable(&origin, "/a", "old");
    kept(&one, "/a").await;
    in_redis(&redis, 1).await;
    changed(&origin, "/a", "new");
    assert_eq!(one.send("PUT", "/a", &[], "x").await.status, 200);
    redis.command::<i64>(&["XTRIM", LOG, "MAXLEN", "0"]);
    let later = replica(&origin, &redis.url(), "").await;
    assert_eq!(later.get("/a").await.text(), "new");
}

#[tokio::test]
async fn replicas_of_another_format_have_a_log_of_their_own() {
    let (origin, redis) = (Origin::start().await, Redis::start());
    redis.command::<String>(&["SET", "t:v1:purges", "of an earlier release"]);
    let proxy = Proxy::to(&origin, &shared(&redis.url(), "")).await;
    in_step(&proxy).await;
    let value: String = redis.command(&["GET", "t:v1:purges"]);
    assert_eq!(value, "of an earlier release");
}
