//! What gets to Redis: objects of every size, many at a time, and what does not is counted by its reason.

use crate::support::{
    Origin, Proxy, Reply, get,
    proxy::synchronised,
    redis::Redis,
    relay::{Fault, Relay},
    until,
};
use std::time::Duration;

/// Proxy, origin and clients share what is left of a machine beside the other tests, unoptimised.
const PATIENT: &str = "budget = \"1s\"\nconnect_timeout = \"10s\"\n";

fn toml(url: &str, more: &str) -> String {
    format!("[cache]\nprefix = \"t\"\n{more}[cache.redis]\nurl = \"{url}\"\n{PATIENT}")
}

async fn replica(origin: &Origin, url: &str, more: &str) -> Proxy {
    let proxy = Proxy::to(origin, &toml(url, more)).await;
    synchronised(&proxy).await;
    proxy
}

fn written(proxy: &Proxy) -> f64 {
    proxy.metric("sidecache_redis_calls_total{result=\"written\"}")
}

fn dropped(proxy: &Proxy, reason: &str) -> f64 {
    proxy.metric(&format!(
        "sidecache_redis_writes_dropped_total{{reason=\"{reason}\"}}"
    ))
}

/// Asks for all of `paths` at once.
async fn at_once(proxy: &Proxy, paths: &[String]) -> Vec<bool> {
    let address = proxy.address();
    let asks = paths.iter().map(|path| {
        let path = path.clone();
        tokio::spawn(async move { get(address, &path, &[]).await })
    });
    let asks: Vec<_> = asks.collect();
    let mut hits = Vec::new();
    for ask in asks {
        let answer = ask.await.unwrap();
        assert!(answer.status == 200 && answer.complete);
        hits.push(answer.is_hit());
    }
    hits
}

#[tokio::test]
async fn objects_of_every_size_get_there_and_back() {
    let (origin, redis) = (Origin::start().await, Redis::start());
    let more = "max_object = \"18MiB\"\n";
    let one = replica(&origin, &redis.url(), more).await;
    let sizes = [0, 1, 65_000, 65_536, 66_000, 262_144, 1 << 20, 17 << 20];
    for size in sizes {
        origin.answer(&format!("/{size}"), Reply::fresh(vec![b'x'; size], 600));
        one.get(&format!("/{size}")).await;
    }
    let crowd: Vec<String> = (0..8).map(|number| format!("/crowd/{number}")).collect();
    origin.answer_below("/crowd/", Reply::fresh(vec![b'y'; 3 << 20], 600));
    at_once(&one, &crowd).await;
    let all = (sizes.len() + crowd.len()) as f64;
    until("all of it is in redis", async || written(&one) >= all).await;
    let two = replica(&origin, &redis.url(), more).await;
    for size in sizes {
        let hit = two.get(&format!("/{size}")).await;
        let from_redis = hit.cache_status().ends_with("detail=redis");
        assert_eq!((from_redis, hit.body.len()), (true, size));
    }
    assert_eq!(at_once(&two, &crowd).await, [true; 8]);
    // What replaces a large one takes all of it away.
    origin.answer("/1048576", Reply::fresh("small", 600));
    one.advance(601);
    assert_eq!(one.get("/1048576").await.text(), "small");
    until("it is in redis", async || written(&one) > all).await;
    let bodies = redis.keys().into_iter().filter(|key| key.ends_with(":b"));
    assert_eq!(bodies.count(), 3 + crowd.len());
}

#[tokio::test]
async fn many_writes_are_under_way_at_once() {
    let (origin, redis) = (Origin::start().await, Redis::start());
    let relay = Relay::to(redis.port()).await;
    let proxy = replica(&origin, &relay.url(), "").await;
    relay.set(Fault::Delay(Duration::from_millis(20)));
    origin.answer_below("/n/", Reply::fresh("a", 600));
    let paths: Vec<String> = (0..1500).map(|number| format!("/n/{number}")).collect();
    for some in paths.chunks(50) {
        at_once(&proxy, some).await;
    }
    until("all of it is in redis", async || {
        written(&proxy) >= paths.len() as f64
    })
    .await;
    assert_eq!(dropped(&proxy, "queue_full"), 0.0);
}

#[tokio::test]
async fn a_store_is_one_command_and_a_hit_one_and_its_ttl() {
    let (origin, redis) = (Origin::start().await, Redis::start());
    let one = replica(&origin, &redis.url(), "").await;
    let two = replica(&origin, &redis.url(), "").await;
    origin.answer_below("/n/", Reply::fresh("a", 600));
    let language = Reply::fresh("a", 600).header("content-language", "en");
    origin.answer_below("/v/", language.header("vary", "Accept-Language"));
    one.get("/n/first").await;
    until("it is in redis", async || written(&one) >= 1.0).await;
    let fields = [("Accept-Language", "en, de;q=0.5")];
    let similar = [("Accept-Language", "en")];
    for (folder, asked) in [("/n", 1), ("/v", 2)] {
        redis.command::<String>(&["CONFIG", "RESETSTAT"]);
        let before = written(&one);
        for number in 0..10 {
            one.get_with(&format!("{folder}/{number}"), &fields).await;
        }
        until("it is in redis", async || written(&one) >= before + 10.0).await;
        let calls = |command: &str| redis.calls(command);
        // Each was looked up before it was fetched; the script's own commands are counted too.
        let eval = (calls("eval"), calls("evalsha"), calls("del"));
        assert_eq!(eval, (0, 10, 0), "{folder}");
        redis.command::<String>(&["CONFIG", "RESETSTAT"]);
        for number in 0..10 {
            let hit = two.get_with(&format!("{folder}/{number}"), &similar).await;
            assert!(hit.is_hit(), "{folder}");
        }
        let reads = (calls("getrange"), calls("pttl"), calls("evalsha"));
        assert_eq!(reads, (10 * asked, 10 * asked, 0), "{folder}");
    }
}

#[tokio::test]
async fn what_does_not_get_there_is_counted_by_its_reason() {
    let (origin, redis) = (Origin::start().await, Redis::start());
    origin.answer_below("/n/", Reply::fresh("a", 600));
    let relay = Relay::to(redis.port()).await;
    let toml = toml(&relay.url(), "").replace(PATIENT, "");
    let proxy = Proxy::to(&origin, &toml).await;
    synchronised(&proxy).await;
    let asks = async |reason: &str| {
        until(reason, async || {
            proxy.get(&format!("/n/{}", fastrand::u64(..))).await;
            dropped(&proxy, reason) >= 1.0
        })
        .await;
    };
    redis.command::<String>(&["CONFIG", "SET", "maxmemory", "1"]);
    asks("refused").await;
    redis.command::<String>(&["CONFIG", "SET", "maxmemory", "0"]);
    relay.set(Fault::Blackhole);
    asks("timeout").await;
    asks("out").await;
}
