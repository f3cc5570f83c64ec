//! What replicas share holds under load and in trouble. Each has a short form, and a long one where `SOAK` is set, which
//! prints what it measured (`make soak`). Redis in trouble is in `degraded.rs`, its topologies in `topologies.rs`.

#![expect(
    clippy::print_stdout,
    reason = "what the long forms measured is read there"
)]

mod aborts;
mod slow;
mod writes;

use crate::support::{
    Origin, Proxy, Reply,
    client::Connection,
    client::request,
    get,
    process::Process,
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

/// `short`, or `long` where time does not matter.
pub(crate) fn scale(short: usize, long: usize) -> usize {
    match std::env::var_os("SOAK") {
        Some(_) => long,
        None => short,
    }
}

fn is_soak() -> bool {
    scale(0, 1) == 1
}

fn with_redis(url: &str, more: &str) -> String {
    format!("[cache]\nprefix = \"t\"\n{more}[cache.redis]\nurl = \"{url}\"\nbudget = \"1s\"\n")
}

#[tokio::test]
async fn three_replicas_fetch_once_each_or_once_for_all() {
    for (collapse, fetches) in [("local", 3), ("cluster", 1)] {
        let (origin, redis) = (Origin::start().await, Redis::start());
        let route = format!("[[route]]\nname = \"a\"\npath = \"/a\"\ncollapse = \"{collapse}\"\n");
        let toml = with_redis(&redis.url(), "") + &route;
        let mut replicas = Vec::new();
        for _ in 0..3 {
            let proxy = Proxy::to(&origin, &toml).await;
            synchronised(&proxy).await;
            replicas.push(proxy);
        }
        origin.answer("/a", Reply::fresh("a", 60));
        origin.hold();
        let clients: Vec<_> = replicas
            .iter()
            .flat_map(|proxy| (0..200).map(|_| tokio::spawn(get(proxy.address(), "/a", &[]))))
            .collect();
        until("all have arrived", async || {
            let arrived = |proxy: &Proxy| proxy.metric("sidecache_connections") == 200.0;
            replicas.iter().all(arrived) && origin.count("/a") == fetches
        })
        .await;
        origin.release();
        for client in clients {
            assert_eq!(client.await.unwrap().text(), "a");
        }
        assert_eq!(origin.count("/a"), fetches, "{collapse}");
    }
}

/// Reads an answer to its end and counts the bytes of its body.
async fn follow(mut connection: Connection) -> usize {
    let mut bytes = 0;
    while connection
        .read_piece(|piece| bytes += piece.iter().filter(|byte| **byte == b'#').count())
        .await
    {}
    bytes
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn followers_of_a_slow_response_all_get_every_byte() {
    const BODY: usize = 500_000;
    let followers = scale(500, 10_000);
    let origin = Origin::start().await;
    let half = "#".repeat(BODY / 2);
    let slow = Reply::fresh(&half, 60).piece(&half).chunked();
    origin.answer("/a", slow.hold_body());
    origin.hold();
    let proxy = Process::start(&origin, "").await;
    let idle = proxy.resident();
    let mut connections = Vec::new();
    for _ in 0..followers {
        connections.push(Connection::open_narrow(proxy.address()).await);
    }
    until("all are connected", async || {
        proxy.metric("sidecache_connections").await >= followers as f64
    })
    .await;
    // What a connection costs before it asks for anything is the library's, and not what following costs.
    let connected = proxy.resident();
    for connection in &mut connections {
        connection
            .send("GET /a HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
            .await;
    }
    let stopped = connections.pop().unwrap(); // it reads nothing
    until("all wait", async || {
        proxy.metric("sidecache_followers").await >= followers as f64 - 1.0
    })
    .await;
    let waiting = proxy.resident();
    origin.release();
    let readers: Vec<_> = connections
        .into_iter()
        .map(|connection| tokio::spawn(follow(connection)))
        .collect();
    let mut most = waiting;
    for reader in readers {
        assert_eq!(reader.await.unwrap(), BODY);
        most = most.max(proxy.resident());
    }
    assert_eq!(origin.count("/a"), 1);
    assert_eq!(follow(stopped).await, BODY, "it was only slow");
    let (connections, waiting) = (connected - idle, waiting - connected);
    let most = most - connected;
    println!(
        "{followers} followers: {waiting:.0} MiB while they wait, {most:.0} MiB at most, beside {connections:.0} MiB \
         for their connections"
    );
    assert!(most < 64.0, "{most} MiB");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_uncacheable_url_is_not_serialised() {
    let origin = Origin::start().await;
    let routes = "[[route]]\nname = \"off\"\npath = \"/off\"\ncache = false\n";
    let proxy = Process::start(&origin, routes).await;
    for path in ["/private", "/off"] {
        origin.answer(path, Reply::ok("mine").header("cache-control", "private"));
        get(proxy.address(), path, &[]).await;
    }
    let before = origin.count("/private");
    origin.hold();
    let address = proxy.address();
    let clients: Vec<_> = (0..64)
        .map(|_| tokio::spawn(get(address, "/private", &[])))
        .collect();
    until("all are at the origin at once", async || {
        origin.count("/private") == before + 64
    })
    .await;
    origin.release();
    for client in clients {
        assert_eq!(client.await.unwrap().text(), "mine");
    }
    let rounds = scale(1, 9);
    let mut ratios = Vec::new();
    for _ in 0..rounds {
        let passing = throughput(&proxy, "/off", scale(200, 20_000)).await;
        let uncacheable = throughput(&proxy, "/private", scale(200, 20_000)).await;
        ratios.push(uncacheable / passing);
    }
    ratios.sort_by(f64::total_cmp);
    let ratio = ratios[rounds / 2];
    println!("an uncacheable URL: {ratio:.2} of the throughput of cache = false");
    assert!(!is_soak() || ratio > 0.9, "{ratios:?}");
}

/// Requests per second of 64 clients that ask again and again.
async fn throughput(proxy: &Process, path: &'static str, requests: usize) -> f64 {
    let left = Arc::new(AtomicUsize::new(requests));
    let begun = Instant::now();
    let clients: Vec<_> = (0..64)
        .map(|_| {
            let (left, address) = (Arc::clone(&left), proxy.address());
            tokio::spawn(async move {
                let mut connection = Connection::open(address).await;
                let take = |left: usize| left.checked_sub(1);
                while left.fetch_update(Relaxed, Relaxed, take).is_ok() {
                    connection
                        .send(&format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n"))
                        .await;
                    assert!(
                        connection
                            .read_until(|bytes| bytes.ends_with(b"mine"))
                            .await
                    );
                    connection.clear();
                }
            })
        })
        .collect();
    for client in clients {
        client.await.unwrap();
    }
    requests as f64 / begun.elapsed().as_secs_f64()
}

async fn purge(proxy: &Process, json: &str) -> Duration {
    let headers = [("Content-Type", "application/json")];
    let begun = Instant::now();
    let answer = request(
        proxy.admin(),
        "POST",
        "/api/purge",
        &headers,
        json.as_bytes(),
    )
    .await;
    let took = begun.elapsed();
    assert_eq!(
        (answer.status, &answer.json()["shared"]),
        (200, &true.into())
    );
    took
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_purge_costs_the_same_whatever_is_stored_and_reaches_every_replica() {
    let count = scale(500, 100_000);
    let (origin, redis) = (Origin::start().await, Redis::start());
    let routes = "[[route]]\nname = \"t\"\npath = \"/t/{n}\"\nttl = 3600\ntags = [\"all\"]\n\
                  [cache.memory]\nmax = \"1GiB\"\n";
    let toml = with_redis(&redis.url(), "") + routes;
    let one = Process::start(&origin, &toml).await;
    let two = Process::start(&origin, &toml).await;
    origin.answer_below("/t/", Reply::ok("old"));
    for proxy in [&one, &two] {
        fill(proxy, count).await;
        let entries = proxy.metric("sidecache_memory_entries").await;
        assert!(entries >= count as f64, "{entries}");
    }
    origin.answer_below("/t/", Reply::ok("new"));
    let took = purge(&one, r#"{"tags": ["all"], "hard": true}"#).await;
    let begun = Instant::now();
    until("the other replica obeys", async || {
        get(two.address(), "/t/1", &[]).await.text() == "new"
    })
    .await;
    let obeyed = begun.elapsed();
    println!("{count} objects: purged in {took:?}, obeyed by the other replica within {obeyed:?}");
    for number in (0..count).step_by(count / 100) {
        for proxy in [&one, &two] {
            let answer = get(proxy.address(), &format!("/t/{number}"), &[]).await;
            assert_eq!(answer.text(), "new", "{number}");
        }
    }
    if is_soak() {
        assert!(took < Duration::from_millis(10), "{took:?}");
        assert!(obeyed < Duration::from_millis(100), "{obeyed:?}");
    }
}

/// Stores `count` objects, one by one on a few connections.
async fn fill(proxy: &Process, count: usize) {
    let next = Arc::new(AtomicUsize::new(0));
    let clients: Vec<_> = (0..16)
        .map(|_| {
            let (next, address) = (Arc::clone(&next), proxy.address());
            tokio::spawn(async move {
                let mut connection = Connection::open(address).await;
                loop {
                    let number = next.fetch_add(1, Relaxed);
                    if number >= count {
                        return;
                    }
                    connection
                        .send(&format!(
                            "GET /t/{number} HTTP/1.1\r\nHost: test.example\r\n\r\n"
                        ))
                        .await;
                    assert!(connection.read_until(|bytes| bytes.ends_with(b"old")).await);
                    connection.clear();
                }
            })
        })
        .collect();
    for client in clients {
        client.await.unwrap();
    }
}

#[tokio::test]
async fn a_fetch_that_straddles_a_purge_of_another_replica_is_served_by_nobody() {
    let (origin, redis) = (Origin::start().await, Redis::start());
    let toml = with_redis(&redis.url(), "");
    let (one, two) = (
        Proxy::to(&origin, &toml).await,
        Proxy::to(&origin, &toml).await,
    );
    for proxy in [&one, &two] {
        synchronised(proxy).await;
    }
    origin.answer("/a", Reply::fresh("old", 3600));
    origin.hold();
    let address = one.address();
    let slow = tokio::spawn(get(address, "/a", &[]));
    until("the fetch is under way", async || origin.count("/a") == 1).await;
    origin.answer("/a", Reply::ok("done").early());
    assert_eq!(two.send("PUT", "/a", &[], "x").await.status, 200);
    origin.release();
    assert_eq!(slow.await.unwrap().text(), "old", "its client asked before");
    origin.answer("/a", Reply::fresh("new", 3600));
    for proxy in [&one, &two] {
        until("nobody has it", async || {
            proxy.get("/a").await.text() == "new"
        })
        .await;
    }
    let later = Proxy::to(&origin, &toml).await;
    synchronised(&later).await;
    assert_eq!(later.get("/a").await.text(), "new");
}

#[tokio::test]
async fn a_replica_that_is_cut_off_asks_the_origin_and_obeys_once_it_hears() {
    let (origin, redis) = (Origin::start().await, Redis::start());
    let relay = Relay::to(redis.port()).await;
    let gap = "purge_gap = \"300ms\"\n";
    let one = Proxy::to(&origin, &with_redis(&redis.url(), gap)).await;
    let cut_off = Proxy::to(&origin, &with_redis(&relay.url(), gap)).await;
    for proxy in [&one, &cut_off] {
        synchronised(proxy).await;
    }
    origin.answer("/a", Reply::fresh("old", 3600));
    assert_eq!(cut_off.get("/a").await.text(), "old");
    assert!(cut_off.get("/a").await.is_hit());
    relay.set(Fault::Blackhole);
    origin.answer("/a", Reply::ok("done"));
    assert_eq!(one.send("PUT", "/a", &[], "x").await.status, 200);
    origin.answer("/a", Reply::fresh("new", 3600));
    cut_off.advance(1);
    until("it asks because it hears nothing", async || {
        cut_off.get("/a").await.text() == "new"
    })
    .await;
    // Something else that it has confirmed since is not asked for again and again.
    assert!(cut_off.get("/a").await.is_hit());
    origin.answer("/a", Reply::ok("done"));
    assert_eq!(one.send("PUT", "/a", &[], "x").await.status, 200);
    origin.answer("/a", Reply::fresh("newer", 3600));
    relay.set(Fault::None);
    until("it obeys after the reconnect", async || {
        cut_off.get("/a").await.text() == "newer"
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_proxy_that_is_killed_leaves_nothing_wrong_in_redis() {
    const URLS: usize = 8;
    let (origin, redis) = (Origin::start().await, Redis::start());
    let toml = with_redis(&redis.url(), "") + "[cache.memory]\nmax = 0\n";
    let filler = "x".repeat(40_000);
    let version = |path: usize, number: usize| {
        Reply::fresh(format!("/{path} {number:08} {filler}"), 3600).early()
    };
    (0..URLS).for_each(|path| origin.answer(&format!("/{path}"), version(path, 0)));
    let origin = Arc::new(origin);
    let acknowledged: Arc<[AtomicUsize; URLS]> = Arc::default();
    let mut number = 0;
    for round in 0..scale(3, 40) {
        let mut proxy = Process::start(&origin, &toml).await;
        let stop = Arc::new(AtomicBool::new(false));
        let readers: Vec<_> = (0..4)
            .map(|_| {
                let (stop, address) = (Arc::clone(&stop), proxy.address());
                tokio::spawn(async move {
                    while !stop.load(Relaxed) {
                        let path = fastrand::usize(..URLS);
                        let text = format!("GET /{path} HTTP/1.0\r\nHost: test.example\r\n\r\n");
                        let Ok(mut stream) = tokio::net::TcpStream::connect(address).await else {
                            return;
                        };
                        use tokio::io::{AsyncReadExt, AsyncWriteExt};
                        let _ = stream.write_all(text.as_bytes()).await;
                        let _ = stream.read_to_end(&mut Vec::new()).await;
                    }
                })
            })
            .collect();
        let until_killed = Instant::now() + Duration::from_millis(fastrand::u64(50..250));
        while Instant::now() < until_killed {
            let path = fastrand::usize(..URLS);
            number += 1;
            origin.answer(&format!("/{path}"), version(path, number));
            let name = format!("/{path}");
            let written = request(proxy.address(), "PUT", &name, &[], b"x").await;
            assert_eq!(written.status, 200);
            acknowledged[path].store(number, Relaxed);
        }
        proxy.kill();
        stop.store(true, Relaxed);
        for reader in readers {
            reader.await.unwrap();
        }
        let later = Proxy::to(&origin, &toml).await;
        synchronised(&later).await;
        for path in 0..URLS {
            let answer = later.get(&format!("/{path}")).await;
            let mut words = answer.text().split(' ');
            let whole = (words.next(), words.clone().nth(1).map(str::len));
            assert_eq!(whole, (Some(&*format!("/{path}")), Some(filler.len())));
            let seen: usize = words.next().unwrap().parse().unwrap();
            let least = acknowledged[path].load(Relaxed);
            assert!(
                seen >= least,
                "round {round}: /{path} is {seen}, {least} was acknowledged"
            );
        }
    }
    println!(
        "{} kills, {number} writes: nothing old, nothing cut",
        scale(3, 40)
    );
}

#[tokio::test]
async fn nothing_in_redis_lives_without_a_ttl() {
    let (origin, redis) = (Origin::start().await, Redis::start());
    let routes = "[[route]]\nname = \"n\"\npath = \"/n/{*rest}\"\ncollapse = \"cluster\"\nttl_by_status = { 404 = 60 }\n";
    let toml = with_redis(&redis.url(), "") + routes;
    let proxy = Proxy::to(&origin, &toml).await;
    synchronised(&proxy).await;
    origin.answer_below("/n/", Reply::ok("no").status(404));
    origin.answer_below("/v/", Reply::fresh("a", 60).header("vary", "X-Lang"));
    origin.answer_below("/e/", Reply::fresh("a", 0).header("etag", "\"1\""));
    origin.answer_below("/p/", Reply::ok("mine").header("cache-control", "private"));
    for number in 0..scale(50, 2000) {
        for kind in ["n", "v", "e", "p"] {
            let path = format!("/{kind}/{number}");
            proxy.get_with(&path, &[("X-Lang", "en")]).await;
        }
        if number % 10 == 0 {
            proxy.send("PUT", &format!("/v/{number}"), &[], "x").await;
        }
    }
    let written = "sidecache_redis_calls_total{result=\"written\"}";
    until("it is in redis", async || {
        proxy.metric(written) >= 3.0 * scale(50, 2000) as f64
    })
    .await;
    let keys: Vec<String> = redis.command(&["KEYS", "*"]);
    assert!(keys.len() > 2 * scale(50, 2000), "{}", keys.len());
    for key in &keys {
        let ttl: i64 = redis.command(&["PTTL", key]);
        // -2: it has expired between the two commands.
        assert!(key.starts_with("t:") && ttl != -1, "{key} has no TTL");
    }
    println!("{} keys, each with a TTL", keys.len());
}
