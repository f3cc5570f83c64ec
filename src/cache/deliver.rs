//! From a response to the answer for one request: coding, preconditions, `Age`.

mod ranged;

use super::{coding, core::Core, rendition, rule::Rule};
use crate::{
    message::{Body, Stream, encode},
    semantics::{
        Coding, StoredHead,
        coding::NAMES,
        conditional::{client_has_it, none_match_fails},
        directives::ResponseDirectives,
    },
    store::{Entry, Rendition},
};
use http::{
    HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode,
    header::{
        AGE, CONTENT_ENCODING, CONTENT_LANGUAGE, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE,
        IF_NONE_MATCH,
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

/// What `Age` says of an answer at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum AgeField {
    /// It was stored: `Age` is its current age (RFC 9111 §5.1).
    Current(SystemTime),
    /// The origin has just sent or confirmed it: `Age` is what the origin said, if anything.
    AsReceived(SystemTime),
}

/// The answer that `entry` gives to a request.
///
/// # Errors
///
/// The coding that has to be made first.
pub(super) fn stored(
    settings: &coding::Settings,
    entry: &Entry,
    method: &Method,
    request: &HeaderMap,
    age: AgeField,
) -> Result<Response<Body>, Coding> {
    let (AgeField::Current(now) | AgeField::AsReceived(now)) = age;
    let identity = || rendition::identity(entry, settings);
    let ranged = || ranged::answer(entry, || identity().clone(), method, request);
    let has_it = client_has_it(request, &entry.head, &NAMES, now);
    let mut response = if let Some(partial) = (!has_it).then(ranged).flatten() {
        partial
    } else {
        let rendition = match coding::preferred(settings, request) {
            Some(coding) => rendition::coded(entry, settings, coding).ok_or(coding)?,
            None => identity(),
        };
        if has_it {
            not_modified(rendition.headers.clone())
        } else {
            whole(&entry.head, rendition, method)
        }
    };
    let headers = response.headers_mut();
    match age {
        AgeField::Current(now) => {
            let age = entry.head.freshness.age(now).as_secs();
            headers.insert(AGE, HeaderValue::from(age));
        }
        AgeField::AsReceived(_) => match entry.head.headers.get(AGE) {
            Some(received) => drop(headers.insert(AGE, received.clone())),
            None => drop(headers.remove(AGE)),
        },
    }
    Ok(response)
}

/// As [`stored`], coding it where that has not been done yet.
pub(super) async fn stored_coding(
    core: &Core,
    rule: &Rule,
    entry: &Arc<Entry>,
    method: &Method,
    request: &HeaderMap,
    age: AgeField,
) -> Response<Body> {
    let settings = &rule.settings.coding;
    loop {
        let coding = match stored(settings, entry, method, request, age) {
            Ok(response) => return response,
            Err(coding) => coding,
        };
        if rendition::make(entry, settings, coding, &core.coders).await {
            core.store.reweigh(entry);
        }
    }
}

fn whole(head: &StoredHead, rendition: &Rendition, method: &Method) -> Response<Body> {
    let body = if *method == Method::HEAD {
        Body::empty()
    } else {
        Body::whole(rendition.body.clone())
    };
    let mut response = Response::new(body);
    *response.status_mut() = head.status;
    *response.headers_mut() = rendition.headers.clone();
    response
}

fn not_modified(mut headers: HeaderMap) -> Response<Body> {
    for name in OF_THE_BODY {
        headers.remove(name);
    }
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NOT_MODIFIED;
    *response.headers_mut() = headers;
    response
}

/// The answer with a body that is being stored and is still arriving.
pub(super) fn arriving(
    settings: &coding::Settings,
    stream: Stream,
    head: &StoredHead,
    request: &HeaderMap,
    now: SystemTime,
) -> Response<Body> {
    if client_has_it(request, head, &NAMES, now) {
        return not_modified(head.headers.clone());
    }
    let mut response = Response::new(());
    *response.status_mut() = head.status;
    *response.headers_mut() = head.headers.clone();
    coded(settings, response, stream, request, head.no_transform)
}

/// The answer that a response becomes which is not stored: 304 where the client has it, else coded where that is liked.
pub(super) fn passing(
    settings: &coding::Settings,
    response: Response<Stream>,
    method: &Method,
    request: &HeaderMap,
) -> Response<Body> {
    let (parts, stream) = response.into_parts();
    if *method == Method::HEAD {
        let no_transform = ResponseDirectives::of(&parts.headers).no_transform;
        let mut response = Response::from_parts(parts, ());
        // As of its GET, as far as that can be known of no content (RFC 9110 §9.3.2).
        coding::code_stream(settings, &mut response, request, no_transform);
        return response.map(|()| Body::empty());
    }
    if *method == Method::GET
        && matches!(parts.status, StatusCode::OK | StatusCode::PARTIAL_CONTENT)
        && request.contains_key(IF_NONE_MATCH)
        && none_match_fails(request, &parts.headers, &NAMES)
    {
        return not_modified(parts.headers);
    }
    let no_transform = ResponseDirectives::of(&parts.headers).no_transform;
    let response = Response::from_parts(parts, ());
    coded(settings, response, stream, request, no_transform)
}

/// `response` with the body `stream`, coded where it should be.
fn coded(
    settings: &coding::Settings,
    mut response: Response<()>,
    stream: Stream,
    request: &HeaderMap,
    no_transform: bool,
) -> Response<Body> {
    let body = match coding::code_stream(settings, &mut response, request, no_transform) {
        Some(coding) => encode::stream(stream, coding::stream_encoder(coding, settings.levels)),
        None => stream,
    };
    response.map(|()| Body::stream(body))
}
