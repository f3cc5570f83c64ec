//! The content of a request, of which the beginning is here before the request takes a place: who trickles waits alone.

use crate::{
    message::{BodyError, IdleTimeout, Stream, body::size_from},
    origin::{FetchError, RequestBody},
};
use bytes::Bytes;
use http::Request;
use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyExt;
use std::{
    collections::VecDeque,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

/// So much of content whose length is known is waited for. Of other content the first piece is: it may be a conversation.
const BEGINNING: usize = 8 << 10;

/// How fast clients have to send.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    /// What may pass between two pieces, and by how much a client may be behind the rate.
    pub(super) patience: Duration,
    /// In bytes a second.
    pub(super) min_rate: u64,
}

/// `request` once its content has begun.
pub(super) async fn begun(
    request: Request<RequestBody>,
    limits: Limits,
) -> Result<Request<RequestBody>, FetchError> {
    let (parts, body) = request.into_parts();
    let RequestBody::Stream(stream) = body else {
        return Ok(Request::from_parts(parts, body));
    };
    let is_measured = stream.size_hint().exact().is_some();
    let mut content = Begun {
        first: VecDeque::new(),
        rest: IdleTimeout::new(stream, limits.patience).with_least(limits.min_rate),
    };
    let mut bytes = 0;
    while bytes < BEGINNING && !content.rest.is_end_stream() {
        let Some(frame) = content.rest.frame().await else {
            break;
        };
        let frame = frame.map_err(|error| FetchError::content(&error))?;
        bytes += frame.data_ref().map_or(0, Bytes::len);
        content.first.push_back(frame);
        if !is_measured {
            break;
        }
    }
    let content = RequestBody::Stream(Box::pin(content));
    Ok(Request::from_parts(parts, content))
}

/// Content of which the beginning has come.
struct Begun {
    first: VecDeque<Frame<Bytes>>,
    rest: IdleTimeout<Stream>,
}

impl Body for Begun {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        match self.first.pop_front() {
            Some(frame) => Poll::Ready(Some(Ok(frame))),
            None => Pin::new(&mut self.rest).poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.first.is_empty() && self.rest.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let first = self.first.iter().filter_map(Frame::data_ref);
        let first = first.map(|data| data.len() as u64).sum();
        size_from(first, &self.rest.size_hint())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http_body_util::{StreamBody, channel::Channel};
    use tokio::time::{Instant, sleep};

    const LIMITS: Limits = Limits {
        patience: Duration::from_secs(10),
        min_rate: 100,
    };

    fn upload(
        body: impl Body<Data = Bytes, Error = BodyError> + Send + 'static,
    ) -> Request<RequestBody> {
        Request::new(RequestBody::Stream(Box::pin(body)))
    }

    /// A client that sends `bytes` each second, for ever.
    fn trickle(bytes: usize) -> impl Body<Data = Bytes, Error = BodyError> + Send {
        let frames = futures_util::stream::unfold((), move |()| async move {
            sleep(Duration::from_secs(1)).await;
            Some((Ok(Frame::data(vec![b'x'; bytes].into())), ()))
        });
        StreamBody::new(Box::pin(frames))
    }

    #[tokio::test(start_paused = true)]
    async fn content_that_trickles_ends_before_long() {
        let request = begun(upload(trickle(10)), LIMITS).await.unwrap();
        let began = Instant::now();
        let content = request.into_body().collect().await;
        assert!(matches!(content, Err(BodyError::Silent)));
        assert!(began.elapsed() < LIMITS.patience * 2);
    }

    #[tokio::test(start_paused = true)]
    async fn content_at_the_least_rate_goes_on() {
        let request = begun(upload(trickle(100)), LIMITS).await.unwrap();
        let mut content = request.into_body();
        for _ in 0..1000 {
            content.frame().await.unwrap().unwrap();
        }
    }

    #[tokio::test(start_paused = true)]
    async fn content_that_does_not_begin_is_the_clients_fault() {
        let (sender, body) = Channel::<Bytes, BodyError>::new(1);
        let refused = begun(upload(body), LIMITS).await;
        assert_eq!(refused.unwrap_err().status(), 408);
        drop(sender);
    }

    #[tokio::test]
    async fn content_comes_out_as_it_went_in() {
        for sizes in [&[1][..], &[1, 2, 3], &[9000, 1], &[4000, 4000, 4000, 4000]] {
            let pieces: Vec<_> = sizes.iter().map(|size| vec![b'x'; *size]).collect();
            let frames = pieces
                .clone()
                .into_iter()
                .map(|piece| Ok(Frame::data(piece.into())));
            let body = StreamBody::new(futures_util::stream::iter(frames));
            let request = begun(upload(body), LIMITS).await.unwrap();
            let content = request.into_body().collect().await.unwrap().to_bytes();
            assert_eq!(content, pieces.concat());
        }
    }
}
