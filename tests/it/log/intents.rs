//! A write leaves its intent before its effect: whoever carries it may end at any moment.

use super::{changed, confirmable, in_redis, in_step, kept, process, records, replica, shared};
use crate::support::{
    Origin, Proxy, Reply,
    redis::Redis,
    relay::{Fault, Relay},
    request, until,
};
use std::time::{Duration, Instant};

/// A write is over by 2 s: this, as much to connect, and a second.
const SHORT: &str = "timeout = \"500ms\"\nconnect_timeout = \"500ms\"\n";

/// Begins a write that the origin has and does not answer.
async fn begin(
    address: std::net::SocketAddr,
    origin: &Origin,
) -> tokio::task::JoinHandle<crate::support::Answer> {
    origin.hold();
    let writing = tokio::spawn(async move { request(address, "PUT", "/a", &[], b"x").await });
    until("the origin has it", async || {
        origin
            .requests("/a")
            .iter()
            .any(|request| request.line.starts_with("PUT"))
    })
    .await;
    writing
}

#[tokio::test]
async fn a_write_whose_replica_is_killed_is_purged_by_the_others() {
    let (origin, redis) = (Origin::start().await, Redis::start());
    confirmable(&origin, "/a", "old");
    let mut carrier = process(&origin, SHORT, &redis.url(), "").await;
    let other = replica(&origin, &redis.url(), "").await;
    kept(&other, "/a").await;
    in_redis(&redis, 1).await;
    let writing = begin(carrier.address(), &origin).await;
    assert_eq!(records(&redis, "intent"), 1, "before its effect");
    carrier.kill();
    changed(&origin, "/a", "new");
    origin.release();
    writing.abort();
    let third = replica(&origin, &redis.url(), "").await;
    for proxy in [&other, &third] {
        until("the effect is seen", async || {
            proxy.get("/a").await.text() == "new"
        })
        .await;
    }
    until("somebody says what became of it", async || {
        records(&redis, "done") >= 1
    })
    .await;
}

#[tokio::test]
async fn a_write_whose_replica_is_killed_is_purged_by_who_starts_later() {
    let (origin, redis) = (Origin::start().await, Redis::start());
    confirmable(&origin, "/a", "old");
    let mut carrier = process(&origin, SHORT, &redis.url(), "").await;
    until("it is kept", async || {
        crate::support::get(carrier.address(), "/a", &[])
            .await
            .is_hit()
    })
    .await;
    in_redis(&redis, 1).await;
    let writing = begin(carrier.address(), &origin).await;
    carrier.kill();
    changed(&origin, "/a", "new");
    origin.release();
    writing.abort();
    let later = replica(&origin, &redis.url(), "").await;
    until("the effect is seen", async || {
        later.get("/a").await.text() == "new"
    })
    .await;
}

#[tokio::test]
async fn what_the_end_of_a_drain_cuts_off_is_purged_at_once() {
    let (origin, redis) = (Origin::start().await, Redis::start());
    confirmable(&origin, "/a", "old");
    let server = "drain_timeout = \"200ms\"\n";
    let carrier = Proxy::with_server(&origin, server, &shared(&redis.url(), "")).await;
    in_step(&carrier).await;
    let other = replica(&origin, &redis.url(), "").await;
    kept(&other, "/a").await;
    let writing = begin(carrier.address(), &origin).await;
    assert!(!carrier.drain().await);
    changed(&origin, "/a", "new");
    origin.release();
    // Well before its time of half a minute is over.
    until("the effect is seen", async || {
        other.get("/a").await.text() == "new"
    })
    .await;
    writing.abort();
}

#[tokio::test]
async fn a_write_that_times_out_and_is_carried_out_later_is_purged_once_more() {
    let (origin, redis) = (Origin::start().await, Redis::start());
    for shared in [shared(&redis.url(), ""), String::new()] {
        confirmable(&origin, "/a", "old");
        let toml = format!("{SHORT}{shared}");
        let proxy = Proxy::to(&origin, &toml).await;
        let writing = begin(proxy.address(), &origin).await;
        let answer = writing.await.unwrap();
        assert_eq!(answer.status, 504);
        let answered = Instant::now();
        origin.release();
        proxy.get("/a").await;
        kept(&proxy, "/a").await; // as it was before the effect, which comes now
        assert!(
            answered.elapsed() < Duration::from_millis(900),
            "too slow a machine"
        );
        changed(&origin, "/a", "new");
        until("the effect is seen", async || {
            proxy.get("/a").await.text() == "new"
        })
        .await;
    }
}

#[tokio::test]
async fn a_write_that_goes_well_leaves_its_outcome_and_one_that_fails_too() {
    let (origin, redis) = (Origin::start().await, Redis::start());
    let proxy = replica(&origin, &redis.url(), "").await;
    origin.answer("/a", Reply::ok("done"));
    assert_eq!(proxy.send("PUT", "/a", &[], "x").await.status, 200);
    assert_eq!([records(&redis, "intent"), records(&redis, "done")], [1, 1]);
    let purges = records(&redis, "target");
    origin.answer("/a", Reply::ok("no").status(409));
    assert_eq!(proxy.send("PUT", "/a", &[], "x").await.status, 409);
    until("the outcome is told", async || {
        [records(&redis, "intent"), records(&redis, "done")] == [2, 2]
    })
    .await;
    assert_eq!(records(&redis, "target"), purges, "which is no purge");
}

#[tokio::test]
async fn a_write_waits_for_no_redis() {
    let (origin, mut redis) = (Origin::start().await, Redis::start());
    let relay = Relay::to(redis.port()).await;
    let proxy = replica(&origin, &relay.url(), "").await;
    origin.answer("/a", Reply::ok("done"));
    for fault in [Fault::Blackhole, Fault::CutAfter(0)] {
        relay.set(fault);
        for _ in 0..5 {
            assert_eq!(proxy.send("PUT", "/a", &[], "x").await.status, 200);
        }
    }
    redis.kill();
    assert_eq!(proxy.send("PUT", "/a", &[], "x").await.status, 200);
}
