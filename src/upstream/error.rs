//! What a failed exchange says about the upstream.

use super::wire::is_reused;
use crate::origin::{FetchError, OriginError};
use hyper_util::client::legacy;
use std::{error::Error, io, sync::Arc};

/// The first error of type `E` along the chain of causes.
fn source<'e, E: Error + 'static>(error: &'e (dyn Error + 'static)) -> Option<&'e E> {
    let mut current = Some(error);
    while let Some(error) = current {
        if let Some(found) = error.downcast_ref() {
            return Some(found);
        }
        current = error.source();
    }
    None
}

/// Whether the upstream closed a kept connection just as it was used again, or left something on it that is no response:
/// the rest of an earlier one.
pub(super) fn broke_before_answering(error: &legacy::Error) -> bool {
    let is_garbled = || {
        is_reused(error)
            && source::<hyper::Error>(error)
                .is_some_and(|e| e.is_parse() && !e.is_parse_too_large())
    };
    let is_closed = !error.is_connect()
        && (source::<hyper::Error>(error)
            .is_some_and(|e| e.is_incomplete_message() || e.is_canceled())
            || source::<io::Error>(error)
                .is_some_and(|e| e.kind() == io::ErrorKind::ConnectionReset));
    is_closed || is_garbled()
}

/// Who is to blame for `error`.
pub(super) fn classify(error: legacy::Error) -> FetchError {
    if error.is_connect() {
        return match source::<io::Error>(&error).map(io::Error::kind) {
            Some(io::ErrorKind::TimedOut) => OriginError::ConnectTimeout.into(),
            _ => OriginError::Connect(Arc::new(error)).into(),
        };
    }
    match source::<hyper::Error>(&error) {
        Some(e) if e.is_user() => {
            source(&error).map_or(FetchError::ClientBody, FetchError::content)
        }
        _ if source::<io::Error>(&error).is_some_and(|e| e.kind() == io::ErrorKind::TimedOut) => {
            OriginError::Timeout.into() // it did not read the request
        }
        Some(e) if e.is_parse_too_large() => OriginError::TooLarge.into(),
        _ => OriginError::Broken(Arc::new(error)).into(),
    }
}
