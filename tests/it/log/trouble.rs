//! A Redis that takes no purges: of one replica, or of all because it is full.

use super::{LOG, changed, confirmable, in_step, kept, records, replica};
use crate::support::{Origin, get, redis::Redis, until};

async fn health(proxy: &crate::support::Proxy) -> String {
    let ready = get(proxy.admin(), "/readyz", &[]).await;
    ready.json()["redis"]
        .as_str()
        .unwrap_or_default()
        .to_owned()
}

#[tokio::test]
async fn one_that_may_not_write_troubles_nobody_else() {
    let (origin, redis) = (Origin::start().await, Redis::start());
    for path in ["/a", "/b"] {
        confirmable(&origin, path, "old");
    }
    let good = replica(&origin, &redis.url(), "").await;
    let user = ["ACL", "SETUSER", "dumb", "on", ">p", "~*", "+@all", "-xadd"];
    redis.command::<String>(&user);
    let url = format!("redis://dumb:p@127.0.0.1:{}", redis.port());
    let dumb = replica(&origin, &url, "purge_gap = \"300ms\"\n").await;
    for path in ["/a", "/b"] {
        kept(&good, path).await;
    }
    let log: Vec<(String, Vec<Vec<u8>>)> = redis.command(&["XRANGE", LOG, "-", "+"]);
    changed(&origin, "/a", "new");
    for _ in 0..3 {
        assert_eq!(dumb.send("PUT", "/a", &[], "x").await.status, 200);
    }
    assert_eq!(dumb.get("/a").await.text(), "new", "there it holds");
    until("it says so", async || health(&dumb).await == "purges").await;
    assert!(good.get("/b").await.is_hit());
    assert_eq!(health(&good).await, "up");
    let now: Vec<(String, Vec<Vec<u8>>)> = redis.command(&["XRANGE", LOG, "-", "+"]);
    assert_eq!(now, log);
    redis.command::<String>(&["ACL", "SETUSER", "dumb", "+xadd"]);
    until("the others learn of it", async || {
        good.get("/a").await.text() == "new"
    })
    .await;
    in_step(&dumb).await;
    assert!(good.get("/b").await.is_hit());
}

/// With what `redis` has in memory now it is full.
fn fill(redis: &Redis) {
    redis.command::<String>(&["CONFIG", "SET", "maxmemory", "1"]);
}

#[tokio::test]
async fn a_full_redis_takes_purges_and_nothing_else() {
    let (origin, redis) = (Origin::start().await, Redis::start());
    confirmable(&origin, "/a", "old");
    confirmable(&origin, "/b", "b");
    let gap = "purge_gap = \"5s\"\n";
    let (one, two) = (
        replica(&origin, &redis.url(), gap).await,
        replica(&origin, &redis.url(), gap).await,
    );
    for proxy in [&one, &two] {
        kept(proxy, "/a").await;
        kept(proxy, "/b").await;
    }
    fill(&redis);
    changed(&origin, "/a", "new");
    assert_eq!(one.send("PUT", "/a", &[], "x").await.status, 200);
    assert_eq!(one.get("/a").await.text(), "new");
    until("the other one obeys", async || {
        two.get("/a").await.text() == "new"
    })
    .await;
    assert!(two.get("/b").await.is_hit(), "and doubts nothing");
    assert_eq!(health(&one).await, "purges", "who wrote says so");
    assert_eq!(health(&two).await, "up");
    redis.command::<String>(&["CONFIG", "SET", "maxmemory", "0"]);
    in_step(&one).await;
}

#[tokio::test]
async fn a_full_redis_that_allows_no_scripts_is_doubted_by_all() {
    let (origin, redis) = (Origin::start().await, Redis::start());
    confirmable(&origin, "/a", "old");
    redis.command::<String>(&["ACL", "SETUSER", "default", "-eval"]);
    let gap = "purge_gap = \"600ms\"\n";
    let (one, two) = (
        replica(&origin, &redis.url(), gap).await,
        replica(&origin, &redis.url(), gap).await,
    );
    for proxy in [&one, &two] {
        kept(proxy, "/a").await;
    }
    fill(&redis);
    changed(&origin, "/a", "new");
    assert_eq!(one.send("PUT", "/a", &[], "x").await.status, 200);
    until("the other one asks", async || {
        two.get("/a").await.text() == "new"
    })
    .await;
    until("it says so", async || health(&two).await == "purges").await;
    redis.command::<String>(&["CONFIG", "SET", "maxmemory", "0"]);
    for proxy in [&one, &two] {
        in_step(proxy).await;
    }
    assert!(records(&redis, "begin") >= 1);
}

#[tokio::test]
async fn a_full_redis_can_be_started_beside() {
    let (origin, redis) = (Origin::start().await, Redis::start());
    fill(&redis);
    let proxy = replica_that_is_degraded(&origin, &redis).await;
    confirmable(&origin, "/a", "a");
    kept(&proxy, "/a").await;
}

async fn replica_that_is_degraded(origin: &Origin, redis: &Redis) -> crate::support::Proxy {
    let toml = super::shared(&redis.url(), "");
    let proxy = crate::support::Proxy::to(origin, &toml).await;
    until("the log is begun", async || records(redis, "begin") == 1).await;
    until("it says so", async || health(&proxy).await == "purges").await;
    proxy
}
