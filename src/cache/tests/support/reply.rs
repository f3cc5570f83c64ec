//! What the scripted origin answers: whole, piece by piece, late, broken, or not at all.

use super::until;
use crate::{
    message::{BodyError, Stream},
    origin::{FetchError, OriginError},
};
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode, header::CACHE_CONTROL};
use http_body::{Body, Frame, SizeHint};
use parking_lot::Mutex;
use std::{
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};
use tokio::sync::{mpsc, watch};

#[derive(Debug)]
enum Piece {
    Frame(Frame<Bytes>),
    Error(BodyError),
    Panic,
}

/// Something that waits until the test lets it go on.
#[derive(Clone, Debug)]
pub(crate) struct Gate(watch::Sender<bool>);

impl Gate {
    pub(crate) fn open(&self) {
        self.0.send_replace(true);
    }

    async fn passed(&self) {
        let opened = self.0.subscribe().wait_for(|open| *open).await.map(drop);
        opened.expect("this gate keeps its sender");
    }
}

/// See the module docs.
#[derive(Clone, Debug)]
pub(crate) struct Reply {
    head: Head,
    pieces: Vec<Result<Bytes, BodyError>>,
    trailers: Option<HeaderMap>,
    /// In the place of the pieces: what a [`Tap`] sends.
    live: Option<Arc<Mutex<Option<mpsc::Receiver<Piece>>>>>,
    /// What the body says of its length.
    length: Option<u64>,
    gate: Option<Gate>,
}

#[derive(Clone, Debug)]
enum Head {
    Response(StatusCode, HeaderMap),
    Error(FetchError),
    Panic,
}

impl Reply {
    fn of(head: Head, body: &str) -> Self {
        let body = Bytes::copy_from_slice(body.as_bytes());
        Self {
            head,
            length: Some(body.len() as u64),
            pieces: vec![Ok(body)],
            trailers: None,
            live: None,
            gate: None,
        }
    }

    /// 200 without a lifetime.
    pub(crate) fn ok(body: &str) -> Self {
        Self::of(Head::Response(StatusCode::OK, HeaderMap::new()), body)
    }

    /// 200 with this `Cache-Control`.
    pub(crate) fn controlled(body: &str, control: &str) -> Self {
        Self::ok(body).with(CACHE_CONTROL.as_str(), control)
    }

    /// 200, fresh for so many seconds.
    pub(crate) fn fresh(body: &str, seconds: u64) -> Self {
        Self::controlled(body, &format!("max-age={seconds}"))
    }

    /// 304 with `ETag: tag`, and fresh for another minute.
    pub(crate) fn not_modified(tag: &str) -> Self {
        Self::fresh("", 60).status(304).with("etag", tag)
    }

    /// 200, fresh for a minute, with a body that comes from the tap and says that it has `length` bytes.
    pub(crate) fn live(length: Option<u64>) -> (Self, Tap) {
        let (tap, pieces) = mpsc::channel(1);
        let live = Some(Arc::new(Mutex::new(Some(pieces))));
        let reply = Self {
            live,
            length,
            ..Self::fresh("", 60)
        };
        (reply, Tap(tap))
    }

    /// No response, for this reason.
    pub(crate) fn failed(error: impl Into<FetchError>) -> Self {
        Self::of(Head::Error(error.into()), "")
    }

    /// No response: there is no connection.
    pub(crate) fn unreachable() -> Self {
        let refused = io::Error::from(io::ErrorKind::ConnectionRefused);
        Self::failed(OriginError::Connect(Arc::new(refused)))
    }

    /// No response: the connection breaks.
    pub(crate) fn reset() -> Self {
        let reset = io::Error::from(io::ErrorKind::ConnectionReset);
        Self::failed(OriginError::Broken(Arc::new(reset)))
    }

    /// The fetch panics.
    pub(crate) fn panic() -> Self {
        Self::of(Head::Panic, "")
    }

    pub(crate) fn status(mut self, code: u16) -> Self {
        if let Head::Response(status, _) = &mut self.head {
            *status = StatusCode::from_u16(code).unwrap();
        }
        self
    }

    /// With one more line of field `name`.
    pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
        if let Head::Response(_, fields) = &mut self.head {
            let name = HeaderName::try_from(name).unwrap();
            fields.append(name, HeaderValue::from_str(value).unwrap());
        }
        self
    }

    /// The body does not say how long it is.
    pub(crate) fn of_unknown_length(mut self) -> Self {
        self.length = None;
        self
    }

    /// The body has one more piece, and says so.
    pub(crate) fn piece(mut self, piece: impl Into<Bytes>) -> Self {
        let piece = piece.into();
        self.length = self.length.map(|length| length + piece.len() as u64);
        self.pieces.push(Ok(piece));
        self
    }

    /// The body breaks off after its pieces.
    pub(crate) fn cut(mut self) -> Self {
        self.length = self.length.map(|length| length + 100);
        self.pieces.push(Err(BodyError::Broken));
        self
    }

    /// With a trailer field.
    pub(crate) fn trailer(mut self, name: &'static str, value: &str) -> Self {
        let value = HeaderValue::from_str(value).unwrap();
        let fields = self.trailers.get_or_insert_default();
        fields.insert(name, value);
        self
    }

    /// The head waits for the gate.
    pub(crate) fn held(self) -> (Self, Gate) {
        let gate = Gate(watch::Sender::new(false));
        let reply = Self {
            gate: Some(gate.clone()),
            ..self
        };
        (reply, gate)
    }

    /// Gives the head once the gate is open.
    pub(crate) async fn give(self) -> Result<Response<Stream>, FetchError> {
        if let Some(gate) = &self.gate {
            gate.passed().await;
        }
        let body = self.body();
        match self.head {
            Head::Panic => panic!("as the script says"),
            Head::Error(error) => Err(error),
            Head::Response(status, fields) => {
                let mut response = Response::new(body);
                *response.status_mut() = status;
                *response.headers_mut() = fields;
                Ok(response)
            }
        }
    }

    fn body(&self) -> Stream {
        let pieces = match &self.live {
            Some(live) => live.lock().take().expect("a live reply is given once"),
            None => self.scripted(),
        };
        Box::pin(Arriving {
            pieces,
            length: self.length,
        })
    }

    fn scripted(&self) -> mpsc::Receiver<Piece> {
        let (sender, receiver) = mpsc::channel(self.pieces.len() + 1);
        let piece = |piece: &Result<Bytes, BodyError>| match piece {
            Ok(data) => (!data.is_empty()).then(|| Piece::Frame(Frame::data(data.clone()))),
            Err(error) => Some(Piece::Error(error.clone())),
        };
        let pieces = self.pieces.iter().filter_map(piece);
        let trailers = self.trailers.clone().map(Frame::trailers);
        for piece in pieces.chain(trailers.map(Piece::Frame)) {
            sender.try_send(piece).expect("there is room for all");
        }
        receiver
    }
}

/// The test's end of a body that arrives piece by piece; dropping it ends the body.
#[derive(Debug)]
pub(crate) struct Tap(mpsc::Sender<Piece>);

impl Tap {
    /// One more piece; waits until the one before has been read.
    pub(crate) async fn send(&self, piece: impl Into<Bytes>) {
        self.give(Piece::Frame(Frame::data(piece.into()))).await;
    }

    /// One more piece, unless nobody reads the body any more.
    pub(crate) async fn try_send(&self, piece: impl Into<Bytes>) -> bool {
        let piece = Piece::Frame(Frame::data(piece.into()));
        self.0.send(piece).await.is_ok()
    }

    /// Whether there is room for one more piece now.
    pub(crate) fn has_room(&self) -> bool {
        self.0.capacity() > 0
    }

    /// The body breaks off.
    pub(crate) async fn breaks(self) {
        self.give(Piece::Error(BodyError::Broken)).await;
    }

    /// Whoever reads the body panics.
    pub(crate) async fn panics(self) {
        self.give(Piece::Panic).await;
    }

    async fn give(&self, piece: Piece) {
        let given = self.0.send(piece).await;
        given.expect("somebody reads the body");
    }

    /// Waits until the body is dropped.
    pub(crate) async fn given_up(&self) {
        until("the body is dropped", || self.0.is_closed()).await;
    }
}

struct Arriving {
    pieces: mpsc::Receiver<Piece>,
    length: Option<u64>,
}

impl Body for Arriving {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let piece = ready!(self.pieces.poll_recv(cx));
        Poll::Ready(piece.map(|piece| match piece {
            Piece::Frame(frame) => Ok(frame),
            Piece::Error(error) => Err(error),
            Piece::Panic => panic!("as the script says"),
        }))
    }

    fn size_hint(&self) -> SizeHint {
        self.length
            .map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}
