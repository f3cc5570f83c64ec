//! Asking the origin whether a stored response still holds, and freshening it ([RFC 9111 §4.3]).
//!
//! [RFC 9111 §4.3]: https://www.rfc-editor.org/rfc/rfc9111#section-4.3

use super::{
    etag::{self, strong_tag},
    stored::StoredHead,
};
use http::{
    HeaderMap, HeaderName,
    header::{
        AGE, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_RANGE, ETAG, IF_MATCH, IF_MODIFIED_SINCE,
        IF_NONE_MATCH, IF_RANGE, IF_UNMODIFIED_SINCE, LAST_MODIFIED, SET_COOKIE,
    },
};

/// The preconditions of a request; the cache makes its own when it asks for itself.
pub const PRECONDITIONS: [HeaderName; 5] = [
    IF_NONE_MATCH,
    IF_MODIFIED_SINCE,
    IF_MATCH,
    IF_UNMODIFIED_SINCE,
    IF_RANGE,
];

/// Replaces the client's preconditions by those that validate `stored` ([RFC 9111 §4.3.1]).
///
/// Returns whether there is a validator that the origin knows; without one the request asks for the whole response.
///
/// [RFC 9111 §4.3.1]: https://www.rfc-editor.org/rfc/rfc9111#section-4.3.1
pub fn make_conditional(request: &mut HeaderMap, stored: Option<&StoredHead>) -> bool {
    for name in PRECONDITIONS {
        request.remove(name);
    }
    let Some(stored) = stored else { return false };
    let etag = stored.headers.get(ETAG).filter(|_| !stored.generated_etag);
    if let Some(etag) = etag {
        request.insert(IF_NONE_MATCH, etag.clone());
    }
    let modified = stored.headers.get(LAST_MODIFIED);
    if let Some(modified) = modified {
        request.insert(IF_MODIFIED_SINCE, modified.clone());
    }
    etag.is_some() || modified.is_some()
}

/// The stored fields with those of a 304 in their place ([RFC 9111 §3.2], [§4.3.4]).
///
/// Fields that describe the stored bytes stay: the 304 has none of its own.
///
/// [RFC 9111 §3.2]: https://www.rfc-editor.org/rfc/rfc9111#section-3.2
/// [§4.3.4]: https://www.rfc-editor.org/rfc/rfc9111#section-4.3.4
pub fn freshened(stored: &StoredHead, not_modified: &HeaderMap) -> HeaderMap {
    let mut headers = stored.headers.clone();
    headers.remove(AGE); // of the answer that was stored; the 304 says its own
    for name in not_modified.keys().filter(|name| may_update(name)) {
        if *name == ETAG && stored.generated_etag {
            continue;
        }
        headers.remove(name);
        for value in not_modified.get_all(name) {
            headers.append(name, value.clone());
        }
    }
    headers
}

/// Whether a 304 has a strong tag that is not the stored one, so that it is about another response ([RFC 9111 §4.3.4]).
///
/// [RFC 9111 §4.3.4]: https://www.rfc-editor.org/rfc/rfc9111#section-4.3.4
pub fn is_of_another(stored: &StoredHead, not_modified: &HeaderMap) -> bool {
    let ours = stored.headers.get(ETAG).filter(|_| !stored.generated_etag);
    match (ours, strong_tag(not_modified)) {
        (Some(ours), Some(theirs)) => etag::opaque(ours.as_bytes()) != theirs.as_bytes(),
        _ => false,
    }
}

/// What a 200 to HEAD says of what is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HeadVerdict {
    /// It is about the same representation.
    Same,
    /// It is about another one.
    Other,
    /// There is nothing to tell by.
    Nothing,
}

/// Whether a 200 to HEAD is about the representation that is stored: every validator, and the length, that both have is
/// the same ([RFC 9111 §4.3.5]). Without a validator that both have it may be about anything of that length; and the
/// length of a part is not that of the representation.
///
/// [RFC 9111 §4.3.5]: https://www.rfc-editor.org/rfc/rfc9111#section-4.3.5
pub fn verdict_of_head(stored: &StoredHead, head: &HeaderMap) -> HeadVerdict {
    let same = |name: HeaderName| Some(stored.headers.get(&name)? == head.get(&name)?);
    let etag = same(ETAG).filter(|_| !stored.generated_etag);
    let length = same(CONTENT_LENGTH).filter(|_| stored.part.is_none());
    let (modified, known) = (same(LAST_MODIFIED), [etag, length]);
    if known.contains(&Some(false)) || modified == Some(false) {
        HeadVerdict::Other
    } else if etag.is_some() || modified.is_some() {
        HeadVerdict::Same
    } else {
        HeadVerdict::Nothing
    }
}

fn may_update(name: &HeaderName) -> bool {
    ![CONTENT_LENGTH, CONTENT_ENCODING, CONTENT_RANGE, SET_COOKIE].contains(name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::semantics::stored::sample as stored;
    use http::HeaderValue;

    fn map(fields: &[(&'static str, &'static str)]) -> HeaderMap {
        fields
            .iter()
            .map(|(n, v)| (HeaderName::from_static(n), HeaderValue::from_static(v)))
            .collect()
    }

    #[test]
    fn the_stored_validators_replace_the_clients_preconditions() {
        let stored = stored(&[("etag", "W/\"a\""), ("last-modified", "yesterday")]);
        let mut request = map(&[
            ("if-none-match", "\"b\""),
            ("if-range", "\"b\""),
            ("if-match", "\"b\""),
            ("x", "1"),
        ]);
        assert!(make_conditional(&mut request, Some(&stored)));
        assert_eq!(
            request,
            map(&[
                ("x", "1"),
                ("if-none-match", "W/\"a\""),
                ("if-modified-since", "yesterday")
            ])
        );
    }

    #[test]
    fn a_tag_of_our_own_is_not_sent_to_the_origin() {
        let stored = StoredHead {
            generated_etag: true,
            ..stored(&[("etag", "\"a\"")])
        };
        let mut request = map(&[("if-none-match", "\"a\"")]);
        assert!(!make_conditional(&mut request, Some(&stored)));
        assert!(request.is_empty());
    }

    #[test]
    fn a_304_replaces_fields_and_leaves_the_rest() {
        let stored = stored(&[("x-old", "1"), ("x-new", "1"), ("content-length", "3")]);
        let merged = freshened(
            &stored,
            &map(&[("x-new", "2"), ("x-more", "2"), ("content-length", "0")]),
        );
        assert_eq!(
            merged,
            map(&[
                ("x-old", "1"),
                ("x-new", "2"),
                ("x-more", "2"),
                ("content-length", "3")
            ])
        );
    }

    #[test]
    fn the_stored_age_does_not_outlive_a_304() {
        let stored = stored(&[("age", "100")]);
        assert_eq!(freshened(&stored, &map(&[])), map(&[]));
        assert_eq!(
            freshened(&stored, &map(&[("age", "3")])),
            map(&[("age", "3")])
        );
    }

    #[test]
    fn a_304_with_another_strong_tag_is_about_another_response() {
        let is_of_another =
            |ours, theirs: &[_]| is_of_another(&stored(&[("etag", ours)]), &map(theirs));
        assert!(is_of_another("\"a\"", &[("etag", "\"b\"")]));
        assert!(is_of_another("W/\"a\"", &[("etag", "\"b\"")]));
        for same in [&[][..], &[("etag", "\"a\"")], &[("etag", "W/\"b\"")]] {
            assert!(!is_of_another("\"a\"", same), "{same:?}");
        }
    }

    #[test]
    fn a_304_never_brings_a_cookie_into_the_store() {
        assert!(freshened(&stored(&[]), &map(&[("set-cookie", "a=1")])).is_empty());
    }

    #[test]
    fn a_head_agrees_while_no_validator_and_no_length_differs() {
        let stored = stored(&[("etag", "\"a\""), ("content-length", "3")]);
        for agreeing in [
            &[("etag", "\"a\"")][..],
            &[
                ("etag", "\"a\""),
                ("content-length", "3"),
                ("last-modified", "today"),
            ],
        ] {
            assert_eq!(
                verdict_of_head(&stored, &map(agreeing)),
                HeadVerdict::Same,
                "{agreeing:?}"
            );
        }
        for other in [
            &[("etag", "\"b\"")][..],
            &[("etag", "\"a\""), ("content-length", "4")],
        ] {
            assert_eq!(
                verdict_of_head(&stored, &map(other)),
                HeadVerdict::Other,
                "{other:?}"
            );
        }
        for silent in [
            &[][..],
            &[("content-length", "3"), ("last-modified", "today")],
        ] {
            assert_eq!(
                verdict_of_head(&stored, &map(silent)),
                HeadVerdict::Nothing,
                "{silent:?}"
            );
        }
        let part = StoredHead {
            part: Some(crate::semantics::part::Part {
                range: crate::semantics::part::ByteRange { first: 0, last: 2 },
                complete: Some(4),
            }),
            ..stored
        };
        let longer = map(&[("etag", "\"a\""), ("content-length", "4")]);
        assert_eq!(verdict_of_head(&part, &longer), HeadVerdict::Same);
    }
}
