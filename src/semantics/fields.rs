//! List fields, quoted strings and delta-seconds ([RFC 9110 §5.6], [RFC 9111 §1.2.2]).
//!
//! [RFC 9110 §5.6]: https://www.rfc-editor.org/rfc/rfc9110#section-5.6
//! [RFC 9111 §1.2.2]: https://www.rfc-editor.org/rfc/rfc9111#section-1.2.2

use http::{HeaderMap, HeaderName, HeaderValue};

/// The largest delta-seconds that is told apart from larger ones, in seconds: 2^31 ([RFC 9111 §1.2.2]).
///
/// [RFC 9111 §1.2.2]: https://www.rfc-editor.org/rfc/rfc9111#section-1.2.2
pub const MAX_DELTA_SECONDS: u64 = 1 << 31;

/// Of a request no longer field is read as a list, and none is compared or put into a key, in bytes: whatever its members cost,
/// one request makes it no dearer. Ordinary ones have a tenth of that.
pub const LONGEST_READ: usize = 4 << 10;

/// Whether the lines of `name` are longer together than [`LONGEST_READ`].
pub fn is_too_long(headers: &HeaderMap, name: &HeaderName) -> bool {
    let lines = headers.get_all(name).into_iter();
    lines.map(HeaderValue::len).sum::<usize>() > LONGEST_READ
}

/// The members of every line of `name` in a request; none where that [is too long](is_too_long), as if it had said nothing.
pub fn request_members<'a>(
    request: &'a HeaderMap,
    name: &HeaderName,
) -> impl Iterator<Item = &'a [u8]> + use<'a> {
    let read = (!is_too_long(request, name)).then(|| all_members(request, name));
    read.into_iter().flatten()
}

/// The members of a comma-separated list value; commas inside quoted strings do not separate.
///
/// Members are trimmed, empty ones are left out ([RFC 9110 §5.6.1]).
///
/// [RFC 9110 §5.6.1]: https://www.rfc-editor.org/rfc/rfc9110#section-5.6.1
pub fn members(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = Some(value);
    std::iter::from_fn(move || {
        loop {
            let current = rest?;
            let (member, tail) = split_first_member(current);
            rest = tail;
            let member = member.trim_ascii();
            if !member.is_empty() {
                return Some(member);
            }
        }
    })
}

/// The members of every line of `name`, in order ([RFC 9110 §5.3]).
///
/// [RFC 9110 §5.3]: https://www.rfc-editor.org/rfc/rfc9110#section-5.3
pub fn all_members<'a>(
    headers: &'a HeaderMap,
    name: &HeaderName,
) -> impl Iterator<Item = &'a [u8]> + use<'a> {
    headers
        .get_all(name)
        .into_iter()
        .flat_map(|line| members(line.as_bytes()))
}

/// The members of every line of `name` in a request as entity tags, in which a backslash is itself ([RFC 9110 §8.8.3]); none
/// where that [is too long](is_too_long).
///
/// [RFC 9110 §8.8.3]: https://www.rfc-editor.org/rfc/rfc9110#section-8.8.3
pub fn request_tags<'a>(
    request: &'a HeaderMap,
    name: &HeaderName,
) -> impl Iterator<Item = &'a [u8]> + use<'a> {
    let read = (!is_too_long(request, name)).then(|| request.get_all(name));
    read.into_iter()
        .flatten()
        .flat_map(|line| {
            let mut quoted = false;
            line.as_bytes().split(move |byte| {
                quoted ^= *byte == b'"';
                *byte == b',' && !quoted
            })
        })
        .map(<[u8]>::trim_ascii)
        .filter(|tag| !tag.is_empty())
}

fn split_first_member(value: &[u8]) -> (&[u8], Option<&[u8]>) {
    let Some(begin) = value.iter().position(|byte| matches!(byte, b',' | b'"')) else {
        return (value, None);
    };
    let (mut quoted, mut escaped) = (false, false);
    for (at, &byte) in value.iter().enumerate().skip(begin) {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            b',' if !quoted => return (&value[..at], Some(&value[at + 1..])),
            _ => {}
        }
    }
    (value, None)
}

/// Whole seconds, as digits only; larger than 2^31 counts as 2^31 ([RFC 9111 §1.2.2]).
///
/// [RFC 9111 §1.2.2]: https://www.rfc-editor.org/rfc/rfc9111#section-1.2.2
pub fn delta_seconds(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0_u64, |sum, byte| {
        let digit = byte.is_ascii_digit().then(|| u64::from(byte - b'0'))?;
        Some(
            sum.saturating_mul(10)
                .saturating_add(digit)
                .min(MAX_DELTA_SECONDS),
        )
    })
}

/// The text of a quoted string, or the bytes themselves where they are not quoted ([RFC 9110 §5.6.4]).
///
/// [RFC 9110 §5.6.4]: https://www.rfc-editor.org/rfc/rfc9110#section-5.6.4
pub fn unquote(value: &[u8]) -> std::borrow::Cow<'_, [u8]> {
    let Some(inner) = value
        .strip_prefix(b"\"")
        .and_then(|v| v.strip_suffix(b"\""))
    else {
        return value.into();
    };
    if !inner.contains(&b'\\') {
        return inner.into();
    }
    let mut text = Vec::with_capacity(inner.len());
    let mut bytes = inner.iter();
    while let Some(&byte) = bytes.next() {
        text.push(if byte == b'\\' {
            *bytes.next().unwrap_or(&byte)
        } else {
            byte
        });
    }
    text.into()
}

/// The quality value of a list member such as `gzip;q=0.5`, in thousandths; 1000 where it has none
/// ([RFC 9110 §12.4.2]). A malformed weight counts as 0, so that nothing is sent that may be unwanted.
///
/// [RFC 9110 §12.4.2]: https://www.rfc-editor.org/rfc/rfc9110#section-12.4.2
pub fn quality(parameters: &[u8]) -> u16 {
    for parameter in parameters.split(|byte| *byte == b';').skip(1) {
        let parameter = parameter.trim_ascii();
        if let [b'q' | b'Q', b'=', weight @ ..] = parameter {
            return thousandths(weight).unwrap_or(0);
        }
    }
    1000
}

fn thousandths(weight: &[u8]) -> Option<u16> {
    let (whole, fraction) = match weight {
        [whole] => (whole, &[][..]),
        [whole, b'.', fraction @ ..] if fraction.len() <= 3 => (whole, fraction),
        _ => return None,
    };
    let mut value = match whole {
        b'0' => 0,
        b'1' => 1,
        _ => return None,
    };
    for at in 0..3 {
        let digit = fraction.get(at).copied().unwrap_or(b'0');
        value = value * 10 + u16::from(digit.is_ascii_digit().then(|| digit - b'0')?);
    }
    (value <= 1000).then_some(value)
}

/// Whether the content is a stream of events, which goes on for as long as somebody listens.
pub fn is_event_stream(headers: &HeaderMap) -> bool {
    headers
        .get(http::header::CONTENT_TYPE)
        .is_some_and(|value| {
            value
                .as_bytes()
                .to_ascii_lowercase()
                .starts_with(b"text/event-stream")
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(value: &str) -> Vec<&str> {
        members(value.as_bytes())
            .map(|m| std::str::from_utf8(m).unwrap())
            .collect()
    }

    #[test]
    fn commas_separate_only_outside_quoted_strings() {
        assert_eq!(list("a, b"), ["a", "b"]);
        assert_eq!(list(r#"a="x, y", b"#), [r#"a="x, y""#, "b"]);
        assert_eq!(
            list(r#"a="x\", y", b"#),
            [r#"a="x\", y""#, "b"],
            "an escaped quote does not end the string"
        );
        assert_eq!(list(r#"a="never closed, b"#), [r#"a="never closed, b"#]);
    }

    #[test]
    fn a_long_field_of_a_request_is_not_read() {
        let request = |length| -> HeaderMap {
            let line = HeaderValue::from_str(&"a,".repeat(length / 4)).unwrap();
            let lines = [(http::header::TE, line.clone()), (http::header::TE, line)];
            lines.into_iter().collect()
        };
        let read = |length| request_members(&request(length), &http::header::TE).count();
        assert_eq!(read(LONGEST_READ), 2048);
        assert_eq!(read(LONGEST_READ + 4), 0);
        let tags = |length| request_tags(&request(length), &http::header::TE).count();
        assert_eq!((tags(LONGEST_READ), tags(LONGEST_READ + 4)), (2048, 0));
    }

    #[test]
    fn empty_members_do_not_count() {
        assert_eq!(list(",, a ,\t,"), ["a"]);
        assert_eq!(list(""), [""; 0]);
    }

    #[test]
    fn delta_seconds_are_digits_and_saturate() {
        let cases: [(&str, Option<u64>); 9] = [
            ("0", Some(0)),
            ("003600", Some(3600)),
            ("2147483648", Some(1 << 31)),
            ("99999999999999999999999999", Some(1 << 31)),
            ("", None),
            ("-1", None),
            ("1.0", None),
            ("100a", None),
            ("'60'", None),
        ];
        for (text, expected) in cases {
            assert_eq!(delta_seconds(text.as_bytes()), expected, "{text:?}");
        }
    }

    #[test]
    fn unquote_removes_quotes_and_escapes() {
        assert_eq!(&*unquote(br#""60""#), b"60");
        assert_eq!(&*unquote(br#""a\"b""#), br#"a"b"#);
        assert_eq!(&*unquote(b"60"), b"60");
        assert_eq!(&*unquote(b"\""), b"\"");
    }

    #[test]
    fn quality_is_read_in_thousandths() {
        let cases = [
            ("gzip", 1000),
            ("gzip;q=0.5", 500),
            ("gzip; Q=0.001", 1),
            ("gzip;q=0", 0),
            ("gzip;q=1.000", 1000),
        ];
        for (member, expected) in cases {
            assert_eq!(quality(member.as_bytes()), expected, "{member}");
        }
        for malformed in [
            "gzip;q=",
            "gzip;q=2",
            "gzip;q=0.1234",
            "gzip;q=1.5",
            "gzip;q=x",
        ] {
            assert_eq!(quality(malformed.as_bytes()), 0, "{malformed}");
        }
    }
}
