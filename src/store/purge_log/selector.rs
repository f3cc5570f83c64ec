//! What a purge names.

use super::pattern::{Beginning, Kind, PathPattern};
use crate::{
    semantics::{Key, host::normal, path::loosest},
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
    /// Whatever a replica purged and could not say: any entry may be concerned, so each is confirmed before it is served.
    Unnamed,
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
            Self::All | Self::Unnamed => true,
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

/// A purge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Purge {
    /// Which entries.
    pub selector: Selector,
    /// Hard makes them unusable; soft makes them stale, so that they may be served while they are refreshed.
    pub hard: bool,
}

impl Purge {
    /// See [`Selector::Unnamed`].
    pub(in crate::store) const UNNAMED: Self = Self {
        selector: Selector::Unnamed,
        hard: true,
    };

    /// The fields of its record in the shared log: kind, value, hardness.
    pub(in crate::store) fn fields(&self) -> (&'static str, Bytes, bool) {
        let digest = |digest: &u128| Bytes::copy_from_slice(&digest.to_be_bytes());
        let (kind, value) = match &self.selector {
            Selector::Target(target) => ("target", digest(target)),
            Selector::Tag(tag) => ("tag", digest(tag)),
            Selector::Path(pattern) => match pattern.kind() {
                Kind::Exactly(path) => ("exactly", digest(path)),
                Kind::Beginning(beginning) => ("beginning", beginning.to_bytes()),
                Kind::Glob(text) => ("path", Bytes::copy_from_slice(text.as_bytes())),
            },
            Selector::All => ("all", Bytes::new()),
            Selector::Unnamed => ("unnamed", Bytes::new()),
        };
        (kind, value, self.hard)
    }

    /// Reads the fields back. What cannot be read may concern everything, because losing a purge serves old content.
    pub(in crate::store) fn from_fields(kind: &[u8], value: &[u8], hard: bool) -> Self {
        let digest = || <[u8; 16]>::try_from(value).ok().map(u128::from_be_bytes);
        let path = |kind: Kind| Selector::Path(kind.into());
        let selector = match kind {
            b"target" => digest().map(Selector::Target),
            b"tag" => digest().map(Selector::Tag),
            b"exactly" => digest().map(|digest| path(Kind::Exactly(digest))),
            b"beginning" => Beginning::from_bytes(value).map(|one| path(Kind::Beginning(one))),
            b"path" => std::str::from_utf8(value)
                .ok()
                .map(|pattern| Selector::Path(PathPattern::covering(pattern))),
            b"all" => Some(Selector::All),
            _ => None,
        };
        selector.map_or(Self::UNNAMED, |selector| Self { selector, hard })
    }
}

#[cfg(test)]
mod tests {
    use super::super::pattern::MAX_PATTERN;
    use super::*;
    use crate::semantics::key::plain;

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
        for text in ["/%%331", "/%", "/%2", "/%zz%c3", "/%25%2a"] {
            assert_eq!(plain(&plain(text)), plain(text), "{text}");
        }
    }

    #[test]
    fn records_are_read_back_and_rubbish_puts_everything_in_doubt() {
        let path = |text: &str| Selector::Path(PathPattern::parse(text).unwrap());
        for selector in [
            Selector::of_uri(b"a", "/"),
            Selector::tag("a:1"),
            path("/a"),
            path("/a*"),
            path("*"),
            path("/a*b"),
            Selector::All,
        ] {
            for hard in [false, true] {
                let selector = selector.clone();
                let purge = Purge { selector, hard };
                let (kind, value, hard) = purge.fields();
                assert_eq!(Purge::from_fields(kind.as_bytes(), &value, hard), purge);
            }
        }
        for (kind, value) in [
            ("unnamed", &b""[..]),
            ("tag", b"a:1"),
            ("exactly", b"/a"),
            ("beginning", b""),
            ("beginning", &[0xff; 18]),
            ("path", b"\xff"),
            ("new kind", b""),
        ] {
            let read = Purge::from_fields(kind.as_bytes(), value, false);
            assert_eq!(read, Purge::UNNAMED, "{kind} {value:?}");
        }
    }

    #[test]
    fn a_record_is_small_whatever_it_names() {
        let long = "x".repeat(30_000);
        let texts = [
            format!("/{long}"),
            format!("/{long}*"),
            format!("/a*{long}*"),
        ];
        let paths = texts
            .clone()
            .map(|text| Selector::Path(PathPattern::covering(&text)));
        let others = [Selector::tag(&long), Selector::of_uri(b"a", &texts[0])];
        for selector in paths.into_iter().chain(others) {
            let purge = Purge {
                selector,
                hard: true,
            };
            assert!(purge.fields().1.len() <= 18, "{purge:?}");
        }
        let text = format!("/*{}", "x".repeat(MAX_PATTERN - 2));
        let selector = Selector::Path(PathPattern::parse(&text).unwrap());
        let purge = Purge {
            selector,
            hard: true,
        };
        assert_eq!(purge.fields().1.len(), MAX_PATTERN, "the longest");
    }
}
