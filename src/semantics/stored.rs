//! What is remembered about a response beside its body ([RFC 9111 §3]).
//!
//! [RFC 9111 §3]: https://www.rfc-editor.org/rfc/rfc9111#section-3

use super::{
    Freshness,
    part::Part,
    selection::is_for_every_site,
    vary::{Selecting, Selects},
};
use http::{HeaderMap, StatusCode, header::ORIGIN};

/// The head of a stored response.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredHead {
    /// The status that the origin gave.
    pub status: StatusCode,
    /// The end-to-end fields; hop-by-hop and withheld ones are already gone.
    pub headers: HeaderMap,
    /// What selected it.
    pub selecting: Selecting,
    /// How long it may be used.
    pub freshness: Freshness,
    /// Which part of the representation the body is; `None` where it is the whole.
    pub part: Option<Part>,
    /// The `ETag` is ours: the origin would not know it.
    pub generated_etag: bool,
    /// The origin forbids any transformation (`no-transform`).
    pub no_transform: bool,
    /// What purges can name it by.
    pub tags: Vec<Box<str>>,
}

impl StoredHead {
    /// Whether a request with these fields selects it ([RFC 9111 §4.1]).
    ///
    /// One with `Origin` does not select what was asked for without, unless every site may read it: an origin that forgets
    /// `Vary: Origin` would have answered otherwise, and the site could not read what it gets.
    ///
    /// [RFC 9111 §4.1]: https://www.rfc-editor.org/rfc/rfc9111#section-4.1
    pub fn is_selected_by(&self, request: &Selects<'_>) -> bool {
        self.selecting.matches(request, &self.headers)
            && (self.selecting.names().any(|name| *name == ORIGIN)
                || !request.fields().keys().any(|name| *name == ORIGIN)
                || is_for_every_site(&self.headers))
    }
}

/// A head for tests: 200 with these fields, fresh for a minute from 1970 on.
#[cfg(test)]
pub(crate) fn sample(fields: &[(&'static str, &str)]) -> StoredHead {
    use super::freshness::Source;
    use http::{HeaderName, HeaderValue};
    use std::time::{Duration, UNIX_EPOCH};
    let field = |(name, value): &(&'static str, &str)| {
        (
            HeaderName::from_static(name),
            HeaderValue::from_str(value).expect("a valid value"),
        )
    };
    StoredHead {
        status: StatusCode::OK,
        headers: fields.iter().map(field).collect(),
        selecting: Selecting::default(),
        freshness: Freshness {
            initial_age: Duration::ZERO,
            response_time: UNIX_EPOCH,
            request_time: UNIX_EPOCH,
            lifetime: Duration::from_secs(60),
            source: Source::Origin,
            while_revalidate: Duration::ZERO,
            if_error: Duration::ZERO,
            validate_always: false,
            forbids_stale: false,
        },
        part: None,
        generated_etag: false,
        no_transform: false,
        tags: Vec::new(),
    }
}
