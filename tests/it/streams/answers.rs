//! Answers of any bytes.

use super::{
    Met, id_of, ids_in,
    mutation::{self, mutate},
    shown,
    strict::{self, Fault, Kind, Message, message},
};
use crate::support::{PATIENCE, Proxy};
use fastrand::Rng;
use futures_util::{StreamExt, stream};
use parking_lot::Mutex;
use std::{collections::HashMap, net::SocketAddr, sync::Arc, time::Duration};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    time::timeout,
};

const CONFIG: &str = r#"
[[route]]
name = "all"
path = "/{*rest}"
ttl = "1h"
"#;

/// Clients at once: whoever waits for the end of a broken answer delays nobody.
const AT_ONCE: usize = 16;

/// How long the upstream keeps a connection that nobody uses.
const KEPT: Duration = Duration::from_millis(20);

/// How often each name was asked for.
type Asked = Arc<Mutex<HashMap<Vec<u8>, usize>>>;

async fn upstream(asked: Asked) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            stream.set_nodelay(true).unwrap();
            tokio::spawn(serve(stream, Arc::clone(&asked)));
        }
    });
    address
}

async fn serve(mut stream: TcpStream, asked: Asked) {
    let mut buffer = Vec::new();
    loop {
        let request = loop {
            match message(&buffer, Kind::Request) {
                Ok(request) => break request,
                Err(Fault::Incomplete) => {}
                Err(fault) => panic!("{fault:?} in {:?}", shown(&buffer)),
            }
            match timeout(KEPT, stream.read_buf(&mut buffer)).await {
                Ok(Ok(1..)) => {}
                _ => return,
            }
        };
        buffer.drain(..request.length);
        let line = request.head.line.as_bytes();
        let id = ids_in(line).next().expect("a client's request").to_vec();
        *asked.lock().entry(id.clone()).or_default() += 1;
        let id = String::from_utf8(id).unwrap();
        let mut random = Rng::with_seed(id[2..14].parse().unwrap());
        let bytes = answer(&request, &id, &mut random);
        for piece in mutation::pieces(&bytes, &mut random) {
            // Who asks again has had an answer: what came now would be taken for the next one, by everybody.
            if has_asked_again(&stream) || stream.write_all(piece).await.is_err() {
                return;
            }
            tokio::task::yield_now().await;
        }
        if random.u8(..4) == 0 {
            return;
        }
    }
}

/// Whether the next request is there. Asks the system: nobody else runs between this and what is written then.
fn has_asked_again(stream: &TcpStream) -> bool {
    let mut byte = [std::mem::MaybeUninit::uninit()];
    let peeked = socket2::SockRef::from(stream).peek(&mut byte);
    peeked.is_ok_and(|length| length > 0)
}

const FIELDS: &[&str] = &[
    "Cache-Control: max-age=60",
    "Cache-Control: no-store",
    "Cache-Control: no-cache",
    "Cache-Control: private",
    "Vary: Accept-Encoding",
    "Vary: *",
    "ETag: \"e\"",
    "ETag: W/\"w\"",
    "Last-Modified: Sun, 06 Nov 1994 08:49:37 GMT",
    "Expires: 0",
    "Date: Sun, 06 Nov 1994 08:49:37 GMT",
    "Set-Cookie: a=b",
    "Connection: close",
    "Connection: x-id",
    "Content-Type: application/json",
    "Trailer: X-Sum",
    "Age: 10",
];

/// An answer with the name of what was asked for, and perhaps something behind it.
fn answer(request: &Message, id: &str, random: &mut Rng) -> Vec<u8> {
    let mut text = String::new();
    if random.u8(..16) == 0 {
        text += "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n";
    }
    let status = [200, 200, 200, 200, 204, 206, 304, 404, 500, 301][random.usize(..10)];
    text += &format!("HTTP/1.1 {status} Fine\r\nX-Id: {id}\r\n");
    for _ in 0..random.usize(..3) {
        text += FIELDS[random.usize(..FIELDS.len())];
        text += "\r\n";
    }
    let size = [0, 1, 1, 100, 2000][random.usize(..5)];
    let body = if size == 0 {
        String::new()
    } else {
        format!("{id}{}", "-".repeat(size * 20))
    };
    let size = body.len();
    let bodiless = request.head.line.starts_with("HEAD ") || matches!(status, 204 | 304);
    text += &match random.u8(..5) {
        _ if bodiless => "\r\n".to_owned(),
        0 => format!("Connection: close\r\n\r\n{body}"),
        1 | 2 if size > 0 => {
            let half = size / 2;
            let (first, second) = body.split_at(half);
            let first = if half > 0 {
                format!("{half:x}\r\n{first}\r\n")
            } else {
                String::new()
            };
            let length = size - half;
            format!(
                "Transfer-Encoding: chunked\r\n\r\n{first}{length:X}\r\n{second}\r\n0\r\nX-Sum: 1\r\n\r\n"
            )
        }
        _ => format!("Content-Length: {size}\r\n\r\n{body}"),
    };
    let mut bytes = text.into_bytes();
    mutate(&mut bytes, random);
    if random.u8(..8) == 0 {
        let stray = format!("HTTP/1.1 200 OK\r\nX-Id: {id}\r\nContent-Length: 20\r\n\r\n{id}");
        bytes.extend_from_slice(stray.as_bytes());
    }
    bytes
}

/// Sends the streams of these numbers, some at once.
pub(super) async fn lane(numbers: Box<dyn Iterator<Item = u64> + Send>) -> Met {
    let asked = Asked::default();
    let proxy = Proxy::to_address(upstream(Arc::clone(&asked)).await, CONFIG).await;
    let address = proxy.address();
    let mets = stream::iter(numbers)
        .map(|number| client(address, number, &asked))
        .buffer_unordered(AT_ONCE);
    let mut met = mets
        .fold(Met::default(), async |mut all, one| {
            all.add(&one);
            all
        })
        .await;
    met.forwarded += asked.lock().values().sum::<usize>();
    met
}

/// A client that does everything right: it asks on one connection as long as that is kept.
async fn client(address: SocketAddr, number: u64, asked: &Asked) -> Met {
    let mut met = Met {
        streams: 1,
        ..Met::default()
    };
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.set_nodelay(true).unwrap();
    let mut buffer = Vec::new();
    let mut first = None;
    for (request, method) in ["GET", "GET", "POST", "GET", "HEAD"]
        .into_iter()
        .enumerate()
    {
        let id = id_of(number, if request == 1 { 0 } else { request });
        let length = if method == "POST" {
            "Content-Length: 0\r\n"
        } else {
            ""
        };
        let text = format!("{method} /{id} HTTP/1.1\r\nHost: test.example\r\n{length}\r\n");
        if stream.write_all(text.as_bytes()).await.is_err() {
            break;
        }
        let Some(answer) = read(&mut stream, &mut buffer, method, &id).await else {
            break;
        };
        let times = asked.lock().get(id.as_bytes()).copied().unwrap_or(0);
        // Whoever comes again after an answer that was not stored asks for a second time, each with one retry.
        let most = if method == "POST" { 1 } else { 4 };
        assert!(times <= most, "{method} {id} was sent {times} times");
        met.status(answer.head.status());
        let status = answer.head.values("cache-status").collect::<String>();
        if status.starts_with("sidecache; hit") {
            met.hits += 1;
        }
        match request {
            0 => first = Some(answer.body),
            1 if status.starts_with("sidecache; hit") => {
                assert_eq!(
                    Some(answer.body),
                    first,
                    "stream {number}: not what was stored"
                );
            }
            _ => {}
        }
    }
    met
}

/// The next answer. `None` where it was broken off: the connection is closed then.
async fn read(
    stream: &mut TcpStream,
    buffer: &mut Vec<u8>,
    method: &str,
    id: &str,
) -> Option<Message> {
    let kind = Kind::Answer {
        head: method == "HEAD",
    };
    let mut ended = false;
    loop {
        match next(buffer, kind, ended) {
            Ok(answer) if answer.head.status() < 200 => {
                buffer.drain(..answer.length);
                continue;
            }
            Ok(answer) => {
                assert_eq!(
                    answer.length,
                    buffer.len(),
                    "behind {id}: {:?}",
                    shown(buffer)
                );
                buffer.clear();
                return Some(answer);
            }
            Err(Fault::Incomplete) if ended => return None,
            Err(Fault::Incomplete) => {}
            Err(fault) => panic!("{fault:?} to {id}: {:?}", shown(buffer)),
        }
        let read = timeout(PATIENCE, stream.read_buf(buffer)).await;
        let read = read.unwrap_or_else(|_| panic!("{method} {id} never ends: {:?}", shown(buffer)));
        ended = !matches!(read, Ok(1..));
        let foreign = ids_in(buffer).find(|found| *found != id.as_bytes());
        assert_eq!(foreign, None, "to {id}: {:?}", shown(buffer));
    }
}

/// What ends with the connection is complete only then.
fn next(buffer: &[u8], kind: Kind, ended: bool) -> Result<Message, Fault> {
    let head = strict::head(buffer, kind)?;
    let framed = ["content-length", "transfer-encoding"].map(|name| head.values(name).count());
    let bodiless =
        kind == Kind::Answer { head: true } || matches!(head.status(), 100..200 | 204 | 304);
    if framed == [0, 0] && !bodiless && !ended {
        return Err(Fault::Incomplete);
    }
    message(buffer, kind)
}
