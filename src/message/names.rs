//! Names of fields that this proxy reads or writes and the `http` crate does not list.

use http::HeaderName;

/// Why an answer came from where it came from (RFC 9211).
pub const CACHE_STATUS: HeaderName = HeaderName::from_static("cache-status");

/// The id of one request, the client's own or a new one.
pub const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// A caller who gives the bypass token in it is answered by the upstream.
pub const BYPASS: HeaderName = HeaderName::from_static("x-sidecache-bypass");

/// A caller who gives the purge token in it may purge.
pub const PURGE_TOKEN: HeaderName = HeaderName::from_static("x-sidecache-purge");

/// The addresses that a request came through.
pub const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// The host that the client asked for.
pub const X_FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");

/// The scheme by which the client asked.
pub const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
