//! A body that may not go silent: between two of its pieces no more than a limit may pass, and it may not trickle for long.

use super::{body::BodyError, pace::Pace};
use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use std::{
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};
use tokio::{
    sync::oneshot,
    time::{Instant, Sleep, sleep},
};

/// A body that fails with [`BodyError::Silent`] when nothing of it came for a while.
///
/// The body is asked first and the timer exists only while the body waits, so a body that is at hand pays nothing.
#[derive(Debug)]
pub struct IdleTimeout<B> {
    body: B,
    limit: Duration,
    pace: Pace,
    /// Set while a piece is waited for.
    silence: Option<Silence>,
    /// Dropped with the body, which whoever waits for its end sees.
    _end: Option<oneshot::Sender<()>>,
}

#[derive(Debug)]
struct Silence {
    since: Instant,
    end: Pin<Box<Sleep>>,
}

impl<B> IdleTimeout<B> {
    /// `body`, between two pieces of which at most `limit` may pass.
    pub fn new(body: B, limit: Duration) -> Self {
        Self {
            body,
            limit,
            pace: Pace::new(0, limit),
            silence: None,
            _end: None,
        }
    }

    /// The same, which also has to keep `pace`.
    #[must_use]
    pub fn paced(self, pace: Pace) -> Self {
        Self { pace, ..self }
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
                if let Some(silence) = self.silence.take() {
                    let data = frame
                        .as_ref()
                        .and_then(|frame| frame.as_ref().ok()?.data_ref());
                    let bytes = data.map_or(0, Bytes::len);
                    self.pace.came(silence.since.elapsed(), bytes);
                }
                Poll::Ready(frame.map(|frame| frame.map_err(|_| BodyError::Broken)))
            }
            Poll::Pending => {
                let limit = self.pace.left().unwrap_or(self.limit).min(self.limit);
                let silence = self.silence.get_or_insert_with(|| Silence {
                    since: Instant::now(),
                    end: Box::pin(sleep(limit)),
                });
                let end = silence.end.as_mut().poll(cx);
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
