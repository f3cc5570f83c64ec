//! From a stored response to the answer for one request: coding, preconditions, `Age`.

#[path = "deliver/ranged.rs"]
mod ranged;

use super::{
    Shared,
    body::{Body, Stream},
    coding, encode,
};
use crate::{
    semantics::{StoredHead, conditional::client_has_it},
    store::{Entry, Rendition},
};
use http::{
    HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode,
    header::{
        AGE, CONTENT_ENCODING, CONTENT_LANGUAGE, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE,
    },
};
use std::{sync::Arc, time::SystemTime};

/// Fields that describe the bytes of a body, which a 304 does not have (RFC 9110 §15.4.5).
const OF_THE_BODY: [HeaderName; 5] = [
    CONTENT_LENGTH,
    CONTENT_TYPE,
    CONTENT_ENCODING,
    CONTENT_LANGUAGE,
    CONTENT_RANGE,
];

/// Whether an answer says how old it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum AgeField {
    /// It was stored: `Age` is its current age (RFC 9111 §5.1).
    Current,
    /// The origin has just sent or confirmed it: `Age` is what the origin said, if anything.
    AsReceived,
}

/// The answer that `entry` gives to a request; `None` where it has to be coded first.
pub(super) fn stored(
    shared: &Shared,
    entry: &Entry,
    method: &Method,
    request: &HeaderMap,
    age: AgeField,
    now: SystemTime,
) -> Option<Response<Body>> {
    let identity = || encode::identity(entry, &shared.encode);
    let ranged = || ranged::answer(entry, || identity().clone(), method, request);
    let has_it = client_has_it(request, &entry.head, encode::CODINGS, now);
    let mut response = if let Some(partial) = (!has_it).then(ranged).flatten() {
        partial
    } else {
        let rendition = match shared.encode.enabled && encode::accepts_gzip(request) {
            true => encode::gzipped(entry, &shared.encode)?.unwrap_or_else(identity),
            false => identity(),
        };
        match has_it {
            true => not_modified(rendition.headers.clone()),
            false => whole(&entry.head, rendition, method),
        }
    };
    match age {
        AgeField::Current => {
            response.headers_mut().insert(
                AGE,
                HeaderValue::from(entry.head.freshness.age(now).as_secs()),
            );
        }
        AgeField::AsReceived => match entry.head.headers.get(AGE) {
            Some(received) => drop(response.headers_mut().insert(AGE, received.clone())),
            None => drop(response.headers_mut().remove(AGE)),
        },
    }
    Some(response)
}

/// As [`stored`], coding it where that has not been done yet.
pub(super) async fn stored_coding(
    shared: &Shared,
    entry: &Arc<Entry>,
    method: &Method,
    request: &HeaderMap,
    age: AgeField,
) -> Response<Body> {
    loop {
        if let Some(response) = stored(shared, entry, method, request, age, shared.clock.now()) {
            return response;
        }
        if encode::make_gzip(entry, &shared.encode).await {
            shared.store.reweigh(entry);
        }
    }
}

fn whole(head: &StoredHead, rendition: &Rendition, method: &Method) -> Response<Body> {
    let body = match *method == Method::HEAD {
        true => Body::empty(),
        false => Body::whole(rendition.body.clone()),
    };
    let mut response = Response::new(body);
    *response.status_mut() = head.status;
    *response.headers_mut() = rendition.headers.clone();
    response
}

pub(super) fn not_modified(mut headers: HeaderMap) -> Response<Body> {
    for name in OF_THE_BODY {
        headers.remove(name);
    }
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NOT_MODIFIED;
    *response.headers_mut() = headers;
    response
}

/// The answer with a body that is still arriving.
pub(super) fn arriving(
    shared: &Shared,
    stream: Stream,
    head: &StoredHead,
    request: &HeaderMap,
) -> Response<Body> {
    if client_has_it(request, head, encode::CODINGS, shared.clock.now()) {
        return not_modified(head.headers.clone());
    }
    let mut response = Response::new(Body::empty());
    *response.status_mut() = head.status;
    *response.headers_mut() = head.headers.clone();
    let coded = code_stream(shared, &mut response, request, head.no_transform);
    *response.body_mut() = Body::stream(match coded {
        true => coding::gzip_stream(stream, shared.encode.level),
        false => stream,
    });
    response
}

/// Marks `response` as coded where its body should be; says whether.
pub(super) fn code_stream<B>(
    shared: &Shared,
    response: &mut Response<B>,
    request: &HeaderMap,
    no_transform: bool,
) -> bool {
    let settings = &shared.encode;
    let length: Option<u64> = response
        .headers()
        .get(CONTENT_LENGTH)
        .and_then(|length| length.to_str().ok()?.parse().ok());
    let large_enough = length.is_none_or(|length| length >= settings.min_size);
    if !large_enough
        || !encode::is_codable(
            response.status(),
            response.headers(),
            no_transform,
            settings,
        )
    {
        return false;
    }
    if !encode::accepts_gzip(request) {
        encode::vary_by_encoding(response.headers_mut());
        return false;
    }
    encode::mark_gzip(response.headers_mut());
    response.headers_mut().remove(CONTENT_LENGTH);
    true
}
