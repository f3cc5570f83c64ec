//! Whether a client is still there.
//!
//! A client that has shut down its sending side and waits for its answer looks as one that has left: of both comes the end of
//! the stream ([RFC 9112 §9.6]). So the end of the stream alone ends nothing for a while; a reset does at once. The system
//! knows of both without anybody reading, which hyper does not while a request is under way.
//!
//! [RFC 9112 §9.6]: https://www.rfc-editor.org/rfc/rfc9112#section-9.6

use hyper::rt::{Read, ReadBufCursor, Write};
use hyper_util::rt::TokioIo;
use parking_lot::Mutex;
use std::{
    io,
    pin::Pin,
    sync::{
        Arc, Weak,
        atomic::{
            AtomicBool,
            Ordering::{AcqRel, Acquire, Relaxed, Release},
        },
    },
    task::{Context, Poll, ready},
    time::Duration,
};
use tokio::{
    io::Interest,
    net::TcpStream,
    time::{Instant, Sleep, sleep},
};

/// What is known of the client of one connection. Clones are of the same one.
#[derive(Clone, Debug, Default)]
pub(in crate::server) struct Presence(Arc<Known>);

/// How often a client is looked for while its answer waits.
pub(in crate::server) const LOOK: Duration = Duration::from_millis(250);

#[derive(Debug, Default)]
struct Known {
    /// When to look next: one timer for all requests of the connection, because most are answered long before.
    timer: Mutex<Option<Pin<Box<Sleep>>>>,
    asked: AtomicBool,
    sends_no_more: AtomicBool,
    gone: AtomicBool,
    /// A request has come.
    has_asked: AtomicBool,
    /// It speaks HTTP/1.0: the end of the stream may be the end of its answer.
    is_old: AtomicBool,
    /// Content of its last request has not been read to the end.
    still_sends: AtomicBool,
    /// A write waits.
    stalled: AtomicBool,
}

/// Who knows of a connection while that carries no request: its service and two layers of its transport. Each request under way does too,
/// so that nothing has to be noted for it.
const WITHOUT_REQUEST: usize = 3;

/// A look at a connection from outside.
#[derive(Clone, Debug)]
pub(in crate::server) struct Watch(Weak<Known>);

impl Watch {
    /// Whether no request is under way, as far as its answer was not written at once.
    pub(in crate::server) fn is_quiet(&self) -> bool {
        self.0.strong_count() <= WITHOUT_REQUEST
    }

    /// Whether a request has ever come.
    pub(in crate::server) fn has_asked(&self) -> bool {
        let known = self.0.upgrade();
        known.is_some_and(|known| known.has_asked.load(Relaxed))
    }

    /// Whether the client does not read what it was sent.
    pub(in crate::server) fn is_stalled(&self) -> bool {
        let known = self.0.upgrade();
        known.is_some_and(|known| known.stalled.load(Relaxed))
    }
}

impl Presence {
    /// Ready now and then. Each time the transport looks, once the connection's task has been polled to its end.
    pub(in crate::server) fn poll_look(&self, cx: &mut Context<'_>) -> Poll<()> {
        let mut timer = self.0.timer.lock();
        let timer = timer.get_or_insert_with(|| {
            self.0.asked.store(true, Release);
            Box::pin(sleep(LOOK))
        });
        ready!(timer.as_mut().poll(cx));
        self.0.asked.store(true, Release);
        timer.as_mut().reset(Instant::now() + LOOK);
        Poll::Ready(())
    }

    /// Of this connection.
    pub(in crate::server) fn watch(&self) -> Watch {
        Watch(Arc::downgrade(&self.0))
    }

    /// Whether the client had shut down its sending side when the transport looked.
    pub(in crate::server) fn sends_no_more(&self) -> bool {
        self.0.sends_no_more.load(Acquire)
    }

    /// Whether the connection was reset when the transport looked.
    pub(in crate::server) fn is_gone(&self) -> bool {
        self.0.gone.load(Acquire)
    }

    /// A request has come.
    pub(in crate::server) fn asks(&self) {
        self.0.has_asked.store(true, Relaxed);
    }

    /// Whether content of its last request has not been read to the end.
    pub(in crate::server) fn still_sends(&self) -> bool {
        self.0.still_sends.load(Relaxed)
    }

    /// Says so. Looks first: most requests have no content, and a look is cheaper.
    pub(in crate::server) fn sends(&self, still: bool) {
        if self.still_sends() != still {
            self.0.still_sends.store(still, Relaxed);
        }
    }

    /// It speaks HTTP/1.0.
    pub(in crate::server) fn speaks_1_0(&self) {
        self.0.is_old.store(true, Release);
    }

    /// Says so in the place of a transport.
    #[cfg(test)]
    pub(in crate::server) fn is(&self, sends_no_more: bool, gone: bool) {
        self.0.sends_no_more.store(sends_no_more, Release);
        self.0.gone.store(gone, Release);
    }

    fn look(&self, stream: &TcpStream) {
        if self.0.asked.load(Acquire) && self.0.asked.swap(false, AcqRel) {
            let is = |interest| stream.try_io(interest, || Ok(())).is_ok();
            if is(CLOSED) {
                self.0.sends_no_more.store(true, Release);
            }
            if is(Interest::ERROR) {
                self.0.gone.store(true, Release);
            }
        }
    }
}

/// Nothing is ever ready for it but the end of the stream: urgent data is not asked for.
#[cfg(target_os = "linux")]
const CLOSED: Interest = Interest::PRIORITY;
/// Never: hyper reads, and ends a request with the stream.
#[cfg(not(target_os = "linux"))]
const CLOSED: Interest = Interest::ERROR;

/// Whether the end of the stream can be seen without reading.
pub(in crate::server) const CAN_LOOK: bool = cfg!(target_os = "linux");

/// A transport that tells whether its client is there, and a client of HTTP/1.0 that its answer was broken off: there the end
/// of the stream is the end of an answer without a length ([RFC 9112 §6.3]), so a reset says that there is none. The library
/// shuts the stream down behind every answer that is complete.
///
/// [RFC 9112 §6.3]: https://www.rfc-editor.org/rfc/rfc9112#section-6.3
#[derive(Debug)]
pub(in crate::server) struct Attended {
    stream: TokioIo<TcpStream>,
    presence: Presence,
    is_shut_down: bool,
}

impl Attended {
    pub(in crate::server) fn new(stream: TcpStream, presence: Presence) -> Self {
        Self {
            stream: TokioIo::new(stream),
            presence,
            is_shut_down: false,
        }
    }

    /// A write waits, or goes on.
    pub(in crate::server) fn stalls(&self, stalls: bool) {
        self.presence.0.stalled.store(stalls, Relaxed);
    }
}

/// A client that does not read is reset: what the system still has for it would wait for as long. So is one of HTTP/1.0 whose
/// answer broke off.
impl Drop for Attended {
    fn drop(&mut self) {
        let known = &self.presence.0;
        let is_cut = !self.is_shut_down && known.is_old.load(Acquire);
        if is_cut || known.stalled.load(Relaxed) {
            let _ = self.stream.inner().set_zero_linger(); // fails only on a connection that is gone already
        }
    }
}

impl Read for Attended {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl Write for Attended {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.presence.look(self.stream.inner());
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.is_shut_down = true;
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
