//! Redis under load: what we queue ourselves is never held against the server, and a warm Redis serves a cold replica.

use crate::support::{
    Origin, Proxy, Reply, get,
    proxy::synchronised,
    redis::Redis,
    relay::{Fault, Relay},
    until,
};
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

/// Proxy, origin and clients share what is left of a machine beside the other tests, unoptimised.
const PATIENT: &str = "budget = \"400ms\"\nconnect_timeout = \"10s\"\n";

fn toml(url: &str, more: &str) -> String {
    format!("[cache]\nprefix = \"t\"\n[cache.redis]\nurl = \"{url}\"\n{more}")
}

async fn replica(origin: &Origin, url: &str, more: &str) -> Proxy {
    let proxy = Proxy::to(origin, &toml(url, more)).await;
    synchronised(&proxy).await;
    proxy
}

fn calls(proxy: &Proxy, result: &str) -> f64 {
    proxy.metric(&format!(
        "sidecache_redis_calls_total{{result=\"{result}\"}}"
    ))
}

/// Puts so many objects of `size` bytes into Redis.
async fn warm(origin: &Origin, url: &str, folder: &str, (count, size): (usize, usize)) {
    let proxy = replica(origin, url, "").await;
    origin.answer_below(&format!("{folder}/"), Reply::fresh(vec![b'x'; size], 3600));
    for number in 0..count {
        proxy.get(&format!("{folder}/{number}")).await;
        until("it is in redis", async || {
            calls(&proxy, "written") >= (number + 1) as f64
        })
        .await;
    }
}

/// Asks for `count` objects, many at a time. Returns how many were hits.
async fn ask_all(proxy: &Proxy, folder: &'static str, count: usize, clients: usize) -> usize {
    let (address, next) = (proxy.address(), Arc::new(AtomicUsize::new(0)));
    let client = |_| {
        let next = Arc::clone(&next);
        tokio::spawn(async move {
            let mut hits = 0;
            loop {
                let number = next.fetch_add(1, Relaxed);
                if number >= count {
                    return hits;
                }
                let answer = get(address, &format!("{folder}/{number}"), &[]).await;
                assert!(answer.status == 200 && answer.complete);
                hits += usize::from(answer.is_hit());
            }
        })
    };
    let clients: Vec<_> = (0..clients).map(client).collect();
    let mut hits = 0;
    for client in clients {
        hits += client.await.unwrap();
    }
    hits
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cold_replica_before_a_warm_redis_is_served_by_it() {
    let (origin, redis) = (Origin::start().await, Redis::start());
    warm(&origin, &redis.url(), "/large", (100, 1_000_000)).await;
    let relay = Relay::to(redis.port()).await;
    relay.set(Fault::Rate(125_000_000)); // a gigabit a second
    for url in [redis.url(), relay.url()] {
        let cold = replica(&origin, &url, PATIENT).await;
        let hits = ask_all(&cold, "/large", 100, 64).await;
        assert!(
            hits >= 95,
            "{hits} of 100: {}",
            cold.app().metrics().encode()
        );
        assert_eq!(cold.metric("sidecache_redis_up"), 1.0);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn small_objects_beside_large_ones_keep_their_hits() {
    let (origin, redis) = (Origin::start().await, Redis::start());
    warm(&origin, &redis.url(), "/large", (16, 1_000_000)).await;
    warm(&origin, &redis.url(), "/small", (200, 1_000)).await;
    let relay = Relay::to(redis.port()).await;
    relay.set(Fault::Rate(125_000_000));
    // Without memory, so that what is large is read again and again.
    let more = format!("{PATIENT}[cache.memory]\nmax = 0\n");
    let cold = replica(&origin, &relay.url(), &more).await;
    let (address, stop) = (cold.address(), Arc::new(AtomicBool::new(false)));
    let readers: Vec<_> = (0..8)
        .map(|reader| {
            let stop = Arc::clone(&stop);
            tokio::spawn(async move {
                for number in reader.. {
                    if stop.load(Relaxed) {
                        return;
                    }
                    get(address, &format!("/large/{}", number % 16), &[]).await;
                }
            })
        })
        .collect();
    until("large ones are read", async || calls(&cold, "hit") >= 8.0).await;
    let hits = ask_all(&cold, "/small", 200, 4).await;
    stop.store(true, Relaxed);
    for reader in readers {
        reader.await.unwrap();
    }
    assert!(hits >= 190, "{hits} of 200");
}

#[tokio::test]
async fn a_redis_that_is_slower_than_its_budget_goes_out_and_stays_out() {
    let (origin, redis) = (Origin::start().await, Redis::start());
    let relay = Relay::to(redis.port()).await;
    let cold = replica(&origin, &relay.url(), "[cache.memory]\nmax = 0\n").await;
    origin.answer_below("/n/", Reply::fresh("a", 3600));
    relay.set(Fault::Delay(Duration::from_millis(120)));
    let ask = async || {
        let begun = Instant::now();
        cold.get(&format!("/n/{}", fastrand::u64(..))).await;
        begun.elapsed()
    };
    until("it is out", async || {
        ask().await;
        cold.metric("sidecache_redis_up") == 0.0
    })
    .await;
    let timeouts = calls(&cold, "timeout");
    let skipped = calls(&cold, "skipped");
    // Through several tries to have it back.
    until("it was tried again", async || {
        ask().await;
        assert_eq!(cold.metric("sidecache_redis_up"), 0.0, "it comes and goes");
        calls(&cold, "skipped") >= skipped + 400.0
    })
    .await;
    assert_eq!(calls(&cold, "timeout"), timeouts, "nobody waits for it");
    relay.set(Fault::None);
    until("it is back", async || {
        cold.metric("sidecache_redis_up") == 1.0
    })
    .await;
}

#[tokio::test]
async fn a_server_that_nobody_asks_is_hardly_asked_for_a_sign_of_life() {
    let (origin, redis) = (Origin::start().await, Redis::start());
    let _idle = replica(&origin, &redis.url(), "").await;
    until("it is followed", async || redis.calls("xread") >= 1).await;
    redis.command::<String>(&["CONFIG", "RESETSTAT"]);
    until("some seconds have passed", async || {
        redis.calls("xread") >= 3
    })
    .await;
    assert!(redis.calls("ping") <= 1);
}
