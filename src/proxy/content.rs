//! The content of a client's request.

use crate::{message::BodyError, origin::RequestBody, semantics::forwarded};
use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    task::{Context, Poll},
};

/// What the content of a request may be: hyper's, or any other body of bytes.
pub trait Content: Body<Data = Bytes, Error: Send> + Send + Unpin + 'static {}

impl<B: Body<Data = Bytes, Error: Send> + Send + Unpin + 'static> Content for B {}

/// `content` on its way to the upstream, as it arrives, and whether all of it has gone there.
pub(super) fn forwarded<B: Content>(content: B) -> (RequestBody, Whole) {
    if content.is_end_stream() {
        return (RequestBody::empty(), Whole(None));
    }
    let ended = Arc::new(AtomicBool::new(false));
    let body = Forwarded {
        content,
        ended: Arc::clone(&ended),
    };
    (RequestBody::Stream(Box::pin(body)), Whole(Some(ended)))
}

/// Whether the whole content of a request was handed to its connection; `None` where there is none.
#[derive(Debug)]
pub(super) struct Whole(Option<Arc<AtomicBool>>);

impl Whole {
    /// So far.
    pub(super) fn is_sent(&self) -> bool {
        self.0.as_ref().is_none_or(|ended| ended.load(Relaxed))
    }
}

/// Content without the trailers that say how the request was reached: nobody who may say that does so there
/// ([RFC 9110 §6.5.1]), and some servers read them as if they were fields of the head.
///
/// [RFC 9110 §6.5.1]: https://www.rfc-editor.org/rfc/rfc9110#section-6.5.1
struct Forwarded<B> {
    content: B,
    /// See [`Whole`].
    ended: Arc<AtomicBool>,
}

impl<B: Content> Body for Forwarded<B> {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let polled = Pin::new(&mut self.content).poll_frame(cx);
        let ended = match &polled {
            Poll::Ready(None) => true,
            Poll::Ready(Some(Ok(_))) => self.content.is_end_stream(),
            Poll::Ready(Some(Err(_))) | Poll::Pending => false,
        };
        if ended {
            self.ended.store(true, Relaxed);
        }
        polled.map(|next| {
            next.map(|frame| {
                let mut frame = frame.map_err(|_| BodyError::Broken)?;
                if let Some(trailers) = frame.trailers_mut() {
                    forwarded::remove(trailers);
                }
                Ok(frame)
            })
        })
    }

    fn is_end_stream(&self) -> bool {
        self.content.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.content.size_hint()
    }
}
