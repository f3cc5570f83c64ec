//! `Cache-Status`: why an answer came from where it came from ([RFC 9211]).
//!
//! [RFC 9211]: https://www.rfc-editor.org/rfc/rfc9211

use crate::{
    message::names::CACHE_STATUS,
    semantics::{Decision, cache_status::CacheStatus},
};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue};

/// The last member of `Cache-Status` is ours (RFC 9211 §2).
pub(crate) fn mark(headers: &mut HeaderMap, decision: Decision) {
    let earlier = headers
        .get(CACHE_STATUS)
        .is_some_and(|line| !line.is_empty());
    let mut text = String::with_capacity(64);
    if earlier {
        for line in headers
            .get_all(CACHE_STATUS)
            .iter()
            .filter_map(|line| line.to_str().ok())
        {
            text.push_str(line);
            text.push_str(", ");
        }
    }
    CacheStatus(decision).push_to(&mut text);
    let value = HeaderValue::from_maybe_shared(Bytes::from(text));
    headers.insert(CACHE_STATUS, value.expect("members are visible ASCII"));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_member_comes_after_those_of_earlier_caches() {
        let mut headers = HeaderMap::new();
        headers.insert(CACHE_STATUS, HeaderValue::from_static("origin; hit"));
        mark(
            &mut headers,
            Decision::new(
                crate::semantics::Outcome::Miss,
                crate::semantics::Reason::UriMiss,
            ),
        );
        assert_eq!(
            headers[CACHE_STATUS],
            "origin; hit, sidecache; fwd=uri-miss"
        );
    }
}
