//! The primary cache key: an injective, versioned encoding of the target URI and of what the route adds
//! ([RFC 9111 §2]).
//!
//! Each part is length-prefixed, so no request can spell the key of another one. The path is taken as received:
//! `%2F` is never decoded.
//!
//! [RFC 9111 §2]: https://www.rfc-editor.org/rfc/rfc9111#section-2

use super::{
    fields::LONGEST_READ,
    veil::{Veil, veiled},
};
use bytes::Bytes;
use std::{borrow::Cow, fmt};

const VERSION: u8 = 2;

/// The encoded key. Two requests with equal keys ask for the same resource in the same view.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Key(Bytes);

impl Key {
    /// The encoding.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// A key read back from a stored entry. It is only ever compared with one that a request made.
    pub fn from_stored(encoded: Bytes) -> Self {
        Self(encoded)
    }

    /// The part that names host and path, whatever the scheme, the query and the route's additions: what a write to a
    /// URI invalidates. `None` for a stored key that is none.
    pub fn target(&self) -> Option<&[u8]> {
        let mut parts = Parts(self.0.get(1..)?);
        parts.by_ref().take(2).count();
        self.0.get(..self.0.len() - parts.0.len())
    }

    /// The host and the path of the target URI.
    pub fn host_and_path(&self) -> Option<(&[u8], &[u8])> {
        let mut parts = Parts(self.0.get(1..)?);
        let (host, path) = (parts.next()?, parts.next()?);
        Some((host.1, path.1))
    }

    /// The path of the target URI, and its query where it has one: what purges by path look at.
    pub fn path_and_query(&self) -> Option<(&[u8], Option<&[u8]>)> {
        let mut parts = Parts(self.0.get(1..)?);
        let (_host, path, _scheme) = (parts.next()?, parts.next()?, parts.next()?);
        let query = parts.find_map(|(tag, query)| (tag == TAG_QUERY).then_some(query));
        Some((path.1, query))
    }
}

/// A tag and a length before each part, in bytes.
const PREFIX: usize = 1 + 4;

const TAG_URI: u8 = b'u';
const TAG_QUERY: u8 = b'q';
const TAG_FIELD: u8 = b'f';
const TAG_CONTENT: u8 = b'c';
const TAG_POST: u8 = b'p';
const TAG_RULES: u8 = b'r';

/// Builds a [`Key`] part by part.
pub struct Builder<'v> {
    key: Vec<u8>,
    /// Hides the values of fields; without one they are kept as they are.
    veil: Option<&'v dyn Veil>,
    /// A value was longer than is read.
    is_too_long: bool,
}

impl fmt::Debug for Builder<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder").finish_non_exhaustive()
    }
}

impl<'v> Builder<'v> {
    /// Begins with what every key has. `host` counts in lower case (RFC 3986 §3.2.2).
    pub fn new(scheme: &str, host: &[u8], path: &str) -> Self {
        let mut builder = Self {
            key: Vec::with_capacity(
                1 + 4 * PREFIX + scheme.len() + host.len() + path.len() + size_of::<u64>(),
            ),
            veil: None,
            is_too_long: false,
        };
        builder.key.push(VERSION);
        let start = builder.part(TAG_URI, host);
        builder.key[start..].make_ascii_lowercase();
        builder.part(TAG_URI, path.as_bytes());
        builder.part(TAG_URI, scheme.as_bytes());
        builder
    }

    /// Keeps of the values of fields only what `veil` leaves of them.
    pub fn veiled_by(self, veil: &'v dyn Veil) -> Self {
        Self {
            veil: Some(veil),
            ..self
        }
    }

    /// By which rules the answer may be shared: under others it is another one.
    pub fn shared_by(mut self, rules: u64) -> Self {
        self.part(TAG_RULES, &rules.to_be_bytes());
        self
    }

    /// The query as received; `?` alone is not the same as none.
    pub fn query(mut self, query: Option<&str>) -> Self {
        if let Some(query) = query {
            // Exactly: a buffer without room to spare becomes a key without another allocation, which every hit saves.
            self.key.reserve_exact(PREFIX + query.len());
            self.part(TAG_QUERY, query.as_bytes());
        }
        self
    }

    /// A request field that the route put into the key; its absence is a part too. One that is longer than
    /// [`LONGEST_READ`] makes it a key of nothing.
    pub fn field(mut self, name: &str, value: Option<&[u8]>) -> Self {
        if value.is_some_and(|value| value.len() > LONGEST_READ) {
            return self.too_long();
        }
        self.part(TAG_FIELD, name.as_bytes());
        match (value, self.veil) {
            (Some(value), Some(veil)) => self.part(TAG_FIELD, &veiled(veil, name, value)),
            (Some(value), None) => self.part(TAG_FIELD, value),
            (None, _) => self.part(b'-', &[]),
        };
        self
    }

    /// The digest of a QUERY's body; the fields that say how to read it are parts of their own ([RFC 10008 §2.7]).
    ///
    /// [RFC 10008 §2.7]: https://www.rfc-editor.org/rfc/rfc10008#section-2.7
    pub fn query_content(mut self, digest: &[u8]) -> Self {
        self.part(TAG_CONTENT, digest);
        self
    }

    /// The digest of a POST's content, where a route says that it is a read: its answer is another one than that to a QUERY with
    /// the same content ([RFC 9110 §9.3.3]).
    ///
    /// [RFC 9110 §9.3.3]: https://www.rfc-editor.org/rfc/rfc9110#section-9.3.3
    pub fn post_content(mut self, digest: &[u8]) -> Self {
        self.part(TAG_POST, digest);
        self
    }

    /// Without something that would be part of it, because it is longer than is read.
    pub fn too_long(self) -> Self {
        Self {
            is_too_long: true,
            ..self
        }
    }

    /// Whether all of it could be read: else there may be another one that looks the same.
    pub fn is_whole(&self) -> bool {
        !self.is_too_long
    }

    /// The finished key.
    pub fn build(self) -> Key {
        Key(self.key.into())
    }

    fn part(&mut self, tag: u8, bytes: &[u8]) -> usize {
        // Longer than 4 GiB cannot arrive: the request head is limited to far less.
        let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
        self.key.push(tag);
        self.key.extend_from_slice(&length.to_be_bytes());
        let start = self.key.len();
        self.key.extend_from_slice(bytes);
        start
    }
}

/// A parameter's name as forms spell it: `+` is a space, `%XX` a byte.
pub fn decoded(name: &str) -> String {
    let mut bytes = Vec::with_capacity(name.len());
    let mut rest = name.bytes();
    while let Some(byte) = rest.next() {
        let mut ahead = rest.clone();
        let escape = (byte == b'%')
            .then(|| hex(ahead.next()?).zip(hex(ahead.next()?)))
            .flatten();
        match (byte, escape) {
            (_, Some((high, low))) => {
                bytes.push(high << 4 | low);
                rest = ahead;
            }
            (b'+', None) => bytes.push(b' '),
            (byte, None) => bytes.push(byte),
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// `path` without needless escapes, and with those that it lacks: `%31` and `1` are the same ([RFC 3986 §6.2.2.2]), so a purge
/// of one is of both, and so is a tag. Keys keep what was received.
///
/// [RFC 3986 §6.2.2.2]: https://www.rfc-editor.org/rfc/rfc3986#section-6.2.2.2
pub fn plain(path: &str) -> Cow<'_, str> {
    if path.is_ascii() && !path.contains('%') {
        return path.into();
    }
    let path = encoded(path);
    let mut plain = Vec::with_capacity(path.len());
    let mut rest = path.as_bytes();
    while let [byte, after @ ..] = rest {
        rest = after;
        if *byte != b'%' {
            plain.push(*byte);
            continue;
        }
        let digits = match after {
            [high, low, ..] => hex(*high).zip(hex(*low)),
            _ => None,
        };
        match digits.map(|(high, low)| high << 4 | low) {
            Some(byte) if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) => {
                plain.push(byte);
                rest = &after[2..];
            }
            // What stays is spelled in one way, so that to read it twice changes nothing.
            Some(byte) => {
                plain.extend_from_slice(&escape(byte));
                rest = &after[2..];
            }
            None => plain.extend_from_slice(b"%25"),
        }
    }
    ascii(plain).into()
}

/// `text` with an escape for each byte that is not ASCII, which none of a URI may be ([RFC 3986 §2.1], [RFC 3987 §3.1]).
///
/// [RFC 3986 §2.1]: https://www.rfc-editor.org/rfc/rfc3986#section-2.1
/// [RFC 3987 §3.1]: https://www.rfc-editor.org/rfc/rfc3987#section-3.1
pub fn encoded(text: &str) -> Cow<'_, str> {
    if text.is_ascii() {
        return text.into();
    }
    let mut encoded = Vec::with_capacity(text.len() * 2);
    for byte in text.bytes() {
        if byte.is_ascii() {
            encoded.push(byte);
        } else {
            encoded.extend_from_slice(&escape(byte));
        }
    }
    ascii(encoded).into()
}

/// `%XX`, in upper case ([RFC 3986 §2.1](https://www.rfc-editor.org/rfc/rfc3986#section-2.1)).
fn escape(byte: u8) -> [u8; 3] {
    let digit = |value: u8| b"0123456789ABCDEF"[usize::from(value & 0xf)];
    [b'%', digit(byte >> 4), digit(byte)]
}

fn ascii(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).expect("every byte that is not ASCII became an escape")
}

/// The value of a hexadecimal digit.
pub(super) fn hex(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        b'A'..=b'F' => Some(digit - b'A' + 10),
        _ => None,
    }
}

struct Parts<'a>(&'a [u8]);

impl<'a> Iterator for Parts<'a> {
    type Item = (u8, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let (tag, rest) = self.0.split_first()?;
        let (length, rest) = rest.split_first_chunk::<4>()?;
        let (part, rest) =
            rest.split_at_checked(usize::try_from(u32::from_be_bytes(*length)).ok()?)?;
        self.0 = rest;
        Some((*tag, part))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn uri(host: &str, path: &str, query: Option<&str>) -> Key {
        Builder::new("http", host.as_bytes(), path)
            .query(query)
            .build()
    }

    #[test]
    fn different_targets_have_different_keys() {
        let keys = [
            uri("a", "/x", None),
            uri("b", "/x", None),
            uri("a", "/x/", None),
            uri("a", "/%2F", None),
            uri("a", "//", None),
            uri("a", "/x", Some("")),
            uri("a", "/x", Some("y")),
            uri("a", "/x?y", None),
            uri("a/x", "/", None),
            Builder::new("http", b"a", "/x").field("h", None).build(),
            Builder::new("http", b"a", "/x")
                .field("h", Some(b""))
                .build(),
            Builder::new("http", b"a", "/x")
                .field("h", Some(b"1"))
                .build(),
            Builder::new("http", b"a", "/x").query_content(b"").build(),
            Builder::new("http", b"a", "/x").post_content(b"").build(),
            Builder::new("http", b"a", "/x").post_content(b"1").build(),
        ];
        for (at, one) in keys.iter().enumerate() {
            for other in &keys[at + 1..] {
                assert_ne!(one, other);
            }
        }
    }

    #[test]
    fn the_host_ignores_case_and_the_path_does_not() {
        assert_eq!(
            uri("API.Example", "/x", None),
            uri("api.example", "/x", None)
        );
        assert_ne!(uri("a", "/X", None), uri("a", "/x", None));
    }

    #[test]
    fn the_target_is_host_and_path_alone() {
        let target = |scheme, host: &str, path, query| {
            let key = Builder::new(scheme, host.as_bytes(), path)
                .query(query)
                .field("x", None)
                .build();
            key.target().unwrap().to_vec()
        };
        assert_eq!(
            target("http", "a", "/x", None),
            target("https", "A", "/x", Some("y"))
        );
        assert_ne!(
            target("http", "a", "/x", None),
            target("http", "a", "/y", None)
        );
        assert_ne!(
            target("http", "a", "/x", None),
            target("http", "b", "/x", None)
        );
    }

    #[test]
    fn path_and_query_can_be_read_back() {
        assert_eq!(
            uri("a", "/x", Some("y=1")).path_and_query(),
            Some((&b"/x"[..], Some(&b"y=1"[..])))
        );
        assert_eq!(
            uri("a", "/x", None).path_and_query(),
            Some((&b"/x"[..], None))
        );
        assert_eq!(
            Key::from_stored(Bytes::from_static(b"\x01u\0\0")).path_and_query(),
            None
        );
    }
}
