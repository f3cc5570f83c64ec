//! The request that a fetch sends: conditional, for a part, or for the whole.

use super::job::Job;
use crate::{
    cache::coding,
    origin::RequestBody,
    semantics::{
        etag::strong_tag,
        part::Part,
        range::{is_asked_for, select_of_part},
        validation,
    },
    store::Entry,
};
use http::{
    HeaderMap, HeaderValue, Method, Request,
    header::{ACCEPT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, IF_RANGE, RANGE},
};

/// A request for the origin, and what its response may be.
#[derive(Debug)]
pub(super) struct Prepared {
    pub(super) request: Request<RequestBody>,
    /// It may be a 304.
    pub(super) conditional: bool,
    /// It may be the rest of what is stored, which no client asked for.
    pub(super) for_the_rest: bool,
}

/// What the cache needs of the representation in place of what the client asked for: the client's own range where nothing
/// is stored, the rest where a beginning is stored, else the whole.
pub(super) fn prepare(job: &Job) -> Prepared {
    let mut request = unconditional(job);
    let asked = &job.ask.request;
    let conditional = ask(request.headers_mut(), job);
    Prepared {
        conditional,
        for_the_rest: request.headers().contains_key(RANGE) && !is_asked_for(asked),
        request,
    }
}

/// The request for the whole, without conditions.
pub(super) fn unconditional(job: &Job) -> Request<RequestBody> {
    let ask = &job.ask;
    let mut request = ask.origin.request(&ask.request);
    let headers = request.headers_mut();
    headers.remove(RANGE);
    headers.remove(CONTENT_LENGTH); // content of a GET has no meaning and is not passed on (RFC 9110 §9.3.1)
    validation::make_conditional(headers, None);
    if ask.asks_for_identity {
        coding::ask_for_identity(headers); // one body serves all codings
    }
    match &ask.content {
        None => drop(headers.remove(CONTENT_TYPE)),
        Some(content) => {
            headers.insert(CONTENT_LENGTH, HeaderValue::from(content.len()));
            *request.method_mut() = ask.method.clone();
            *request.body_mut() = RequestBody::Whole(content.clone());
        }
    }
    request
}

/// Whether a request of the cache can be about this stored response: one that a client was sent in the coding that it
/// accepts is not what the origin has for identity.
pub(super) fn may_be_confirmed(stored: &Entry, job: &Job) -> bool {
    let mut selecting = stored.head.selecting.names();
    !(job.ask.asks_for_identity && selecting.any(|name| *name == ACCEPT_ENCODING))
}

/// Adds conditions and the range; returns whether a 304 may be the response. That of a POST is 412 where the condition fails
/// ([RFC 9110 §13.1.2]), so it asks for the whole each time.
///
/// [RFC 9110 §13.1.2]: https://www.rfc-editor.org/rfc/rfc9110#section-13.1.2
fn ask(headers: &mut HeaderMap, job: &Job) -> bool {
    if job.ask.method == Method::POST {
        return false;
    }
    let (asked, stored) = (&job.ask.request, job.stored.as_deref());
    let Some(entry) = stored.filter(|entry| may_be_confirmed(entry, job)) else {
        if is_asked_for(asked) {
            ask_as_client(headers, asked);
        }
        return false;
    };
    let Some(part) = entry.head.part else {
        return validation::make_conditional(headers, Some(&entry.head));
    };
    let enough = is_enough(entry, asked);
    let conditional = validation::make_conditional(headers, enough.then_some(&entry.head));
    if is_asked_for(asked) {
        ask_as_client(headers, asked);
    } else if let Some(rest) = rest_of(part) {
        headers.insert(RANGE, rest);
        // Without one, what comes cannot be put together and the whole is asked for after all (RFC 9111 §3.4).
        if let Some(tag) = strong_tag(&entry.head.headers) {
            headers.insert(IF_RANGE, tag.clone());
        }
    }
    conditional
}

/// The client's own range, with the condition that it stands under.
fn ask_as_client(headers: &mut HeaderMap, asked: &HeaderMap) {
    for name in [RANGE, IF_RANGE] {
        if let Some(value) = asked.get(&name) {
            headers.insert(name, value.clone());
        }
    }
}

/// What is missing behind a beginning.
fn rest_of(part: Part) -> Option<HeaderValue> {
    let next = part.range.last.checked_add(1)?;
    if part.range.first != 0 || part.complete? <= next {
        return None;
    }
    let rest = format!("bytes={next}-");
    Some(HeaderValue::try_from(rest).expect("digits are visible ASCII"))
}

/// Whether the stored response is what was asked for: the whole, or the right part.
pub(super) fn is_enough(entry: &Entry, asked: &HeaderMap) -> bool {
    entry
        .head
        .part
        .is_none_or(|part| select_of_part(asked, &entry.head, part).is_some())
}
