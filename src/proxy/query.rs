//! QUERY: a safe method with a body, which is part of what is asked ([RFC 10008]).
//!
//! The digest of the body and its type are in the key, so the body is read first; larger ones pass through.
//!
//! [RFC 10008]: https://www.rfc-editor.org/rfc/rfc10008

use super::{
    content::{self, Content},
    problem::Problem,
};
use crate::{
    message::Party,
    origin::{FetchError, RequestBody},
    semantics::{Key, key::Builder},
    upstream::Upstream,
};
use bytes::Bytes;
use http::{
    HeaderMap, HeaderName, Method, Request,
    header::{
        CONTENT_ENCODING, CONTENT_LANGUAGE, CONTENT_LENGTH, CONTENT_LOCATION, CONTENT_TYPE, RANGE,
    },
    request::Parts,
};
use http_body_util::BodyExt;
use sha2::{Digest, Sha256};

/// Larger bodies pass through and their answers are not stored, in bytes.
const MAX_BODY: u64 = 64 << 10;

/// What says how to read the body, and is forwarded with it.
const METADATA: [HeaderName; 4] = [
    CONTENT_TYPE,
    CONTENT_ENCODING,
    CONTENT_LANGUAGE,
    CONTENT_LOCATION,
];

/// Whether `method` is QUERY.
pub(super) fn is_one(method: &Method) -> bool {
    method.as_str() == "QUERY"
}

/// Whether `request` is a QUERY whose body says that it is small enough to be read first.
pub(super) fn is_small<B>(request: &Request<B>) -> bool {
    let length = request
        .headers()
        .get(CONTENT_LENGTH)
        .and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
    is_one(request.method()) && length.is_some_and(|length| length <= MAX_BODY)
}

/// A QUERY whose content has been read.
#[derive(Debug)]
pub(super) struct Question {
    pub(super) parts: Parts,
    pub(super) content: Bytes,
}

/// Reads the content, as content is read that goes on. [`is_small`] has bounded it, and hyper holds the client to its
/// Content-Length.
pub(super) async fn read<B: Content>(
    upstream: &Upstream,
    request: Request<B>,
    party: Party,
) -> Result<Question, Problem> {
    let (mut parts, body) = request.into_parts();
    let content = match content::forwarded(body) {
        (RequestBody::Whole(content), _) => content,
        (RequestBody::Stream(stream), _) => {
            let content = upstream.receive(stream, party).await?.collect().await;
            content
                .map_err(|error| FetchError::content(&error))?
                .to_bytes()
        }
    };
    parts.headers.remove(RANGE); // which only GET knows (RFC 9110 §14.2)
    Ok(Question { parts, content })
}

/// The key of a QUERY: with its content and what says how to read it. `None` where that is too long.
pub(super) fn key(mut key: Builder<'_>, headers: &HeaderMap, content: &Bytes) -> Option<Key> {
    for name in METADATA {
        for line in headers.get_all(&name) {
            key = key.field(name.as_str(), Some(line.as_bytes()));
        }
    }
    let key = key.query_content(&Sha256::digest(content));
    key.is_whole().then(|| key.build())
}
