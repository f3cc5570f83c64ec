//! What a purge names.

use crate::{
    semantics::{Key, host::normal, key::plain, path::loosest},
    store::Entry,
};
use bytes::Bytes;
use std::borrow::Cow;
use xxhash_rust::xxh3::xxh3_128;

/// Which entries a purge concerns. What may be as long as a request head is a digest: two that collide are purged
/// together, and nothing worse.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Selector {
    /// Every query and variant of one host and path.
    Target(u128),
    /// Every entry that carries this tag.
    Tag(u128),
    /// Every entry whose path matches.
    Path(PathPattern),
    /// Everything.
    All,
}

impl Selector {
    /// Every query and variant of `path` on `host`, also where a client writes a port or escapes that are not needed, or the
    /// path in a spelling that some origin reads as that one.
    pub fn of_uri(host: &[u8], path: &str) -> Self {
        let host = normal(host).unwrap_or(Cow::Borrowed(host));
        Self::Target(target(&host, path.as_bytes()))
    }

    /// Everything that carries `tag`.
    pub fn tag(tag: &str) -> Self {
        Self::Tag(xxh3_128(tag.as_bytes()))
    }

    /// Whether a purge of it concerns `entry`.
    pub fn concerns(&self, entry: &Entry) -> bool {
        match self {
            Self::Target(_) => target_of(&entry.key).map(Self::Target).as_ref() == Some(self),
            Self::Tag(_) => entry.head.tags.iter().any(|tag| Self::tag(tag) == *self),
            Self::Path(pattern) => pattern.matches(&entry.key),
            Self::All => true,
        }
    }
}

/// The digest of the host and path of `key`.
pub(super) fn target_of(key: &Key) -> Option<u128> {
    key.host_and_path().map(|(host, path)| target(host, path))
}

fn target(host: &[u8], path: &[u8]) -> u128 {
    let host = host.to_ascii_lowercase();
    let host = [&b":80"[..], b":443"]
        .iter()
        .find_map(|port| host.strip_suffix(*port))
        .unwrap_or(&host);
    let length = (host.len() as u64).to_be_bytes();
    let path = std::str::from_utf8(path).map_or(Cow::Borrowed(""), loosest);
    xxh3_128(&[&length, host, path.as_bytes()].concat())
}

/// As purges compare paths; one that is no text cannot have come from a request.
pub(super) fn plain_path(path: &[u8]) -> Cow<'_, str> {
    std::str::from_utf8(path).map_or(Cow::Borrowed(""), plain)
}

/// A purge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Purge {
    /// Which entries.
    pub selector: Selector,
    /// Hard makes them unusable; soft makes them stale, so that they may be served while they are refreshed.
    pub hard: bool,
}

impl Purge {
    /// The fields of its record in the shared log: kind, value, hardness.
    pub(in crate::store) fn fields(&self) -> (&'static str, Bytes, bool) {
        let (kind, value) = match &self.selector {
            Selector::Target(digest) => ("target", Bytes::copy_from_slice(&digest.to_be_bytes())),
            Selector::Tag(digest) => ("tag", Bytes::copy_from_slice(&digest.to_be_bytes())),
            Selector::Path(pattern) => ("path", Bytes::copy_from_slice(pattern.0.as_bytes())),
            Selector::All => ("all", Bytes::new()),
        };
        (kind, value, self.hard)
    }

    /// Reads the fields back; what cannot be read purges everything, because losing a purge serves old content.
    pub(in crate::store) fn from_fields(kind: &[u8], value: &[u8], hard: bool) -> Self {
        let digest = || <[u8; 16]>::try_from(value).ok().map(u128::from_be_bytes);
        let selector = match kind {
            b"target" => digest().map(Selector::Target),
            b"tag" => digest().map(Selector::Tag),
            b"path" => std::str::from_utf8(value)
                .ok()
                .map(|pattern| Selector::Path(PathPattern::new(pattern))),
            _ => None,
        };
        match selector {
            Some(selector) => Self { selector, hard },
            None => Self {
                selector: Selector::All,
                hard: true,
            },
        }
    }
}

/// A path in which `*` stands for any characters, also none, also `/`; `\\` takes the next character literally.
///
/// Without a `?` it is compared with the path alone, so that it covers every query; with one, with path and query.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct PathPattern(Box<str>);

impl PathPattern {
    /// The pattern that `text` spells.
    pub fn new(text: &str) -> Self {
        Self(plain(text).into())
    }

    /// What a path begins with that matches, where that is all that it takes: `/a/*`.
    pub(super) fn prefix(&self) -> Option<Box<[u8]>> {
        let text = self.0.strip_suffix('*').filter(|_| !self.0.contains('?'))?;
        let mut prefix = Vec::with_capacity(text.len());
        let mut bytes = text.bytes();
        while let Some(byte) = bytes.next() {
            match byte {
                b'*' => return None,
                b'\\' => prefix.push(bytes.next()?), // none is left where the last star was escaped
                byte => prefix.push(byte),
            }
        }
        Some(prefix.into())
    }

    /// `text` so that a pattern takes it literally: what a client sent must not widen a purge.
    pub fn escape(text: &str) -> String {
        text.chars()
            .flat_map(|c| {
                matches!(c, '*' | '\\')
                    .then_some('\\')
                    .into_iter()
                    .chain([c])
            })
            .collect()
    }

    /// Whether the target of `key` matches.
    pub fn matches(&self, key: &Key) -> bool {
        let Some((path, query)) = key.path_and_query() else {
            return false;
        };
        let path = plain_path(path);
        match query.filter(|_| self.0.contains('?')) {
            Some(query) => {
                let query = plain_path(query);
                let text = [path.as_bytes(), b"?", query.as_bytes()].concat();
                glob(self.0.as_bytes(), &text)
            }
            None => glob(self.0.as_bytes(), path.as_bytes()),
        }
    }
}

/// Linear in the text for each star: after a mismatch only the last star is tried further.
fn glob(pattern: &[u8], text: &[u8]) -> bool {
    let (mut p, mut t) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while t < text.len() {
        match (pattern.get(p), pattern.get(p + 1)) {
            (Some(b'*'), _) => {
                star = Some((p, t));
                p += 1;
                continue;
            }
            (Some(b'\\'), Some(literal)) if *literal == text[t] => (p, t) = (p + 2, t + 1),
            (Some(byte), _) if *byte != b'\\' && *byte == text[t] => (p, t) = (p + 1, t + 1),
            _ => match star {
                Some((star_p, star_t)) => {
                    star = Some((star_p, star_t + 1));
                    (p, t) = (star_p + 1, star_t + 1);
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(|byte| *byte == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::semantics::key::Builder;

    fn matches(pattern: &str, path: &str, query: Option<&str>) -> bool {
        PathPattern::new(pattern).matches(&Builder::new("http", b"a", path).query(query).build())
    }

    #[test]
    fn a_star_stands_for_anything() {
        assert!(matches("/a*", "/a", None));
        assert!(matches("/a*", "/a/b/c", Some("q")));
        assert!(matches("/a/*/c", "/a/b/b/c", None));
        assert!(!matches("/a/*/c", "/a/b", None));
        assert!(matches("*", "/", None));
        assert!(!matches("/a", "/ab", None));
        assert!(matches("*a*b*", "/xaxxbx", None));
        assert!(!matches("*a*b", "/b/a", None));
    }

    #[test]
    fn an_escaped_star_is_only_a_star() {
        let escaped = format!("/a/{}", PathPattern::escape("*"));
        assert!(matches(&escaped, "/a/*", None));
        assert!(!matches(&escaped, "/a/b", None));
        assert!(matches(&format!("{escaped}*"), "/a/*/x", None));
        assert!(matches(&PathPattern::escape(r"/\x*y"), r"/\x*y", None));
    }

    #[test]
    fn without_a_question_mark_every_query_is_covered() {
        assert!(matches("/list", "/list", Some("page=2")));
        assert!(matches("/list?page=*", "/list", Some("page=2")));
        assert!(!matches("/list?page=*", "/list", Some("size=2")));
        assert!(!matches("/list?page=*", "/list", None));
    }

    #[test]
    fn a_beginning_is_told_from_other_patterns() {
        let prefix = |pattern| PathPattern::new(pattern).prefix();
        let of = |text: &str| Some(Box::from(text.as_bytes()));
        assert_eq!(prefix("/a/*"), of("/a/"));
        assert_eq!(prefix(r"/a\*b*"), of("/a*b"));
        assert_eq!(prefix("*"), of(""));
        for other in ["/a", "/a*b*", "/a?x=*", r"/a\*", "/a**"] {
            assert_eq!(prefix(other), None, "{other}");
        }
    }

    #[test]
    fn needless_escapes_and_usual_ports_are_the_same_target() {
        let target = |host: &str, path| Selector::of_uri(host.as_bytes(), path);
        assert_eq!(target("a", "/%31%2d"), target("A:80", "/1-"));
        assert_eq!(target("a:", "/"), target("a:0443", "/"));
        assert_ne!(target("a", "/%2F"), target("a", "/a"));
        for spelt in [
            "/x/./y",
            "//x/y",
            "/z/../x/y",
            "/x%2fy",
            "/x;v=1/y",
            "/x%252fy",
        ] {
            assert_eq!(target("a", spelt), target("a", "/x/y"), "{spelt}");
        }
        assert_eq!(target("a", "/caf\u{e9}"), target("a", "/caf%c3%a9"));
        assert_ne!(target("a:8080", "/"), target("a", "/"));
        assert_eq!(target("a", "/caf%c3%a9"), target("a", "/caf%C3%A9"));
        assert_eq!(target("a", "/%%331"), target("a", "/%25%331"));
        assert!(matches("/c/%31*", "/c/1", None) && matches("/c/1*", "/c/%31x", None));
        for pattern in ["/s?q=a%7Eb", "/s?q=a~b", "/s?q=a%7e*"] {
            assert!(matches(pattern, "/s", Some("q=a%7Eb")), "{pattern}");
        }
        for text in ["/%%331", "/%", "/%2", "/%zz%c3", "/%25%2a"] {
            assert_eq!(plain(&plain(text)), plain(text), "{text}");
        }
    }

    #[test]
    fn records_are_read_back_and_rubbish_purges_everything() {
        for selector in [
            Selector::of_uri(b"a", "/"),
            Selector::tag("a:1"),
            Selector::Path(PathPattern::new("/a*")),
        ] {
            let purge = Purge {
                selector,
                hard: false,
            };
            let (kind, value, hard) = purge.fields();
            assert_eq!(Purge::from_fields(kind.as_bytes(), &value, hard), purge);
        }
        let all = Purge {
            selector: Selector::All,
            hard: true,
        };
        assert_eq!(Purge::from_fields(b"tag", b"a:1", false), all);
        assert_eq!(Purge::from_fields(b"path", b"\xff", false), all);
        assert_eq!(Purge::from_fields(b"new kind", b"", false), all);
    }

    proptest::proptest! {
        #[test]
        fn a_beginning_matches_what_the_whole_pattern_matches(
            pattern in "[/a*\\\\%1]{0,8}",
            path in "/[/a*\\\\%1]{0,8}",
        ) {
            let pattern = PathPattern::new(&pattern);
            if let Some(prefix) = pattern.prefix() {
                let key = Builder::new("http", b"h", &path).build();
                let begins = plain_path(path.as_bytes()).as_bytes().starts_with(&prefix);
                proptest::prop_assert_eq!(pattern.matches(&key), begins, "{:?} {}", pattern, path);
            }
        }
    }
}
