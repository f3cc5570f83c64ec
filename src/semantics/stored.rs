//! What is remembered about a response beside its body ([RFC 9111 §3]).
//!
//! [RFC 9111 §3]: https://www.rfc-editor.org/rfc/rfc9111#section-3

use super::{Freshness, vary::Selecting};
use http::{HeaderMap, StatusCode};

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
    /// The `ETag` is ours: the origin would not know it.
    pub generated_etag: bool,
    /// The origin forbids any transformation (`no-transform`).
    pub no_transform: bool,
    /// What purges can name it by.
    pub tags: Vec<Box<str>>,
}
