//! Those who read a body while it arrives.

use super::buffer::{Buffer, LAGGING_TIMEOUT};
use crate::message::BodyError;
use bytes::Bytes;
use http_body::{Body, Frame};
use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

/// The seat of one who waits for a body: its beginning is kept for him.
#[derive(Debug)]
pub(in crate::cache) struct Seat(Arc<Buffer>);

impl Seat {
    pub(super) fn of(buffer: &Arc<Buffer>) -> Self {
        buffer.expect();
        Self(Arc::clone(buffer))
    }

    /// Begins to read. `None` where the beginning is gone all the same, because he took too long.
    pub(in crate::cache) fn read(self) -> Option<Reading> {
        Reading::of(&self.0)
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.0.expect_no_more();
    }
}

/// One reader's place.
#[derive(Debug)]
pub(in crate::cache) struct Reading {
    buffer: Arc<Buffer>,
    at: usize,
}

impl Reading {
    /// From the beginning. `None` where that is gone.
    pub(super) fn of(buffer: &Arc<Buffer>) -> Option<Self> {
        let at = buffer.enter()?;
        Some(Self {
            buffer: Arc::clone(buffer),
            at,
        })
    }

    /// It reads for others, of whom one may be slow: those are asked first to make haste.
    pub(super) fn for_others(self) -> Self {
        self.buffer.grant(self.at, LAGGING_TIMEOUT);
        self
    }
}

impl Body for Reading {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let piece = self.buffer.poll(self.at, cx);
        piece.map(|piece| piece.map(|piece| piece.map(Frame::data)))
    }
}

impl Drop for Reading {
    fn drop(&mut self) {
        self.buffer.leave(self.at);
    }
}
