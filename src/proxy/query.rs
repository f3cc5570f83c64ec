//! Requests whose content is part of what they ask: QUERY, a safe method ([RFC 10008]), and POST where a route says that it is
//! a read.
//!
//! The digest of the content and its type are in the key, so the content is read first; larger ones pass through.
//!
//! [RFC 10008]: https://www.rfc-editor.org/rfc/rfc10008

use super::{
    content::{self, Content},
    problem::Problem,
};
use crate::{
    cache::Rule,
    message::Party,
    origin::{FetchError, RequestBody},
    semantics::{
        Key,
        graphql::{self, Reading},
        key::Builder,
    },
    upstream::Upstream,
};
use bytes::Bytes;
use http::{
    HeaderMap, HeaderName, Method, Request,
    header::{
        CONTENT_ENCODING, CONTENT_LANGUAGE, CONTENT_LENGTH, CONTENT_LOCATION, CONTENT_TYPE,
        IF_MODIFIED_SINCE, IF_RANGE, RANGE,
    },
    request::Parts,
};
use http_body_util::{BodyExt, Full};
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

/// Whether `request` is one whose content is part of what it asks by `rule`, and says that it is small enough to be read first.
pub(super) fn is_one<B>(rule: &Rule, request: &Request<B>) -> bool {
    let length = request
        .headers()
        .get(CONTENT_LENGTH)
        .and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
    let method = request.method();
    let counts = method.as_str() == "QUERY" || (*method == Method::POST && rule.key.body);
    counts && length.is_some_and(|length| length <= MAX_BODY)
}

/// A request whose content has been read.
#[derive(Debug)]
pub(super) struct Question {
    pub(super) parts: Parts,
    pub(super) content: Bytes,
}

/// Reads the content, as content is read that goes on. [`is_one`] has bounded it, and hyper holds the client to its
/// Content-Length.
pub(super) async fn read<B: Content>(
    upstream: &Upstream,
    request: Request<B>,
    party: Party,
) -> Result<Question, Problem> {
    let (parts, body) = request.into_parts();
    let content = match content::forwarded(body) {
        (RequestBody::Whole(content), _) => content,
        (RequestBody::Stream(stream), _) => {
            let content = upstream.receive(stream, party).await?.collect().await;
            content
                .map_err(|error| FetchError::content(&error))?
                .to_bytes()
        }
    };
    Ok(Question { parts, content })
}

impl Question {
    /// Whether it only reads: a QUERY does, and a POST where its route says so and GraphQL does not say otherwise.
    pub(super) fn is_a_read(&self, query: Option<&str>) -> bool {
        self.parts.method != Method::POST
            || graphql::reading(&self.parts.headers, query, &self.content) != Reading::Doubtful
    }

    /// Takes out what is only about a GET: ranges (RFC 9110 §14.2) and, of a POST, `If-Modified-Since` (RFC 9110 §13.1.3).
    pub(super) fn ask_for_the_whole(&mut self) {
        let headers = &mut self.parts.headers;
        headers.remove(RANGE);
        if self.parts.method == Method::POST {
            headers.remove(IF_RANGE);
            headers.remove(IF_MODIFIED_SINCE);
        }
    }

    /// Its key: `key`, with its content and what says how to read it. `None` where that is too long.
    pub(super) fn key(&self, key: Builder<'_>) -> Option<Key> {
        self::key(key, &self.parts.method, &self.parts.headers, &self.content)
    }

    /// The request that it was.
    pub(super) fn into_request(self) -> Request<Full<Bytes>> {
        Request::from_parts(self.parts, Full::new(self.content))
    }
}

/// See [`Question::key`].
fn key(mut key: Builder<'_>, method: &Method, headers: &HeaderMap, content: &Bytes) -> Option<Key> {
    for name in METADATA {
        for line in headers.get_all(&name) {
            key = key.field(name.as_str(), Some(line.as_bytes()));
        }
    }
    let digest = Sha256::digest(content);
    let key = match *method {
        Method::POST => key.post_content(&digest),
        _ => key.query_content(&digest),
    };
    key.is_whole().then(|| key.build())
}
