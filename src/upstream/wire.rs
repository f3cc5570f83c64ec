//! One connection to the upstream, as the client's library reads and writes it.

use super::surplus::Surplus;
use crate::message::Patience;
use http::Uri;
use hyper::rt::{Read, ReadBufCursor, Write};
use hyper_util::{
    client::legacy::{
        self,
        connect::{Connected, Connection, HttpConnector},
    },
    rt::TokioIo,
};
use std::{
    io,
    mem::MaybeUninit,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
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

/// How many requests were sent on a connection.
#[derive(Clone, Debug, Default)]
struct Sent(Arc<AtomicUsize>);

/// Whether `error` came of a connection that had carried another request before.
pub(super) fn is_reused(error: &legacy::Error) -> bool {
    let mut extras = http::Extensions::new();
    if let Some(connected) = error.connect_info() {
        connected.get_extras(&mut extras);
    }
    let sent = extras.get::<Sent>();
    sent.is_some_and(|Sent(count)| count.load(Relaxed) > 1)
}

/// A transport that gives nothing more behind a response without content, and on which no write waits longer than a limit:
/// while it waits, the library looks neither at the request's content nor for a response.
#[derive(Debug)]
pub(super) struct Wire {
    stream: TokioIo<TcpStream>,
    surplus: Surplus,
    sent: Sent,
    writing: Patience,
}

impl Wire {
    fn new(stream: TokioIo<TcpStream>, write_timeout: Duration) -> Self {
        Self {
            stream,
            surplus: Surplus::default(),
            sent: Sent::default(),
            writing: Patience::new(write_timeout),
        }
    }

    /// Notes what was written of `bytes`, or for how long nothing could be.
    fn wrote(
        &mut self,
        cx: &mut Context<'_>,
        bytes: &[u8],
        written: Poll<io::Result<usize>>,
    ) -> Poll<io::Result<usize>> {
        let Poll::Ready(result) = written else {
            let late = self.writing.poll_end(cx);
            return late.map(|()| Err(io::ErrorKind::TimedOut.into()));
        };
        self.writing.moved(0);
        if result.is_ok() && self.surplus.wrote(bytes) {
            self.sent.0.fetch_add(1, Relaxed);
        }
        Poll::Ready(result)
    }
}

impl Connection for Wire {
    fn connected(&self) -> Connected {
        self.stream.connected().extra(self.sent.clone())
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
        self.surplus.read(piece.filled());
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
        let written = Pin::new(&mut self.stream).poll_write(cx, buf);
        self.wrote(cx, buf, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(cx, bufs);
        let first = bufs.iter().find(|buf| !buf.is_empty());
        self.wrote(cx, first.map_or(b"", |buf| buf), written)
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
