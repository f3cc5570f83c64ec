//! A client that sees what is on the wire.

use super::coding::decoded;
use std::{
    collections::BTreeMap,
    io::Read,
    net::{IpAddr, SocketAddr},
    time::Duration,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpSocket, TcpStream},
    time::timeout,
};

/// One answer, as it was on the wire.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) body: Vec<u8>,
    /// The whole body arrived, as its framing says.
    pub(crate) complete: bool,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(String::as_str)
    }

    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    /// What the proxy says of this answer, without its own name.
    pub(crate) fn cache_status(&self) -> &str {
        self.header("cache-status")
            .unwrap()
            .strip_prefix("sidecache; ")
            .unwrap()
    }

    pub(crate) fn is_hit(&self) -> bool {
        self.cache_status().starts_with("hit")
    }

    /// A hit in Redis that was stored for 60 s a moment ago. How long ago Redis says by its own clock, which no test moves.
    pub(crate) fn is_fresh_from_redis(&self) -> bool {
        let left = self.cache_status().strip_prefix("hit; ttl=");
        let left = left.and_then(|left| left.strip_suffix("; detail=redis"));
        left.is_some_and(|left| (50..=60).contains(&left.parse().unwrap_or(0)))
    }

    pub(crate) fn gunzipped(&self) -> String {
        let mut text = String::new();
        flate2::read::GzDecoder::new(&self.body[..])
            .read_to_string(&mut text)
            .unwrap();
        text
    }

    /// The body without the coding that `Content-Encoding` names.
    pub(crate) fn decoded(&self) -> String {
        let coding = self.header("content-encoding");
        String::from_utf8(decoded(coding, &self.body)).unwrap()
    }

    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap()
    }
}

/// `GET path` on a connection of its own.
pub(crate) async fn get(address: SocketAddr, path: &str, headers: &[(&str, &str)]) -> Answer {
    request(address, "GET", path, headers, b"").await
}

/// Any request on a connection of its own.
pub(crate) async fn request(
    address: SocketAddr,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &[u8],
) -> Answer {
    let bytes = message(method, path, headers, body);
    parse(&exchange(address, &bytes).await, method == "HEAD")
}

/// Any request on a connection of its own that comes from `source`.
pub(crate) async fn request_from(
    source: IpAddr,
    address: SocketAddr,
    (method, path): (&str, &str),
    headers: &[(&str, &str)],
    body: &[u8],
) -> Answer {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind((source, 0).into()).unwrap();
    let stream = socket.connect(address).await.unwrap();
    let raw = exchange_on(stream, &message(method, path, headers, body)).await;
    parse(&raw, method == "HEAD")
}

fn message(method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Vec<u8> {
    let mut text = format!("{method} {path} HTTP/1.1\r\nConnection: close\r\n");
    if !headers
        .iter()
        .any(|(name, _)| name.eq_ignore_ascii_case("host"))
    {
        text += "Host: test.example\r\n";
    }
    for (name, value) in headers {
        text += &format!("{name}: {value}\r\n");
    }
    if !body.is_empty() {
        text += &format!("Content-Length: {}\r\n", body.len());
    }
    text += "\r\n";
    [text.as_bytes(), body].concat()
}

/// Sends `bytes` and reads until the other side closes.
pub(crate) async fn exchange(address: SocketAddr, bytes: &[u8]) -> Vec<u8> {
    exchange_on(TcpStream::connect(address).await.unwrap(), bytes).await
}

async fn exchange_on(mut stream: TcpStream, bytes: &[u8]) -> Vec<u8> {
    stream.write_all(bytes).await.unwrap();
    let mut raw = Vec::new();
    let read = timeout(Duration::from_secs(60), stream.read_to_end(&mut raw)).await;
    // A reset after part of an answer is what a broken body looks like.
    let _ = read.expect("an answer within a minute");
    raw
}

/// Reads the first message of `raw`.
pub(crate) fn parse(raw: &[u8], head_only: bool) -> Answer {
    let end = raw
        .windows(4)
        .position(|w| w == b"\r\n\r\n")
        .unwrap_or_else(|| {
            panic!("no head in {:?}", String::from_utf8_lossy(raw));
        });
    let head = String::from_utf8_lossy(&raw[..end]).into_owned();
    let mut lines = head.split("\r\n");
    let status = lines
        .next()
        .unwrap()
        .split(' ')
        .nth(1)
        .unwrap()
        .parse()
        .unwrap();
    let mut headers = BTreeMap::<String, String>::new();
    for line in lines {
        let (name, value) = line.split_once(':').unwrap();
        let value = value.trim();
        headers
            .entry(name.to_ascii_lowercase())
            .and_modify(|all| *all = format!("{all}, {value}"))
            .or_insert_with(|| value.to_owned());
    }
    let rest = &raw[end + 4..];
    let bodiless = head_only || status == 204 || status == 304;
    let (body, complete) = if bodiless {
        assert!(rest.is_empty(), "a body where there can be none");
        (Vec::new(), true)
    } else if headers
        .get("transfer-encoding")
        .is_some_and(|v| v == "chunked")
    {
        unchunk(rest)
    } else if let Some(length) = headers.get("content-length") {
        let length: usize = length.parse().unwrap();
        (
            rest[..rest.len().min(length)].to_vec(),
            rest.len() >= length,
        )
    } else {
        (rest.to_vec(), true)
    };
    Answer {
        status,
        headers,
        body,
        complete,
    }
}

/// The body so far, and whether that is all.
pub(crate) fn unchunk(mut rest: &[u8]) -> (Vec<u8>, bool) {
    let mut body = Vec::new();
    loop {
        let Some(end) = rest.windows(2).position(|w| w == b"\r\n") else {
            return (body, false);
        };
        let size = usize::from_str_radix(std::str::from_utf8(&rest[..end]).unwrap(), 16).unwrap();
        rest = &rest[end + 2..];
        if size == 0 {
            return (body, true);
        }
        if rest.len() < size + 2 {
            return (body, false);
        }
        body.extend_from_slice(&rest[..size]);
        rest = &rest[size + 2..];
    }
}

/// A connection that stays open.
pub(crate) struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Connection {
    /// One for which the system keeps little that was not read yet: there can be thousands of these.
    pub(crate) async fn open_narrow(address: SocketAddr) -> Self {
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_recv_buffer_size(16 << 10).unwrap();
        Self {
            stream: socket.connect(address).await.unwrap(),
            buffer: Vec::new(),
        }
    }

    /// One that comes from `source`, and as narrow.
    pub(crate) async fn open_from(source: IpAddr, address: SocketAddr) -> Self {
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_recv_buffer_size(16 << 10).unwrap();
        socket.bind((source, 0).into()).unwrap();
        Self {
            stream: socket.connect(address).await.unwrap(),
            buffer: Vec::new(),
        }
    }

    pub(crate) async fn open(address: SocketAddr) -> Self {
        Self {
            stream: TcpStream::connect(address).await.unwrap(),
            buffer: Vec::new(),
        }
    }

    pub(crate) async fn send(&mut self, text: &str) {
        self.stream.write_all(text.as_bytes()).await.unwrap();
    }

    /// Sends up to `count` bytes, until the other side says something.
    pub(crate) async fn flood(&mut self, count: usize) {
        let piece = vec![b'x'; 64 << 10];
        for _ in 0..count / piece.len() {
            tokio::select! {
                written = self.stream.writable() => written.unwrap(),
                _ = self.stream.readable() => return,
            }
            let _ = self.stream.try_write(&piece); // part of it is good enough
        }
        let _ = self.stream.readable().await;
    }

    /// Whether the other side says something before long.
    pub(crate) async fn has_something(&mut self) -> bool {
        timeout(Duration::from_millis(20), self.stream.readable())
            .await
            .is_ok()
    }

    /// Sends nothing more, and waits for what comes.
    pub(crate) async fn half_close(&mut self) {
        self.stream.shutdown().await.unwrap();
    }

    /// Breaks the connection.
    pub(crate) fn reset(self) {
        let socket = socket2::SockRef::from(&self.stream);
        socket.set_linger(Some(Duration::ZERO)).unwrap();
    }

    /// Reads until `enough` has arrived. `false` where the other side closed before.
    pub(crate) async fn read_until(&mut self, enough: impl Fn(&[u8]) -> bool) -> bool {
        while !enough(&self.buffer) {
            let mut piece = [0; 16384];
            let read = timeout(super::PATIENCE, self.stream.read(&mut piece))
                .await
                .expect("something arrives");
            match read {
                Ok(0) | Err(_) => return false,
                Ok(n) => self.buffer.extend_from_slice(&piece[..n]),
            }
        }
        true
    }

    /// Shows what arrives next to `look`, and keeps nothing of it. `false` where the other side has closed.
    pub(crate) async fn read_piece(&mut self, look: impl FnOnce(&[u8])) -> bool {
        let mut piece = [0; 16384];
        let read = timeout(super::PATIENCE, self.stream.read(&mut piece)).await;
        match read.expect("something arrives") {
            Ok(0) | Err(_) => false,
            Ok(n) => {
                look(&piece[..n]);
                true
            }
        }
    }

    /// Forgets what has been received.
    pub(crate) fn clear(&mut self) {
        self.buffer.clear();
    }

    pub(crate) fn received(&self) -> &[u8] {
        &self.buffer
    }

    /// Whether the other side closes without saying anything more.
    pub(crate) async fn is_closed(&mut self) -> bool {
        let mut piece = [0; 1];
        matches!(
            timeout(super::PATIENCE, self.stream.read(&mut piece)).await,
            Ok(Ok(0) | Err(_))
        )
    }
}
