//! A connection whose client still sends when it is closed.
//!
//! What nobody reads any more makes the system reset the connection, and the reset takes what the client has not received or not
//! read yet with it. So the end is told first, and what still comes is read and forgotten for a while ([RFC 9112 §9.6]).
//!
//! [RFC 9112 §9.6]: https://www.rfc-editor.org/rfc/rfc9112#section-9.6

use super::Presence;
use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::{
    body::Incoming,
    rt::{Read, ReadBuf, ReadBufCursor, Write},
};
use std::{
    io,
    mem::MaybeUninit,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};
use tokio::time::{Sleep, sleep};

/// For how long at most: a client takes its answer long before that, and the drain waits for it.
const LINGER: Duration = Duration::from_secs(5);

/// What is read at once.
const PIECE: usize = 16 << 10;

/// The content of a request, which tells whether all of it has come.
#[derive(Debug)]
pub struct Content {
    body: Incoming,
    presence: Presence,
}

impl Content {
    pub(in crate::server) fn new(body: Incoming, presence: &Presence) -> Self {
        presence.sends(!body.is_end_stream());
        Self {
            body,
            presence: presence.clone(),
        }
    }
}

impl Body for Content {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let polled = Pin::new(&mut self.body).poll_frame(cx);
        if matches!(polled, Poll::Ready(None)) || self.body.is_end_stream() {
            self.presence.sends(false);
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// A transport that is not closed before its client has stopped sending, or for [`LINGER`].
#[derive(Debug)]
pub(in crate::server) struct Lingering<T> {
    inner: T,
    presence: Presence,
    is_shut_down: bool,
    end: Option<Pin<Box<Sleep>>>,
}

impl<T> Lingering<T> {
    pub(in crate::server) fn new(inner: T, presence: Presence) -> Self {
        Self {
            inner,
            presence,
            is_shut_down: false,
            end: None,
        }
    }
}

impl<T: Read + Unpin> Read for Lingering<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_read(cx, buf)
    }
}

impl<T: Read + Write + Unpin> Write for Lingering<T> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if !this.is_shut_down {
            ready!(Pin::new(&mut this.inner).poll_shutdown(cx))?;
            this.is_shut_down = true;
        }
        if !this.presence.still_sends() {
            return Poll::Ready(Ok(()));
        }
        let end = this.end.get_or_insert_with(|| Box::pin(sleep(LINGER)));
        let mut space = [MaybeUninit::uninit(); PIECE];
        while end.as_mut().poll(cx).is_pending() {
            let mut piece = ReadBuf::uninit(&mut space);
            let read = ready!(Pin::new(&mut this.inner).poll_read(cx, piece.unfilled()));
            if read.is_err() || piece.filled().is_empty() {
                break; // it has left
            }
        }
        Poll::Ready(Ok(()))
    }
}
