//! The only place where an error becomes a status: `application/problem+json` that names the cause ([RFC 9457]).
//!
//! [RFC 9457]: https://www.rfc-editor.org/rfc/rfc9457

use super::problem::Problem;
use crate::{
    cache::Answered,
    message::Body,
    origin::{FetchError, OriginError},
    semantics::{Decision, Outcome, Reason},
};
use http::{
    HeaderValue, Response, StatusCode,
    header::{ALLOW, CONNECTION, CONTENT_LENGTH, CONTENT_TYPE},
};

fn status(problem: &Problem) -> StatusCode {
    match problem {
        Problem::Fetch(unanswered) => match &unanswered.error {
            FetchError::Origin(OriginError::Connect(_) | OriginError::Broken(_)) => {
                StatusCode::BAD_GATEWAY
            }
            FetchError::Origin(OriginError::ConnectTimeout | OriginError::Timeout)
            | FetchError::OnlyIfCached => StatusCode::GATEWAY_TIMEOUT,
            FetchError::Overloaded | FetchError::Abandoned => StatusCode::SERVICE_UNAVAILABLE,
            FetchError::ClientBody => StatusCode::BAD_REQUEST,
        },
        Problem::Host | Problem::Target => StatusCode::BAD_REQUEST,
        Problem::TransferCoding => StatusCode::NOT_IMPLEMENTED,
        Problem::PurgeToken => StatusCode::FORBIDDEN,
        Problem::Connect => StatusCode::METHOD_NOT_ALLOWED,
    }
}

fn decision(problem: &Problem) -> Decision {
    let failed = |reason| Decision::new(Outcome::Failed, reason);
    match problem {
        Problem::Fetch(unanswered) => Decision {
            collapsed: unanswered.collapsed,
            ..failed(match unanswered.error {
                FetchError::OnlyIfCached => Reason::OnlyIfCached,
                FetchError::Origin(_)
                | FetchError::ClientBody
                | FetchError::Overloaded
                | FetchError::Abandoned => Reason::Upstream,
            })
        },
        Problem::PurgeToken => failed(Reason::Token),
        Problem::Host | Problem::Target | Problem::TransferCoding | Problem::Connect => {
            failed(Reason::Request)
        }
    }
}

/// The answer that `problem` gets, with why.
pub(super) fn answer(problem: &Problem) -> Answered {
    let (status, decision) = (status(problem), decision(problem));
    if let Problem::Fetch(unanswered) = problem {
        let error = &unanswered.error as &dyn std::error::Error;
        tracing::debug!(error, "there is no answer");
    }
    let body = serde_json::json!({
        "type": "about:blank",
        "title": status.canonical_reason(),
        "status": status.as_u16(),
        "detail": problem.to_string(),
        "cause": problem.cause(),
    })
    .to_string();
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    let headers = response.headers_mut();
    let content_type = HeaderValue::from_static("application/problem+json");
    headers.insert(CONTENT_TYPE, content_type);
    headers.insert(CONTENT_LENGTH, HeaderValue::from(body.len()));
    if decision.reason == Reason::Request {
        // Whoever sends such a request may not mean what follows on the connection as one either.
        headers.insert(CONNECTION, HeaderValue::from_static("close"));
    }
    if status == StatusCode::METHOD_NOT_ALLOWED {
        let allowed = HeaderValue::from_static("GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS");
        headers.insert(ALLOW, allowed);
    }
    *response.body_mut() = Body::whole(body.into());
    Answered { response, decision }
}
