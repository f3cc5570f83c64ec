//! More clients than may be connected: who makes room, and who stays.

use crate::support::{Answer, Origin, Proxy, Reply, client, client::Connection, until};
use std::{net::IpAddr, time::Duration};
use tokio::{io::AsyncReadExt, time::timeout};

/// Where the crowd comes from; the others come from 127.0.0.1.
const CROWD: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(127, 0, 0, 2));

const SEATS: usize = 8;

async fn proxy(origin: &Origin) -> Proxy {
    let server = format!("max_connections = {SEATS}\n");
    Proxy::with_server(origin, &server, "").await
}

fn crowded(proxy: &Proxy) -> f64 {
    proxy.metric("sidecache_cut_off_total{reason=\"crowded\"}")
}

/// `count` connections of [`CROWD`] that have sent `text`, once all are accepted.
async fn crowd(proxy: &Proxy, count: usize, text: &str) -> Vec<Connection> {
    let before = proxy.metric("sidecache_connections");
    let mut all = Vec::new();
    for _ in 0..count {
        let mut client = Connection::open_from(CROWD, proxy.address()).await;
        client.send(text).await;
        all.push(client);
    }
    until("all are accepted", async || {
        proxy.metric("sidecache_connections") == before + count as f64
    })
    .await;
    all
}

/// What a newcomer gets, long before anybody's time is over.
async fn newcomer(proxy: &Proxy) -> Answer {
    let answer = timeout(Duration::from_secs(10), proxy.get("/a")).await;
    answer.expect("it need not wait for the others")
}

#[tokio::test]
async fn slow_heads_and_idle_connections_make_room() {
    let origin = Origin::start().await;
    origin.answer("/a", Reply::ok("a"));
    let proxy = proxy(&origin).await;
    for text in [
        "",
        "GET /slow HTTP/1.1\r\nHos",
        "GET /a HTTP/1.1\r\nHost: a\r\n\r\n",
    ] {
        let before = crowded(&proxy);
        let mut all = crowd(&proxy, SEATS, text).await;
        if text.ends_with("\r\n\r\n") {
            for client in &mut all {
                assert!(client.read_until(|bytes| bytes.ends_with(b"a")).await);
            }
        }
        assert_eq!(newcomer(&proxy).await.text(), "a", "{text:?}");
        assert_eq!(crowded(&proxy), before + 1.0, "{text:?}: one is enough");
        assert!(all[0].is_closed().await, "{text:?}: the oldest");
        drop(all);
        until("all are gone", async || {
            proxy.metric("sidecache_connections") == 0.0
        })
        .await;
    }
    assert_eq!(proxy.metric("sidecache_connections_full_total"), 3.0);
}

#[tokio::test]
async fn the_address_with_most_makes_room_and_nobody_elses_connection_is_closed() {
    let origin = Origin::start().await;
    origin.answer("/a", Reply::ok("a"));
    let proxy = proxy(&origin).await;
    let mut own = Connection::open(proxy.address()).await;
    until("it is accepted", async || {
        proxy.metric("sidecache_connections") == 1.0
    })
    .await;
    let mut all = crowd(&proxy, SEATS - 1, "GET /slow HTTP/1.1\r\nHos").await;
    for _ in 0..3 * SEATS {
        let mut more = Connection::open_from(CROWD, proxy.address()).await;
        more.send("GET /slow").await;
        all.push(more);
    }
    assert_eq!(newcomer(&proxy).await.text(), "a");
    own.send("GET /a HTTP/1.1\r\nHost: a\r\n\r\n").await;
    assert!(own.read_until(|bytes| bytes.ends_with(b"a")).await);
}

#[tokio::test]
async fn whoever_has_a_request_under_way_stays_and_the_others_wait() {
    let origin = Origin::start().await;
    origin.answer("/a", Reply::ok("a"));
    origin.answer("/held", Reply::ok("held"));
    origin.hold();
    let proxy = proxy(&origin).await;
    let head = "GET /held HTTP/1.1\r\nHost: a\r\n\r\n";
    let mut all = crowd(&proxy, SEATS, head).await;
    let waiting = tokio::spawn(client::get(proxy.address(), "/a", &[]));
    until("somebody wants to connect", async || {
        proxy.metric("sidecache_connections_full_total") == 1.0
    })
    .await;
    origin.release();
    for client in &mut all {
        assert!(client.read_until(|bytes| bytes.ends_with(b"held")).await);
    }
    // Now they are idle.
    assert_eq!(waiting.await.unwrap().text(), "a");
    assert_eq!(crowded(&proxy), 1.0);
}

#[tokio::test]
async fn answers_that_are_not_read_make_room_for_who_has_less() {
    let origin = Origin::start().await;
    origin.answer("/a", Reply::ok("a"));
    origin.answer("/large", Reply::fresh("x".repeat(20_000_000), 60));
    let proxy = Proxy::with_server(
        &origin,
        &format!("max_connections = {SEATS}\n"),
        "[cache]\nmax_object = \"30MiB\"\n",
    )
    .await;
    let head = "GET /large HTTP/1.1\r\nHost: test.example\r\n\r\n";
    proxy.get("/large").await;
    let mut all = crowd(&proxy, SEATS, head).await;
    assert_eq!(newcomer(&proxy).await.text(), "a");
    assert_eq!(crowded(&proxy), 1.0);
    let (mut whole, mut ends) = (0, Vec::new());
    for client in &mut all {
        let mut bytes = 0;
        while client.read_piece(|piece| bytes += piece.len()).await {
            if bytes > 20_000_000 {
                break;
            }
        }
        whole += usize::from(bytes > 20_000_000);
        ends.push(bytes);
    }
    assert_eq!(whole, SEATS - 1, "{ends:?}");
}

/// What trickles in does not make the time longer.
#[tokio::test]
async fn a_head_that_trickles_is_cut_off_in_time() {
    let origin = Origin::start().await;
    let proxy = Proxy::with_server(&origin, "idle_timeout = \"1s\"\n", "").await;
    let mut stream = tokio::net::TcpStream::connect(proxy.address())
        .await
        .unwrap();
    let begun = std::time::Instant::now();
    let mut trickle = b"GET / HTTP/1.1\r\nHost: a\r\nX: ".to_vec();
    trickle.extend(std::iter::repeat_n(b'x', 10_000));
    let (mut reading, mut writing) = stream.split();
    let sending = async {
        for byte in trickle {
            if tokio::io::AsyncWriteExt::write_all(&mut writing, &[byte])
                .await
                .is_err()
            {
                break;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let mut answer = Vec::new();
    tokio::select! {
        () = sending => {}
        _ = reading.read_to_end(&mut answer) => {}
    }
    assert!(
        begun.elapsed() < Duration::from_secs(10),
        "it would take 200 s"
    );
}
