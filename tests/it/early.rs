//! Origins that answer before they have read the request, and clients that go on sending it.

use crate::support::{Origin, Proxy, Reply, client::Connection, until};
use parking_lot::Mutex;
use std::{
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::watch,
    task::JoinHandle,
};

/// Connections that are open, and the most that were.
#[derive(Clone, Copy, Debug, Default)]
struct Open {
    now: usize,
    most: usize,
}

/// An origin that answers each head at once, and reads on.
struct Early {
    address: SocketAddr,
    open: Arc<Mutex<Open>>,
    /// Answers wait for it.
    gate: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl Drop for Early {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// What it does after its answer.
#[derive(Clone, Copy, Debug)]
enum Then {
    Reads,
    /// Each piece of content goes back as a chunk.
    Echoes,
}

impl Early {
    async fn start(answer: String, then: Then) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let open = Arc::new(Mutex::new(Open::default()));
        let counted = Arc::clone(&open);
        let gate = watch::Sender::new(true);
        let opened = gate.clone();
        let task = tokio::spawn(async move {
            let mut connections = tokio::task::JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let (answer, counted) = (answer.clone(), Arc::clone(&counted));
                let mut opened = opened.subscribe();
                connections.spawn(async move {
                    {
                        let mut open = counted.lock();
                        open.now += 1;
                        open.most = open.most.max(open.now);
                    }
                    let _ = opened.wait_for(|open| *open).await;
                    answer_at_once(stream, &answer, then).await;
                    counted.lock().now -= 1;
                });
            }
        });
        Self {
            address,
            open,
            gate,
            task,
        }
    }

    fn open(&self) -> Open {
        *self.open.lock()
    }
}

async fn answer_at_once(mut stream: TcpStream, answer: &str, then: Then) {
    let mut piece = vec![0; 64 << 10];
    let mut begin = Vec::new();
    while !begin.windows(4).any(|part| part == b"\r\n\r\n") {
        match stream.read(&mut piece).await {
            Ok(0) | Err(_) => return,
            Ok(count) => begin.extend_from_slice(&piece[..count]),
        }
    }
    if stream.write_all(answer.as_bytes()).await.is_err() {
        return;
    }
    while let Ok(count @ 1..) = stream.read(&mut piece).await {
        if matches!(then, Then::Echoes) {
            let echo = [b"1\r\n", &piece[..1], b"\r\n"].concat();
            if stream.write_all(&echo).await.is_err() {
                return;
            }
            assert!(count > 0);
        }
    }
}

const ENDLESS: &str = "POST /a HTTP/1.1\r\nHost: test.example\r\nContent-Length: 100000000\r\n\r\n";

/// The beginning of a request that is never complete: more than is waited for without a place.
fn begun() -> String {
    format!("{ENDLESS}{}", "x".repeat(80_000))
}

fn answer(status: &str, body: &str) -> String {
    format!(
        "HTTP/1.1 {status}\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

async fn has_answered(client: &mut Connection, body: &str) {
    let ends = |all: &[u8]| all.ends_with(body.as_bytes());
    assert!(client.read_until(ends).await, "the whole answer arrives");
}

#[tokio::test]
async fn content_behind_the_end_of_the_answer_keeps_no_connection_without_a_place() {
    const PLACES: usize = 4;
    for status in ["404 Not Found", "200 OK"] {
        let origin = Early::start(answer(status, "early"), Then::Reads).await;
        let toml = format!("max_connections = {PLACES}\n");
        let proxy = Proxy::to_address(origin.address, &toml).await;
        let mut clients = Vec::new();
        for _ in 0..5 * PLACES {
            let mut client = Connection::open(proxy.address()).await;
            client.send(&begun()).await;
            has_answered(&mut client, "early").await;
            clients.push(client); // its request is never complete
        }
        until("no connection is left", async || origin.open().now == 0).await;
        assert_eq!(proxy.metric("sidecache_places"), 0.0);
        assert!(origin.open().most <= PLACES + 1, "{:?}", origin.open());
    }
}

#[tokio::test]
async fn a_client_that_sends_all_before_it_reads_gets_the_whole_answer() {
    let body = "y".repeat(64 << 10);
    let origin = Early::start(answer("200 OK", &body), Then::Reads).await;
    let proxy = Proxy::to_address(origin.address, "").await;
    for size in [1 << 20, 16 << 20] {
        let mut client = Connection::open(proxy.address()).await;
        let head = format!("POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: {size}\r\n\r\n");
        client.send(&head).await;
        client.send(&"x".repeat(size)).await;
        has_answered(&mut client, &body).await;
    }
}

#[tokio::test]
async fn content_goes_on_while_the_answer_does_and_keeps_its_place() {
    let head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    let origin = Early::start(head.to_owned(), Then::Echoes).await;
    let proxy = Proxy::to_address(origin.address, "").await;
    let mut client = Connection::open(proxy.address()).await;
    client.send(&begun()).await;
    for piece in ["one", "two", "three"] {
        client.clear();
        let echoes = |all: &[u8]| {
            all.windows(3)
                .any(|part| part == b"x\r\n" || part == b"z\r\n")
        };
        assert!(client.read_until(echoes).await);
        assert_eq!(proxy.metric("sidecache_places"), 1.0, "{piece}");
        client.send("z").await;
    }
    drop(client);
    until("all is given back", async || {
        proxy.metric("sidecache_places") == 0.0 && origin.open().now == 0
    })
    .await;
}

#[tokio::test]
async fn a_write_that_was_answered_before_its_content_broke_off_invalidates() {
    for (status, is_purged) in [("200 OK", true), ("500 No", false)] {
        let origin = Origin::start().await;
        // Each on a connection of its own, so that the first bytes tell which one is a write.
        let old = Reply::fresh("old", 60).header("connection", "close");
        origin.answer("/a", old);
        let relay = relay(&origin, answer(status, "")).await;
        let proxy = Proxy::to_address(relay, "").await;
        proxy.get("/a").await;
        assert!(proxy.get("/a").await.is_hit());
        let mut writer = Connection::open(proxy.address()).await;
        writer.send(&begun()).await;
        let has_head = |all: &[u8]| all.ends_with(b"\r\n\r\n");
        assert!(writer.read_until(has_head).await);
        writer.reset();
        assert_eq!(proxy.get("/a").await.is_hit(), !is_purged, "{status}");
    }
}

/// Writes are answered by `answer` at once, all else by `origin`.
async fn relay(origin: &Origin, answer: String) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let origin = origin.address();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let answer = answer.clone();
            tokio::spawn(async move {
                let mut method = [0; 4];
                while let Ok(4) = stream.peek(&mut method).await {
                    if method == *b"POST" {
                        return answer_at_once(stream, &answer, Then::Reads).await;
                    }
                    let mut to = TcpStream::connect(origin).await.unwrap();
                    let _ = tokio::io::copy_bidirectional(&mut stream, &mut to).await;
                }
            });
        }
    });
    address
}

#[tokio::test]
async fn a_drain_ends_in_order_with_content_behind_an_answer_and_with_those_who_wait() {
    let origin = Early::start(answer("404 Not Found", "early"), Then::Reads).await;
    let toml = "max_connections = 1\nconnect_timeout = \"30s\"\n";
    let proxy = Proxy::to_address(origin.address, toml).await;
    origin.gate.send_replace(false);
    let mut clients = Vec::new();
    for _ in 0..8 {
        let mut client = Connection::open(proxy.address()).await;
        let head = ENDLESS.replace("\r\n\r\n", "\r\nExpect: 100-continue\r\n\r\n");
        client.send(&head).await;
        let is_asked_for = |all: &[u8]| all.starts_with(b"HTTP/1.1 100 ");
        assert!(client.read_until(is_asked_for).await);
        client.clear();
        client.send(&"x".repeat(80_000)).await;
        clients.push(client);
    }
    until("one has the place, and the others wait", async || {
        origin.open().now == 1 && proxy.metric("sidecache_connections") == 8.0
    })
    .await;
    let address = proxy.address();
    let drained = tokio::spawn(proxy.drain());
    until("nothing new is accepted", async || {
        TcpStream::connect(address).await.is_err()
    })
    .await;
    origin.gate.send_replace(true);
    for client in &mut clients {
        has_answered(client, "early").await;
    }
    // They may go on sending: nobody listens for long.
    let answered = Instant::now();
    assert!(drained.await.unwrap());
    assert!(answered.elapsed() < Duration::from_secs(15));
    until("no connection is left", async || origin.open().now == 0).await;
}
