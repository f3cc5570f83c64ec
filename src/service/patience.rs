//! A body that may not go silent: between two of its pieces no more than a limit may pass.

use super::body::BodyError;
use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use std::{
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};
use tokio::time::{Sleep, sleep};

/// See the module docs.
#[derive(Debug)]
pub(super) struct Patient {
    incoming: Incoming,
    limit: Duration,
    /// Set while a piece is waited for.
    silence: Option<Pin<Box<Sleep>>>,
}

impl Patient {
    pub(super) fn new(incoming: Incoming, limit: Duration) -> Self {
        Self {
            incoming,
            limit,
            silence: None,
        }
    }
}

impl Body for Patient {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        match Pin::new(&mut self.incoming).poll_frame(cx) {
            Poll::Ready(frame) => {
                self.silence = None;
                Poll::Ready(frame.map(|frame| frame.map_err(|_| BodyError::Broken)))
            }
            Poll::Pending => {
                let limit = self.limit;
                let silence = self.silence.get_or_insert_with(|| Box::pin(sleep(limit)));
                silence
                    .as_mut()
                    .poll(cx)
                    .map(|()| Some(Err(BodyError::Silent)))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.incoming.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.incoming.size_hint()
    }
}
