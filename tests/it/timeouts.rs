//! Every wait for the origin has an end.

use crate::support::{
    Origin, Proxy, Reply, client::Connection, proxy::config_with_server, redis::free_port, until,
};
use sidecache::{app::App, clock::Clock};
use std::net::SocketAddr;

#[tokio::test]
async fn an_origin_that_refuses_is_502() {
    let origin = SocketAddr::from(([127, 0, 0, 1], free_port()));
    let proxy = Proxy::to_address(origin, "").await;
    let answer = proxy.get("/a").await;
    assert_eq!(
        (answer.status, answer.header("content-type")),
        (502, Some("application/problem+json"))
    );
    assert_eq!(answer.json()["cause"], "upstream_connect");
    assert_eq!(answer.json()["status"], 502);
    assert!(
        !answer.text().contains("127.0.0.1"),
        "the address is nobody's business"
    );
    assert_eq!(
        proxy.metric("sidecache_requests_total{route=\"default\",outcome=\"failed\"}"),
        1.0
    );
}

#[tokio::test]
async fn an_origin_that_never_accepts_is_504() {
    // A listener with a full backlog: connecting gets no answer.
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    socket
        .bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into())
        .unwrap();
    socket.listen(0).unwrap();
    let address = socket.local_addr().unwrap().as_socket().unwrap();
    let mut filling = Vec::new();
    loop {
        let connecting = tokio::net::TcpStream::connect(address);
        match tokio::time::timeout(std::time::Duration::from_millis(200), connecting).await {
            Ok(connected) => filling.push(connected.unwrap()),
            Err(_) => break,
        }
    }
    let proxy = Proxy::to_address(address, "connect_timeout = \"100ms\"\n").await;
    let answer = proxy.get("/a").await;
    assert_eq!(
        (answer.status, &answer.json()["cause"]),
        (504, &"upstream_connect_timeout".into())
    );
}

#[tokio::test]
async fn an_origin_that_never_answers_is_504_and_disturbs_nobody() {
    let origin = Origin::start().await;
    origin.answer("/never", Reply::never());
    origin.answer("/a", Reply::ok("a"));
    let proxy = Proxy::to(&origin, "timeout = \"100ms\"\n").await;
    let answer = proxy.get("/never").await;
    assert_eq!(
        (answer.status, &answer.json()["cause"]),
        (504, &"upstream_timeout".into())
    );
    assert_eq!(proxy.get("/a").await.text(), "a");
}

#[tokio::test]
async fn an_origin_that_goes_silent_in_a_body_breaks_it_and_nothing_is_stored() {
    let origin = Origin::start().await;
    origin.answer(
        "/a",
        Reply::fresh("never comes", 60).chunked().hold_body_only(),
    );
    origin.hold();
    let proxy = Proxy::to(&origin, "body_timeout = \"100ms\"\n").await;
    let broken = proxy.get("/a").await;
    assert_eq!((broken.status, broken.complete), (200, false));
    origin.answer("/a", Reply::fresh("whole", 60));
    origin.release();
    assert_eq!(proxy.get("/a").await.text(), "whole");
}

#[tokio::test]
async fn more_requests_than_the_origin_may_get_are_503() {
    let origin = Origin::start().await;
    origin.answer("/never", Reply::never());
    let proxy = Proxy::to(
        &origin,
        "max_connections = 1\nconnect_timeout = \"100ms\"\n",
    )
    .await;
    let address = proxy.address();
    let first = tokio::spawn(crate::support::get(address, "/never?1", &[]));
    until("the first is under way", async || {
        origin.count("/never?1") == 1
    })
    .await;
    let second = proxy.get("/never?2").await;
    assert_eq!(
        (second.status, &second.json()["cause"]),
        (503, &"upstream_busy".into())
    );
    assert_eq!(second.header("retry-after"), Some("1"));
    first.abort();
}

/// Who trickles waits alone.
#[tokio::test]
async fn content_that_has_hardly_begun_takes_no_place() {
    let origin = Origin::start().await;
    origin.answer("/a", Reply::ok("a"));
    let toml = "max_connections = 1\nconnect_timeout = \"100ms\"\nbody_timeout = \"1s\"\n";
    let proxy = Proxy::to(&origin, toml).await;
    for begin in [
        "Content-Length: 100\r\n\r\n",
        "Content-Length: 100\r\n\r\nhalf",
        "Content-Length: 100000\r\n\r\nhalf",
        "Transfer-Encoding: chunked\r\n\r\n",
    ] {
        let mut slow = Connection::open(proxy.address()).await;
        slow.send(&format!("POST /slow HTTP/1.1\r\nHost: a\r\n{begin}"))
            .await;
        let mut seen = Connection::open(proxy.address()).await;
        seen.send("GET /a HTTP/1.1\r\nHost: a\r\n\r\n").await;
        assert!(seen.read_until(|bytes| bytes.ends_with(b"a")).await);
        assert_eq!(proxy.get("/a").await.text(), "a", "{begin:?}");
        assert!(!slow.read_until(|_| false).await);
        let answer = String::from_utf8_lossy(slow.received()).into_owned();
        assert!(answer.starts_with("HTTP/1.1 408 "), "{begin:?}: {answer}");
        assert!(answer.contains("request_timeout"));
        assert!(answer.contains("retry-after: 1"), "{answer}");
    }
    assert_eq!(origin.count("/slow"), 0);
}

#[tokio::test]
async fn an_origin_that_does_not_read_is_504() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let accepting = tokio::spawn(async move {
        let mut connections = Vec::new();
        while let Ok((stream, _)) = listener.accept().await {
            connections.push(stream);
        }
    });
    let proxy = Proxy::to_address(address, "body_timeout = \"300ms\"\n").await;
    let mut client = Connection::open(proxy.address()).await;
    let length = 64 << 20;
    client
        .send(&format!(
            "POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n\r\n"
        ))
        .await;
    client.flood(length).await;
    client.read_until(|bytes| bytes.ends_with(b"}")).await;
    let answer = String::from_utf8_lossy(client.received()).into_owned();
    assert!(answer.starts_with("HTTP/1.1 504 "), "{answer}");
    accepting.abort();
}

#[tokio::test]
async fn a_silent_client_is_cut_off() {
    let origin = Origin::start().await;
    let toml = "[cache]\n";
    let config = config_with_server(origin.address(), "idle_timeout = \"100ms\"\n", toml);
    let app = App::start(config, Clock::System).await.unwrap();
    for half in ["", "GET /a HTTP/1.1\r\nHo"] {
        let mut client = Connection::open(app.public_address()).await;
        client.send(half).await;
        assert!(!client.read_until(|_| false).await, "{half:?}");
    }
}

#[tokio::test]
async fn a_client_that_does_not_read_or_stops_sending_is_cut_off() {
    let origin = Origin::start().await;
    origin.answer(
        "/large",
        Reply::ok("x".repeat(20_000_000)).header("cache-control", "no-store"),
    );
    origin.answer("/post", Reply::ok("done"));
    let server = "idle_timeout = \"200ms\"\n";
    let config = config_with_server(origin.address(), server, "body_timeout = \"200ms\"\n");
    let app = App::start(config, Clock::System).await.unwrap();
    let mut reader = Connection::open(app.public_address()).await;
    reader.send("GET /large HTTP/1.1\r\nHost: a\r\n\r\n").await;
    let mut sender = Connection::open(app.public_address()).await;
    sender
        .send("POST /post HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\nhalf")
        .await;
    let connections = || app.metrics().connections.get();
    until("both are there", async || connections() == 2).await;
    until("both are gone", async || connections() == 0).await;
}
