//! The end: requests under way are answered, nothing new is begun.

use crate::support::{
    Origin, Proxy, Reply, client::Connection, get, proxy::config_with_server, until,
};
use sidecache::{app::App, clock::Clock};
use std::time::{Duration, Instant};

#[tokio::test]
async fn a_request_under_way_is_answered_and_idle_connections_are_closed() {
    let origin = Origin::start().await;
    origin.answer("/a", Reply::ok("slow"));
    origin.hold();
    let proxy = Proxy::to(&origin, "").await;
    let mut idle = Connection::open(proxy.address()).await;
    let slow = tokio::spawn(get(proxy.address(), "/a", &[]));
    until("the request is under way", async || origin.count("/a") == 1).await;
    until("both connections are open", async || {
        proxy.metric("sidecache_connections") == 2.0
    })
    .await;
    let admin = proxy.admin();
    let drained = tokio::spawn(proxy.drain());
    assert!(idle.is_closed().await);
    let ready = get(admin, "/readyz", &[]).await;
    assert_eq!(
        (ready.status, &ready.json()["status"]),
        (503, &"draining".into())
    );
    assert_eq!(ready.header("retry-after"), Some("1"));
    origin.release();
    assert_eq!(slow.await.unwrap().text(), "slow");
    assert!(drained.await.unwrap());
}

/// Some clients say no more than half a head, another sends the rest while the drain goes on.
#[tokio::test]
async fn the_first_head_is_waited_for_a_moment_and_does_not_hold_the_drain_up() {
    let origin = Origin::start().await;
    origin.answer("/a", Reply::ok("whole"));
    let proxy = Proxy::to(&origin, "").await;
    let (mut half, mut slow) = (
        Connection::open(proxy.address()).await,
        Connection::open(proxy.address()).await,
    );
    let mut private = Connection::open(proxy.admin()).await;
    for client in [&mut half, &mut slow, &mut private] {
        client.send("GET /a HTTP/1.1\r\nHost: a\r\n").await;
    }
    until("both are accepted", async || {
        proxy.metric("sidecache_connections") == 2.0
    })
    .await;
    let address = proxy.address();
    let begun = Instant::now();
    let drained = tokio::spawn(proxy.drain());
    until("nothing new is accepted", async || {
        tokio::net::TcpStream::connect(address).await.is_err()
    })
    .await;
    slow.send("\r\n").await;
    assert!(slow.read_until(|all| all.ends_with(b"whole")).await);
    assert!(half.is_closed().await && private.is_closed().await);
    assert!(drained.await.unwrap());
    let took = begun.elapsed();
    assert!(took < Duration::from_secs(10), "of 30 s: {took:?}");
}

#[tokio::test]
async fn a_fetch_that_outlives_its_client_ends_before_the_process_does() {
    let origin = Origin::start().await;
    origin.answer("/a", Reply::fresh("a", 60));
    origin.hold();
    let proxy = Proxy::to(&origin, "").await;
    let mut client = Connection::open(proxy.address()).await;
    client.send("GET /a HTTP/1.1\r\nHost: a\r\n\r\n").await;
    until("the fetch is under way", async || origin.count("/a") == 1).await;
    drop(client);
    let drained = tokio::spawn(proxy.drain());
    tokio::task::yield_now().await;
    assert!(!drained.is_finished());
    origin.release();
    assert!(drained.await.unwrap());
}

#[tokio::test]
async fn what_is_fetched_for_one_client_alone_is_answered_or_ends_with_it() {
    let origin = Origin::start().await;
    origin.answer("/a", Reply::ok("mine").header("cache-control", "private"));
    let proxy = Proxy::to(&origin, "").await;
    proxy.get("/a").await;
    until("what it brought is known", async || {
        proxy.metric("sidecache_flights") == 0.0
    })
    .await;
    origin.hold();
    let stays = tokio::spawn(get(proxy.address(), "/a", &[]));
    until("it is fetched", async || origin.count("/a") == 2).await;
    let mut leaves = Connection::open(proxy.address()).await;
    leaves
        .send("GET /a HTTP/1.1\r\nHost: test.example\r\n\r\n")
        .await;
    until("so is another", async || origin.count("/a") == 3).await;
    assert_eq!(proxy.metric("sidecache_flights"), 0.0, "nobody joins them");
    drop(leaves);
    until("the proxy has seen it leave", async || {
        proxy.metric("sidecache_connections") == 1.0
    })
    .await;
    let drained = tokio::spawn(proxy.drain());
    tokio::task::yield_now().await;
    assert!(!drained.is_finished());
    origin.release();
    assert_eq!(stays.await.unwrap().text(), "mine");
    assert!(drained.await.unwrap());
}

#[tokio::test]
async fn what_does_not_end_in_time_is_given_up() {
    let origin = Origin::start().await;
    origin.answer("/a", Reply::never());
    let config = config_with_server(origin.address(), "drain_timeout = \"100ms\"\n", "");
    let app = App::start(config, Clock::System).await.unwrap();
    let client = tokio::spawn(get(app.public_address(), "/a", &[]));
    until("the request is under way", async || origin.count("/a") == 1).await;
    assert!(!app.drain().await, "it says so");
    client.abort();
}

/// Its first part is still on its way when the drain begins, so that it has no place of the upstream yet.
#[tokio::test]
async fn a_write_whose_content_has_only_begun_is_answered() {
    let origin = Origin::start().await;
    origin.answer("/a", Reply::ok("written"));
    let proxy = Proxy::to(&origin, "").await;
    let mut writer = Connection::open(proxy.address()).await;
    let head = "PUT /a HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 10\r\n\r\n";
    writer.send(head).await;
    let is_asked_for = |all: &[u8]| all.starts_with(b"HTTP/1.1 100 ");
    assert!(writer.read_until(is_asked_for).await, "its content is read");
    writer.send("hello").await;
    let address = proxy.address();
    let drained = tokio::spawn(proxy.drain());
    until("nothing new is accepted", async || {
        tokio::net::TcpStream::connect(address).await.is_err()
    })
    .await;
    assert_eq!(origin.count("/a"), 0);
    writer.send("world").await;
    assert!(writer.read_until(|all| all.ends_with(b"written")).await);
    assert_eq!(origin.last("/a").body, b"helloworld");
    assert!(drained.await.unwrap());
}

#[tokio::test]
async fn requests_that_wait_for_their_turn_at_the_upstream_get_it() {
    let origin = Origin::start().await;
    for path in ["/a", "/b", "/c"] {
        origin.answer(path, Reply::fresh("in turn", 60));
    }
    origin.hold();
    let one_place = "max_connections = 1\nconnect_timeout = \"30s\"\n";
    let proxy = Proxy::to(&origin, one_place).await;
    let first = tokio::spawn(get(proxy.address(), "/a", &[]));
    until("one has the place", async || origin.count("/a") == 1).await;
    let others = ["/b", "/c"].map(|path| tokio::spawn(get(proxy.address(), path, &[])));
    until("all are fetched", async || {
        proxy.metric("sidecache_flights") == 3.0
    })
    .await;
    let address = proxy.address();
    let drained = tokio::spawn(proxy.drain());
    until("nothing new is accepted", async || {
        tokio::net::TcpStream::connect(address).await.is_err()
    })
    .await;
    assert_eq!((origin.count("/b"), origin.count("/c")), (0, 0));
    origin.release();
    for answer in std::iter::once(first).chain(others) {
        assert_eq!(answer.await.unwrap().text(), "in turn");
    }
    assert!(drained.await.unwrap());
}
