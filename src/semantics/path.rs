//! One spelling for all paths that name the same thing ([RFC 3986 §6.2.2]).
//!
//! [RFC 3986 §6.2.2]: https://www.rfc-editor.org/rfc/rfc3986#section-6.2.2

use super::{
    fields::LONGEST_READ,
    key::{hex, plain},
};
use std::borrow::Cow;

/// A path in its one spelling.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Canonical<'p> {
    /// Without needless escapes, dot segments and empty segments; the rest of the escapes in upper case.
    pub path: Cow<'p, str>,
    /// Servers disagree about what such a path names, so nobody can tell whose it is: segments were taken out, or it holds
    /// what some read as a separator, as an end or as an escape, and others do not.
    pub is_ambiguous: bool,
    /// It is not in its one spelling, and longer than [`LONGEST_READ`]: so it was not read.
    pub is_too_long: bool,
}

/// The one spelling of `path`.
///
/// For matching only: what is forwarded and what is in the key is the path as received, because a server may tell the
/// spellings apart. `%2F` and its like stay escaped: they are no separators.
pub fn canonical(path: &str) -> Canonical<'_> {
    let is_plain = is_plain(path.as_bytes());
    if is_plain || path.len() > LONGEST_READ {
        return Canonical {
            path: path.into(),
            is_ambiguous: !is_plain,
            is_too_long: !is_plain,
        };
    }
    let unescaped = plain(path);
    resolved(is_misread(path, &unescaped), unescaped)
}

/// The one spelling of a path, which is `unescaped` without needless escapes; see [`is_misread`].
fn resolved(misread: bool, unescaped: Cow<'_, str>) -> Canonical<'_> {
    let mut pairs = unescaped.as_bytes().windows(2);
    if !pairs.any(|pair| pair[0] == b'/' && matches!(pair[1], b'/' | b'.')) {
        return Canonical {
            path: unescaped,
            is_ambiguous: misread,
            is_too_long: false,
        };
    }
    let without = without_dot_segments(&unescaped);
    Canonical {
        is_ambiguous: misread || without != *unescaped,
        path: without.into(),
        is_too_long: false,
    }
}

/// Whether it has neither escapes, nor segments that would go, nor anything else that two servers may read in two ways: nearly
/// every path, and each byte counts for each of them.
fn is_plain(path: &[u8]) -> bool {
    let odd = |byte: u8| !byte.is_ascii() | (byte == b'%') | (byte == b';') | (byte == b'\\');
    let goes = |next: u8| (next == b'/') | (next == b'.');
    let Some((first, rest)) = path.split_first() else {
        return true;
    };
    // Without a way out in the middle the compiler looks at many bytes at once.
    let found = path
        .iter()
        .zip(rest)
        .fold(odd(*first), |found, (byte, next)| {
            found | odd(*next) | ((*byte == b'/') & goes(*next))
        });
    !found
}

/// Whether some servers see a separator, an end or another escape in `received` where others see text; `unescaped` is the
/// same without needless escapes.
fn is_misread(received: &str, unescaped: &str) -> bool {
    // `;` begins parameters, which servlet containers take away.
    if unescaped.bytes().any(|byte| matches!(byte, b';' | b'\\')) {
        return true;
    }
    let mut kept = escapes(unescaped.as_bytes());
    let is_misread = kept.any(|(byte, after)| match byte {
        // At the end of a segment it is lost on Windows, and to whoever trims.
        Some(b' ') => matches!(after, [] | [b'/', ..]),
        Some(b'%') => begins_with_digits(after),
        Some(byte) => separates(byte) || overlong(byte, after).is_some(),
        None => true,
    });
    is_misread || escapes(received.as_bytes()).any(|(byte, _)| byte.is_none())
}

/// Each `%` of `path`: the byte that it stands for, if two digits follow, and what comes after those.
fn escapes(path: &[u8]) -> impl Iterator<Item = (Option<u8>, &[u8])> {
    let mut rest = path;
    std::iter::from_fn(move || {
        let at = rest.iter().position(|byte| *byte == b'%')?;
        let byte = escaped(&rest[at..]);
        rest = &rest[at + if byte.is_some() { 3 } else { 1 }..];
        Some((byte, rest))
    })
}

/// The byte of the escape that `text` begins with.
fn escaped(text: &[u8]) -> Option<u8> {
    let [b'%', high, low, ..] = text else {
        return None;
    };
    Some(hex(*high)? << 4 | hex(*low)?)
}

fn begins_with_digits(text: &[u8]) -> bool {
    matches!(text, [high, low, ..] if high.is_ascii_hexdigit() && low.is_ascii_hexdigit())
}

/// What ends a segment, a path or a string for servers that decode before they look.
fn separates(byte: u8) -> bool {
    byte.is_ascii_control() || matches!(byte, b'/' | b'\\' | b';' | b'?' | b'#')
}

/// The character that an escaped `lead` and the escapes after it hide in more bytes than it takes ([RFC 3629 §3]), and what
/// follows.
///
/// [RFC 3629 §3]: https://www.rfc-editor.org/rfc/rfc3629#section-3
fn overlong(lead: u8, after: &[u8]) -> Option<(u32, &[u8])> {
    let continued = match lead {
        0xc0 | 0xc1 => 1,
        0xe0 => 2,
        0xf0 => 3,
        0xf8 => 4,
        0xfc => 5,
        _ => return None,
    };
    let (mut character, mut rest) = (u32::from(lead & 1), after);
    for _ in 0..continued {
        let byte = escaped(rest).filter(|byte| byte & 0xc0 == 0x80)?;
        character = character << 6 | u32::from(byte & 0x3f);
        rest = &rest[3..];
    }
    let shortest = [0x80, 0x800, 0x1_0000, 0x20_0000, 0x400_0000];
    (character < shortest[continued - 1]).then_some((character, rest))
}

/// Decoded as often as this, a path has shown what it hides.
const MAX_ROUNDS: usize = 4;

/// The path that the most obliging of servers reads in `path`: what an ambiguous one may have changed. [`canonical`] where it
/// is not ambiguous.
pub fn loosest(path: &str) -> Cow<'_, str> {
    if is_plain(path.as_bytes()) {
        return path.into();
    }
    let unescaped = plain(path);
    if path.len() <= LONGEST_READ && !is_misread(path, &unescaped) {
        let canonical = resolved(false, Cow::Borrowed(&*unescaped));
        if !canonical.is_ambiguous {
            return canonical.path.into_owned().into();
        }
    }
    let mut read = unescaped.into_owned();
    for _ in 0..MAX_ROUNDS {
        let decoded = separators_decoded(&read);
        if decoded == read {
            break;
        }
        read = plain(&decoded).into_owned();
    }
    let ends = |byte: u8| byte.is_ascii_control() || matches!(byte, b'?' | b'#');
    let read = parts(&read, ends).next().unwrap_or_default();
    let mut named = String::with_capacity(read.len());
    for segment in parts(read, |byte| matches!(byte, b'/' | b'\\')) {
        let mut segment = parts(segment, |byte| byte == b';')
            .next()
            .unwrap_or_default();
        while let Some(trimmed) = segment.strip_suffix("%20") {
            segment = trimmed;
        }
        named.push_str(segment);
        named.push('/');
    }
    named.pop();
    without_dot_segments(&named).into()
}

/// `path` with the escapes decoded that hide separators or other escapes.
fn separators_decoded(path: &str) -> String {
    let mut decoded = String::with_capacity(path.len());
    let mut rest = path;
    while let Some(at) = rest.bytes().position(|byte| byte == b'%') {
        decoded.push_str(&rest[..at]);
        rest = &rest[at..];
        let taken = escaped(rest.as_bytes()).and_then(|byte| {
            let after = &rest.as_bytes()[3..];
            if separates(byte) || (byte == b'%' && begins_with_digits(after)) {
                return Some((byte, 3));
            }
            let (hidden, left) = overlong(byte, after)?;
            let ascii = u8::try_from(hidden).ok().filter(u8::is_ascii)?;
            Some((ascii, rest.len() - left.len()))
        });
        let (byte, length) = taken.unwrap_or((b'%', 1));
        decoded.push(char::from(byte));
        rest = &rest[length..];
    }
    decoded + rest
}

/// What stands between the bytes of `text` that `separate`, all of them ASCII. Paths are looked at in so many ways that the
/// searches of the library, made for characters, would be most of the cost.
fn parts(text: &str, separate: impl Fn(u8) -> bool) -> impl Iterator<Item = &str> {
    let mut rest = Some(text);
    std::iter::from_fn(move || {
        let text = rest?;
        let end = text.bytes().position(&separate);
        rest = end.map(|end| &text[end + 1..]);
        Some(&text[..end.unwrap_or(text.len())])
    })
}

/// Dot segments resolved ([RFC 3986 §5.2.4]) and empty segments left out, but for a slash at the end.
///
/// [RFC 3986 §5.2.4]: https://www.rfc-editor.org/rfc/rfc3986#section-5.2.4
fn without_dot_segments(path: &str) -> String {
    let mut out = String::with_capacity(path.len());
    let mut is_folder = true;
    for segment in parts(path, |byte| byte == b'/') {
        is_folder = matches!(segment, "" | "." | "..");
        if !is_folder {
            out.push('/');
            out.push_str(segment);
        } else if segment == ".." {
            let kept = out.bytes().rposition(|byte| byte == b'/');
            out.truncate(kept.unwrap_or(0));
        }
    }
    if is_folder {
        out.push('/');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn equal_things_have_one_spelling() {
        for (spelt, canonical_spelling) in [
            ("/", "/"),
            ("/a/b", "/a/b"),
            ("/a/", "/a/"),
            ("/%61%2Db", "/a-b"),
            ("/a%2fb", "/a%2Fb"),
            ("/a//b", "/a/b"),
            ("//a", "/a"),
            ("/a/./b/../c", "/a/c"),
            ("/a/%2e%2E/b", "/b"),
            ("/../../a", "/a"),
            ("/a/..", "/"),
            ("/a/.", "/a/"),
            ("/a.b/.c", "/a.b/.c"),
            ("/100%", "/100%25"),
            ("/%zz%4", "/%25zz%254"),
        ] {
            assert_eq!(canonical(spelt).path, canonical_spelling, "{spelt}");
        }
    }

    #[test]
    fn a_long_path_is_read_where_it_is_in_its_one_spelling() {
        let long = |end: &str| format!("/{}{end}", "a/".repeat(2500));
        let is_too_long = |path: &str| canonical(path).is_too_long;
        assert!(!is_too_long(&long("a")));
        for end in ["%61", "/b", "./b", ";b", "\\b", "é"] {
            assert!(is_too_long(&long(end)), "{end}");
            assert!(!is_too_long(&long(end)[1000..]), "{end}");
        }
    }

    #[test]
    fn an_ordinary_path_is_not_copied() {
        assert!(matches!(canonical("/api/users/1").path, Cow::Borrowed(_)));
    }

    #[test]
    fn what_servers_read_in_several_ways_is_ambiguous() {
        for path in [
            "/a",
            "/a/",
            "/%61",
            "/.well-known/x",
            "/a/..b",
            "/",
            "/%20%e9%C3%A9%2b%3D%3a%40",
            "/caf\u{e9}",
            "/100%25",
            "/100%25zz",
            "/%c0",
            "/%e0%a4%b9/%f0%9f%98%80/%fc",
            "/a,b!$&'()*+=:@",
        ] {
            assert!(!canonical(path).is_ambiguous, "{path}");
        }
        for path in [
            "//a",
            "/a//",
            "/./a",
            "/a/..",
            "/a/%2e%2E/b",
            "/a/%2e", // segments
            "/a%2fb",
            "/a%5Cb",
            "/a\\b",
            "/a;b",
            "/a;",
            "/a%3bb", // separators
            "/a%00",
            "/a%0a",
            "/a%0D",
            "/a%7f",
            "/a%1fb",
            "/a%23b",
            "/a%3fb", // ends
            "/a%252fb",
            "/a%25%32%66b",
            "/a%%32f", // escapes of escapes
            "/a%",
            "/a%2",
            "/a%zz",
            "/a%u002f",
            "/%%61", // no escapes
            "/a%c0%af",
            "/%C1%9c",
            "/%e0%80%af",
            "/%e0%82%af",
            "/%f0%80%80%af",
            "/%f8%80%80%80%af", // hidden
            "/a%20",
            "/a%20/b",
            "/x/..%20/a", // lost
        ] {
            assert!(canonical(path).is_ambiguous, "{path}");
        }
    }

    #[test]
    fn the_loosest_reading_shows_what_a_path_hides() {
        for path in [
            "/api/users/7",
            "/api/./users/7",
            "//api/users/7",
            "/api/%75sers/7",
            "/api/x/../users/7",
            "/api%2fusers/7",
            "/api%252Fusers/7",
            "/api%25252fusers/7",
            "/api%5cusers\\7",
            "/api/users/7;v=1",
            "/api;x/users;y/7%3bz",
            "/x/..;/api/users/7",
            "/api/users/7%3fx=1",
            "/api/users/7%23x",
            "/api/users/7%00.html",
            "/x/%2e%2e%2fapi/users/7",
            "/x/%c0%ae%c0%ae/api/users/7",
            "/api%e0%80%afusers/7",
            "/api/users/7%20%20",
            "/x/..%20/api%20/users/7",
        ] {
            assert_eq!(loosest(path), "/api/users/7", "{path}");
        }
        assert_eq!(loosest("/x/../a%21%e9"), "/a%21%E9", "other escapes stay");
        assert_eq!(loosest("/100%zz"), "/100%25zz");
        assert_eq!(loosest("/caf\u{e9}"), "/caf%C3%A9");
    }

    proptest! {
        #[test]
        fn no_dot_segment_is_left_whatever_it_was_hidden_in(path in "/([a./%2eEfF-]|%2e|%2E|%2f){0,20}") {
            let once = canonical(&path).path.into_owned();
            prop_assert!(once.starts_with('/'));
            prop_assert!(!once.split('/').any(|segment| segment == "." || segment == ".."), "{}", once);
        }

        #[test]
        fn what_is_stored_is_read_in_one_way(path in "/([a./;%2eEfF5cC0\\\\ä]|%2e|%20|%25|%2f|%c0|%af){0,20}") {
            let canonical = canonical(&path);
            let loosest = loosest(&path);
            prop_assert!(loosest.starts_with('/') && loosest.is_ascii(), "{}", loosest);
            if !canonical.is_ambiguous {
                prop_assert_eq!(&canonical.path, &loosest);
                prop_assert!(!super::canonical(&loosest).is_ambiguous, "{}", loosest);
            }
        }
    }
}
