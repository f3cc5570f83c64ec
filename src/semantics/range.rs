//! Byte ranges: which part of a representation a request asks for ([RFC 9110 §14]).
//!
//! [RFC 9110 §14]: https://www.rfc-editor.org/rfc/rfc9110#section-14

use super::{
    date,
    part::{ByteRange, Part, number},
    stored::StoredHead,
};
use http::{
    HeaderMap, StatusCode,
    header::{DATE, ETAG, IF_RANGE, LAST_MODIFIED, RANGE},
};

/// More ranges in one request are no use to anyone and cost the server dearly ([RFC 9110 §17.15]).
///
/// [RFC 9110 §17.15]: https://www.rfc-editor.org/rfc/rfc9110#section-17.15
const MAX_RANGES: usize = 16;

/// What to send of a representation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Selected {
    /// All of it: there is no usable `Range`.
    Whole,
    /// One part.
    One(ByteRange),
    /// Several, in the order in which they were asked for.
    Several(Vec<ByteRange>),
    /// None of what was asked for is there.
    Unsatisfiable,
}

/// One range as it was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Spec {
    From(u64, Option<u64>),
    Suffix(u64),
}

/// Whether a request asks for ranges in a way that means something; anything else is ignored ([RFC 9110 §14.2]).
///
/// [RFC 9110 §14.2]: https://www.rfc-editor.org/rfc/rfc9110#section-14.2
pub fn is_asked_for(request: &HeaderMap) -> bool {
    specs(request).is_some()
}

/// How many bytes a request asks for, where it is for so many at the end and nothing else ([RFC 9110 §14.1.2]).
///
/// [RFC 9110 §14.1.2]: https://www.rfc-editor.org/rfc/rfc9110#section-14.1.2
pub fn suffix_asked_for(request: &HeaderMap) -> Option<u64> {
    match specs(request)?.as_slice() {
        [Spec::Suffix(count)] => Some(*count),
        _ => None,
    }
}

/// What a request selects of a complete representation of `length` bytes ([RFC 9110 §14.1.2], [§14.2]).
///
/// [RFC 9110 §14.1.2]: https://www.rfc-editor.org/rfc/rfc9110#section-14.1.2
/// [§14.2]: https://www.rfc-editor.org/rfc/rfc9110#section-14.2
pub fn select(request: &HeaderMap, stored: &StoredHead, length: u64) -> Selected {
    let Some(specs) = specs(request)
        .filter(|_| stored.status == StatusCode::OK && if_range_holds(request, stored))
    else {
        return Selected::Whole;
    };
    let ranges: Vec<ByteRange> = specs
        .into_iter()
        .filter_map(|spec| resolve(spec, length))
        .collect();
    match ranges.as_slice() {
        [] => Selected::Unsatisfiable,
        [one] => Selected::One(*one),
        several if wasteful(several, length) => Selected::Whole,
        _ => Selected::Several(ranges),
    }
}

/// What a request selects of a stored part, where all of it is there; the position of the first byte counts from the
/// beginning of the representation.
pub fn select_of_part(request: &HeaderMap, stored: &StoredHead, part: Part) -> Option<ByteRange> {
    let specs = specs(request).filter(|_| if_range_holds(request, stored))?;
    let [spec] = specs.as_slice() else {
        return None;
    };
    let held = part.range;
    // Without the whole length the end of the representation is unknown.
    let range = match (*spec, part.complete) {
        (Spec::From(first, Some(last)), None) => ByteRange { first, last },
        (spec, Some(complete)) => resolve(spec, complete)?,
        (Spec::From(_, None) | Spec::Suffix(_), None) => return None,
    };
    (held.first <= range.first && range.last <= held.last).then_some(range)
}

fn specs(request: &HeaderMap) -> Option<Vec<Spec>> {
    let mut lines = request.get_all(RANGE).iter();
    let (line, None) = (lines.next()?, lines.next()) else {
        return None;
    };
    let (unit, set) = line.to_str().ok()?.split_once('=')?;
    if !unit.trim_ascii().eq_ignore_ascii_case("bytes") {
        return None;
    }
    let specs: Vec<Spec> = set
        .split(',')
        .map(str::trim_ascii)
        .filter(|spec| !spec.is_empty())
        .take(MAX_RANGES + 1)
        .map(spec)
        .collect::<Option<_>>()?;
    (1..=MAX_RANGES).contains(&specs.len()).then_some(specs)
}

fn spec(text: &str) -> Option<Spec> {
    let (first, last) = text.split_once('-')?;
    match (first, last) {
        ("", suffix) => number(suffix).map(Spec::Suffix),
        (first, "") => number(first).map(|first| Spec::From(first, None)),
        (first, last) => {
            let (first, last) = (number(first)?, number(last)?);
            (first <= last).then_some(Spec::From(first, Some(last)))
        }
    }
}

fn resolve(spec: Spec, length: u64) -> Option<ByteRange> {
    let end = length.checked_sub(1)?;
    match spec {
        Spec::From(first, last) => (first <= end).then(|| ByteRange {
            first,
            last: last.unwrap_or(end).min(end),
        }),
        Spec::Suffix(0) => None,
        Spec::Suffix(count) => Some(ByteRange {
            first: length.saturating_sub(count),
            last: end,
        }),
    }
}

/// Overlapping ranges, and those that together are no less than the whole, are answered with the whole.
fn wasteful(ranges: &[ByteRange], length: u64) -> bool {
    let total = ranges
        .iter()
        .fold(0_u64, |sum, range| sum.saturating_add(range.length()));
    let overlap = ranges.iter().enumerate().any(|(at, one)| {
        ranges[at + 1..]
            .iter()
            .any(|other| one.first <= other.last && other.first <= one.last)
    });
    overlap || total >= length
}

/// `If-Range` by strong comparison: a weak tag, or a date that is not exactly `Last-Modified`, does not hold
/// ([RFC 9110 §13.1.5]).
///
/// [RFC 9110 §13.1.5]: https://www.rfc-editor.org/rfc/rfc9110#section-13.1.5
fn if_range_holds(request: &HeaderMap, stored: &StoredHead) -> bool {
    let Some(condition) = request.get(IF_RANGE) else {
        return true;
    };
    if condition.as_bytes().starts_with(b"\"") {
        stored.headers.get(ETAG) == Some(condition)
    } else {
        stored.headers.get(LAST_MODIFIED) == Some(condition) && is_strong_date(stored)
    }
}

/// Whether nothing can have changed within the second of `Last-Modified` after the response was made
/// ([RFC 9110 §8.8.2.2]).
///
/// [RFC 9110 §8.8.2.2]: https://www.rfc-editor.org/rfc/rfc9110#section-8.8.2.2
fn is_strong_date(stored: &StoredHead) -> bool {
    let made = stored.freshness.response_time;
    let read = |name| date::parse(stored.headers.get(&name)?.as_bytes(), made);
    let modified = read(LAST_MODIFIED);
    modified.is_some_and(|modified| modified < read(DATE).unwrap_or(made))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::semantics::stored::sample;
    use http::HeaderValue;

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

    fn ask(range: &str, length: u64) -> Selected {
        select(&map(&[("range", range)]), &sample(&[]), length)
    }

    fn one(first: u64, last: u64) -> Selected {
        Selected::One(ByteRange { first, last })
    }

    #[test]
    fn every_form_selects_its_bytes() {
        assert_eq!(ask("bytes=0-1", 10), one(0, 1));
        assert_eq!(ask("bytes=1-", 10), one(1, 9));
        assert_eq!(ask("bytes=-1", 10), one(9, 9));
        assert_eq!(ask("bytes=-99", 10), one(0, 9));
        assert_eq!(ask("bytes=5-99999999999999999999999", 10), one(5, 9));
        assert_eq!(ask("Bytes=0-0", 10), one(0, 0));
        let two = vec![
            ByteRange { first: 8, last: 9 },
            ByteRange { first: 0, last: 1 },
        ];
        assert_eq!(ask("bytes=8-, 0-1", 10), Selected::Several(two));
        assert_eq!(
            ask("bytes=0-1,99-", 10),
            one(0, 1),
            "what is not there is left out"
        );
    }

    #[test]
    fn what_is_not_there_is_unsatisfiable() {
        for range in ["bytes=10-", "bytes=-0", "bytes=10-12, 20-"] {
            assert_eq!(ask(range, 10), Selected::Unsatisfiable, "{range}");
        }
        assert_eq!(ask("bytes=0-", 0), Selected::Unsatisfiable);
    }

    #[test]
    fn what_cannot_be_read_is_ignored() {
        for range in [
            "lines=0-1",
            "bytes=2-1",
            "bytes=a-b",
            "bytes",
            "bytes=",
            "bytes=1",
            "bytes=0-1,x",
            "bytes=--1",
            "bytes=+1-2",
        ] {
            assert_eq!(ask(range, 10), Selected::Whole, "{range}");
        }
    }

    #[test]
    fn many_or_overlapping_ranges_get_the_whole() {
        assert_eq!(ask("bytes=0-5,5-6", 10), Selected::Whole);
        assert_eq!(ask("bytes=0-4,5-9", 10), Selected::Whole);
        let many: Vec<String> = (0..17).map(|n| format!("{}-{}", n * 3, n * 3)).collect();
        assert_eq!(
            ask(&format!("bytes={}", many.join(",")), 1000),
            Selected::Whole
        );
    }

    #[test]
    fn if_range_compares_strongly() {
        const MODIFIED: &str = "Sun, 06 Nov 1994 08:49:37 GMT";
        let stored = |date| {
            sample(&[
                ("etag", "\"a\""),
                ("last-modified", MODIFIED),
                ("date", date),
            ])
        };
        let asks_of = |stored: &StoredHead, condition: &str| {
            let request = map(&[("range", "bytes=0-1"), ("if-range", condition)]);
            select(&request, stored, 10) != Selected::Whole
        };
        assert!(
            !asks_of(&stored(MODIFIED), MODIFIED),
            "it may have changed within that second"
        );
        let later = stored("Sun, 06 Nov 1994 08:49:38 GMT");
        let asks = |condition| asks_of(&later, condition);
        assert!(asks("\"a\""));
        assert!(asks(MODIFIED));
        for other in ["\"b\"", "W/\"a\"", "Sun, 06 Nov 1994 08:49:38 GMT", "a"] {
            assert!(!asks(other), "{other}");
        }
    }

    #[test]
    fn a_part_answers_what_lies_in_it() {
        let part = Part {
            range: ByteRange { first: 4, last: 8 },
            complete: Some(9),
        };
        let of = |range: &str, part| select_of_part(&map(&[("range", range)]), &sample(&[]), part);
        assert_eq!(of("bytes=6-7", part), Some(ByteRange { first: 6, last: 7 }));
        assert_eq!(of("bytes=6-", part), Some(ByteRange { first: 6, last: 8 }));
        assert_eq!(of("bytes=-1", part), Some(ByteRange { first: 8, last: 8 }));
        for outside in ["bytes=3-5", "bytes=-6", "bytes=0-", "bytes=4-5,6-7"] {
            assert_eq!(of(outside, part), None, "{outside}");
        }
        let endless = Part {
            complete: None,
            ..part
        };
        assert_eq!(
            of("bytes=6-7", endless),
            Some(ByteRange { first: 6, last: 7 })
        );
        assert_eq!(of("bytes=6-", endless), None);
    }
}
