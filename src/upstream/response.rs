//! The response of the upstream: what it must be to be passed on, and its body.

use super::places::Place;
use crate::{
    message::{BodyError, IdleTimeout, Stream, body::size_from},
    origin::FetchError,
    semantics::{fields::is_event_stream, upgrade::switches_to},
};
use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, header::TRANSFER_ENCODING};
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use std::{
    future::poll_fn,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};
use tokio::time::timeout;

/// For how long the head waits for the beginning of its body: one that breaks at once is no answer, and the client, or the
/// cache with what is stale, can still be told so. What begins late is not waited for.
const BEGINNING: Duration = Duration::from_millis(10);

/// `upgrade` is what the request asked for. The response with a body that may not go silent for longer than `body_timeout`, and
/// that has not broken yet; it has the place of its request until all of it has come.
pub(super) async fn checked(
    response: Response<Incoming>,
    place: Place,
    upgrade: Option<&HeaderValue>,
    body_timeout: Duration,
) -> Result<Response<Stream>, FetchError> {
    if !is_sound(&response, upgrade) {
        return Err(FetchError::broken(BodyError::Broken));
    }
    let (parts, incoming) = response.into_parts();
    if parts.status == StatusCode::SWITCHING_PROTOCOLS {
        place.tunnel()?;
        return Ok(Response::from_parts(parts, Box::pin(Tunnel(place))));
    }
    // While content is still coming, this is one half of a conversation: the head is an answer, whatever becomes of the rest.
    let may_wait = place.has_sent() && !is_event_stream(&parts.headers);
    place.answer(Box::pin(IdleTimeout::new(incoming, body_timeout)));
    let mut body = UpstreamBody { begun: None, place };
    if may_wait && !body.is_end_stream() {
        body.begin().await?;
    }
    Ok(Response::from_parts(parts, Box::pin(body)))
}

/// A protocol that nobody asked for, or a body in a transfer coding that nobody here removes, is no answer that can be
/// passed on: hyper removes a single `chunked` and takes anything else for content ([RFC 9112 §6.1]).
///
/// [RFC 9112 §6.1]: https://www.rfc-editor.org/rfc/rfc9112#section-6.1
fn is_sound<B>(response: &Response<B>, upgrade: Option<&HeaderValue>) -> bool {
    let mut lines = response.headers().get_all(TRANSFER_ENCODING).iter();
    let removed = match (lines.next(), lines.next()) {
        (None, _) => true,
        (Some(coding), None) => is_removed_or_none(coding.as_bytes().trim_ascii()),
        (Some(_), Some(_)) => false,
    };
    let agreed = || upgrade.is_some_and(|asked| switches_to(response.headers(), asked));
    removed && (response.status() != StatusCode::SWITCHING_PROTOCOLS || agreed())
}

/// Whether `coding` is the one that hyper removes, or a lone word that names none: then nothing was coded, and the word is
/// only taken out, as the public suite of caches expects.
fn is_removed_or_none(coding: &[u8]) -> bool {
    const CODINGS: [&[u8]; 8] = [
        b"gzip",
        b"x-gzip",
        b"deflate",
        b"compress",
        b"x-compress",
        b"br",
        b"zstd",
        b"trailers",
    ];
    let is_word = !coding.is_empty() && coding.iter().all(u8::is_ascii_alphanumeric);
    let like_chunked = coding
        .to_ascii_lowercase()
        .windows(b"chunk".len())
        .any(|part| part == b"chunk");
    coding.eq_ignore_ascii_case(b"chunked")
        || (is_word
            && !like_chunked
            && !CODINGS.iter().any(|name| coding.eq_ignore_ascii_case(name)))
}

/// A body that has the place of its request until all of it has come.
struct UpstreamBody {
    /// What has come of it already.
    begun: Option<Frame<Bytes>>,
    place: Place,
}

impl UpstreamBody {
    /// Waits for the first piece, but not for long.
    async fn begin(&mut self) -> Result<(), FetchError> {
        let piece = poll_fn(|cx| self.place.poll_frame(cx));
        match timeout(BEGINNING, piece).await {
            Ok(Some(Err(error))) => return Err(FetchError::broken(error)),
            Ok(Some(Ok(frame))) => self.begun = Some(frame),
            Ok(None) | Err(_) => {}
        }
        Ok(())
    }
}

impl Body for UpstreamBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        if let Some(frame) = self.begun.take() {
            return Poll::Ready(Some(Ok(frame)));
        }
        self.place.poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.begun.is_none() && self.place.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let begun = self.begun.as_ref().and_then(Frame::data_ref);
        let begun = begun.map_or(0, |data| data.len() as u64);
        size_from(begun, &self.place.size_hint())
    }
}

/// What stands for the place of a tunnel: it fails once another one gets that.
struct Tunnel(Place);

impl Body for Tunnel {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let displaced = self.0.poll_displaced(cx);
        displaced.map(|()| Some(Err(BodyError::Lagging)))
    }
}
