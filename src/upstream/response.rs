//! The response of the upstream: what it must be to be passed on, and its body.

use super::concurrency_limit::Place;
use crate::{
    message::{BodyError, IdleTimeout, Stream},
    origin::FetchError,
    semantics::fields::all_members,
};
use bytes::Bytes;
use http::{Response, StatusCode, header::TRANSFER_ENCODING};
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use std::{
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

/// The response with a body that may not go silent for longer than `body_timeout`.
pub(super) fn checked(
    response: Response<(Incoming, Place)>,
    body_timeout: Duration,
) -> Result<Response<Stream>, FetchError> {
    if !is_sound(&response) {
        return Err(FetchError::broken(BodyError::Broken));
    }
    Ok(response.map(|(incoming, place)| {
        let body = IdleTimeout::new(incoming, body_timeout);
        Box::pin(UpstreamBody {
            body,
            _place: place,
        }) as Stream
    }))
}

/// A protocol that nobody asked for, or a body in a transfer coding that nobody here removes, is no answer that can be
/// passed on. Words that name no coding are only taken out (RFC 9112 §6.1).
fn is_sound<B>(response: &Response<B>) -> bool {
    const CODINGS: [&[u8]; 5] = [b"gzip", b"x-gzip", b"deflate", b"compress", b"x-compress"];
    let coded = all_members(response.headers(), &TRANSFER_ENCODING).any(|member| {
        CODINGS
            .iter()
            .any(|coding| member.eq_ignore_ascii_case(coding))
    });
    response.status() != StatusCode::SWITCHING_PROTOCOLS && !coded
}

/// A body that holds the place of its request in the limit until it ends.
struct UpstreamBody {
    body: IdleTimeout<Incoming>,
    _place: Place,
}

impl Body for UpstreamBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
