//! An error as the body of an answer ([RFC 9457]).
//!
//! [RFC 9457]: https://www.rfc-editor.org/rfc/rfc9457

use super::body::Body;
use http::{
    HeaderValue, Response, StatusCode,
    header::{CONTENT_LENGTH, CONTENT_TYPE, RETRY_AFTER},
};

/// When a client may try again that found this proxy too busy, or was too slow for it: a place among the requests to the
/// upstream is free again soon.
const RETRY_AFTER_SECONDS: u32 = 1;

/// Says when to try again, in an answer of our own that is not about the request but about the moment ([RFC 9110 §15.6.4],
/// [RFC 9110 §15.5.9]). Each of them says so.
///
/// [RFC 9110 §15.6.4]: https://www.rfc-editor.org/rfc/rfc9110#section-15.6.4
/// [RFC 9110 §15.5.9]: https://www.rfc-editor.org/rfc/rfc9110#section-15.5.9
pub fn say_when_to_retry<B>(response: &mut Response<B>) {
    let of_the_moment = matches!(
        response.status(),
        StatusCode::SERVICE_UNAVAILABLE | StatusCode::REQUEST_TIMEOUT
    );
    if of_the_moment {
        let seconds = HeaderValue::from(RETRY_AFTER_SECONDS);
        response.headers_mut().insert(RETRY_AFTER, seconds);
    }
}

/// `application/problem+json` with this status; `cause` is a stable word for programs, `detail` a sentence for people.
pub fn problem(status: StatusCode, cause: &str, detail: &str) -> Response<Body> {
    let body = serde_json::json!({
        "type": "about:blank",
        "title": status.canonical_reason(),
        "status": status.as_u16(),
        "detail": detail,
        "cause": cause,
    })
    .to_string();
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    let headers = response.headers_mut();
    let content_type = HeaderValue::from_static("application/problem+json");
    headers.insert(CONTENT_TYPE, content_type);
    headers.insert(CONTENT_LENGTH, HeaderValue::from(body.len()));
    *response.body_mut() = Body::whole(body.into());
    say_when_to_retry(&mut response);
    response
}
