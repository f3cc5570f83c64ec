//! The only place where an error becomes a status: `application/problem+json` that names the cause ([RFC 9457]).
//!
//! [RFC 9457]: https://www.rfc-editor.org/rfc/rfc9457

use super::problem::Problem;
use crate::{
    cache::Answered,
    message::{Body, problem::problem},
    semantics::{Decision, Outcome, Reason},
};
use http::{
    HeaderValue, Response, StatusCode,
    header::{ALLOW, CONNECTION},
};

fn status(problem: &Problem) -> StatusCode {
    match problem {
        Problem::Fetch(unanswered) => unanswered.error.status(),
        Problem::Host | Problem::Target => StatusCode::BAD_REQUEST,
        Problem::LongTarget => StatusCode::URI_TOO_LONG,
        Problem::LongConnection => StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
        Problem::TransferCoding => StatusCode::NOT_IMPLEMENTED,
        Problem::PurgeToken => StatusCode::FORBIDDEN,
        Problem::Loop(_) => StatusCode::LOOP_DETECTED,
        Problem::Connect | Problem::Trace => StatusCode::METHOD_NOT_ALLOWED,
        Problem::Itself => StatusCode::NO_CONTENT,
    }
}

fn decision(problem: &Problem) -> Decision {
    match problem {
        Problem::Fetch(unanswered) => unanswered.decision(),
        Problem::PurgeToken => Decision::new(Outcome::Failed, Reason::Token),
        Problem::Host
        | Problem::Target
        | Problem::LongTarget
        | Problem::LongConnection
        | Problem::TransferCoding
        | Problem::Connect
        | Problem::Loop(_) => Decision::new(Outcome::Failed, Reason::Request),
        Problem::Trace | Problem::Itself => Decision::forwarded(Reason::Method),
    }
}

/// The answer that `why` gets.
pub(super) fn answer(why: &Problem) -> Answered {
    let (status, decision) = (status(why), decision(why));
    if let Problem::Fetch(unanswered) = why {
        let error = &unanswered.error as &dyn std::error::Error;
        tracing::debug!(error, "there is no answer");
    }
    let mut response = match why {
        Problem::Itself => Response::new(Body::empty()),
        _ => problem(status, why.cause(), &why.to_string()),
    };
    *response.status_mut() = status;
    let headers = response.headers_mut();
    if decision.reason == Reason::Request {
        // Whoever sends such a request may not mean what follows on the connection as one either.
        headers.insert(CONNECTION, HeaderValue::from_static("close"));
    }
    if matches!(
        status,
        StatusCode::METHOD_NOT_ALLOWED | StatusCode::NO_CONTENT
    ) {
        let allowed = HeaderValue::from_static("GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS");
        headers.insert(ALLOW, allowed);
    }
    Answered { response, decision }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        message::BodyError,
        origin::{FetchError, OriginError},
    };
    use http::header::RETRY_AFTER;
    use std::sync::Arc;

    #[test]
    fn who_may_try_again_is_told_when() {
        let cause = || Arc::new(BodyError::Broken);
        let all = [
            (
                FetchError::Origin(OriginError::Connect(cause())),
                502,
                false,
            ),
            (FetchError::Origin(OriginError::ConnectTimeout), 504, false),
            (FetchError::Origin(OriginError::Timeout), 504, false),
            (FetchError::broken(BodyError::Broken), 502, false),
            (FetchError::Origin(OriginError::TooLarge), 502, false),
            (FetchError::Overloaded, 503, true),
            (FetchError::ClientBody, 400, false),
            (FetchError::ClientSlow, 408, true),
            (FetchError::Abandoned, 503, true),
            (FetchError::OnlyIfCached, 504, false),
        ];
        assert_eq!(all.len(), FetchError::CAUSES.len());
        for (error, status, says) in all {
            let response = answer(&error.into()).response;
            let cause = response.status();
            assert_eq!(cause, status);
            assert_eq!(
                response.headers().contains_key(RETRY_AFTER),
                says,
                "{cause}"
            );
        }
    }
}
