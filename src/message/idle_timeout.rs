//! A body that may not go silent: between two of its pieces no more than a limit may pass, and it may not trickle for long.

use super::{body::BodyError, patience::Patience};
use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use std::{
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};
use tokio::sync::oneshot;

/// A body that fails with [`BodyError::Silent`] when nothing of it came for a while.
///
/// The body is asked first and the timer exists only while the body waits, so a body that is at hand pays nothing.
#[derive(Debug)]
pub struct IdleTimeout<B> {
    body: B,
    patience: Patience,
    /// Dropped with the body, which whoever waits for its end sees.
    _end: Option<oneshot::Sender<()>>,
}

impl<B> IdleTimeout<B> {
    /// `body`, between two pieces of which at most `limit` may pass.
    pub fn new(body: B, limit: Duration) -> Self {
        Self {
            body,
            patience: Patience::new(limit),
            _end: None,
        }
    }

    /// The same, of which at least so many bytes have to come in a second, in the long run; 0: any number.
    #[must_use]
    pub fn with_least(self, least: u64) -> Self {
        let patience = self.patience.with_least(least);
        Self { patience, ..self }
    }

    /// As [`Self::new`], beside a receiver that ends when the body has been read or given up.
    pub fn with_end(body: B, limit: Duration) -> (Self, oneshot::Receiver<()>) {
        let (sender, end) = oneshot::channel();
        let body = Self {
            _end: Some(sender),
            ..Self::new(body, limit)
        };
        (body, end)
    }
}

impl<B> Body for IdleTimeout<B>
where
    B: Body<Data = Bytes> + Unpin,
{
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        match Pin::new(&mut self.body).poll_frame(cx) {
            Poll::Ready(frame) => {
                let data = frame
                    .as_ref()
                    .and_then(|frame| frame.as_ref().ok()?.data_ref());
                self.patience.moved(data.map_or(0, Bytes::len));
                Poll::Ready(frame.map(|frame| frame.map_err(|_| BodyError::Broken)))
            }
            Poll::Pending => {
                let end = self.patience.poll_end(cx);
                end.map(|()| Some(Err(BodyError::Silent)))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http_body_util::{BodyExt, StreamBody, channel::Channel};

    const LIMIT: Duration = Duration::from_secs(3);

    #[tokio::test(start_paused = true)]
    async fn a_body_that_goes_silent_fails_and_one_that_keeps_coming_does_not() {
        let (mut sender, body) = Channel::<Bytes, std::io::Error>::new(1);
        let mut body = IdleTimeout::new(body, LIMIT);
        let sending = async {
            for _ in 0..3 {
                tokio::time::sleep(LIMIT * 2 / 3).await;
                sender.send_data(Bytes::from_static(b"x")).await.unwrap();
            }
        };
        let reading = async {
            for _ in 0..3 {
                assert!(body.frame().await.unwrap().is_ok());
            }
        };
        tokio::join!(sending, reading);
        let silent = body.frame().await;
        assert!(matches!(silent, Some(Err(BodyError::Silent))));
    }

    #[tokio::test]
    async fn the_end_is_told_when_the_body_is_dropped() {
        let frames = futures_util::stream::iter([Ok::<_, BodyError>(Frame::data(Bytes::new()))]);
        let (body, mut end) = IdleTimeout::with_end(StreamBody::new(frames), LIMIT);
        assert!(end.try_recv() == Err(oneshot::error::TryRecvError::Empty));
        drop(body);
        assert!(end.await.is_err());
    }
}
