//! Contact is a time that is compared when something is served, and only the end of the log is contact.

use super::{calls, fill, in_step, kept, replica};
use crate::support::{
    Origin, Reply,
    redis::Redis,
    relay::{Fault, Relay},
    until,
};
use std::time::Duration;

#[tokio::test]
async fn the_first_request_after_a_pause_is_asked_about() {
    let (origin, redis) = (Origin::start().await, Redis::start());
    origin.answer("/a", Reply::fresh("a", 3600));
    let proxy = replica(&origin, &redis.url(), "purge_gap = \"5s\"\n").await;
    kept(&proxy, "/a").await;
    // No task of this process has had its turn when the request comes.
    proxy.advance(9);
    let answer = proxy.get("/a").await;
    assert!(
        answer.cache_status().contains("detail=purge-gap"),
        "{}",
        answer.cache_status()
    );
    until("it is in contact again", async || {
        proxy.advance(1);
        proxy.get("/a").await.is_hit()
    })
    .await;
}

#[tokio::test]
async fn to_catch_up_is_no_contact() {
    let (origin, redis) = (Origin::start().await, Redis::start());
    origin.answer("/a", Reply::fresh("old", 3600));
    let relay = Relay::to(redis.port()).await;
    let behind = replica(&origin, &relay.url(), "purge_gap = \"1s\"\n").await;
    let other = replica(&origin, &redis.url(), "").await;
    kept(&behind, "/a").await;
    relay.set(Fault::CutAfter(0));
    relay.lead_to(redis.port()); // what was open is closed
    // Many reads are between it and the purge at the end.
    fill(&redis, 20_000);
    assert_eq!(other.send("PUT", "/a", &[], "x").await.status, 200);
    origin.answer("/a", Reply::fresh("new", 3600));
    behind.advance(5);
    relay.set(Fault::Delay(Duration::from_millis(20)));
    let read = || behind.metric("sidecache_purges_total");
    until("it catches up", async || read() >= 3000.0).await;
    let answer = behind.get("/a").await;
    assert_eq!(answer.text(), "new", "{} read", read());
    relay.set(Fault::None);
    in_step(&behind).await;
    assert_eq!(behind.get("/a").await.text(), "new");
}

#[tokio::test]
async fn who_has_nothing_to_do_asks_little_and_writes_nothing() {
    let (origin, redis) = (Origin::start().await, Redis::start());
    let _proxy = replica(&origin, &redis.url(), "purge_gap = \"5s\"\n").await;
    until("it waits for news", async || calls(&redis, "xread") >= 2).await;
    let writes = ["xadd", "xtrim", "expire", "set", "del", "eval"];
    let written = || writes.map(|command| calls(&redis, command));
    let asked = || ["pttl", "time", "xrange", "xrevrange"].map(|c| calls(&redis, c));
    let (before, asked_before) = (written(), asked());
    let reads = calls(&redis, "xread");
    until("some reads have waited in vain", async || {
        calls(&redis, "xread") >= reads + 5
    })
    .await;
    assert_eq!(written(), before);
    // Each read waits for a third of `purge_gap`, 1.7 s: of the rest there may be two in five of them.
    let more: u64 = asked().iter().sum::<u64>() - asked_before.iter().sum::<u64>();
    assert!(more <= 3, "{more}");
}
