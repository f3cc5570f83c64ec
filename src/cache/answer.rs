//! What the cache answers.

use crate::{
    message::Body,
    origin::{FetchError, OriginError},
    semantics::Decision,
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
