//! Entity tags: comparing, and the family of one tag across content codings ([RFC 9110 §8.8.3]).
//!
//! [RFC 9110 §8.8.3]: https://www.rfc-editor.org/rfc/rfc9110#section-8.8.3

use super::fields::request_tags;
use http::{HeaderMap, HeaderName, HeaderValue, header::ETAG};

/// Nobody has so many renditions of one representation.
const MOST_TAGS: usize = 64;

/// The tag without a leading `W/`: two tags match weakly when these are equal ([RFC 9110 §8.8.3.2]).
///
/// [RFC 9110 §8.8.3.2]: https://www.rfc-editor.org/rfc/rfc9110#section-8.8.3.2
pub fn opaque(tag: &[u8]) -> &[u8] {
    tag.strip_prefix(b"W/").unwrap_or(tag)
}

/// The tag of the representation that `coding` makes of the one that `tag` names.
///
/// A strong tag names exact bytes, so each coding needs its own; a weak one names them all.
pub fn of_coding(tag: &HeaderValue, coding: &str) -> HeaderValue {
    let bytes = tag.as_bytes();
    let Some(inner) = bytes
        .strip_prefix(b"\"")
        .and_then(|t| t.strip_suffix(b"\""))
    else {
        return tag.clone();
    };
    let suffixed = [b"\"", inner, b"-", coding.as_bytes(), b"\""].concat();
    HeaderValue::from_bytes(&suffixed).unwrap_or_else(|_| tag.clone())
}

/// The tag of the identity representation, whichever coding `tag` (without `W/`) was made for.
pub fn without_coding<'a>(tag: &'a [u8], coding: &str) -> Option<(&'a [u8], &'static [u8])> {
    let inner = tag
        .strip_suffix(b"\"")?
        .strip_suffix(coding.as_bytes())?
        .strip_suffix(b"-")?;
    Some((inner, b"\""))
}

/// The value of `name` with the tag of the identity representation beside each tag that may be of a coding of ours, for an
/// origin, which knows only its own tags. `None` where there is none, or where there are too many to look at each.
///
/// The tag as it came stays in the list, because the suffix may be the origin's own: Apache's mod_deflate adds `-gzip` too.
pub fn with_uncoded(
    fields: &HeaderMap,
    name: &HeaderName,
    codings: &[&str],
) -> Option<HeaderValue> {
    let listed: Vec<&[u8]> = request_tags(fields, name).take(MOST_TAGS + 1).collect();
    if listed.len() > MOST_TAGS {
        return None;
    }
    let uncoded = listed.iter().filter_map(|tag| {
        let found = codings
            .iter()
            .find_map(|coding| without_coding(tag, coding));
        found.map(|(head, tail)| [head, tail].concat())
    });
    let mut uncoded: Vec<Vec<u8>> = uncoded.collect();
    if uncoded.is_empty() {
        return None;
    }
    let mut known = listed.clone();
    known.sort_unstable();
    uncoded.sort_unstable();
    uncoded.dedup();
    uncoded.retain(|tag| known.binary_search(&tag.as_slice()).is_err());
    let all: Vec<&[u8]> = listed
        .into_iter()
        .chain(uncoded.iter().map(Vec::as_slice))
        .collect();
    HeaderValue::from_bytes(&all.join(&b", "[..])).ok()
}

/// `tag` for bytes that may be others each time they are made, as those of a stream that is coded piece by piece are
/// ([RFC 9110 §8.8.1]).
///
/// [RFC 9110 §8.8.1]: https://www.rfc-editor.org/rfc/rfc9110#section-8.8.1
pub fn weakened(tag: &HeaderValue) -> HeaderValue {
    if !tag.as_bytes().starts_with(b"\"") {
        return tag.clone();
    }
    let weak = [b"W/", tag.as_bytes()].concat();
    HeaderValue::from_bytes(&weak).unwrap_or_else(|_| tag.clone())
}

/// The tag by which bytes of different responses can be told to belong together ([RFC 9110 §8.8.1]).
///
/// [RFC 9110 §8.8.1]: https://www.rfc-editor.org/rfc/rfc9110#section-8.8.1
pub fn strong_tag(headers: &HeaderMap) -> Option<&HeaderValue> {
    headers
        .get(ETAG)
        .filter(|tag| tag.as_bytes().starts_with(b"\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_strong_tag_gets_a_suffix_per_coding() {
        let coded = of_coding(&HeaderValue::from_static("\"a\""), "gzip");
        assert_eq!(coded, "\"a-gzip\"");
        assert_eq!(weakened(&coded), "W/\"a-gzip\"");
        assert_eq!(
            opaque(weakened(&coded).as_bytes()),
            opaque(coded.as_bytes())
        );
        for as_it_is in ["W/\"a\"", "a"] {
            assert_eq!(weakened(&HeaderValue::from_static(as_it_is)), as_it_is);
        }
    }

    #[test]
    fn a_weak_tag_names_every_coding() {
        assert_eq!(
            of_coding(&HeaderValue::from_static("W/\"a\""), "gzip"),
            "W/\"a\""
        );
    }

    #[test]
    fn the_origin_is_asked_by_its_own_tag_and_by_the_one_that_came() {
        let name = http::header::IF_NONE_MATCH;
        let asked = |value: &'static str| {
            let fields = [(name.clone(), HeaderValue::from_static(value))];
            with_uncoded(&fields.into_iter().collect(), &name, &["gzip"])
        };
        assert_eq!(asked("\"a-gzip\"").unwrap(), "\"a-gzip\", \"a\"");
        assert_eq!(
            asked("W/\"b-gzip\", \"b\", \"c\"").unwrap(),
            "W/\"b-gzip\", \"b\", \"c\", W/\"b\""
        );
        assert_eq!(asked("\"a-gzip\", \"a\"").unwrap(), "\"a-gzip\", \"a\"");
        for nothing_of_ours in ["\"a\"", "*", "\"a-gzip", ""] {
            assert_eq!(asked(nothing_of_ours), None, "{nothing_of_ours}");
        }
    }
}
