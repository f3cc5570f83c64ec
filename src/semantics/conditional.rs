//! The client's own preconditions against a stored response ([RFC 9110 §13], [RFC 9111 §4.3.2]).
//!
//! [RFC 9110 §13]: https://www.rfc-editor.org/rfc/rfc9110#section-13
//! [RFC 9111 §4.3.2]: https://www.rfc-editor.org/rfc/rfc9111#section-4.3.2

use super::{date, etag, fields::request_tags};
use http::{
    HeaderMap, HeaderName, StatusCode,
    header::{
        ETAG, IF_MATCH, IF_MODIFIED_SINCE, IF_NONE_MATCH, IF_UNMODIFIED_SINCE, LAST_MODIFIED,
    },
};
use std::time::SystemTime;

/// Whether the client has a stored response already, so that 304 is the answer ([RFC 9110 §13.2.2]). `selected` has the fields
/// that it would get: a tag of another coding names other bytes.
///
/// Where the origin gives no modification date, nothing says that it was modified since. [RFC 9111 §4.3.2] would compare
/// with `Date` instead, which makes every answer look modified when it was fetched; see docs/caching.md.
///
/// [RFC 9110 §13.2.2]: https://www.rfc-editor.org/rfc/rfc9110#section-13.2.2
/// [RFC 9111 §4.3.2]: https://www.rfc-editor.org/rfc/rfc9111#section-4.3.2
pub fn client_has_it(
    request: &HeaderMap,
    status: StatusCode,
    selected: &HeaderMap,
    now: SystemTime,
) -> bool {
    // A precondition speaks of the selected representation, which only a 200 carries.
    status == StatusCode::OK
        && match precondition(request) {
            Some(Precondition::NoneMatch) => none_match_fails(request, selected),
            Some(Precondition::ModifiedSince) if selected.contains_key(LAST_MODIFIED) => {
                not_modified_since(request, selected, now) == Some(true)
            }
            Some(Precondition::ModifiedSince) => {
                date_of(request, &IF_MODIFIED_SINCE, now).is_some()
            }
            None => false,
        }
}

/// Whether the client has a response that is not stored: what the origin says of it is all that is known.
pub fn client_has_what_passes(
    request: &HeaderMap,
    status: StatusCode,
    selected: &HeaderMap,
    now: SystemTime,
) -> bool {
    match precondition(request) {
        Some(Precondition::NoneMatch) => {
            matches!(status, StatusCode::OK | StatusCode::PARTIAL_CONTENT)
                && none_match_fails(request, selected)
        }
        Some(Precondition::ModifiedSince) => {
            status == StatusCode::OK && not_modified_since(request, selected, now) == Some(true)
        }
        None => false,
    }
}

/// Whether a request says what its client has already.
pub fn is_conditional(request: &HeaderMap) -> bool {
    precondition(request).is_some()
}

/// Which of the two decides.
enum Precondition {
    NoneMatch,
    ModifiedSince,
}

/// `If-None-Match` decides alone where it is present ([RFC 9110 §13.2.2]).
///
/// [RFC 9110 §13.2.2]: https://www.rfc-editor.org/rfc/rfc9110#section-13.2.2
fn precondition(request: &HeaderMap) -> Option<Precondition> {
    if request.contains_key(IF_NONE_MATCH) {
        Some(Precondition::NoneMatch)
    } else {
        let asked = request.contains_key(IF_MODIFIED_SINCE);
        asked.then_some(Precondition::ModifiedSince)
    }
}

/// Weak comparison with each listed tag, or `*` ([RFC 9110 §13.1.2]).
///
/// [RFC 9110 §13.1.2]: https://www.rfc-editor.org/rfc/rfc9110#section-13.1.2
fn none_match_fails(request: &HeaderMap, selected: &HeaderMap) -> bool {
    let tag = selected.get(ETAG).map(|tag| etag::opaque(tag.as_bytes()));
    request_tags(request, &IF_NONE_MATCH)
        .any(|candidate| candidate == b"*" || tag.is_some_and(|tag| tag == etag::opaque(candidate)))
}

/// Whether `Last-Modified` is not later than the client's date ([RFC 9110 §13.1.3]); `None` where one of them is no date.
///
/// [RFC 9110 §13.1.3]: https://www.rfc-editor.org/rfc/rfc9110#section-13.1.3
fn not_modified_since(request: &HeaderMap, selected: &HeaderMap, now: SystemTime) -> Option<bool> {
    let since = date_of(request, &IF_MODIFIED_SINCE, now)?;
    Some(date_of(selected, &LAST_MODIFIED, now)? <= since)
}

fn date_of(headers: &HeaderMap, name: &HeaderName, now: SystemTime) -> Option<SystemTime> {
    date::parse(headers.get(name)?.as_bytes(), now)
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
        client_has_it(&request, StatusCode::OK, &sample(stored).headers, NOW)
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
        ] {
            assert!(has_it(&tag, &[("if-none-match", matching)]), "{matching}");
        }
        for other in ["\"b\"", "a", "\"x, a\"", "", "\"a-gzip\""] {
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
    fn what_passes_was_not_modified_only_where_the_origin_says_so() {
        let has = |status: u16, fields: &[(&'static str, &'static str)], asked: &[_]| {
            let map = |fields: &[(&'static str, &'static str)]| -> HeaderMap {
                let field = |(name, value): &(&'static str, &'static str)| {
                    (
                        HeaderName::from_static(name),
                        HeaderValue::from_static(value),
                    )
                };
                fields.iter().map(field).collect()
            };
            let status = StatusCode::from_u16(status).unwrap();
            client_has_what_passes(&map(asked), status, &map(fields), NOW)
        };
        let since = [("if-modified-since", NEW)];
        assert!(has(200, &[("last-modified", OLD)], &since));
        assert!(!has(200, &[("date", OLD)], &since));
        assert!(!has(206, &[("last-modified", OLD)], &since));
        assert!(!has(404, &[("last-modified", OLD)], &since));
        let match_ = [("if-none-match", "\"a\""), ("if-modified-since", OLD)];
        assert!(has(206, &[("etag", "\"a\"")], &match_));
        assert!(!has(
            200,
            &[("etag", "\"b\""), ("last-modified", OLD)],
            &match_
        ));
    }

    #[test]
    fn a_star_matches_even_without_a_tag() {
        assert!(has_it(&[], &[("if-none-match", "*")]));
    }
}
