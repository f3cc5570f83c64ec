//! A client with one connection that stays open, and the time that each answer takes.

use crate::{Failure, error};
use bytes::Bytes;
use http::{HeaderMap, Method, Request, StatusCode, header::CONTENT_TYPE};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use std::{net::SocketAddr, time::Duration};
use tokio::{
    net::TcpStream,
    task::JoinSet,
    time::{Instant, timeout},
};

/// What any request may take.
const LONGEST: Duration = Duration::from_secs(60);

/// The same for every server: it is a part of the key, and replicas share what has the same one.
const HOST: &str = "demo";

/// See the module docs.
pub(crate) struct Client {
    address: SocketAddr,
    sender: SendRequest<Full<Bytes>>,
    /// What moves the connection's bytes; it ends with the client.
    _driver: JoinSet<()>,
}

/// An answer that was read to its end.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    /// From the first byte of the request to the last one of the answer.
    pub(crate) took: Duration,
}

// === impl Client ===

impl Client {
    pub(crate) async fn connect(address: SocketAddr) -> Result<Self, Failure> {
        let (sender, driver) = open(address).await?;
        Ok(Self {
            address,
            sender,
            _driver: driver,
        })
    }

    pub(crate) async fn get(&mut self, path: &str) -> Result<Answer, Failure> {
        self.get_with(path, &[]).await
    }

    /// 200 or 304 of GET, with `fields` in the request.
    pub(crate) async fn get_with(
        &mut self,
        path: &str,
        fields: &[(&str, &str)],
    ) -> Result<Answer, Failure> {
        self.send(Method::GET, path, fields, None).await
    }

    /// 200 or 201 of a write with a JSON body.
    pub(crate) async fn write(
        &mut self,
        method: Method,
        path: &str,
        body: &serde_json::Value,
    ) -> Result<Answer, Failure> {
        let body = Bytes::from(body.to_string());
        self.send(method, path, &[], Some(body)).await
    }

    /// Anything but a success or a 304 is a failure: what is timed is to be what was asked for.
    pub(crate) async fn send(
        &mut self,
        method: Method,
        path: &str,
        fields: &[(&str, &str)],
        body: Option<Bytes>,
    ) -> Result<Answer, Failure> {
        let name = format!("{method} http://{}{path}", self.address);
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header("host", HOST);
        for (field, value) in fields {
            request = request.header(*field, *value);
        }
        if body.is_some() {
            request = request.header(CONTENT_TYPE, "application/json");
        }
        let request = request.body(Full::new(body.unwrap_or_default()))?;
        if self.sender.is_closed() {
            (self.sender, self._driver) = open(self.address).await?;
        }
        let answer = match timeout(LONGEST, self.exchange(request)).await {
            Ok(answer) => answer.map_err(|cause| error(format!("{name}: {cause}")))?,
            Err(_) => return Err(error(format!("{name}: no answer within {LONGEST:?}"))),
        };
        if answer.status.is_success() || answer.status == StatusCode::NOT_MODIFIED {
            return Ok(answer);
        }
        let text = String::from_utf8_lossy(&answer.body);
        Err(error(format!("{name}: {} {text}", answer.status)))
    }

    async fn exchange(&mut self, request: Request<Full<Bytes>>) -> Result<Answer, hyper::Error> {
        self.sender.ready().await?;
        let began = Instant::now();
        let (head, body) = self.sender.send_request(request).await?.into_parts();
        let body = body.collect().await?.to_bytes();
        Ok(Answer {
            status: head.status,
            headers: head.headers,
            body,
            took: began.elapsed(),
        })
    }
}

async fn open(address: SocketAddr) -> Result<(SendRequest<Full<Bytes>>, JoinSet<()>), Failure> {
    let connect = timeout(LONGEST, TcpStream::connect(address)).await;
    let stream = connect
        .map_err(|_| error(format!("{address}: not connected within {LONGEST:?}")))?
        .map_err(|cause| error(format!("{address}: {cause}")))?;
    stream.set_nodelay(true)?;
    let (sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    let mut driver = JoinSet::new();
    driver.spawn(async move {
        let _ = connection.await; // what fails is told to the sender
    });
    Ok((sender, driver))
}

// === impl Answer ===

impl Answer {
    pub(crate) fn field(&self, name: &str) -> &str {
        let value = self.headers.get(name);
        value.and_then(|value| value.to_str().ok()).unwrap_or("")
    }

    /// How many statements it took and their milliseconds, as `Server-Timing` says: `db;dur=1.93;desc="n=2"`.
    pub(crate) fn statements(&self) -> Result<(u64, f64), Failure> {
        let text = self.field("server-timing");
        let parse = || {
            let (duration, rest) = text.strip_prefix("db;dur=")?.split_once(";desc=\"n=")?;
            Some((
                rest.strip_suffix('"')?.parse().ok()?,
                duration.parse().ok()?,
            ))
        };
        parse().ok_or_else(|| error(format!("no number of statements in {text:?}")))
    }

    pub(crate) fn is_hit(&self) -> bool {
        self.field("cache-status").starts_with("sidecache; hit")
    }

    /// What it takes on the wire: status line, fields, body.
    pub(crate) fn bytes(&self) -> usize {
        let reason = self.status.canonical_reason().unwrap_or_default();
        let fields = self.headers.iter();
        let fields: usize = fields
            .map(|(name, value)| name.as_str().len() + value.len() + 4)
            .sum();
        "HTTP/1.1 200 \r\n".len() + reason.len() + fields + 2 + self.body.len()
    }
}
