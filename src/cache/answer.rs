//! What the cache answers.

use crate::{
    message::Body,
    origin::{FetchError, OriginError},
    semantics::{Decision, Outcome, Reason},
};
use http::Response;

/// An answer with why.
#[derive(Debug)]
pub(crate) struct Answered {
    pub(crate) response: Response<Body>,
    pub(crate) decision: Decision,
}

/// No answer, with why.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{error}")]
pub(crate) struct Unanswered {
    #[source]
    pub(crate) error: FetchError,
    /// It was another request's fetch that failed.
    pub(crate) collapsed: bool,
}

impl Unanswered {
    /// Why the request failed, as everybody counts and says it.
    pub(crate) fn decision(&self) -> Decision {
        let reason = match self.error {
            FetchError::OnlyIfCached => Reason::OnlyIfCached,
            FetchError::Origin(_)
            | FetchError::ClientBody
            | FetchError::ClientSlow
            | FetchError::Overloaded
            | FetchError::Abandoned => Reason::Upstream,
        };
        Decision {
            collapsed: self.collapsed,
            ..Decision::new(Outcome::Failed, reason)
        }
    }
}

impl From<FetchError> for Unanswered {
    fn from(error: FetchError) -> Self {
        Self {
            error,
            collapsed: false,
        }
    }
}

impl From<OriginError> for Unanswered {
    fn from(error: OriginError) -> Self {
        FetchError::from(error).into()
    }
}
