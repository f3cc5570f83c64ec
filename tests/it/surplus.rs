//! Bytes that an origin sends behind an answer that has none are nobody's answer.

use crate::support::{Origin, Proxy, Reply};
use parking_lot::Mutex;
use std::{net::SocketAddr, sync::Arc};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

/// An origin that keeps its connections and, where one is used again, sends what was left of its last answer before it looks
/// at the request: of all moments the worst. It keeps count of that.
struct Leaking {
    address: SocketAddr,
    reused: Arc<Mutex<usize>>,
}

impl Leaking {
    /// Answers HEAD, and paths that begin with a status, with `head` and `rest`, and others with `fine`.
    async fn start(rest: &'static str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let reused = Arc::<Mutex<usize>>::default();
        let count = Arc::clone(&reused);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(leak(stream, rest, Arc::clone(&count)));
            }
        });
        Self { address, reused }
    }
}

async fn leak(mut stream: TcpStream, rest: &str, reused: Arc<Mutex<usize>>) -> Option<()> {
    let mut left = false;
    loop {
        let mut request = Vec::new();
        while !request.ends_with(b"\r\n\r\n") {
            let byte = stream.read_u8().await.ok()?;
            if left {
                *reused.lock() += 1;
                stream.write_all(rest.as_bytes()).await.ok()?;
                left = false;
            }
            request.push(byte);
        }
        let request = String::from_utf8(request).unwrap();
        let (method, path) = request.split_once(' ')?;
        let head = match &path[..4] {
            "/204" => "204 No Content\r\n",
            "/304" => "304 Not Modified\r\nETag: \"a\"\r\n",
            "/len" => "304 Not Modified\r\nContent-Length: 100\r\n",
            "/two" => "200 OK\r\nCache-Control: no-store\r\nContent-Length: 0\r\n",
            _ if method == "HEAD" => "200 OK\r\nContent-Length: 100\r\n",
            _ => {
                let fine = "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nfine";
                stream.write_all(fine.as_bytes()).await.ok()?;
                continue;
            }
        };
        let head = format!("HTTP/1.1 {head}\r\n");
        stream.write_all(head.as_bytes()).await.ok()?;
        left = true;
    }
}

/// What a file holds that somebody has uploaded.
const UPLOADED: &str =
    "HTTP/1.1 200 OK\r\nCache-Control: max-age=600\r\nContent-Length: 6\r\n\r\npoison";

#[tokio::test]
async fn no_connection_is_used_again_behind_an_answer_without_content() {
    for (method, path) in [
        ("HEAD", "/file"),
        ("GET", "/204"),
        ("POST", "/204"),
        ("GET", "/304"),
        ("GET", "/len"),
        ("HEAD", "/304"),
    ] {
        let origin = Leaking::start(UPLOADED).await;
        let proxy = Proxy::to_address(origin.address, "").await;
        for number in 0..20 {
            proxy.send(method, path, &[], "").await;
            let next = format!("/next{number}");
            let answer = proxy.get(&next).await;
            assert_eq!(
                (answer.status, answer.text()),
                (200, "fine"),
                "{method} {path}"
            );
            assert!(!proxy.get(&next).await.is_hit(), "{method} {path}");
        }
        assert_eq!(*origin.reused.lock(), 0, "{method} {path}");
    }
}

#[tokio::test]
async fn connections_with_content_are_used_again() {
    let origin = Origin::start().await;
    origin.answer("/a", Reply::ok("a"));
    let proxy = Proxy::to(&origin, "").await;
    for _ in 0..20 {
        proxy.get("/a").await;
    }
    assert_eq!(origin.open_connections(), 1);
}

/// More than the answer said: nobody can know that, until the next answer on that connection is none.
#[tokio::test]
async fn what_is_no_answer_on_a_reused_connection_is_asked_for_once_more() {
    let origin = Leaking::start("the rest of a text\r\n\r\n").await;
    let proxy = Proxy::to_address(origin.address, "").await;
    for number in 0..20 {
        assert_eq!(proxy.get("/two").await.status, 200);
        let answer = proxy.get(&format!("/next{number}")).await;
        assert_eq!((answer.status, answer.text()), (200, "fine"));
    }
    assert!(*origin.reused.lock() > 0, "it was tried");
}

#[tokio::test]
async fn a_write_is_not_sent_twice() {
    let origin = Leaking::start("the rest of a text\r\n\r\n").await;
    let proxy = Proxy::to_address(origin.address, "").await;
    assert_eq!(proxy.get("/two").await.status, 200);
    let answer = proxy.send("POST", "/next", &[], "x").await;
    assert_eq!((answer.status, *origin.reused.lock()), (502, 1));
}
