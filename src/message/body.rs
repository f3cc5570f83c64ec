//! The bodies that the proxy sends: whole ones from the store, and streams.

use bytes::Bytes;
use http_body::{Frame, SizeHint};
use std::{
    fmt,
    pin::Pin,
    task::{Context, Poll, ready},
};

/// The size of a body of which `begun` bytes have been read already and `rest` is still to come.
pub fn size_from(begun: u64, rest: &SizeHint) -> SizeHint {
    let mut size = SizeHint::new();
    size.set_lower(rest.lower().saturating_add(begun));
    if let Some(upper) = rest.upper() {
        size.set_upper(upper.saturating_add(begun));
    }
    size
}

/// Why a body ended early. The client sees a broken message, never one that looks complete.
#[derive(Clone, Debug, thiserror::Error)]
pub enum BodyError {
    /// The upstream broke off or broke the rules.
    #[error("the upstream broke off in the middle of the body")]
    Broken,
    /// The upstream went silent for longer than `upstream.body_timeout`.
    #[error("the upstream went silent in the middle of the body")]
    Silent,
    /// This reader fell so far behind the others that they would have had to wait.
    #[error("the reader fell too far behind")]
    Lagging,
    /// Its content coding could not be made, for want of memory.
    #[error("the content coding could not be made")]
    Coding,
}

/// A stream of data that may fail. Boxed: it comes from many places, and only answers that are not whole pay for that.
pub type Stream = Pin<Box<dyn http_body::Body<Data = Bytes, Error = BodyError> + Send>>;

/// A response body.
pub struct Body(Kind);

enum Kind {
    Whole(Option<Bytes>),
    /// Boxed, so that a whole body, which is what a hit has, stays small to move.
    Stream(Box<Streamed>),
}

struct Streamed {
    stream: Stream,
    watch: Option<Box<dyn Watch>>,
}

/// Somebody who is told what becomes of a stream. Dropped before [`Watch::ended`] or [`Watch::broke`], the client left.
pub trait Watch: Send {
    /// So many more bytes went on.
    fn sent(&mut self, bytes: usize);
    /// The stream failed before its end.
    fn broke(&mut self);
    /// The stream came to its end. May be called more than once.
    fn ended(&mut self);
}

impl Body {
    /// No bytes.
    pub fn empty() -> Self {
        Self(Kind::Whole(None))
    }

    /// These bytes.
    pub fn whole(bytes: Bytes) -> Self {
        Self(Kind::Whole(Some(bytes).filter(|bytes| !bytes.is_empty())))
    }

    /// What `stream` gives.
    pub fn stream(stream: Stream) -> Self {
        Self(Kind::Stream(Box::new(Streamed {
            stream,
            watch: None,
        })))
    }

    /// The number of bytes, where that is known without reading them.
    pub fn known_size(&self) -> Option<u64> {
        match &self.0 {
            Kind::Whole(bytes) => Some(bytes.as_ref().map_or(0, |bytes| bytes.len() as u64)),
            Kind::Stream(_) => None,
        }
    }

    /// Tells `watch` what becomes of the stream. A whole body is sent in one piece and has nothing to watch.
    pub fn watch(&mut self, watch: Box<dyn Watch>) {
        if let Kind::Stream(streamed) = &mut self.0 {
            streamed.watch = Some(watch);
        }
    }
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            Kind::Whole(_) => "Body(whole)",
            Kind::Stream(_) => "Body(stream)",
        })
    }
}

impl http_body::Body for Body {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        match &mut self.0 {
            Kind::Whole(bytes) => Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes)))),
            Kind::Stream(streamed) => {
                let Streamed { stream, watch } = &mut **streamed;
                let frame = ready!(stream.as_mut().poll_frame(cx));
                if let Some(watch) = watch {
                    match &frame {
                        Some(Ok(frame)) => watch.sent(frame.data_ref().map_or(0, Bytes::len)),
                        Some(Err(_)) => watch.broke(),
                        None => watch.ended(),
                    }
                    // The server does not ask again for the end of a body whose length it knows.
                    if stream.is_end_stream() {
                        watch.ended();
                    }
                }
                Poll::Ready(frame)
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.0 {
            Kind::Whole(bytes) => bytes.is_none(),
            Kind::Stream(streamed) => streamed.stream.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.0 {
            Kind::Whole(bytes) => {
                SizeHint::with_exact(bytes.as_ref().map_or(0, |bytes| bytes.len() as u64))
            }
            Kind::Stream(streamed) => streamed.stream.size_hint(),
        }
    }
}
