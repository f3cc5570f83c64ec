//! `Cache-Status`: why an answer came from where it came from ([RFC 9211]).
//!
//! [RFC 9211]: https://www.rfc-editor.org/rfc/rfc9211

use crate::{
    message::names::CACHE_STATUS,
    semantics::{Decision, cache_status::CacheStatus},
};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, header::Entry};

/// The last member of `Cache-Status` is ours (RFC 9211 §2).
pub(crate) fn mark(headers: &mut HeaderMap, decision: Decision) {
    let member = CacheStatus(decision).member();
    match headers.entry(CACHE_STATUS) {
        Entry::Vacant(place) => {
            place.insert(member.value());
        }
        // Stored responses keep an empty place for it.
        Entry::Occupied(mut place) if place.get().is_empty() => {
            place.insert(member.value());
        }
        Entry::Occupied(mut place) => {
            let value = after_earlier(place.iter(), member.as_bytes());
            place.insert(value);
        }
    }
}

/// The members of earlier caches, and `member`.
fn after_earlier<'l>(
    lines: impl Iterator<Item = &'l HeaderValue>,
    member: &'l [u8],
) -> HeaderValue {
    let lines = lines.filter(|line| line.to_str().is_ok());
    let members: Vec<_> = lines.map(HeaderValue::as_bytes).chain([member]).collect();
    HeaderValue::from_maybe_shared(Bytes::from(members.join(&b", "[..])))
        .expect("members are visible ASCII")
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
