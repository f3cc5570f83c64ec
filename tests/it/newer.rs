//! Of two answers the one that was asked for later stays, in memory and in Redis, whichever came last; and two releases whose
//! formats differ do not touch each other's.

use crate::support::{Origin, Proxy, Reply, proxy::synchronised, redis::Redis, until};

fn toml(url: &str) -> String {
    format!("[cache]\nprefix = \"t\"\n[cache.redis]\nurl = \"{url}\"\n")
}

async fn replica(origin: &Origin, url: &str) -> Proxy {
    let proxy = Proxy::to(origin, &toml(url)).await;
    synchronised(&proxy).await;
    proxy
}

const WRITTEN: &str = "sidecache_redis_calls_total{result=\"written\"}";
const OLDER: &str = "sidecache_redis_writes_dropped_total{reason=\"older\"}";

async fn counted(proxy: &Proxy, line: &str, count: f64) {
    until(line, async || proxy.metric(line) >= count).await;
}

/// One replica waits for the old answer while another one stores the new one. What the first has written then is counted at `line`.
async fn an_older_answer_comes_last(vary: Option<(&str, &str)>, url: &str, line: &str) -> String {
    let origin = Origin::start().await;
    let (slow, quick) = (replica(&origin, url).await, replica(&origin, url).await);
    let reply = |body: &str| match vary {
        Some((name, value)) => Reply::fresh(body, 600).header(name, value),
        None => Reply::fresh(body, 600),
    };
    origin.answer("/a", reply("old").hold_body());
    origin.hold();
    let (address, fields) = (slow.address(), [("X-Lang", "en")]);
    let waiting = tokio::spawn(async move { crate::support::get(address, "/a", &fields).await });
    until("it is asked for", async || origin.count("/a") == 1).await;
    origin.answer("/a", reply("new").early());
    assert_eq!(quick.get_with("/a", &fields).await.text(), "new");
    counted(&quick, WRITTEN, 1.0).await;
    slow.advance(5);
    origin.release();
    assert_eq!(waiting.await.unwrap().text(), "old");
    counted(&slow, line, 1.0).await;
    let third = replica(&origin, url).await;
    let read = third.get_with("/a", &fields).await;
    assert_eq!((read.is_hit(), origin.count("/a")), (true, 2));
    read.text().to_owned()
}

#[tokio::test]
async fn redis_keeps_the_answer_that_was_asked_for_later() {
    for vary in [None, Some(("vary", "X-Lang"))] {
        let redis = Redis::start();
        let kept = an_older_answer_comes_last(vary, &redis.url(), OLDER).await;
        assert_eq!(kept, "new", "{vary:?}");
    }
}

#[tokio::test]
async fn where_redis_runs_no_scripts_the_last_one_to_write_wins() {
    let redis = Redis::start();
    redis.command::<String>(&["ACL", "SETUSER", "default", "-eval", "-evalsha"]);
    for (number, vary) in [None, Some(("vary", "X-Lang"))].into_iter().enumerate() {
        redis.command::<String>(&["FLUSHALL"]);
        let kept = an_older_answer_comes_last(vary, &redis.url(), WRITTEN).await;
        assert_eq!(kept, "old", "{number}");
    }
}

#[tokio::test]
async fn memory_keeps_the_answer_that_was_asked_for_later() {
    let origin = Origin::start().await;
    let proxy = Proxy::to(&origin, "").await;
    origin.answer("/a", Reply::fresh("old", 600).hold_body());
    origin.hold();
    let address = proxy.address();
    let waiting = tokio::spawn(async move {
        crate::support::get(address, "/a", &[("Authorization", "Basic a")]).await
    });
    until("it is asked for", async || origin.count("/a") == 1).await;
    proxy.advance(1);
    origin.answer("/a", Reply::fresh("new", 600).early());
    assert_eq!(proxy.get("/a").await.text(), "new");
    origin.release();
    assert_eq!(waiting.await.unwrap().text(), "old");
    let kept = proxy.get("/a").await;
    assert_eq!((kept.text(), kept.is_hit()), ("new", true));
}

#[tokio::test]
async fn values_of_another_release_are_neither_read_nor_deleted() {
    let (origin, redis) = (Origin::start().await, Redis::start());
    let one = replica(&origin, &redis.url()).await;
    origin.answer("/a", Reply::fresh("ours", 600));
    one.get("/a").await;
    counted(&one, WRITTEN, 1.0).await;
    let ours = redis.keys().into_iter().find(|key| key.ends_with(":m"));
    let ours = ours.unwrap();
    assert!(ours.starts_with("t:v6:{"), "{ours}");
    for version in ["t:v1:", "t:v5:", "t:v7:"] {
        let theirs = ours.replace("t:v6:", version);
        redis.command::<String>(&["SET", &theirs, "of another release", "EX", "600"]);
    }
    redis.command::<i64>(&["DEL", &ours]);
    let two = replica(&origin, &redis.url()).await;
    assert!(!two.get("/a").await.is_hit());
    counted(&two, WRITTEN, 1.0).await;
    let corrupt = two.metric("sidecache_redis_calls_total{result=\"corrupt\"}");
    let theirs = redis.keys().into_iter().filter(|key| *key != ours);
    let theirs = theirs.filter(|key| key.ends_with(":m")).count();
    assert_eq!((corrupt, theirs), (0.0, 3));
}
