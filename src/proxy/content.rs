//! The content of a client's request.

use crate::{message::BodyError, origin::RequestBody, semantics::forwarded};
use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use std::{
    pin::Pin,
    task::{Context, Poll},
};

/// What the content of a request may be: hyper's, or any other body of bytes.
pub trait Content: Body<Data = Bytes, Error: Send> + Send + Unpin + 'static {}

impl<B: Body<Data = Bytes, Error: Send> + Send + Unpin + 'static> Content for B {}

/// `content` on its way to the upstream, as it arrives.
pub(super) fn forwarded<B: Content>(content: B) -> RequestBody {
    if content.is_end_stream() {
        RequestBody::empty()
    } else {
        RequestBody::Stream(Box::pin(Forwarded(content)))
    }
}

/// Content without the trailers that say how the request was reached: nobody who may say that does so there
/// ([RFC 9110 §6.5.1]), and some servers read them as if they were fields of the head.
///
/// [RFC 9110 §6.5.1]: https://www.rfc-editor.org/rfc/rfc9110#section-6.5.1
struct Forwarded<B>(B);

impl<B: Content> Body for Forwarded<B> {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let polled = Pin::new(&mut self.0).poll_frame(cx);
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
        self.0.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.0.size_hint()
    }
}
