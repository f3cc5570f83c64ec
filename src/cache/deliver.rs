//! From a response to the answer for one request: coding, preconditions, `Age`.

mod ranged;

use super::{coding, core::Core, rendition, rule::Rule};
use crate::{
    message::{Body, Stream, coded},
    semantics::{
        Coding, StoredHead,
        conditional::{client_has_it, client_has_what_passes, is_conditional},
        directives::ResponseDirectives,
        short::decimal,
    },
    store::{Entry, Rendition},
};
use http::{
    HeaderMap, HeaderName, Method, Response, StatusCode,
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
    let status = entry.head.status;
    let has = |headers: &HeaderMap| client_has_it(request, status, headers, now);
    let identity = || rendition::identity(entry, settings);
    let response = match ranged::answer(entry, || identity().clone(), method, request) {
        // Parts are of identity, so its tag is the one that counts.
        Some(_) if has(&identity().headers) => not_modified(identity().headers.clone()),
        Some(partial) => partial,
        None => {
            let rendition = match coding::preferred(settings, request) {
                None => identity(),
                Some(coding) => match rendition::coded(entry, settings, coding) {
                    Some(rendition) => rendition,
                    // What the client has need not be made to say so.
                    None => {
                        let headers = is_conditional(request)
                            .then(|| rendition::headers_in(entry, coding))
                            .filter(&has);
                        return headers
                            .map(|headers| aged(not_modified(headers), entry, age))
                            .ok_or(coding);
                    }
                },
            };
            if has(&rendition.headers) {
                not_modified(rendition.headers.clone())
            } else {
                whole(&entry.head, rendition, method)
            }
        }
    };
    Ok(aged(response, entry, age))
}

/// With its `Age`.
fn aged(mut response: Response<Body>, entry: &Entry, age: AgeField) -> Response<Body> {
    let headers = response.headers_mut();
    match age {
        AgeField::Current(now) => {
            let age = entry.head.freshness.age(now).as_secs();
            headers.insert(AGE, decimal(age));
        }
        AgeField::AsReceived(_) => match entry.head.headers.get(AGE) {
            Some(received) => drop(headers.insert(AGE, received.clone())),
            None => drop(headers.remove(AGE)),
        },
    }
    response
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
            core.metrics.coded(coding);
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

/// A body that is still arriving, for one who reads it.
pub(super) trait Arriving {
    /// In `coding`; `None` where that cannot be had.
    fn in_coding(&mut self, coding: Coding) -> Option<Stream>;

    /// As the origin sends it.
    fn identity(self) -> Stream;
}

/// The answer with a body that is still arriving.
pub(super) fn arriving(
    settings: &coding::Settings,
    mut body: impl Arriving,
    head: &StoredHead,
    request: &HeaderMap,
    now: SystemTime,
) -> Response<Body> {
    let begun = || {
        let mut response = Response::new(());
        *response.status_mut() = head.status;
        *response.headers_mut() = head.headers.clone();
        response
    };
    let mut response = begun();
    let coding = coding::code_stream(settings, &mut response, request, head.no_transform);
    if client_has_it(request, head.status, response.headers(), now) {
        return not_modified(response.into_parts().0.headers);
    }
    let stream = match coding.map(|coding| body.in_coding(coding)) {
        Some(Some(coded)) => coded,
        Some(None) => {
            response = begun();
            coding::vary_by_encoding(response.headers_mut());
            body.identity()
        }
        None => body.identity(),
    };
    response.map(|()| Body::stream(stream))
}

/// The answer that a response becomes which is not stored: 304 where the client has it, else coded where that is liked.
pub(super) fn passing(
    core: &Core,
    settings: &coding::Settings,
    response: Response<Stream>,
    method: &Method,
    request: &HeaderMap,
) -> Response<Body> {
    let (parts, stream) = response.into_parts();
    let no_transform = ResponseDirectives::of(&parts.headers).no_transform;
    let mut response = Response::from_parts(parts, ());
    if response.status() == StatusCode::NOT_MODIFIED {
        coding::name_coded(response.headers_mut(), request, settings);
        return response.map(|()| Body::empty());
    }
    let is_read = matches!(*method, Method::GET | Method::HEAD);
    // A HEAD is answered as its GET, as far as that can be known of no content (RFC 9110 §9.3.2).
    let coding = coding::code_stream(settings, &mut response, request, no_transform);
    let (status, headers) = (response.status(), response.headers());
    if is_read && client_has_what_passes(request, status, headers, core.clock.wall()) {
        return not_modified(response.into_parts().0.headers);
    }
    if *method == Method::HEAD {
        return response.map(|()| Body::empty());
    }
    let stream = match coding {
        Some(coding) => {
            core.metrics.coded(coding);
            let encoder = coding::stream_encoder(coding, settings.levels);
            coded::stream(stream, encoder, Arc::clone(&core.stream_coders))
        }
        None => stream,
    };
    response.map(|()| Body::stream(stream))
}
