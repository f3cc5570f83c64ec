//! A client that does not read what it asked for: writing to it ends after a while without progress, or where it trickles.

use super::presence::Attended;
use crate::{message::Patience, metrics::Counter};
use hyper::rt::{Read, ReadBufCursor, Write};
use std::{
    io,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

/// How slowly a client may read.
#[derive(Clone, Debug)]
pub(in crate::server) struct WriteLimits {
    /// How long a write may make no progress, and by how much a client may be behind the rate.
    pub(in crate::server) timeout: Duration,
    /// In bytes a second; 0: any.
    pub(in crate::server) min_rate: u64,
    /// Counts those that were cut off.
    pub(in crate::server) cut_off: Counter,
}

/// A transport on which no write waits for longer than its limits.
#[derive(Debug)]
pub(in crate::server) struct WriteTimeout {
    inner: Attended,
    /// An unhindered write costs one comparison.
    patience: Patience,
    cut_off: Counter,
}

impl WriteTimeout {
    pub(in crate::server) fn new(inner: Attended, limits: WriteLimits) -> Self {
        Self {
            inner,
            patience: Patience::new(limits.timeout).with_least(limits.min_rate),
            cut_off: limits.cut_off,
        }
    }

    /// What became of a write of so many bytes, or that it takes too long.
    fn limited<R>(
        &mut self,
        cx: &mut Context<'_>,
        written: Poll<io::Result<R>>,
        bytes: impl FnOnce(&R) -> usize,
    ) -> Poll<io::Result<R>> {
        if let Poll::Ready(result) = written {
            if self.patience.moved(result.as_ref().map_or(0, bytes)) {
                self.inner.stalls(false);
            }
            return Poll::Ready(result);
        }
        self.inner.stalls(true);
        self.patience.poll_end(cx).map(|()| {
            self.cut_off.inc();
            Err(io::ErrorKind::TimedOut.into())
        })
    }
}

impl Read for WriteTimeout {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_read(cx, buf)
    }
}

impl Write for WriteTimeout {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.inner).poll_write(cx, buf);
        self.limited(cx, written, |bytes| *bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.inner).poll_write_vectored(cx, bufs);
        self.limited(cx, written, |bytes| *bytes)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.inner).poll_flush(cx);
        self.limited(cx, flushed, |()| 0)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let shut = Pin::new(&mut self.inner).poll_shutdown(cx);
        self.limited(cx, shut, |()| 0)
    }
}
