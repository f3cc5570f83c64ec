//! The only place where an error becomes a status: `application/problem+json` that names the cause ([RFC 9457]).
//!
//! [RFC 9457]: https://www.rfc-editor.org/rfc/rfc9457

use super::problem::Problem;
use crate::{
    cache::Answered,
    message::problem::problem,
    semantics::{Decision, Outcome, Reason},
};
use http::{
    HeaderValue, StatusCode,
    header::{ALLOW, CONNECTION},
};

fn status(problem: &Problem) -> StatusCode {
    match problem {
        Problem::Fetch(unanswered) => unanswered.error.status(),
        Problem::Host | Problem::Target => StatusCode::BAD_REQUEST,
        Problem::TransferCoding => StatusCode::NOT_IMPLEMENTED,
        Problem::PurgeToken => StatusCode::FORBIDDEN,
        Problem::Connect => StatusCode::METHOD_NOT_ALLOWED,
    }
}

fn decision(problem: &Problem) -> Decision {
    match problem {
        Problem::Fetch(unanswered) => unanswered.decision(),
        Problem::PurgeToken => Decision::new(Outcome::Failed, Reason::Token),
        Problem::Host | Problem::Target | Problem::TransferCoding | Problem::Connect => {
            Decision::new(Outcome::Failed, Reason::Request)
        }
    }
}

/// The answer that `why` gets.
pub(super) fn answer(why: &Problem) -> Answered {
    let (status, decision) = (status(why), decision(why));
    if let Problem::Fetch(unanswered) = why {
        let error = &unanswered.error as &dyn std::error::Error;
        tracing::debug!(error, "there is no answer");
    }
    let mut response = problem(status, why.cause(), &why.to_string());
    let headers = response.headers_mut();
    if decision.reason == Reason::Request {
        // Whoever sends such a request may not mean what follows on the connection as one either.
        headers.insert(CONNECTION, HeaderValue::from_static("close"));
    }
    if status == StatusCode::METHOD_NOT_ALLOWED {
        let allowed = HeaderValue::from_static("GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS");
        headers.insert(ALLOW, allowed);
    }
    Answered { response, decision }
}
