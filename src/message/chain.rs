//! A body of several pieces that are there already, none of which is copied.

use super::body::{BodyError, Stream};
use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use std::{
    collections::VecDeque,
    pin::Pin,
    task::{Context, Poll},
};

struct Chain {
    pieces: VecDeque<Bytes>,
    left: u64,
}

/// These pieces, one after the other.
pub fn chain(pieces: impl IntoIterator<Item = Bytes>) -> Stream {
    let pieces: VecDeque<Bytes> = pieces.into_iter().filter(|p| !p.is_empty()).collect();
    let left = pieces.iter().map(|piece| piece.len() as u64).sum();
    Box::pin(Chain { pieces, left })
}

impl Body for Chain {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let piece = self.pieces.pop_front();
        self.left -= piece.as_ref().map_or(0, |piece| piece.len() as u64);
        Poll::Ready(piece.map(|piece| Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        self.pieces.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }
}
