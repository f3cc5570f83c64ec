//! Answers that are given up when their client has left.

use super::io::{Content, Presence};
use http::{Request, Response, Version};
use http_body::{Body, Frame, SizeHint};
use hyper::{body::Incoming, service::Service};
use std::{
    error::Error,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};
use tokio::time::Instant;

/// How long one that has shut down its sending side is taken to wait for its answer. Nobody can tell it from one that has left,
/// and what it asked for takes a place of the upstream.
const PATIENCE: Duration = Duration::from_secs(3);

/// The client has left.
#[derive(Debug, thiserror::Error)]
#[error("the client has left")]
struct Left;

/// Looks for the client now and then.
#[derive(Debug)]
struct Attendant {
    presence: Presence,
    /// Since when the client sends nothing more.
    silent: Option<Instant>,
}

impl Attendant {
    fn new(presence: Presence) -> Self {
        Self {
            presence,
            silent: None,
        }
    }

    /// Ready when the client has left.
    fn poll_left(&mut self, cx: &mut Context<'_>) -> Poll<Left> {
        while self.presence.poll_look(cx).is_ready() {
            let silent = self.presence.sends_no_more();
            let mut out_of_patience = || {
                let since = self.silent.get_or_insert_with(Instant::now);
                since.elapsed() >= PATIENCE
            };
            if self.presence.is_gone() || silent && out_of_patience() {
                return Poll::Ready(Left);
            }
        }
        Poll::Pending
    }
}

/// A service whose answers are given up when the client of its connection has left.
#[derive(Debug)]
pub(super) struct Attend<S> {
    service: S,
    presence: Presence,
}

impl<S> Attend<S> {
    pub(super) fn new(service: S, presence: Presence) -> Self {
        Self { service, presence }
    }
}

impl<S, B> Service<Request<Incoming>> for Attend<S>
where
    S: Service<Request<Content>, Response = Response<B>>,
    S::Future: Unpin,
    S::Error: Into<Box<dyn Error + Send + Sync>>,
{
    type Response = Response<Attended<B>>;
    type Error = Box<dyn Error + Send + Sync>;
    type Future = Answering<S::Future>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        self.presence.asks();
        if request.version() < Version::HTTP_11 {
            self.presence.speaks_1_0();
        }
        let request = request.map(|body| Content::new(body, &self.presence));
        Answering {
            answer: self.service.call(request),
            attendant: Some(Attendant::new(self.presence.clone())),
        }
    }
}

/// An answer on its way.
#[derive(Debug)]
pub(super) struct Answering<F> {
    answer: F,
    /// Goes on to the body.
    attendant: Option<Attendant>,
}

impl<F, B, E> Future for Answering<F>
where
    F: Future<Output = Result<Response<B>, E>> + Unpin,
    E: Into<Box<dyn Error + Send + Sync>>,
{
    type Output = Result<Response<Attended<B>>, Box<dyn Error + Send + Sync>>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        const ONCE: &str = "a future is not polled after it was ready";
        match Pin::new(&mut self.answer).poll(cx) {
            Poll::Ready(answer) => {
                let attendant = self.attendant.take().expect(ONCE);
                let attended = |body| Attended { body, attendant };
                Poll::Ready(
                    answer
                        .map(|answer| answer.map(attended))
                        .map_err(Into::into),
                )
            }
            Poll::Pending => {
                let attendant = self.attendant.as_mut().expect(ONCE);
                attendant.poll_left(cx).map(|left| Err(left.into()))
            }
        }
    }
}

/// The body of an answer.
#[derive(Debug)]
pub(super) struct Attended<B> {
    body: B,
    attendant: Attendant,
}

impl<B> Body for Attended<B>
where
    B: Body + Unpin,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    type Data = B::Data;
    type Error = Box<dyn Error + Send + Sync>;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, Self::Error>>> {
        match Pin::new(&mut self.body).poll_frame(cx) {
            Poll::Ready(frame) => Poll::Ready(frame.map(|frame| frame.map_err(Into::into))),
            Poll::Pending => {
                let left = self.attendant.poll_left(cx);
                left.map(|left| Some(Err(left.into())))
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
    use crate::server::io::LOOK;

    fn attendant() -> (Attendant, Presence) {
        let presence = Presence::default();
        (Attendant::new(presence.clone()), presence)
    }

    async fn left_after(mut attendant: Attendant) -> Duration {
        let begin = Instant::now();
        std::future::poll_fn(|cx| attendant.poll_left(cx)).await;
        begin.elapsed()
    }

    #[tokio::test(start_paused = true)]
    async fn who_sends_no_more_is_waited_for_and_who_is_gone_is_not() {
        let (waiting, presence) = attendant();
        presence.is(true, false);
        let after = left_after(waiting).await;
        assert!(after >= PATIENCE && after <= PATIENCE + 2 * LOOK);
        let (waiting, presence) = attendant();
        presence.is(true, true);
        assert!(left_after(waiting).await <= 2 * LOOK);
    }

    #[tokio::test(start_paused = true)]
    async fn who_is_there_is_waited_for_without_an_end() {
        let (waiting, _presence) = attendant();
        let left = tokio::time::timeout(PATIENCE * 100, left_after(waiting));
        assert!(left.await.is_err());
    }
}
