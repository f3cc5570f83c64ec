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
    let whole = Whole::default();
    if content.is_end_stream() {
        whole.0.store(true, Relaxed);
        return (RequestBody::empty(), whole);
    }
    let body = Forwarded {
        content,
        whole: whole.clone(),
    };
    (RequestBody::Stream(Box::pin(body)), whole)
}

/// Whether the whole content of a request was handed to its connection. Clones are the same.
#[derive(Clone, Debug, Default)]
pub(super) struct Whole(Arc<AtomicBool>);

impl Whole {
    /// So far.
    pub(super) fn is_sent(&self) -> bool {
        self.0.load(Relaxed)
    }
}

/// Content without the trailers that say how the request was reached: nobody who may say that does so there
/// ([RFC 9110 §6.5.1]), and some servers read them as if they were fields of the head.
///
/// [RFC 9110 §6.5.1]: https://www.rfc-editor.org/rfc/rfc9110#section-6.5.1
struct Forwarded<B> {
    content: B,
    whole: Whole,
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
            self.whole.0.store(true, Relaxed);
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
