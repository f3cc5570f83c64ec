//! What is answered in place of what was asked for: `application/problem+json` (RFC 9457).

use axum::{
    Json,
    http::{
        HeaderValue, StatusCode,
        header::{ALLOW, CONTENT_TYPE},
    },
    response::{IntoResponse, Response},
};
use serde_json::json;

/// A status, and a sentence that says what to do.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Problem {
    pub(super) status: StatusCode,
    pub(super) detail: String,
}

impl Problem {
    pub(super) fn new(status: StatusCode, detail: impl Into<String>) -> Self {
        Self {
            status,
            detail: detail.into(),
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let body = json!({
            "type": "about:blank",
            "title": self.status.canonical_reason(),
            "status": self.status.as_u16(),
            "detail": self.detail,
        });
        let mut response = (self.status, Json(body)).into_response();
        let problem = HeaderValue::from_static("application/problem+json");
        response.headers_mut().insert(CONTENT_TYPE, problem);
        response
    }
}

/// Puts a problem in the place of a refusal in plain text or without words, as the router and the layers give them.
pub(super) fn in_place_of(mut refusal: Response, detail: impl Into<String>) -> Response {
    let allow = refusal.headers_mut().remove(ALLOW);
    let mut response = Problem::new(refusal.status(), detail).into_response();
    if let Some(methods) = allow {
        response.headers_mut().insert(ALLOW, methods);
    }
    response
}

/// Whether `response` is a refusal that is no JSON.
pub(super) fn is_bare(response: &Response) -> bool {
    let status = response.status();
    let kind = response.headers().get(CONTENT_TYPE);
    (status.is_client_error() || status.is_server_error())
        && kind.is_none_or(|kind| kind.as_bytes().starts_with(b"text/plain"))
}
