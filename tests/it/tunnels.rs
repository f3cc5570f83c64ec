//! WebSocket and its like: another protocol on the client's connection.

use crate::support::{Origin, Proxy, Reply, client::Connection, until};
use parking_lot::Mutex;
use std::{net::SocketAddr, sync::Arc};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

/// A server that agrees to speak another protocol, says `hello` and then everything twice that it hears. Over HTTP it says
/// `http`, and at `/lies` it agrees to something else.
struct Echo {
    address: SocketAddr,
    heads: Arc<Mutex<Vec<String>>>,
    open: Arc<Mutex<usize>>,
}

impl Echo {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let echo = Self {
            address: listener.local_addr().unwrap(),
            heads: Arc::default(),
            open: Arc::default(),
        };
        let (heads, open) = (Arc::clone(&echo.heads), Arc::clone(&echo.open));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (heads, open) = (Arc::clone(&heads), Arc::clone(&open));
                tokio::spawn(async move {
                    *open.lock() += 1;
                    serve(stream, &heads).await;
                    *open.lock() -= 1;
                });
            }
        });
        echo
    }

    fn head(&self) -> String {
        self.heads.lock().last().unwrap().clone()
    }

    fn open(&self) -> usize {
        *self.open.lock()
    }
}

async fn serve(mut stream: TcpStream, heads: &Mutex<Vec<String>>) -> Option<()> {
    loop {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(stream.read_u8().await.ok()?);
        }
        let head = String::from_utf8(head).unwrap().to_ascii_lowercase();
        heads.lock().push(head.clone());
        if head.starts_with("get /lies ") {
            let lies = "HTTP/1.1 101 Fine\r\nConnection: upgrade\r\nUpgrade: h2c\r\n\r\n";
            stream.write_all(lies.as_bytes()).await.ok()?;
            return None;
        }
        if !head.contains("\r\nupgrade: websocket\r\n") || head.starts_with("get /refused ") {
            let http =
                "HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\nContent-Length: 4\r\n\r\nhttp";
            stream.write_all(http.as_bytes()).await.ok()?;
            continue;
        }
        let agreed = "HTTP/1.1 101 Fine\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\
                      Sec-WebSocket-Accept: x\r\n\r\nhello";
        stream.write_all(agreed.as_bytes()).await.ok()?;
        let mut piece = [0; 1024];
        loop {
            match stream.read(&mut piece).await.ok()? {
                0 => {
                    stream.write_all(b"bye").await.ok()?;
                    return Some(());
                }
                count => {
                    let twice = [&piece[..count], &piece[..count]].concat();
                    stream.write_all(&twice).await.ok()?;
                }
            }
        }
    }
}

const ROUTE: &str = "[[route]]\nname = \"all\"\npath = \"/{*rest}\"\nttl = \"1h\"\n";

/// Asks for a WebSocket.
async fn ask(proxy: SocketAddr, path: &str, more: &str) -> Connection {
    let mut client = Connection::open(proxy).await;
    client
        .send(&format!(
            "GET {path} HTTP/1.1\r\nHost: a\r\nConnection: keep-alive, Upgrade\r\nUpgrade: WebSocket\r\n\
             Sec-WebSocket-Key: k\r\n\r\n{more}"
        ))
        .await;
    client
}

/// Asks for one, and gets it.
async fn open(proxy: &Proxy) -> Connection {
    let mut client = ask(proxy.address(), "/ws", "").await;
    assert!(client.read_until(|bytes| bytes.ends_with(b"hello")).await);
    client
}

async fn says(client: &mut Connection, text: &str) {
    client.clear();
    client.send(text).await;
    let twice = text.repeat(2);
    assert!(client.read_until(|bytes| bytes == twice.as_bytes()).await);
}

#[tokio::test]
async fn a_websocket_passes_both_ways_and_nothing_of_it_is_stored() {
    let echo = Echo::start().await;
    let proxy = Proxy::to_address(echo.address, ROUTE).await;
    for _ in 0..2 {
        let mut client = open(&proxy).await;
        let head = String::from_utf8_lossy(client.received()).to_ascii_lowercase();
        assert!(head.starts_with("http/1.1 101 "), "{head}");
        for field in [
            "connection: upgrade",
            "upgrade: websocket",
            "sec-websocket-accept: x",
            "cache-status: sidecache; fwd=bypass; detail=upgrade",
        ] {
            assert!(head.contains(&format!("\r\n{field}\r\n")), "{head}");
        }
        for text in ["a", "frame", &"x".repeat(1000)] {
            says(&mut client, text).await;
        }
        assert_eq!(proxy.metric("sidecache_tunnels"), 1.0);
        client.clear();
        client.half_close().await;
        assert!(client.read_until(|bytes| bytes == b"bye").await);
        assert!(client.is_closed().await);
        until("it is closed", async || {
            proxy.metric("sidecache_tunnels") == 0.0
        })
        .await;
    }
    let asked = echo.head();
    assert!(asked.contains("\r\nconnection: upgrade\r\n"), "{asked}");
    assert!(asked.contains("\r\nsec-websocket-key: k\r\n"), "{asked}");
    assert_eq!(proxy.metric("sidecache_tunnels_opened_total"), 2.0);
    assert_eq!(proxy.get_with("/ws", &[("Host", "a")]).await.text(), "http");
}

#[tokio::test]
async fn bytes_that_come_with_the_request_go_on_once_it_is_agreed() {
    let echo = Echo::start().await;
    let proxy = Proxy::to_address(echo.address, "").await;
    let mut client = ask(proxy.address(), "/ws", "early").await;
    assert!(
        client
            .read_until(|bytes| bytes.ends_with(b"helloearlyearly"))
            .await
    );
}

#[tokio::test]
async fn a_refused_upgrade_is_an_answer_like_any_other_and_what_follows_is_no_request() {
    let echo = Echo::start().await;
    let proxy = Proxy::to_address(echo.address, ROUTE).await;
    let smuggled = "GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n";
    let mut client = ask(proxy.address(), "/refused", smuggled).await;
    assert!(!client.read_until(|_| false).await, "it is closed");
    let text = String::from_utf8_lossy(client.received()).to_ascii_lowercase();
    assert!(
        text.starts_with("http/1.1 200 ") && text.ends_with("http"),
        "{text}"
    );
    assert!(text.contains("connection: close"), "{text}");
    assert_eq!(text.matches("http/1.1 ").count(), 1, "{text}");
    assert_eq!(echo.heads.lock().len(), 1);
    proxy.get_with("/refused", &[("Host", "a")]).await;
    assert_eq!(echo.heads.lock().len(), 2, "nothing was stored");
    let mut lied = ask(proxy.address(), "/lies", "").await;
    assert!(!lied.read_until(|_| false).await);
    assert!(lied.received().starts_with(b"HTTP/1.1 502 "));
}

#[tokio::test]
async fn only_what_the_operator_lists_is_asked_for() {
    let echo = Echo::start().await;
    for (server, protocol) in [
        ("", "h2c"),
        ("", "TLS/1.2"),
        ("upgrade = []\n", "websocket"),
        ("upgrade = [\"other\"]\n", "websocket"),
    ] {
        let config = crate::support::proxy::config_with_server(echo.address, server, "");
        let proxy = Proxy::with(config).await;
        let fields = [
            ("Connection", "Upgrade, HTTP2-Settings"),
            ("Upgrade", protocol),
        ];
        assert_eq!(proxy.get_with("/a", &fields).await.text(), "http");
        let head = echo.head();
        assert!(
            !head.contains("upgrade:") && !head.contains("connection:"),
            "{head}"
        );
    }
    let proxy = Proxy::to_address(echo.address, "").await;
    let both = [("Connection", "Upgrade"), ("Upgrade", "h2c, WebSocket")];
    proxy.get_with("/refused", &both).await;
    assert!(echo.head().contains("\r\nupgrade: websocket\r\n"));
}

#[tokio::test]
async fn a_tunnel_ends_when_its_client_leaves_or_nobody_speaks() {
    let echo = Echo::start().await;
    let proxy = Proxy::to_address(echo.address, "").await;
    for resets in [false, true] {
        let client = open(&proxy).await;
        if resets {
            client.reset();
        } else {
            drop(client);
        }
        until("both ends are closed", async || {
            proxy.metric("sidecache_tunnels") == 0.0 && echo.open() == 0
        })
        .await;
    }
    let proxy = Proxy::to_address(echo.address, "tunnel_timeout = \"100ms\"\n").await;
    let mut client = open(&proxy).await;
    assert!(client.is_closed().await);
    until("the other end is closed", async || echo.open() == 0).await;
}

/// Its place in the upstream is taken as long as it lasts.
#[tokio::test]
async fn a_tunnel_takes_a_place_of_the_upstream() {
    let echo = Echo::start().await;
    let limits = "max_connections = 1\nconnect_timeout = \"50ms\"\n";
    let proxy = Proxy::to_address(echo.address, limits).await;
    let client = open(&proxy).await;
    assert_eq!(proxy.get("/a").await.status, 503);
    drop(client);
    until("the place is free", async || {
        proxy.get("/a").await.status == 200
    })
    .await;
}

/// One address may have all places while nobody else wants one.
#[tokio::test]
async fn a_tunnel_of_who_has_most_gives_way_to_who_has_none() {
    let echo = Echo::start().await;
    let proxy = Proxy::to_address(echo.address, "max_connections = 2\n").await;
    let mut tunnels = Vec::new();
    for _ in 0..2 {
        let mut client = Connection::open_from([127, 0, 0, 2].into(), proxy.address()).await;
        client
            .send(
                "GET /ws HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
            )
            .await;
        assert!(client.read_until(|bytes| bytes.ends_with(b"hello")).await);
        tunnels.push(client);
    }
    assert_eq!(proxy.get("/a").await.text(), "http");
    assert_eq!(
        proxy.metric("sidecache_cut_off_total{reason=\"tunnel\"}"),
        1.0
    );
    until("one is closed", async || {
        proxy.metric("sidecache_tunnels") == 1.0 && echo.open() <= 2
    })
    .await;
    assert!(tunnels[0].is_closed().await, "the older one");
    says(&mut tunnels[1], "still here").await;
}

#[tokio::test]
async fn a_drain_lets_tunnels_go_on_until_its_end() {
    let echo = Echo::start().await;
    for (ends, limit) in [(true, "30s"), (false, "300ms")] {
        let server = format!("drain_timeout = \"{limit}\"\n");
        let config = crate::support::proxy::config_with_server(echo.address, &server, "");
        let proxy = Proxy::with(config).await;
        let address = proxy.address();
        let mut client = open(&proxy).await;
        let drained = tokio::spawn(proxy.drain());
        until("nobody is accepted", async || {
            TcpStream::connect(address).await.is_err()
        })
        .await;
        says(&mut client, "still here").await;
        assert!(!drained.is_finished());
        if ends {
            drop(client);
        } else {
            client.clear();
            assert!(client.is_closed().await);
        }
        assert!(drained.await.unwrap(), "{limit}: it is no failure");
    }
}

#[tokio::test]
async fn an_origin_that_switches_unasked_is_502() {
    let origin = Origin::start().await;
    let head = "HTTP/1.1 101 Fine\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n";
    origin.answer("/a", Reply::raw(head));
    let proxy = Proxy::to(&origin, "").await;
    assert_eq!(proxy.get("/a").await.status, 502);
}
