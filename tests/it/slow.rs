//! Clients that are slow: what they may hold, and who goes before them.

use crate::support::{Origin, Proxy, Reply, client::Connection, until};
use std::{net::IpAddr, time::Duration};

const NOT_READING: &str = "sidecache_cut_off_total{reason=\"not_reading\"}";

/// Where those come from who are slow; the others come from 127.0.0.1.
const SLOW: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(127, 0, 0, 2));

fn cut_off(proxy: &Proxy, reason: &str) -> f64 {
    proxy.metric(&format!("sidecache_cut_off_total{{reason=\"{reason}\"}}"))
}

/// `count` connections of [`SLOW`] that have sent `text`.
async fn slow_ones(proxy: &Proxy, count: usize, text: &str) -> Vec<Connection> {
    let mut all = Vec::new();
    for _ in 0..count {
        let mut client = Connection::open_from(SLOW, proxy.address()).await;
        client.send(text).await;
        all.push(client);
    }
    all
}

/// A hundred misses of others are answered by the upstream, eight at a time.
async fn others_are_served(proxy: &Proxy, beside: &str) {
    for round in 0..13 {
        let asking: Vec<_> = (0..8)
            .map(|one| {
                let (address, path) = (proxy.address(), format!("/fast/{beside}/{round}/{one}"));
                tokio::spawn(async move { crate::support::get(address, &path, &[]).await })
            })
            .collect();
        for answer in asking {
            let answer = answer.await.unwrap();
            assert_eq!((answer.status, answer.text()), (200, "fast"));
        }
    }
}

async fn origin() -> Origin {
    let origin = Origin::start().await;
    origin.answer_by(|received| {
        let path = received.line.split(' ').nth(1).unwrap_or_default();
        match path {
            "/large" => Reply::ok("x".repeat(20_000_000)).header("cache-control", "no-store"),
            _ if path.starts_with("/fast/") => Reply::fresh("fast", 60),
            _ => Reply::ok("done"),
        }
    });
    origin
}

const EIGHT: &str = "max_connections = 8\n";

#[tokio::test]
async fn slow_uploads_of_one_address_take_no_places_from_others() {
    let origin = origin().await;
    let proxy = Proxy::to(&origin, EIGHT).await;
    let head = "POST /slow HTTP/1.1\r\nHost: a\r\nContent-Length: 100000000\r\n\r\n";
    let trickling = slow_ones(&proxy, 512, head).await;
    others_are_served(&proxy, "trickling").await;
    assert_eq!(proxy.metric("sidecache_places"), 0.0);
    drop(trickling);
    // These have sent their first part: there is nothing left but to end them.
    let begun = format!("{head}{}", "x".repeat(100_000));
    let stopped = slow_ones(&proxy, 16, &begun).await;
    until("they have all places", async || {
        proxy.metric("sidecache_places") == 8.0
    })
    .await;
    others_are_served(&proxy, "stopped").await;
    assert!(cut_off(&proxy, "slow_content") > 0.0);
    let mut refused = stopped.into_iter().next().unwrap();
    assert!(!refused.read_until(|_| false).await);
    let refused = String::from_utf8_lossy(refused.received()).into_owned();
    assert!(refused.starts_with("HTTP/1.1 408 "), "{refused}");
}

#[tokio::test]
async fn slow_readers_of_one_address_take_no_places_from_others() {
    let origin = origin().await;
    let proxy = Proxy::to(&origin, EIGHT).await;
    let head = "GET /large HTTP/1.1\r\nHost: a\r\n\r\n";
    let _readers = slow_ones(&proxy, 16, head).await;
    until("they have all places", async || {
        proxy.metric("sidecache_places") == 8.0
    })
    .await;
    others_are_served(&proxy, "stopped").await;
    assert!(cut_off(&proxy, "slow_reader") > 0.0);
}

#[tokio::test]
async fn a_place_is_given_back_when_the_upstream_has_answered_and_not_when_its_client_has_read() {
    let origin = Origin::start().await;
    let answer = Reply::ok("x".repeat(60_000)).header("cache-control", "no-store");
    origin.answer("/sized", answer.clone());
    origin.answer("/chunked", answer.chunked());
    origin.answer("/fast", Reply::ok("fast"));
    let proxy = Proxy::to(
        &origin,
        "max_connections = 1\nconnect_timeout = \"100ms\"\n",
    )
    .await;
    for path in ["/sized", "/chunked"] {
        let head = format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n");
        let _reads_nothing = slow_ones(&proxy, 1, &head).await;
        until("it is asked", async || origin.count(path) == 1).await;
        until("the place is free", async || {
            proxy.metric("sidecache_places") == 0.0
        })
        .await;
        assert_eq!(proxy.get("/fast").await.text(), "fast");
    }
    assert_eq!(cut_off(&proxy, "slow_reader"), 0.0);
}

/// 127.0.0.1 is trusted and speaks for both: what counts is whom it names.
#[tokio::test]
async fn shares_are_those_of_the_clients_that_a_trusted_proxy_names() {
    let origin = origin().await;
    let proxy = Proxy::to(&origin, EIGHT).await;
    let head = "GET /large HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 192.0.2.1\r\n\r\n";
    let mut readers = Vec::new();
    for _ in 0..8 {
        let mut reader = Connection::open_narrow(proxy.address()).await;
        reader.send(head).await;
        readers.push(reader);
    }
    until("they have all places", async || {
        proxy.metric("sidecache_places") == 8.0
    })
    .await;
    let begun = std::time::Instant::now();
    let answer = proxy.get_with("/fast/1", &[("X-Forwarded-For", "192.0.2.2")]);
    assert_eq!(answer.await.text(), "fast");
    assert!(
        begun.elapsed() < Duration::from_secs(4),
        "it need not wait as an equal has to"
    );
}

/// Reads about 300 KB a second until the other side ends it, and says how much that was.
async fn read_slowly(mut connection: Connection) -> usize {
    let mut bytes = 0;
    while connection.read_piece(|piece| bytes += piece.len()).await {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    bytes
}

#[tokio::test]
async fn a_client_that_reads_below_the_least_rate_is_reset_and_counted() {
    const BODY: usize = 20_000_000;
    let origin = Origin::start().await;
    let large = Reply::ok("x".repeat(BODY)).header("cache-control", "no-store");
    origin.answer("/large", large);
    let server = "idle_timeout = \"2s\"\nmin_rate = \"1MiB\"\n";
    let proxy = Proxy::with_server(&origin, server, "").await;
    assert_eq!(proxy.get("/large").await.body.len(), BODY);
    assert_eq!(proxy.metric(NOT_READING), 0.0, "who keeps up");
    let mut slow = Connection::open_narrow(proxy.address()).await;
    slow.send("GET /large HTTP/1.1\r\nHost: a\r\n\r\n").await;
    let slow = tokio::spawn(read_slowly(slow));
    until("it is cut off", async || proxy.metric(NOT_READING) == 1.0).await;
    until("it is gone", async || {
        proxy.metric("sidecache_connections") == 0.0
    })
    .await;
    assert!(slow.await.unwrap() < BODY, "what was not sent is forgotten");
}
