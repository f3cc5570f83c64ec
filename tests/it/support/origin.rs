//! An origin that answers what it is told to, misbehaves when it is told to, and remembers what it was asked.

use parking_lot::Mutex;
use std::{collections::HashMap, net::SocketAddr, sync::Arc};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::watch,
};

/// What the origin answers for a path.
#[derive(Clone, Debug, Default)]
pub(crate) struct Reply {
    status: u16,
    headers: Vec<(String, String)>,
    pieces: Vec<Vec<u8>>,
    chunked: bool,
    /// Says a length, sends less and closes.
    cut: bool,
    /// Closes without answering.
    silent_close: bool,
    /// Never answers.
    never: bool,
    /// Waits between the head and the body, and between pieces, until it is released.
    held_body: bool,
    /// The head does not wait.
    early_head: bool,
    /// The body never ends.
    endless: bool,
    raw: Option<Vec<u8>>,
}

impl Reply {
    pub(crate) fn ok(body: impl AsRef<[u8]>) -> Self {
        Self {
            status: 200,
            pieces: vec![body.as_ref().to_vec()],
            ..Self::default()
        }
    }

    /// 200 with `Cache-Control: max-age=seconds`.
    pub(crate) fn fresh(body: impl AsRef<[u8]>, seconds: u64) -> Self {
        Self::ok(body).header("cache-control", format!("max-age={seconds}"))
    }

    pub(crate) fn status(mut self, status: u16) -> Self {
        self.status = status;
        self
    }

    pub(crate) fn header(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push((name.to_owned(), value.into()));
        self
    }

    pub(crate) fn json(self) -> Self {
        self.header("content-type", "application/json")
    }

    pub(crate) fn piece(mut self, piece: impl AsRef<[u8]>) -> Self {
        self.pieces.push(piece.as_ref().to_vec());
        self
    }

    pub(crate) fn chunked(mut self) -> Self {
        self.chunked = true;
        self
    }

    pub(crate) fn cut(mut self) -> Self {
        self.cut = true;
        self
    }

    pub(crate) fn hold_body(mut self) -> Self {
        self.held_body = true;
        self
    }

    /// Only the body waits; the head is sent at once.
    pub(crate) fn hold_body_only(mut self) -> Self {
        (self.held_body, self.early_head) = (true, true);
        self
    }

    /// Does not wait at all.
    pub(crate) fn early(mut self) -> Self {
        self.early_head = true;
        self
    }

    /// After these bytes nothing comes, and the connection stays open.
    pub(crate) fn then_never(self) -> Self {
        self.endless()
    }

    /// The body is sent and never ends.
    pub(crate) fn endless(mut self) -> Self {
        self.endless = true;
        self
    }

    pub(crate) fn closing() -> Self {
        Self {
            silent_close: true,
            ..Self::default()
        }
    }

    pub(crate) fn never() -> Self {
        Self {
            never: true,
            ..Self::default()
        }
    }

    /// These bytes, and then the connection is closed.
    pub(crate) fn raw(bytes: impl AsRef<[u8]>) -> Self {
        Self {
            raw: Some(bytes.as_ref().to_vec()),
            ..Self::default()
        }
    }
}

/// One request that the origin received.
#[derive(Clone, Debug)]
pub(crate) struct Received {
    pub(crate) line: String,
    pub(crate) headers: HashMap<String, String>,
    /// The name of each line.
    names: Vec<String>,
    pub(crate) body: Vec<u8>,
}

impl Received {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(String::as_str)
    }

    /// How many lines of this name there were.
    pub(crate) fn lines(&self, name: &str) -> usize {
        self.names.iter().filter(|line| *line == name).count()
    }
}

/// Answers by the whole request.
type Responder = Arc<dyn Fn(&Received) -> Reply + Send + Sync>;

#[derive(Default)]
struct Script {
    open: usize,
    /// Answers everything, and nothing is remembered.
    responder: Option<Responder>,
    replies: HashMap<String, Reply>,
    received: Vec<Received>,
}

/// See the module docs.
pub(crate) struct Origin {
    address: SocketAddr,
    script: Arc<Mutex<Script>>,
    gate: watch::Sender<bool>,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for Origin {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Origin {
    pub(crate) async fn start() -> Self {
        Self::on("127.0.0.1:0".parse().unwrap()).await
    }

    pub(crate) async fn on(address: SocketAddr) -> Self {
        let listener = TcpListener::bind(address).await.unwrap();
        let address = listener.local_addr().unwrap();
        let script = Arc::new(Mutex::new(Script::default()));
        let gate = watch::Sender::new(true);
        let (shared, opened) = (Arc::clone(&script), gate.clone());
        let task = tokio::spawn(async move {
            let mut connections = tokio::task::JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                connections.spawn(serve(stream, Arc::clone(&shared), opened.subscribe()));
            }
        });
        Self {
            address,
            script,
            gate,
            task,
        }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// From now on `path` is answered so.
    pub(crate) fn answer(&self, path: &str, reply: Reply) {
        self.script.lock().replies.insert(path.to_owned(), reply);
    }

    /// From now on every request is answered by `responder`, and nothing is remembered.
    pub(crate) fn answer_by(&self, responder: impl Fn(&Received) -> Reply + Send + Sync + 'static) {
        self.script.lock().responder = Some(Arc::new(responder));
    }

    /// From now on every path that begins with `folder`, and has no answer of its own, is answered so.
    pub(crate) fn answer_below(&self, folder: &str, reply: Reply) {
        assert!(folder.ends_with('/'));
        self.answer(&format!("{folder} below"), reply);
    }

    /// From now on requests for `path` with the field `name` are answered so.
    pub(crate) fn answer_when(&self, path: &str, name: &str, reply: Reply) {
        assert!(CONDITIONS.contains(&name));
        self.answer(&format!("{path} {name}"), reply);
    }

    /// From now on every answer waits.
    pub(crate) fn hold(&self) {
        self.gate.send_replace(false);
    }

    /// What waited goes on.
    pub(crate) fn release(&self) {
        self.gate.send_replace(true);
    }

    /// Everything that was asked for `path`, with its query.
    pub(crate) fn requests(&self, path: &str) -> Vec<Received> {
        let script = self.script.lock();
        script
            .received
            .iter()
            .filter(|r| r.line.split(' ').nth(1) == Some(path))
            .cloned()
            .collect()
    }

    /// Connections to it that are open.
    pub(crate) fn open_connections(&self) -> usize {
        self.script.lock().open
    }

    pub(crate) fn count(&self, path: &str) -> usize {
        self.requests(path).len()
    }

    pub(crate) fn last(&self, path: &str) -> Received {
        self.requests(path).pop().expect("the origin was asked")
    }
}

/// A path up to its last slash.
fn folder(path: &str) -> &str {
    &path[..path.rfind('/').map_or(0, |at| at + 1)]
}

/// Fields with which a request may get another answer.
const CONDITIONS: [&str; 3] = ["range", "if-none-match", "if-modified-since"];

/// Counts a connection while it is open.
struct Open(Arc<Mutex<Script>>);

impl Open {
    fn new(script: &Arc<Mutex<Script>>) -> Self {
        script.lock().open += 1;
        Self(Arc::clone(script))
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.lock().open -= 1;
    }
}

async fn serve(mut stream: TcpStream, script: Arc<Mutex<Script>>, mut gate: watch::Receiver<bool>) {
    let _open = Open::new(&script);
    let _ = stream.set_nodelay(true);
    let mut buffer = Vec::new();
    while let Some(received) = read_request(&mut stream, &mut buffer).await {
        let path = received
            .line
            .split(' ')
            .nth(1)
            .unwrap_or_default()
            .to_owned();
        let head_only = received.line.starts_with("HEAD ");
        let bare = path.split('?').next().unwrap_or_default().to_owned();
        let responder = script.lock().responder.clone();
        let reply = if let Some(responder) = responder {
            Some(responder(&received))
        } else {
            let mut script = script.lock();
            let special = CONDITIONS
                .iter()
                .filter(|name| received.header(name).is_some())
                .find(|name| script.replies.contains_key(&format!("{path} {name}")))
                .map(|name| format!("{path} {name}"));
            script.received.push(received);
            special
                .and_then(|special| script.replies.get(&special))
                .or_else(|| script.replies.get(&path))
                .or_else(|| script.replies.get(&bare))
                .or_else(|| script.replies.get(&format!("{} below", folder(&bare))))
                .cloned()
        };
        let reply = reply.unwrap_or_else(|| Reply::ok("not scripted").status(404));
        if reply.never {
            return until_closed(&mut stream).await;
        }
        if !reply.early_head && gate.wait_for(|open| *open).await.is_err() {
            return;
        }
        if reply.silent_close {
            return;
        }
        if let Some(raw) = &reply.raw {
            let _ = stream.write_all(raw).await;
            if reply.endless {
                until_closed(&mut stream).await;
            }
            return;
        }
        if write_reply(&mut stream, &reply, head_only, &mut gate)
            .await
            .is_none()
        {
            return;
        }
    }
}

/// Until the other side closes.
async fn until_closed(stream: &mut TcpStream) {
    while !matches!(stream.read(&mut [0; 64]).await, Ok(0) | Err(_)) {}
}

async fn write_reply(
    stream: &mut TcpStream,
    reply: &Reply,
    head_only: bool,
    gate: &mut watch::Receiver<bool>,
) -> Option<()> {
    let mut head = format!("HTTP/1.1 {} Scripted\r\n", reply.status);
    for (name, value) in &reply.headers {
        head += &format!("{name}: {value}\r\n");
    }
    let bodiless = reply.status == 304 || reply.status == 204;
    let length: usize = reply.pieces.iter().map(Vec::len).sum();
    if reply.chunked {
        head += "transfer-encoding: chunked\r\n";
    } else if !bodiless {
        let said = if reply.cut { length + 100 } else { length };
        head += &format!("content-length: {said}\r\n");
    }
    stream
        .write_all(format!("{head}\r\n").as_bytes())
        .await
        .ok()?;
    if head_only || bodiless {
        return Some(());
    }
    for piece in &reply.pieces {
        if reply.held_body {
            gate.wait_for(|open| *open).await.ok()?;
        }
        if reply.chunked && !piece.is_empty() {
            stream
                .write_all(format!("{:x}\r\n", piece.len()).as_bytes())
                .await
                .ok()?;
        }
        stream.write_all(piece).await.ok()?;
        if reply.chunked && !piece.is_empty() {
            stream.write_all(b"\r\n").await.ok()?;
        }
        stream.flush().await.ok()?;
    }
    if reply.cut {
        return None;
    }
    if reply.endless {
        until_closed(stream).await;
        return None;
    }
    if reply.chunked {
        stream.write_all(b"0\r\n\r\n").await.ok()?;
    }
    Some(())
}

async fn read_request(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> Option<Received> {
    let end = loop {
        if let Some(at) = buffer.windows(4).position(|w| w == b"\r\n\r\n") {
            break at;
        }
        fill(stream, buffer).await?;
    };
    let head = String::from_utf8_lossy(&buffer[..end]).into_owned();
    buffer.drain(..end + 4);
    let mut lines = head.split("\r\n");
    let line = lines.next()?.to_owned();
    let mut headers = HashMap::<String, String>::new();
    let mut names = Vec::new();
    for (name, value) in lines.filter_map(|line| line.split_once(':')) {
        let value = value.trim();
        names.push(name.to_ascii_lowercase());
        headers
            .entry(name.to_ascii_lowercase())
            .and_modify(|all| *all = format!("{all}, {value}"))
            .or_insert_with(|| value.to_owned());
    }
    let mut body = Vec::new();
    if let Some(length) = headers
        .get("content-length")
        .and_then(|l| l.parse::<usize>().ok())
    {
        while buffer.len() < length {
            fill(stream, buffer).await?;
        }
        body = buffer.drain(..length).collect();
    } else if headers
        .get("transfer-encoding")
        .is_some_and(|v| v == "chunked")
    {
        let ends =
            |rest: &[u8]| rest.starts_with(b"0\r\n") || rest.windows(5).any(|w| w == b"\r\n0\r\n");
        while !(ends(buffer) && buffer.ends_with(b"\r\n\r\n")) {
            fill(stream, buffer).await?;
        }
        body = std::mem::take(buffer);
    }
    Some(Received {
        line,
        headers,
        names,
        body,
    })
}

async fn fill(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> Option<()> {
    let mut piece = [0; 8192];
    match stream.read(&mut piece).await {
        Ok(0) | Err(_) => None,
        Ok(n) => {
            buffer.extend_from_slice(&piece[..n]);
            Some(())
        }
    }
}
