//! One spelling for all paths that name the same thing ([RFC 3986 §6.2.2]).
//!
//! [RFC 3986 §6.2.2]: https://www.rfc-editor.org/rfc/rfc3986#section-6.2.2

use super::key::plain;
use std::borrow::Cow;

/// A path in its one spelling.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Canonical<'p> {
    /// Without needless escapes, dot segments and empty segments; the rest of the escapes in upper case.
    pub path: Cow<'p, str>,
    /// Segments were taken out. Servers disagree about what such a path names, so nobody can tell whose it is.
    pub is_ambiguous: bool,
}

/// The one spelling of `path`.
///
/// For matching only: what is forwarded and what is in the key is the path as received, because a server may tell the
/// spellings apart. `%2F` and its like stay escaped: they are no separators.
pub fn canonical(path: &str) -> Canonical<'_> {
    let unescaped = plain(path);
    let mut pairs = unescaped.as_bytes().windows(2);
    if !pairs.any(|pair| pair[0] == b'/' && matches!(pair[1], b'/' | b'.')) {
        return Canonical {
            path: unescaped,
            is_ambiguous: false,
        };
    }
    let resolved = without_dot_segments(&unescaped);
    Canonical {
        is_ambiguous: resolved != *unescaped,
        path: resolved.into(),
    }
}

/// Dot segments resolved ([RFC 3986 §5.2.4]) and empty segments left out, but for a slash at the end.
///
/// [RFC 3986 §5.2.4]: https://www.rfc-editor.org/rfc/rfc3986#section-5.2.4
fn without_dot_segments(path: &str) -> String {
    let mut kept: Vec<&str> = Vec::new();
    for segment in path.split('/') {
        match segment {
            "" | "." => {}
            ".." => drop(kept.pop()),
            _ => kept.push(segment),
        }
    }
    let folder = ["/", "/.", "/.."].iter().any(|end| path.ends_with(end));
    let mut out = String::with_capacity(path.len());
    for segment in &kept {
        out.push('/');
        out.push_str(segment);
    }
    if folder || kept.is_empty() {
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
    fn an_ordinary_path_is_not_copied() {
        assert!(matches!(canonical("/api/users/1").path, Cow::Borrowed(_)));
    }

    #[test]
    fn only_what_servers_may_resolve_otherwise_is_ambiguous() {
        for path in ["/a", "/a/", "/%61%2f", "/.well-known/x", "/a/..b", "/"] {
            assert!(!canonical(path).is_ambiguous, "{path}");
        }
        for path in ["//a", "/a//", "/./a", "/a/..", "/a/%2e%2E/b", "/a/%2e"] {
            assert!(canonical(path).is_ambiguous, "{path}");
        }
    }

    proptest! {
        #[test]
        fn no_dot_segment_is_left_whatever_it_was_hidden_in(path in "/([a./%2eEfF-]|%2e|%2E|%2f){0,20}") {
            let once = canonical(&path).path.into_owned();
            prop_assert!(once.starts_with('/'));
            prop_assert!(!once.split('/').any(|segment| segment == "." || segment == ".."), "{}", once);
        }
    }
}
