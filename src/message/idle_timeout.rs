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
use tokio::{
    sync::oneshot,
    time::{Sleep, sleep},
};

/// See the module docs.
#[derive(Debug)]
pub(super) struct Patient {
    incoming: Incoming,
    limit: Duration,
    /// Set while a piece is waited for.
    silence: Option<Pin<Box<Sleep>>>,
    /// Dropped at the end, which whoever waits for that sees.
    _end: Option<oneshot::Sender<()>>,
}

impl Patient {
    pub(super) fn new(incoming: Incoming, limit: Duration) -> Self {
        Self {
            incoming,
            limit,
            silence: None,
            _end: None,
        }
    }
}

impl Patient {
    /// A body, and what ends when it has been read or given up.
    pub(super) fn with_end(incoming: Incoming, limit: Duration) -> (Self, oneshot::Receiver<()>) {
        let (sender, end) = oneshot::channel();
        (
            Self {
                _end: Some(sender),
                ..Self::new(incoming, limit)
            },
            end,
        )
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
