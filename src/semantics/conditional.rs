//! The client's own preconditions against a stored response ([RFC 9110 §13], [RFC 9111 §4.3.2]).
//!
//! [RFC 9110 §13]: https://www.rfc-editor.org/rfc/rfc9110#section-13
//! [RFC 9111 §4.3.2]: https://www.rfc-editor.org/rfc/rfc9111#section-4.3.2

use super::{date, etag, fields::all_tags, stored::StoredHead};
use http::{
    HeaderMap, StatusCode,
    header::{
        ETAG, IF_MATCH, IF_MODIFIED_SINCE, IF_NONE_MATCH, IF_UNMODIFIED_SINCE, LAST_MODIFIED,
    },
};
use std::time::SystemTime;

/// Whether the client has this response already, so that 304 is the answer ([RFC 9110 §13.2.2]).
///
/// `If-None-Match` decides alone where it is present. `codings` are the content codings that a tag may carry as suffix.
///
/// [RFC 9110 §13.2.2]: https://www.rfc-editor.org/rfc/rfc9110#section-13.2.2
pub fn client_has_it(
    request: &HeaderMap,
    stored: &StoredHead,
    codings: &[&str],
    now: SystemTime,
) -> bool {
    if stored.status != StatusCode::OK {
        return false; // a precondition speaks of the selected representation, which only a 200 carries
    }
    if request.contains_key(IF_NONE_MATCH) {
        return none_match_fails(request, &stored.headers, codings);
    }
    request.contains_key(IF_MODIFIED_SINCE) && not_modified_since(request, stored, now)
}

/// Weak comparison with each listed tag, or `*` ([RFC 9110 §13.1.2]).
///
/// [RFC 9110 §13.1.2]: https://www.rfc-editor.org/rfc/rfc9110#section-13.1.2
pub fn none_match_fails(request: &HeaderMap, response: &HeaderMap, codings: &[&str]) -> bool {
    all_tags(request, &IF_NONE_MATCH).any(|candidate| {
        candidate == b"*"
            || response
                .get(ETAG)
                .is_some_and(|tag| etag::same_family(tag.as_bytes(), candidate, codings))
    })
}

/// `Last-Modified` is not later than the client's date ([RFC 9110 §13.1.3]); a date that is none is ignored.
///
/// Where the origin gives no modification date, nothing says that it was modified since. [RFC 9111 §4.3.2] would compare
/// with `Date` instead, which makes every answer look modified when it was fetched; see docs/caching.md.
///
/// [RFC 9110 §13.1.3]: https://www.rfc-editor.org/rfc/rfc9110#section-13.1.3
/// [RFC 9111 §4.3.2]: https://www.rfc-editor.org/rfc/rfc9111#section-4.3.2
fn not_modified_since(request: &HeaderMap, stored: &StoredHead, now: SystemTime) -> bool {
    let read = |headers: &HeaderMap, name| {
        headers
            .get(name)
            .and_then(|value| date::parse(value.as_bytes(), now))
    };
    let Some(since) = read(request, IF_MODIFIED_SINCE) else {
        return false;
    };
    if stored.headers.contains_key(LAST_MODIFIED) {
        read(&stored.headers, LAST_MODIFIED).is_some_and(|modified| modified <= since)
    } else {
        true
    }
}

/// Preconditions that only the origin can judge: such a request is not answered from the cache
/// ([RFC 9111 §4.3.2]).
///
/// [RFC 9111 §4.3.2]: https://www.rfc-editor.org/rfc/rfc9111#section-4.3.2
pub fn is_for_the_origin(request: &HeaderMap) -> bool {
    request.contains_key(IF_MATCH) || request.contains_key(IF_UNMODIFIED_SINCE)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::semantics::stored::sample;
    use http::{HeaderName, HeaderValue};
    use std::time::UNIX_EPOCH;

    const NOW: SystemTime = UNIX_EPOCH;
    const OLD: &str = "Sun, 06 Nov 1994 08:49:37 GMT";
    const NEW: &str = "Mon, 07 Nov 1994 08:49:37 GMT";

    fn has_it(
        stored: &[(&'static str, &'static str)],
        request: &[(&'static str, &'static str)],
    ) -> bool {
        let request = request
            .iter()
            .map(|(n, v)| (HeaderName::from_static(n), HeaderValue::from_static(v)))
            .collect();
        client_has_it(&request, &sample(stored), &["gzip"], NOW)
    }

    #[test]
    fn if_none_match_compares_weakly_with_each_member() {
        let tag = [("etag", "\"a\"")];
        for matching in [
            "\"a\"",
            "W/\"a\"",
            "\"x\", \"a\", \"y\"",
            "\"x\",\"a\"",
            "\"x\\\", \"a\"",
            "*",
            "\"a-gzip\"",
        ] {
            assert!(has_it(&tag, &[("if-none-match", matching)]), "{matching}");
        }
        for other in ["\"b\"", "a", "\"x, a\"", "", "\"a-br\""] {
            assert!(!has_it(&tag, &[("if-none-match", other)]), "{other}");
        }
    }

    #[test]
    fn if_none_match_decides_alone() {
        let stored = [("etag", "\"a\""), ("last-modified", OLD)];
        assert!(!has_it(
            &stored,
            &[("if-none-match", "\"b\""), ("if-modified-since", NEW)]
        ));
        assert!(has_it(
            &stored,
            &[("if-none-match", "\"a\""), ("if-modified-since", "rubbish")]
        ));
    }

    #[test]
    fn if_modified_since_compares_with_last_modified() {
        assert!(has_it(
            &[("last-modified", OLD)],
            &[("if-modified-since", OLD)]
        ));
        assert!(has_it(
            &[("last-modified", OLD)],
            &[("if-modified-since", NEW)]
        ));
        assert!(!has_it(
            &[("last-modified", NEW)],
            &[("if-modified-since", OLD)]
        ));
        assert!(!has_it(
            &[("last-modified", "rubbish")],
            &[("if-modified-since", OLD)]
        ));
        assert!(!has_it(
            &[("last-modified", OLD)],
            &[("if-modified-since", "rubbish")]
        ));
    }

    #[test]
    fn without_last_modified_nothing_was_modified_since() {
        assert!(has_it(&[("date", NEW)], &[("if-modified-since", OLD)]));
        assert!(!has_it(&[], &[("if-modified-since", "rubbish")]));
    }

    #[test]
    fn a_star_matches_even_without_a_tag() {
        assert!(has_it(&[], &[("if-none-match", "*")]));
    }
}
