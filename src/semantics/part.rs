//! Parts of a representation: which bytes a response holds, and which parts belong together ([RFC 9110 §14.4]).
//!
//! [RFC 9110 §14.4]: https://www.rfc-editor.org/rfc/rfc9110#section-14.4

use super::etag::strong_tag;
use http::{
    HeaderMap, HeaderValue,
    header::{CONTENT_RANGE, ETAG},
};

/// Positions of the first and the last byte, both included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ByteRange {
    /// The first byte.
    pub first: u64,
    /// The last byte, not before the first.
    pub last: u64,
}

impl ByteRange {
    /// The number of bytes.
    pub fn length(self) -> u64 {
        (self.last - self.first).saturating_add(1)
    }

    /// `Content-Range` of this part of `complete` bytes ([RFC 9110 §14.4]).
    ///
    /// [RFC 9110 §14.4]: https://www.rfc-editor.org/rfc/rfc9110#section-14.4
    pub fn content_range(self, complete: u64) -> HeaderValue {
        let text = format!("bytes {}-{}/{complete}", self.first, self.last);
        HeaderValue::try_from(text).expect("digits and punctuation are visible ASCII")
    }
}

/// The part of a representation that a stored response holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part {
    /// Which bytes.
    pub range: ByteRange,
    /// How many there are in all; `None` where the origin did not know.
    pub complete: Option<u64>,
}

/// The part that a 206 with `body` bytes holds. `None` where it says that it is another number of bytes: nobody can tell then
/// which they are, and a message that was cut short may look like that ([RFC 9110 §14.4], [RFC 9111 §3.3]).
///
/// Only in what states its length and answers a request for the last `suffix` bytes, with just as many, may the last position
/// be one too high: it is counted from the first.
///
/// [RFC 9110 §14.4]: https://www.rfc-editor.org/rfc/rfc9110#section-14.4
/// [RFC 9111 §3.3]: https://www.rfc-editor.org/rfc/rfc9111#section-3.3
pub fn part_of(response: &HeaderMap, body: u64, suffix: Option<u64>) -> Option<Part> {
    let said = claimed_part(response)?;
    if said.range.length() == body {
        return Some(said);
    }
    let reaches_the_end = said.complete == said.range.last.checked_add(1);
    let one_too_high = said.range.length() == body.checked_add(1)?;
    if suffix != Some(body) || !one_too_high || !reaches_the_end || body == 0 {
        return None;
    }
    let range = ByteRange {
        last: said.range.last - 1,
        ..said.range
    };
    Some(Part {
        range,
        complete: Some(said.range.last),
    })
}

/// What `Content-Range` says.
pub fn claimed_part(response: &HeaderMap) -> Option<Part> {
    let text = response.get(CONTENT_RANGE)?.to_str().ok()?;
    let (range, complete) = text.strip_prefix("bytes ")?.trim_ascii().split_once('/')?;
    let (first, last) = range.split_once('-')?;
    let (first, last) = (number(first)?, number(last)?);
    let complete = match complete {
        "*" => None,
        digits => Some(number(digits)?),
    };
    let sound = first <= last && complete.is_none_or(|complete| last < complete);
    sound.then_some(Part {
        range: ByteRange { first, last },
        complete,
    })
}

/// Whether two parts may be put together: the same strong validator ([RFC 9111 §3.4]).
///
/// [RFC 9111 §3.4]: https://www.rfc-editor.org/rfc/rfc9111#section-3.4
pub fn may_combine(stored: &HeaderMap, other: &HeaderMap) -> bool {
    strong_tag(stored).is_some_and(|tag| other.get(ETAG) == Some(tag))
}

/// Digits only; more than fit count as the largest number.
pub(super) fn number(text: &str) -> Option<u64> {
    let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    digits.then(|| text.parse().unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(fields: &[(&'static str, &str)]) -> HeaderMap {
        fields
            .iter()
            .map(|(n, v)| {
                (
                    http::HeaderName::from_static(n),
                    HeaderValue::from_str(v).unwrap(),
                )
            })
            .collect()
    }

    #[test]
    fn content_range_says_which_part_arrived() {
        let part = |text: &str, suffix| part_of(&map(&[("content-range", text)]), 5, suffix);
        let held = |first, last, complete| {
            Some(Part {
                range: ByteRange { first, last },
                complete,
            })
        };
        assert_eq!(part("bytes 0-4/10", None), held(0, 4, Some(10)));
        assert_eq!(part("bytes 0-4/*", None), held(0, 4, None));
        for wrong in [
            "bytes 0-4/4",
            "bytes 4-0/10",
            "bytes */10",
            "lines 0-4/10",
            "bytes 0-4",
            "bytes 0-3/10",
            "bytes 4-9/10",
            "bytes 0-999/1000",
        ] {
            assert_eq!(part(wrong, None), None, "{wrong}");
        }
    }

    #[test]
    fn the_last_position_of_a_suffix_may_be_one_too_high_and_nothing_else_wrong() {
        let part = |text: &str, body, suffix| {
            let part = part_of(&map(&[("content-range", text)]), body, Some(suffix));
            part.map(|part| (part.range.first, part.range.last, part.complete))
        };
        assert_eq!(part("bytes 4-9/10", 5, 5), Some((4, 8, Some(9))));
        for (text, body, suffix) in [
            ("bytes 4-9/10", 5, 6),
            ("bytes 3-9/10", 5, 5),
            ("bytes 4-9/11", 5, 5),
            ("bytes 4-9/*", 5, 5),
            ("bytes 0-0/1", 0, 0),
            ("bytes 0-999/1000", 100, 100),
        ] {
            assert_eq!(part(text, body, suffix), None, "{text}");
        }
    }

    #[test]
    fn only_parts_with_the_same_strong_tag_are_combined() {
        let strong = map(&[("etag", "\"a\"")]);
        assert!(may_combine(&strong, &strong));
        let weak = map(&[("etag", "W/\"a\"")]);
        assert!(!may_combine(&weak, &weak));
        assert!(!may_combine(&map(&[]), &map(&[])));
        assert!(!may_combine(&strong, &map(&[("etag", "\"b\"")])));
    }
}
