//! QUERY: a safe method with a body, which is part of what is asked ([RFC 10008]).
//!
//! The digest of the body and its type are in the key, so the body is read first; larger ones pass through.
//!
//! [RFC 10008]: https://www.rfc-editor.org/rfc/rfc10008

use super::{
    cache::{Answered, Begin, Miss, Plan, key_builder, look_up},
    fetch::{Asked, Outer},
    patience::Patient,
    rescue::Problem,
    upstream::{RequestBody, UpstreamError},
};
use crate::semantics::Reason;
use bytes::Bytes;
use http::{
    HeaderMap, HeaderName, HeaderValue, Method, Request,
    header::{
        CONTENT_ENCODING, CONTENT_LANGUAGE, CONTENT_LENGTH, CONTENT_LOCATION, CONTENT_TYPE, RANGE,
    },
};
use http_body_util::{BodyExt, Either, Full};
use hyper::body::Incoming;
use sha2::{Digest, Sha256};
use std::time::Duration;

/// Larger bodies pass through and their answers are not stored, in bytes.
const MAX_BODY: u64 = 64 << 10;

/// What says how to read the body, and is forwarded with it.
const METADATA: [HeaderName; 4] = [
    CONTENT_TYPE,
    CONTENT_ENCODING,
    CONTENT_LANGUAGE,
    CONTENT_LOCATION,
];

/// What may pass between two pieces of the body.
const PATIENCE: Duration = Duration::from_secs(30);

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

/// Reads the body and answers as for a GET with one more part in its key. Nothing is refreshed in the background: that
/// would need the body of the caller once more.
pub(super) async fn answer(
    asked: Asked<'_>,
    request: Request<Incoming>,
) -> Result<Answered, Problem> {
    let (mut parts, body) = request.into_parts();
    // `is_small` has bounded it, and hyper holds the client to its Content-Length.
    let body = Patient::new(body, PATIENCE)
        .collect()
        .await
        .map_err(|_| UpstreamError::Request)?
        .to_bytes();
    parts.headers.remove(RANGE);
    let request = Request::from_parts(parts, ());
    let headers = request.headers();
    let mut key = key_builder(asked.shared, asked.route(), &asked.target, &request);
    for name in METADATA {
        for line in headers.get_all(&name) {
            key = key.field(name.as_str(), Some(line.as_bytes()));
        }
    }
    let key = key.query_content(&Sha256::digest(&body)).build();
    let asked = Asked {
        query: Some(body),
        ..asked
    };
    let stale = |entry| Miss {
        reason: Reason::Expired,
        stored: Some(entry),
    };
    let (key, miss) = match look_up(asked.shared, asked.route(), key, &request) {
        Begin::Answered(answered) => return Ok(answered),
        // Early refreshes are for those who can have them in the background.
        Begin::Refreshing(answered, _) if answered.decision.reason == Reason::Fresh => {
            return Ok(answered);
        }
        Begin::Go(Plan::Code {
            found, decision, ..
        }) if decision.reason == Reason::Fresh => {
            return Ok(asked.code(found, decision, None, &request).await);
        }
        Begin::Refreshing(_, refresh)
        | Begin::Go(Plan::Code {
            refresh: Some(refresh),
            ..
        }) => (refresh.key, stale(refresh.entry)),
        Begin::Go(Plan::Code {
            found,
            decision,
            refresh: None,
        }) => {
            return Ok(asked.code(found, decision, None, &request).await);
        }
        Begin::Go(Plan::Ask { key, memory }) => (key, memory),
        Begin::Go(Plan::Pass(_) | Plan::Query | Plan::Purge) => {
            unreachable!("look_up asks memory and nothing else")
        }
    };
    match asked.ask_outer(key, miss, &request).await? {
        Outer::Answered(answered) => Ok(answered),
        Outer::Miss(key, miss) => asked.fly(key, miss, &request).await,
    }
}

/// Makes the fetch of the cache the QUERY that it is for.
pub(super) fn ask(fetch: &mut Request<RequestBody>, client: &HeaderMap, body: &Bytes) {
    *fetch.method_mut() = Method::from_bytes(b"QUERY").expect("a token is a method");
    for content_type in client.get_all(CONTENT_TYPE) {
        fetch
            .headers_mut()
            .append(CONTENT_TYPE, content_type.clone());
    }
    fetch
        .headers_mut()
        .insert(CONTENT_LENGTH, HeaderValue::from(body.len()));
    *fetch.body_mut() = Either::Left(Full::new(body.clone()));
}
