//! Origins that answer before they have been sent a request's content to its end, and keep the connection. What is still to come is
//! the client's choice, and must be nobody's request or answer.

use crate::support::{Proxy, client::Connection, get};
use parking_lot::Mutex;
use std::{net::SocketAddr, sync::Arc};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

/// Answers below /early with 404 before it reads the content, at /echo with the content as it comes, at /close until it closes,
/// and elsewhere with `fine`.
struct Early {
    address: SocketAddr,
    /// The paths that each connection was asked for.
    asked: Arc<Mutex<Vec<Vec<String>>>>,
}

impl Early {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let asked = Arc::<Mutex<Vec<Vec<String>>>>::default();
        let all = Arc::clone(&asked);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                all.lock().push(Vec::new());
                let number = all.lock().len() - 1;
                tokio::spawn(serve(stream, Arc::clone(&all), number));
            }
        });
        Self { address, asked }
    }

    /// What was asked for on connections behind an early answer.
    fn asked_behind(&self) -> Vec<String> {
        let asked = self.asked.lock();
        let behind = asked
            .iter()
            .flat_map(|paths| paths.iter().skip_while(|path| *path != "/early").skip(1));
        behind.cloned().collect()
    }
}

async fn serve(
    mut stream: TcpStream,
    asked: Arc<Mutex<Vec<Vec<String>>>>,
    number: usize,
) -> Option<()> {
    loop {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(stream.read_u8().await.ok()?);
        }
        let head = String::from_utf8(head).unwrap().to_lowercase();
        let path = head.split(' ').nth(1)?.to_owned();
        asked.lock()[number].push(path.clone());
        let length = head
            .lines()
            .find_map(|line| line.strip_prefix("content-length: "));
        let mut left: usize = length.map_or(0, |length| length.parse().unwrap());
        let answer = match &*path {
            "/early" => "404 Not Found\r\nContent-Length: 4\r\n\r\nnope",
            "/echo" => "200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
            "/close" => "200 OK\r\nCache-Control: max-age=60\r\n\r\nwhole",
            _ => "200 OK\r\nContent-Length: 4\r\n\r\nfine",
        };
        let answer = format!("HTTP/1.1 {answer}");
        stream.write_all(answer.as_bytes()).await.ok()?;
        let mut piece = vec![0; 1 << 16];
        while left > 0 {
            let read = stream
                .read(&mut piece)
                .await
                .ok()
                .filter(|read| *read > 0)?;
            left -= read;
            if path == "/echo" {
                let size = format!("{read:x}\r\n");
                let chunk = [size.as_bytes(), &piece[..read], b"\r\n"].concat();
                stream.write_all(&chunk).await.ok()?;
            }
        }
        match &*path {
            "/echo" => stream.write_all(b"0\r\n\r\n").await.ok()?,
            "/close" => return None,
            _ => {}
        }
    }
}

/// More than is waited for before a request goes upstream.
const FIRST: usize = 1 << 16;

async fn begin(address: SocketAddr, path: &str, tail: &str) -> Connection {
    let mut client = Connection::open(address).await;
    let length = FIRST + tail.len();
    let head = format!("POST {path} HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n\r\n");
    client.send(&head).await;
    client.send(&"x".repeat(FIRST)).await;
    client
}

#[tokio::test]
async fn the_rest_of_content_that_was_answered_already_is_no_request() {
    let tails = [
        "HEAD xxxxxxxxxxxxxxx",
        "anything at all",
        "GET / HTTP/1.1\r\n\r\n",
    ];
    for (number, tail) in tails.into_iter().enumerate() {
        let origin = Early::start().await;
        let proxy = Proxy::to_address(origin.address, "").await;
        let mut attacker = begin(proxy.address(), "/early", tail).await;
        let is_answered = |all: &[u8]| all.starts_with(b"HTTP/1.1 404") && all.ends_with(b"nope");
        assert!(attacker.read_until(is_answered).await);
        attacker.send(tail).await;
        for victim in 0..5 {
            let fine = get(proxy.address(), &format!("/{number}/{victim}"), &[]).await;
            assert_eq!((fine.status, fine.text()), (200, "fine"), "{tail}");
        }
        for _ in 0..2 {
            let whole = get(proxy.address(), "/close", &[]).await;
            assert_eq!((whole.status, whole.text()), (200, "whole"), "{tail}");
        }
        assert_eq!(origin.asked_behind(), [""; 0], "{tail}");
    }
}

/// Its pieces are content, whatever stands in them where a status would.
#[tokio::test]
async fn a_conversation_is_not_cut_short_by_what_is_said_in_it() {
    for words in ["HEAD / 12 204", "HTTP/1.1 204", "HTTP/1.1 304\r\n\r\n"] {
        let origin = Early::start().await;
        let proxy = Proxy::to_address(origin.address, "").await;
        let mut speaker = begin(proxy.address(), "/echo", &words.repeat(3)).await;
        for number in 0..3 {
            let is_heard = |all: &[u8]| {
                let all = String::from_utf8_lossy(all);
                all.matches('x').count() >= FIRST && all.matches(words).count() == number
            };
            assert!(speaker.read_until(is_heard).await, "{words} {number}");
            speaker.send(words).await;
        }
        let is_over = |all: &[u8]| all.ends_with(b"\r\n0\r\n\r\n");
        assert!(speaker.read_until(is_over).await, "{words}");
    }
}
