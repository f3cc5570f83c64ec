//! One connection to the upstream, as the client's library reads and writes it.

use super::{outgoing::Outgoing, surplus::Surplus};
use crate::message::Patience;
use http::{Response, Uri};
use hyper::rt::{Read, ReadBufCursor, Write};
use hyper_util::{
    client::legacy::{
        self,
        connect::{CaptureConnection, Connected, Connection, HttpConnector},
    },
    rt::TokioIo,
};
use std::{
    io,
    mem::MaybeUninit,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed},
    },
    task::{Context, Poll, ready},
    time::Duration,
};
use tokio::{
    io::{AsyncRead, ReadBuf},
    net::TcpStream,
};
use tower::Service;

/// What is read at once while the head of a response is looked at; the library's first read is as large.
const HEAD: usize = 8192;

/// Makes connections.
#[derive(Clone, Debug)]
pub(super) struct Connector {
    tcp: HttpConnector,
    write_timeout: Duration,
}

impl Connector {
    /// On what `tcp` connects no write waits longer than `write_timeout`.
    pub(super) fn new(tcp: HttpConnector, write_timeout: Duration) -> Self {
        Self { tcp, write_timeout }
    }
}

impl Service<Uri> for Connector {
    type Response = Wire;
    type Error = <HttpConnector as Service<Uri>>::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Wire, Self::Error>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.tcp.poll_ready(cx)
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let (connecting, limit) = (self.tcp.call(uri), self.write_timeout);
        Box::pin(async move { Ok(Wire::new(connecting.await?, limit)) })
    }
}

/// What has happened on a connection.
#[derive(Clone, Debug, Default)]
struct History(Arc<Events>);

#[derive(Debug, Default)]
struct Events {
    /// How many requests were sent.
    sent: AtomicUsize,
    /// An answer began before its request had been sent to the end.
    answered_early: AtomicBool,
}

/// Whether `error` came of a connection that had carried another request before.
pub(super) fn is_reused(error: &legacy::Error) -> bool {
    let mut extras = http::Extensions::new();
    if let Some(connected) = error.connect_info() {
        connected.get_extras(&mut extras);
    }
    let history = extras.get::<History>();
    history.is_some_and(|History(events)| events.sent.load(Relaxed) > 1)
}

/// Keeps the pool from the connection that `response` came by, where it began before its request had been sent: an upstream
/// may take the rest of the content for the next request ([RFC 9112 §9.3]).
///
/// [RFC 9112 §9.3]: https://www.rfc-editor.org/rfc/rfc9112#section-9.3
pub(super) fn let_go_of_early<B>(response: &Response<B>, connection: &CaptureConnection) {
    let history = response.extensions().get::<History>();
    if history.is_some_and(|History(events)| events.answered_early.load(Relaxed))
        && let Some(connected) = connection.connection_metadata().as_ref()
    {
        connected.poison();
    }
}

/// A transport that gives nothing more behind a response without content, takes no request after one that was answered early,
/// and on which no write waits longer than a limit: while it waits, the library looks neither at the request's content nor
/// for a response.
#[derive(Debug)]
pub(super) struct Wire {
    stream: TokioIo<TcpStream>,
    outgoing: Outgoing,
    surplus: Surplus,
    history: History,
    writing: Patience,
}

impl Wire {
    fn new(stream: TokioIo<TcpStream>, write_timeout: Duration) -> Self {
        Self {
            stream,
            outgoing: Outgoing::default(),
            surplus: Surplus::default(),
            history: History::default(),
            writing: Patience::new(write_timeout),
        }
    }

    /// Whether a request may be begun. The pool learns of an early answer only once somebody looks at it.
    fn check_begin(&self) -> io::Result<()> {
        let is_spoilt = self.history.0.answered_early.load(Relaxed);
        if is_spoilt && self.outgoing.is_between() && !self.surplus.has_switched() {
            return Err(io::ErrorKind::ConnectionReset.into());
        }
        Ok(())
    }

    /// Notes what was written of `pieces`, or for how long nothing could be.
    fn wrote<'b>(
        &mut self,
        cx: &mut Context<'_>,
        pieces: impl Iterator<Item = &'b [u8]>,
        written: Poll<io::Result<usize>>,
    ) -> Poll<io::Result<usize>> {
        let Poll::Ready(result) = written else {
            let late = self.writing.poll_end(cx);
            return late.map(|()| Err(io::ErrorKind::TimedOut.into()));
        };
        self.writing.moved(0);
        let mut left = *result.as_ref().unwrap_or(&0);
        for piece in pieces {
            let taken = piece.len().min(left);
            self.passes(&piece[..taken]);
            left -= taken;
        }
        Poll::Ready(result)
    }

    /// `bytes` have gone to the upstream.
    fn passes(&mut self, bytes: &[u8]) {
        if bytes.is_empty() || self.surplus.has_switched() {
            return;
        }
        if self.outgoing.wrote(bytes) {
            self.history.0.sent.fetch_add(1, Relaxed);
            self.surplus.asked();
        }
        self.surplus.asked_for_head(self.outgoing.is_head());
    }
}

impl Connection for Wire {
    fn connected(&self) -> Connected {
        self.stream.connected().extra(self.history.clone())
    }
}

impl Read for Wire {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        mut buf: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        if self.surplus.is_over() {
            return Poll::Ready(Ok(())); // as if the upstream had closed: the library lets go of it before anybody waits for it
        }
        if !self.surplus.looks() {
            return Pin::new(&mut self.stream).poll_read(cx, buf);
        }
        let mut space = [MaybeUninit::uninit(); HEAD];
        let most = buf.remaining().min(HEAD);
        let mut piece = ReadBuf::uninit(&mut space[..most]);
        ready!(Pin::new(self.stream.inner_mut()).poll_read(cx, &mut piece))?;
        let was_waited_for = self.surplus.is_waited_for();
        self.surplus.read(piece.filled());
        if was_waited_for && !self.surplus.is_waited_for() && !self.outgoing.is_between() {
            self.history.0.answered_early.store(true, Relaxed);
        }
        buf.put_slice(piece.filled());
        Poll::Ready(Ok(()))
    }
}

impl Write for Wire {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.check_begin()?;
        let written = Pin::new(&mut self.stream).poll_write(cx, buf);
        self.wrote(cx, std::iter::once(buf), written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.check_begin()?;
        let written = Pin::new(&mut self.stream).poll_write_vectored(cx, bufs);
        self.wrote(cx, bufs.iter().map(|buf| &**buf), written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
