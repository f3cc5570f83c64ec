//! The part of a stored response that a request asks for: 206, several parts as one multipart body, or 416.
//!
//! Ranges are always of the identity representation, whose tag a client that asks for them has.

use crate::{
    message::{Body, chain},
    semantics::{
        part::ByteRange,
        range::{Selected, is_asked_for, select, select_of_part},
    },
    store::{Entry, Rendition},
};
use bytes::Bytes;
use http::{
    HeaderMap, HeaderValue, Method, Response, StatusCode,
    header::{CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, RANGE},
};

/// The answer, where the request asks for a part or only a part is stored; `None` means the whole.
pub(super) fn answer(
    entry: &Entry,
    identity: impl FnOnce() -> Rendition,
    method: &Method,
    request: &HeaderMap,
) -> Option<Response<Body>> {
    if let Some(part) = entry.head.part {
        // What came in place of what was asked for goes on as it came.
        let range = select_of_part(request, &entry.head, part).unwrap_or(part.range);
        let rendition = identity();
        let body = slice(
            &rendition.body,
            ByteRange {
                first: range.first - part.range.first,
                last: range.last - part.range.first,
            },
        );
        let content_range = match part.complete {
            Some(complete) => range.content_range(complete),
            None => unknown_length(range),
        };
        return Some(partial(rendition.headers, body, content_range));
    }
    if !request.contains_key(RANGE) || *method != Method::GET || !is_asked_for(request) {
        return None;
    }
    let length = entry.body.len() as u64;
    match select(request, &entry.head, length) {
        Selected::Whole => None,
        Selected::One(range) => {
            let rendition = identity();
            let body = slice(&rendition.body, range);
            Some(partial(
                rendition.headers,
                body,
                range.content_range(length),
            ))
        }
        Selected::Several(ranges) => Some(multipart(identity(), &ranges, length)),
        Selected::Unsatisfiable => Some(unsatisfiable(identity().headers, length)),
    }
}

fn partial(mut headers: HeaderMap, body: Bytes, content_range: HeaderValue) -> Response<Body> {
    headers.insert(CONTENT_LENGTH, HeaderValue::from(body.len()));
    headers.insert(CONTENT_RANGE, content_range);
    response(StatusCode::PARTIAL_CONTENT, headers, Body::whole(body))
}

/// [RFC 9110 §15.5.17](https://www.rfc-editor.org/rfc/rfc9110#section-15.5.17)
fn unsatisfiable(mut headers: HeaderMap, length: u64) -> Response<Body> {
    headers.remove(CONTENT_TYPE);
    headers.insert(CONTENT_LENGTH, HeaderValue::from(0));
    let text = format!("bytes */{length}");
    headers.insert(
        CONTENT_RANGE,
        HeaderValue::try_from(text).expect("digits are visible ASCII"),
    );
    response(StatusCode::RANGE_NOT_SATISFIABLE, headers, Body::empty())
}

/// [RFC 9110 §14.6](https://www.rfc-editor.org/rfc/rfc9110#section-14.6)
///
/// The parts are slices: a client that reads them slowly holds nothing of its own.
fn multipart(rendition: Rendition, ranges: &[ByteRange], length: u64) -> Response<Body> {
    let boundary = format!("{:032x}", fastrand::u128(..));
    let Rendition { mut headers, body } = rendition;
    let mut pieces = Vec::with_capacity(2 * ranges.len() + 1);
    for range in ranges {
        let head = head_of_part(&boundary, headers.get(CONTENT_TYPE), *range, length);
        pieces.extend([Bytes::from(head), slice(&body, *range)]);
    }
    pieces.push(format!("\r\n--{boundary}--\r\n").into());
    let total: usize = pieces.iter().map(Bytes::len).sum();
    let content_type = format!("multipart/byteranges; boundary={boundary}");
    headers.insert(
        CONTENT_TYPE,
        HeaderValue::try_from(content_type).expect("hexadecimal digits are visible ASCII"),
    );
    headers.insert(CONTENT_LENGTH, HeaderValue::from(total));
    headers.remove(CONTENT_RANGE); // each part has its own (RFC 9110 §15.3.7.2)
    let body = Body::stream(chain(pieces));
    response(StatusCode::PARTIAL_CONTENT, headers, body)
}

/// What stands before one part.
fn head_of_part(
    boundary: &str,
    content_type: Option<&HeaderValue>,
    range: ByteRange,
    length: u64,
) -> Vec<u8> {
    let mut head = format!("\r\n--{boundary}\r\n").into_bytes();
    if let Some(content_type) = content_type {
        head.extend_from_slice(b"Content-Type: ");
        head.extend_from_slice(content_type.as_bytes());
        head.extend_from_slice(b"\r\n");
    }
    head.extend_from_slice(b"Content-Range: ");
    head.extend_from_slice(range.content_range(length).as_bytes());
    head.extend_from_slice(b"\r\n\r\n");
    head
}

fn response(status: StatusCode, headers: HeaderMap, body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    response
}

fn slice(body: &Bytes, range: ByteRange) -> Bytes {
    let index = |position: u64| {
        usize::try_from(position)
            .unwrap_or(usize::MAX)
            .min(body.len())
    };
    body.slice(index(range.first)..index(range.last.saturating_add(1)))
}

fn unknown_length(range: ByteRange) -> HeaderValue {
    let text = format!("bytes {}-{}/*", range.first, range.last);
    HeaderValue::try_from(text).expect("digits and punctuation are visible ASCII")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::semantics::{key::Builder, stored::sample};
    use http_body_util::BodyExt;

    #[tokio::test]
    async fn several_parts_are_slices_of_the_stored_body() {
        let body: Bytes = (0..100_000_u32).map(|n| n.to_be_bytes()[3]).collect();
        let key = Builder::new("http", b"a", "/").build();
        let entry = Entry::new(key, sample(&[]), body.clone(), Default::default());
        let identity = || Rendition {
            headers: HeaderMap::new(),
            body: body.clone(),
        };
        let range = HeaderMap::from_iter([(RANGE, "bytes=0-0,2-99999".parse().unwrap())]);
        let answer = answer(&entry, identity, &Method::GET, &range).unwrap();
        let length: usize = answer.headers()[CONTENT_LENGTH]
            .to_str()
            .unwrap()
            .parse()
            .unwrap();
        let (mut sent, mut copied, mut content) = (0, 0, answer.into_body());
        while let Some(frame) = content.frame().await {
            let piece = frame.unwrap().into_data().unwrap();
            sent += piece.len();
            if !body.as_ptr_range().contains(&piece.as_ptr()) {
                copied += piece.len();
            }
        }
        assert_eq!(sent, length);
        assert!(copied < 1000, "{copied} bytes were copied");
    }
}
