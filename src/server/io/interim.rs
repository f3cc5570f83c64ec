//! A transport that writes interim responses between the messages that hyper writes.
//!
//! That is safe at exactly one moment. hyper calls `poll_flush` on its transport only when its own buffer is empty, so
//! every byte of earlier responses, pipelined ones too, has been written by then; and a service that sent an interim
//! response does not return the final one before it was written ([`Interim::around`]), so none of the final one has been.
//! Once an interim response was begun, hyper's writes wait until it is complete.

use crate::message::Interim;
use bytes::{Buf, Bytes};
use hyper::rt::{Read, ReadBufCursor, Write};
use std::{
    io,
    pin::Pin,
    task::{Context, Poll, ready},
};

/// See the module docs.
#[derive(Debug)]
pub(in crate::server) struct InterimWriter<T> {
    inner: T,
    interim: Interim,
    /// What is left of the one that was begun.
    begun: Option<Bytes>,
}

impl<T: Write + Unpin> InterimWriter<T> {
    pub(in crate::server) fn new(inner: T, interim: Interim) -> Self {
        Self {
            inner,
            interim,
            begun: None,
        }
    }

    fn finish_begun(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while let Some(rest) = &mut self.begun {
            match ready!(Pin::new(&mut self.inner).poll_write(cx, rest))? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                written => rest.advance(written),
            }
            if rest.is_empty() {
                self.begun = None;
                self.interim.written();
            }
        }
        Poll::Ready(Ok(()))
    }
}

impl<T: Read + Unpin> Read for InterimWriter<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_read(cx, buf)
    }
}

impl<T: Write + Unpin> Write for InterimWriter<T> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        ready!(self.finish_begun(cx))?;
        Pin::new(&mut self.inner).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        ready!(self.finish_begun(cx))?;
        Pin::new(&mut self.inner).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.finish_begun(cx))?;
        while let Some(next) = self.interim.next() {
            self.begun = Some(next);
            ready!(self.finish_begun(cx))?;
        }
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}
