//! What a purge names.

use crate::{
    semantics::{Key, key::Builder},
    store::Entry,
};
use bytes::Bytes;

/// Which entries a purge concerns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Selector {
    /// Every query and variant of one host and path: [`Key::target`].
    Target(Box<[u8]>),
    /// Every entry that carries this tag.
    Tag(Box<str>),
    /// Every entry whose path matches.
    Path(PathPattern),
    /// Everything.
    All,
}

impl Selector {
    /// Every query and variant of `path` on `host`. `None` for what is no target.
    pub fn of_uri(host: &[u8], path: &str) -> Option<Self> {
        let key = Builder::new("", host, path).build();
        key.target().map(|target| Self::Target(target.into()))
    }

    /// Whether a purge of it concerns `entry`.
    pub fn concerns(&self, entry: &Entry) -> bool {
        match self {
            Self::Target(target) => entry.key.target() == Some(target),
            Self::Tag(tag) => entry.head.tags.contains(tag),
            Self::Path(pattern) => pattern.matches(&entry.key),
            Self::All => true,
        }
    }
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
            Selector::Target(target) => ("target", Bytes::copy_from_slice(target)),
            Selector::Tag(tag) => ("tag", Bytes::copy_from_slice(tag.as_bytes())),
            Selector::Path(pattern) => ("path", Bytes::copy_from_slice(pattern.0.as_bytes())),
            Selector::All => ("all", Bytes::new()),
        };
        (kind, value, self.hard)
    }

    /// Reads the fields back; what cannot be read purges everything, because losing a purge serves old content.
    pub(in crate::store) fn from_fields(kind: &[u8], value: &[u8], hard: bool) -> Self {
        let text = || std::str::from_utf8(value).ok();
        let selector = match kind {
            b"target" => Some(Selector::Target(value.into())),
            b"tag" => text().map(|tag| Selector::Tag(tag.into())),
            b"path" => text().map(|pattern| Selector::Path(PathPattern(pattern.into()))),
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
        Self(text.into())
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
        match query.filter(|_| self.0.contains('?')) {
            Some(query) => glob(self.0.as_bytes(), &[path, b"?", query].concat()),
            None => glob(self.0.as_bytes(), path),
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
    fn records_are_read_back_and_rubbish_purges_everything() {
        let key = Builder::new("http", b"a", "/").build();
        for selector in [
            Selector::Target(key.target().unwrap().into()),
            Selector::Tag("a:1".into()),
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
        assert_eq!(Purge::from_fields(b"tag", b"\xff", false), all);
        assert_eq!(Purge::from_fields(b"new kind", b"", false), all);
    }
}
