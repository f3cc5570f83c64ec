//! The only place where an error becomes a status: `application/problem+json` that names the cause ([RFC 9457]).
//!
//! [RFC 9457]: https://www.rfc-editor.org/rfc/rfc9457

use super::{body::Body, cache::Answered, upstream::UpstreamError};
use crate::semantics::{Decision, Outcome, Reason};
use http::{
    HeaderValue, Response, StatusCode,
    header::{CONNECTION, CONTENT_LENGTH, CONTENT_TYPE},
};

/// Why a request has no answer of the upstream or the store.
#[derive(Debug, thiserror::Error)]
pub(super) enum Problem {
    /// The upstream failed.
    #[error(transparent)]
    Upstream(#[from] UpstreamError),
    /// The client accepts only what is stored, and nothing usable is (RFC 9111 §5.2.1.7).
    #[error("nothing stored can be used, and the request said only-if-cached")]
    OnlyIfCached,
    /// `Host` is missing, repeated or malformed (RFC 9112 §3.2).
    #[error("the request needs exactly one well-formed Host field")]
    Host,
    /// The target is not a path.
    #[error("the request target must be a path or an absolute URL")]
    Target,
    /// A transfer coding other than chunked (RFC 9112 §6.1).
    #[error("the only transfer coding that is served is chunked")]
    TransferCoding,
    /// A PURGE without the right token.
    #[error("PURGE needs the right token in X-Sidecache-Purge")]
    PurgeToken,
    /// A tunnel was asked for.
    #[error("this is a reverse proxy: CONNECT is not served")]
    Connect,
}

impl Problem {
    fn status(&self) -> StatusCode {
        match self {
            Self::Upstream(error) => match error {
                UpstreamError::Connect(_) | UpstreamError::Broken(_) => StatusCode::BAD_GATEWAY,
                UpstreamError::ConnectTimeout | UpstreamError::Timeout => {
                    StatusCode::GATEWAY_TIMEOUT
                }
                UpstreamError::Busy | UpstreamError::Abandoned => StatusCode::SERVICE_UNAVAILABLE,
                UpstreamError::Request => StatusCode::BAD_REQUEST,
            },
            Self::OnlyIfCached => StatusCode::GATEWAY_TIMEOUT,
            Self::Host | Self::Target => StatusCode::BAD_REQUEST,
            Self::TransferCoding => StatusCode::NOT_IMPLEMENTED,
            Self::PurgeToken => StatusCode::FORBIDDEN,
            Self::Connect => StatusCode::METHOD_NOT_ALLOWED,
        }
    }

    /// The word for it in the body: stable, for programs.
    fn cause(&self) -> &'static str {
        match self {
            Self::Upstream(error) => error.cause(),
            Self::OnlyIfCached => "only_if_cached",
            Self::Host => "host",
            Self::Target => "target",
            Self::TransferCoding => "transfer_coding",
            Self::PurgeToken => "purge_token",
            Self::Connect => "connect_method",
        }
    }

    fn reason(&self) -> Reason {
        match self {
            Self::Upstream(_) => Reason::Upstream,
            Self::OnlyIfCached => Reason::OnlyIfCached,
            Self::PurgeToken => Reason::Token,
            Self::Host | Self::Target | Self::TransferCoding | Self::Connect => Reason::Request,
        }
    }
}

/// The answer that `problem` gets, with why.
pub(super) fn answer(problem: &Problem) -> Answered {
    let status = problem.status();
    if let Problem::Upstream(error) = problem {
        tracing::debug!(
            error = error as &dyn std::error::Error,
            "the upstream has no answer"
        );
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
    response.headers_mut().insert(
        CONTENT_TYPE,
        HeaderValue::from_static("application/problem+json"),
    );
    response
        .headers_mut()
        .insert(CONTENT_LENGTH, HeaderValue::from(body.len()));
    if problem.reason() == Reason::Request {
        // Whoever sends such a request may not mean what follows on the connection as one either.
        response
            .headers_mut()
            .insert(CONNECTION, HeaderValue::from_static("close"));
    }
    if status == StatusCode::METHOD_NOT_ALLOWED {
        let allowed = HeaderValue::from_static("GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS");
        response.headers_mut().insert(http::header::ALLOW, allowed);
    }
    *response.body_mut() = Body::whole(body.into());
    Answered {
        response,
        decision: Decision::new(Outcome::Failed, problem.reason()),
    }
}
