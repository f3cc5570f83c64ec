//! Patterns of paths, as purges name them.

use super::glob::{self, Steps};
use crate::semantics::{Key, key::plain};
use bytes::Bytes;
use std::borrow::Cow;
use xxhash_rust::xxh3::xxh3_128;

/// What a pattern with an inner star may have, in bytes: its text is kept, in memory and in Redis.
pub(super) const MAX_PATTERN: usize = 512;

/// What a pattern may have before its only star, in bytes: a read looks for each length that there is.
pub(super) const MAX_BEGINNING: usize = 256;

/// A path in which `*` stands for any characters, also none, also `/`; `\\` takes the next character literally.
///
/// Without a `?` it is compared with the path alone, so that it covers every query; with one, with path and query. What is
/// kept of it is bounded, whatever its text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PathPattern(Kind);

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// It has no star: the digest of all of it.
    Exactly(u128),
    /// Its only star is the last character, as of nearly all.
    Beginning(Beginning),
    /// Any other, as text.
    Glob(Box<str>),
}

/// What a text begins with: so many bytes with this digest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Beginning {
    pub(super) length: u16,
    pub(super) digest: u128,
}

/// A pattern that cannot be kept as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TooLong {
    /// With an inner star.
    #[error("has more than {MAX_PATTERN} bytes beside an inner `*`")]
    Pattern,
    /// With a star at its end.
    #[error("has more than {MAX_BEGINNING} bytes before its `*`")]
    Beginning,
}

impl PathPattern {
    /// The pattern that `text` spells.
    ///
    /// # Errors
    /// Where it is longer than can be kept.
    pub fn parse(text: &str) -> Result<Self, TooLong> {
        let text = plain(text);
        let (literal, rest) = up_to_a_star(text.as_bytes());
        let kind = match rest {
            [] => Kind::Exactly(xxh3_128(&literal)),
            [b'*'] if literal.len() > MAX_BEGINNING => return Err(TooLong::Beginning),
            [b'*'] => Kind::Beginning(Beginning::of(&literal)),
            _ if text.len() > MAX_PATTERN => return Err(TooLong::Pattern),
            _ => Kind::Glob((*text).into()),
        };
        Ok(Self(kind))
    }

    /// As [`Self::parse`]; one that is too long becomes one that matches what it matches, and more.
    pub fn covering(text: &str) -> Self {
        Self::parse(text).unwrap_or_else(|_| {
            let text = plain(text);
            Self::begins_with(&up_to_a_star(text.as_bytes()).0)
        })
    }

    /// What is spelt exactly `literal`: it has no stars and no escapes of them.
    pub fn exactly(literal: &str) -> Self {
        Self(Kind::Exactly(xxh3_128(plain(literal).as_bytes())))
    }

    /// What begins with `literal`, which has no stars and no escapes of them; of a longer one its first
    /// 256 bytes count.
    pub fn beginning(literal: &str) -> Self {
        Self::begins_with(plain(literal).as_bytes())
    }

    fn begins_with(literal: &[u8]) -> Self {
        let kept = &literal[..literal.len().min(MAX_BEGINNING)];
        Self(Kind::Beginning(Beginning::of(kept)))
    }

    pub(super) fn kind(&self) -> &Kind {
        &self.0
    }

    /// Whether the target of `key` matches. For the operator: where that would take too long, it does.
    pub fn matches(&self, key: &Key) -> bool {
        let Some(compared) = Compared::of(key) else {
            return false;
        };
        match &self.0 {
            Kind::Exactly(digest) => compared.digests().any(|one| one == *digest),
            Kind::Beginning(beginning) => compared.begins_with(beginning.length, beginning.digest),
            Kind::Glob(text) => compared.matches(text, &mut Steps::most()).unwrap_or(true),
        }
    }
}

impl From<Kind> for PathPattern {
    fn from(kind: Kind) -> Self {
        Self(kind)
    }
}

impl Beginning {
    fn of(literal: &[u8]) -> Self {
        Self {
            length: u16::try_from(literal.len()).unwrap_or(u16::MAX),
            digest: xxh3_128(literal),
        }
    }

    /// For the shared log.
    pub(super) fn to_bytes(self) -> Bytes {
        let (length, digest) = (self.length.to_be_bytes(), self.digest.to_be_bytes());
        [&length[..], &digest].concat().into()
    }

    /// What [`Self::to_bytes`] made.
    pub(super) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (length, digest) = bytes.split_first_chunk()?;
        let length = u16::from_be_bytes(*length);
        let digest = u128::from_be_bytes(digest.try_into().ok()?);
        (usize::from(length) <= MAX_BEGINNING).then_some(Self { length, digest })
    }
}

/// What `text` says literally before its first star, and the rest from that star on.
fn up_to_a_star(text: &[u8]) -> (Vec<u8>, &[u8]) {
    let (mut literal, mut rest) = (Vec::with_capacity(text.len()), text);
    loop {
        rest = match rest {
            [] | [b'*', ..] => return (literal, rest),
            [b'\\', byte, after @ ..] | [byte, after @ ..] => {
                literal.push(*byte);
                after
            }
        };
    }
}

/// What patterns are compared with: the path of an entry, and its query behind it where it has one.
#[derive(Debug)]
pub(super) struct Compared<'k> {
    whole: Cow<'k, str>,
    path: usize,
}

impl<'k> Compared<'k> {
    pub(super) fn of(key: &'k Key) -> Option<Self> {
        let (path, query) = key.path_and_query()?;
        let path = plain_path(path);
        Some(Self {
            path: path.len(),
            whole: match query.map(plain_path) {
                Some(query) => [&*path, "?", &*query].concat().into(),
                None => path,
            },
        })
    }

    /// The digests that an exact pattern may have: of the path, and of path and query.
    pub(super) fn digests(&self) -> impl Iterator<Item = u128> {
        let whole = self.whole.as_bytes();
        let with_query = (self.path < whole.len()).then(|| xxh3_128(whole));
        std::iter::once(xxh3_128(&whole[..self.path])).chain(with_query)
    }

    /// The digest of its first `length` bytes. A beginning without a `?` ends within the path, one with it does not.
    pub(super) fn digest_of(&self, length: u16) -> Option<u128> {
        self.whole
            .as_bytes()
            .get(..usize::from(length))
            .map(xxh3_128)
    }

    fn begins_with(&self, length: u16, digest: u128) -> bool {
        self.digest_of(length) == Some(digest)
    }

    /// Whether the pattern `text` matches; `None` where `steps` do not suffice.
    pub(super) fn matches(&self, text: &str, steps: &mut Steps) -> Option<bool> {
        let whole = self.whole.as_bytes();
        let compared = if text.contains('?') {
            whole
        } else {
            &whole[..self.path]
        };
        glob::matches(text.as_bytes(), compared, steps)
    }
}

/// As purges compare paths; one that is no text cannot have come from a request.
fn plain_path(path: &[u8]) -> Cow<'_, str> {
    std::str::from_utf8(path).map_or(Cow::Borrowed(""), plain)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::semantics::key::Builder;
    use proptest::prelude::*;

    fn key(path: &str, query: Option<&str>) -> Key {
        Builder::new("http", b"a", path).query(query).build()
    }

    fn matches(pattern: &str, path: &str, query: Option<&str>) -> bool {
        PathPattern::parse(pattern)
            .unwrap()
            .matches(&key(path, query))
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
        assert!(matches(r"/a/\*", "/a/*", None));
        assert!(!matches(r"/a/\*", "/a/b", None));
        assert!(matches(r"/a/\**", "/a/*/x", None));
        assert!(matches(r"/\\x\*y", r"/\x*y", None));
    }

    #[test]
    fn without_a_question_mark_every_query_is_covered() {
        assert!(matches("/list", "/list", Some("page=2")));
        assert!(matches("/list?page=*", "/list", Some("page=2")));
        assert!(!matches("/list?page=*", "/list", Some("size=2")));
        assert!(!matches("/list?page=*", "/list", None));
        assert!(matches("/list?page=2", "/list", Some("page=2")));
        assert!(!matches("/list?page=2", "/list", Some("page=22")));
        assert!(matches("/*?page=2", "/list", Some("page=2")));
    }

    #[test]
    fn needless_escapes_are_no_other_path() {
        assert!(matches("/c/%31*", "/c/1", None) && matches("/c/1*", "/c/%31x", None));
        for pattern in ["/s?q=a%7Eb", "/s?q=a~b", "/s?q=a%7e*"] {
            assert!(matches(pattern, "/s", Some("q=a%7Eb")), "{pattern}");
        }
    }

    #[test]
    fn nearly_all_patterns_are_digests() {
        let kind = |pattern| PathPattern::parse(pattern).unwrap().0;
        for exact in ["/a", r"/a\*", "/a?x=1", "/"] {
            assert!(matches!(kind(exact), Kind::Exactly(_)), "{exact}");
        }
        for beginning in ["/a/*", "/a?x=*", r"/a\*b*", "*"] {
            assert!(matches!(kind(beginning), Kind::Beginning(_)), "{beginning}");
        }
        for glob in ["/a*b", "/a*b*", "*?x", "/a**"] {
            assert!(matches!(kind(glob), Kind::Glob(_)), "{glob}");
        }
    }

    #[test]
    fn what_is_kept_of_a_pattern_is_bounded_and_never_matches_less() {
        let long = "x".repeat(30_000);
        assert_eq!(
            PathPattern::parse(&format!("/{long}*")),
            Err(TooLong::Beginning)
        );
        assert_eq!(
            PathPattern::parse(&format!("/*{long}")),
            Err(TooLong::Pattern)
        );
        for (pattern, path) in [
            (format!("/a/{long}*"), format!("/a/{long}/b")),
            (format!("/a/*/{long}"), format!("/a/b/{long}")),
            (format!("*{long}*"), format!("/{long}")),
        ] {
            let pattern = PathPattern::covering(&pattern);
            assert!(pattern.matches(&key(&path, None)));
            match pattern.0 {
                Kind::Beginning(cut) => assert!(usize::from(cut.length) <= MAX_BEGINNING),
                other => panic!("{other:?}"),
            }
        }
        assert!(!PathPattern::covering(&format!("/a/{long}*")).matches(&key("/a/y", None)));
        let exact = PathPattern::parse(&format!("/{long}")).unwrap();
        assert!(exact.matches(&key(&format!("/{long}"), None)));
    }

    proptest! {
        #[test]
        fn what_is_kept_as_a_digest_matches_what_the_text_matches(
            pattern in "[/a*\\\\%1?]{0,8}",
            path in "/[/a*\\\\%1]{0,8}",
            query in proptest::option::of("[/a*\\\\%1?]{0,4}"),
        ) {
            // A backslash at the end takes itself; as text it would match nothing.
            prop_assume!(!pattern.ends_with('\\'));
            let key = key(&path, query.as_deref());
            let as_text = Compared::of(&key).unwrap().matches(&plain(&pattern), &mut Steps::most());
            let kept = PathPattern::parse(&pattern).unwrap();
            prop_assert_eq!(Some(kept.matches(&key)), as_text, "{:?} {:?}", kept, key);
        }
    }
}
