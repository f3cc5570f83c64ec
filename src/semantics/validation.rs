//! Asking the origin whether a stored response still holds, and freshening it ([RFC 9111 §4.3]).
//!
//! [RFC 9111 §4.3]: https://www.rfc-editor.org/rfc/rfc9111#section-4.3

use super::stored::StoredHead;
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

/// Whether a 200 to HEAD is about the representation that is stored: every validator, and the length, that both have is
/// the same ([RFC 9111 §4.3.5]).
///
/// [RFC 9111 §4.3.5]: https://www.rfc-editor.org/rfc/rfc9111#section-4.3.5
pub fn head_agrees(stored: &StoredHead, head: &HeaderMap) -> bool {
    [ETAG, LAST_MODIFIED, CONTENT_LENGTH]
        .into_iter()
        .all(|name| {
            let ours = stored
                .headers
                .get(&name)
                .filter(|_| name != ETAG || !stored.generated_etag);
            match (ours, head.get(&name)) {
                (Some(ours), Some(theirs)) => ours == theirs,
                _ => true,
            }
        })
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
    fn a_304_never_brings_a_cookie_into_the_store() {
        assert!(freshened(&stored(&[]), &map(&[("set-cookie", "a=1")])).is_empty());
    }

    #[test]
    fn a_head_agrees_while_no_validator_and_no_length_differs() {
        let stored = stored(&[("etag", "\"a\""), ("content-length", "3")]);
        for agreeing in [
            &[][..],
            &[("etag", "\"a\"")],
            &[("content-length", "3"), ("last-modified", "today")],
        ] {
            assert!(head_agrees(&stored, &map(agreeing)), "{agreeing:?}");
        }
        for other in [
            &[("etag", "\"b\"")][..],
            &[("etag", "\"a\""), ("content-length", "4")],
        ] {
            assert!(!head_agrees(&stored, &map(other)), "{other:?}");
        }
    }
}
