//! Requests of any bytes.

use super::{
    ID, Met, exchange, id_of, ids_in,
    mutation::{self, mutate},
    shown,
    strict::{Fault, Kind, Message, message},
};
use crate::support::{Proxy, until};
use fastrand::Rng;
use parking_lot::Mutex;
use std::{net::SocketAddr, sync::Arc};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

/// Kept by ttl, tunnelled, purged, keyed by content: as much of the proxy as there is.
const CONFIG: &str = r#"
[[route]]
name = "shared"
path = "/shared"
ttl = "1h"
[[route]]
name = "written"
path = "/w/{id}"
methods = ["POST", "PUT"]
purge = ["path:/s/{id}"]
[[route]]
name = "rest"
path = "/{*rest}"
ttl = "1h"
"#;

/// What everybody gets who asks for `/shared`, whatever others have sent.
const SHARED: &str = "the same for all";

/// An upstream that reads strictly and answers well.
#[derive(Clone, Default)]
struct Upstream {
    /// The target of each request since the last look, or what was no request.
    seen: Arc<Mutex<Vec<Result<String, String>>>>,
}

impl Upstream {
    async fn start(&self) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let upstream = self.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                stream.set_nodelay(true).unwrap();
                tokio::spawn(upstream.clone().serve(stream));
            }
        });
        address
    }

    async fn serve(self, mut stream: TcpStream) {
        let mut buffer = Vec::new();
        loop {
            let request = loop {
                match message(&buffer, Kind::Request) {
                    Ok(request) => break request,
                    Err(Fault::Incomplete) => {}
                    Err(Fault::Malformed(what)) => {
                        let all = shown(&buffer);
                        self.seen.lock().push(Err(format!("{what} in {all:?}")));
                        return;
                    }
                }
                match stream.read_buf(&mut buffer).await {
                    // A body that its client broke off is no message, and nothing follows it.
                    Ok(0) | Err(_) => return,
                    Ok(_) => {}
                }
            };
            buffer.drain(..request.length);
            if !buffer.is_empty() {
                self.seen
                    .lock()
                    .push(Err("bytes behind a request".to_owned()));
            }
            self.seen.lock().push(objection(&request));
            if stream.write_all(&answer(&request)).await.is_err() {
                return;
            }
        }
    }
}

/// The target, or why this cannot be what the proxy sends.
fn objection(request: &Message) -> Result<String, String> {
    let head = &request.head;
    let hosts = head.values("host").count();
    let via = head.values("via").collect::<Vec<_>>().join(", ");
    if hosts != 1 || !via.contains(" sidecache (") {
        return Err(format!("{hosts} hosts, via {via:?}: {head:?}"));
    }
    let hop_by_hop = ["keep-alive", "te", "trailer", "proxy-connection"];
    let left = hop_by_hop.map(|name| head.values(name).next());
    let [keep_alive, te, _, proxy] = left;
    if keep_alive.is_some() || proxy.is_some() || te.is_some_and(|te| te != "trailers") {
        return Err(format!("fields of one hop: {head:?}"));
    }
    Ok(head.line.split(' ').nth(1).unwrap_or_default().to_owned())
}

fn answer(request: &Message) -> Vec<u8> {
    let line = &request.head.line;
    let target = line.split(' ').nth(1).unwrap_or_default();
    let path = target.split('?').next().unwrap_or_default();
    let body = if path == "/shared" {
        SHARED.to_owned()
    } else {
        // Long enough to be coded now and then.
        format!("{target} ").repeat(if target.len().is_multiple_of(3) {
            60
        } else {
            1
        })
    };
    let mut text = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n".to_owned();
    let chunked = target.len().is_multiple_of(2);
    text += &if chunked {
        "Transfer-Encoding: chunked\r\n\r\n".to_owned()
    } else {
        format!("Content-Length: {}\r\n\r\n", body.len())
    };
    if !line.starts_with("HEAD ") {
        text += &if chunked {
            format!("{:x}\r\n{body}\r\n0\r\n\r\n", body.len())
        } else {
            body
        };
    }
    text.into_bytes()
}

const METHODS: &[&str] = &[
    "GET", "GET", "GET", "GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "QUERY", "PATCH",
    "TRACE", "PURGE", "PROPFIND", "CONNECT",
];

const FIELDS: &[&str] = &[
    "Accept-Encoding: gzip, br;q=0.5",
    "Accept-Encoding: zstd",
    "Range: bytes=2-5",
    "Range: bytes=0-0,3-",
    "If-None-Match: *",
    "If-None-Match: \"a\", W/\"b\"",
    "If-Modified-Since: Sun, 06 Nov 1994 08:49:37 GMT",
    "Cookie: sid=alice",
    "Authorization: Bearer alice",
    "Connection: keep-alive",
    "Connection: x-lang",
    "Connection: upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    "Expect: 100-continue",
    "X-Forwarded-For: 192.0.2.1",
    "X-Forwarded-Host: evil.example",
    "Forwarded: for=192.0.2.1;host=evil.example",
    "Via: 1.0 fred, 1.1 sidecache",
    "Cache-Control: no-cache",
    "Cache-Control: only-if-cached, max-stale=5",
    "TE: trailers",
    "Max-Forwards: 3",
    "Content-Type: application/json",
    "X-Lang: de",
];

/// Some requests, nearly as a client would send them.
fn requests(stream: u64, random: &mut Rng) -> Vec<u8> {
    let mut bytes = Vec::new();
    for number in 0..random.usize(1..=3) {
        let id = id_of(stream, number);
        let again = id_of(stream, 0);
        let target = match random.u8(..16) {
            0 | 12.. => "/shared".to_owned(),
            1 => "/shared?".to_owned(),
            2 => format!("http://test.example/s/{id}"),
            3 => format!("/s/{id}/../{id}/%2e%2e//x"),
            4 => "*".to_owned(),
            5 | 6 => format!("/s/{again}"),
            7 => format!("/w/{again}"),
            _ => format!("/s/{id}?a=1&b={number}"),
        };
        let method = METHODS[random.usize(..METHODS.len())];
        let mut text = format!("{method} {target} HTTP/1.1\r\nHost: test.example\r\n");
        for _ in 0..[0, 0, 1, 2, 4][random.usize(..5)] {
            text += FIELDS[random.usize(..FIELDS.len())];
            text += "\r\n";
        }
        let has_content = matches!(method, "POST" | "PUT" | "PATCH" | "QUERY");
        if has_content || random.u8(..16) == 0 {
            let body = if random.bool() {
                format!("GET /smuggled/{id} HTTP/1.1\r\nHost: test.example\r\n\r\n")
            } else {
                "hello".to_owned()
            };
            let size = body.len();
            text += &if random.bool() {
                format!("Content-Length: {size}\r\n\r\n{body}")
            } else {
                format!("Transfer-Encoding: chunked\r\n\r\n{size:x}\r\n{body}\r\n0\r\n\r\n")
            };
        } else {
            text += "\r\n";
        }
        bytes.extend_from_slice(text.as_bytes());
    }
    bytes
}

/// Status codes of the final answers in `received`.
fn statuses(received: &[u8]) -> Vec<u16> {
    let text = String::from_utf8_lossy(received);
    let lines = text.match_indices("HTTP/1.");
    lines
        .filter_map(|(at, _)| {
            // No answer of this upstream has this in its content, and it is not behind a line's beginning elsewhere.
            let line = text.get(at..at + 13)?;
            let status = line.get(9..12)?.parse::<u16>().ok()?;
            (status >= 200 && line.ends_with(' ')).then_some(status)
        })
        .collect()
}

/// Sends the streams of these numbers, one after the other.
pub(super) async fn lane(numbers: Box<dyn Iterator<Item = u64> + Send>) -> Met {
    let upstream = Upstream::default();
    let proxy = Proxy::to_address(upstream.start().await, CONFIG).await;
    let mut met = Met::default();
    for number in numbers {
        let mut random = Rng::with_seed(number);
        let mut bytes = requests(number, &mut random);
        mutate(&mut bytes, &mut random);
        met.streams += 1;
        if random.u8(..8) == 0 {
            leave(proxy.address(), &bytes, &mut random).await;
            met.left += 1;
            until("nothing is under way", async || {
                proxy.metric("sidecache_connections") == 0.0
            })
            .await;
            settled(&upstream, &mut met, number, &bytes);
        } else {
            let received = exchange(proxy.address(), &bytes, &mut random).await;
            let finals = statuses(&received);
            let forwarded = settled(&upstream, &mut met, number, &bytes);
            let explained = || {
                let sent = shown(&bytes);
                let got = shown(&received);
                format!("stream {number}: {sent:?} was answered {got:?}")
            };
            assert!(
                forwarded <= finals.len(),
                "{forwarded} requests: {}",
                explained()
            );
            let sent = unescaped(&bytes);
            let foreign = ids_in(&received).find(|id| !sent.windows(ID).any(|w| w == *id));
            assert_eq!(foreign, None, "{}", explained());
            finals.iter().for_each(|status| met.status(*status));
            let text = String::from_utf8_lossy(&received);
            met.hits += text.matches("sidecache; hit").count();
        }
        if number % 64 == 0 {
            innocent(&proxy, number).await;
        }
    }
    innocent(&proxy, 0).await;
    met
}

/// Everything that the upstream got was a request of the proxy. How many of them were of this stream: what a client that has
/// left asked for may come later.
fn settled(upstream: &Upstream, met: &mut Met, number: u64, bytes: &[u8]) -> usize {
    let seen = std::mem::take(&mut *upstream.seen.lock());
    met.forwarded += seen.len();
    let allowed = smuggled(bytes);
    let mut own = 0;
    for request in seen {
        let sent = shown(bytes);
        let target = request.unwrap_or_else(|what| {
            panic!("stream {number}: {sent:?} reached the upstream: {what}")
        });
        let of_this = |id: &[u8]| id.starts_with(&id_of(number, 0).as_bytes()[..12]);
        let Some(true) = ids_in(target.as_bytes()).next().map(of_this) else {
            continue;
        };
        own += 1;
        let expected = allowed
            .as_ref()
            .is_none_or(|allowed| allowed.contains(&target));
        assert!(
            expected || !target.starts_with("/smuggled/"),
            "stream {number}: {sent:?} became a request for {target}"
        );
    }
    own
}

/// The targets in the stream that look like smuggled ones and are none: their framing was taken from them. `None` where the
/// stream is malformed, so that nobody can say.
fn smuggled(mut bytes: &[u8]) -> Option<Vec<String>> {
    let mut targets = Vec::new();
    loop {
        match message(bytes, Kind::Sent) {
            Ok(request) => {
                let target = request.head.line.split(' ').nth(1);
                targets.extend(target.map(str::to_owned));
                bytes = &bytes[request.length..];
            }
            // A line may end with LF alone (RFC 9112 §2.2): then it may be complete, for whoever reads it so.
            Err(Fault::Incomplete) if has_bare_line_feed(bytes) => return None,
            Err(Fault::Incomplete) => return Some(targets),
            Err(Fault::Malformed(_)) => return None,
        }
    }
}

fn has_bare_line_feed(bytes: &[u8]) -> bool {
    let before = |at: usize| at.checked_sub(1).map(|at| bytes[at]);
    let mut line_feeds = bytes.iter().enumerate().filter(|(_, byte)| **byte == b'\n');
    line_feeds.any(|(at, _)| before(at) != Some(b'\r'))
}

/// Sends some of it, perhaps reads some, and is gone.
async fn leave(address: SocketAddr, bytes: &[u8], random: &mut Rng) {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let pieces = mutation::pieces(bytes, random);
    for piece in &pieces[..random.usize(0..=pieces.len())] {
        let _ = stream.write_all(piece).await;
        tokio::task::yield_now().await;
    }
    if random.bool() {
        // Whoever resets has not even said that it goes.
        let socket = socket2::SockRef::from(&stream);
        socket.set_linger(Some(std::time::Duration::ZERO)).unwrap();
    }
}

/// Somebody who has sent nothing of all this.
async fn innocent(proxy: &Proxy, number: u64) {
    let answer = proxy.get("/shared").await;
    assert_eq!(
        (answer.status, answer.text(), answer.complete),
        (200, SHARED, true),
        "after stream {number}"
    );
}

/// Also what is named by escapes.
fn unescaped(bytes: &[u8]) -> Vec<u8> {
    let mut all = bytes.to_vec();
    all.push(b'\n');
    all.extend(percent_decoded(bytes));
    all
}

fn percent_decoded(bytes: &[u8]) -> Vec<u8> {
    let mut decoded = Vec::new();
    let mut rest = bytes;
    while let [first, after @ ..] = rest {
        let code = (*first == b'%')
            .then(|| std::str::from_utf8(after.get(..2)?).ok())
            .flatten()
            .and_then(|digits| u8::from_str_radix(digits, 16).ok());
        decoded.push(code.unwrap_or(*first));
        rest = &after[if code.is_some() { 2 } else { 0 }..];
    }
    decoded
}
