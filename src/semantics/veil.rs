//! What is kept of a value of a request: the value, or a digest that only this cache can make.

use http::HeaderName;
use std::fmt::Debug;

/// Hides values. Equal values of one field have equal digests, and nobody without the secret can try out values.
pub trait Veil: Debug + Send + Sync {
    /// The digest of the value of a field, in [`DIGEST`] bytes.
    fn digest(&self, name: &str, value: &[u8]) -> [u8; DIGEST];
}

/// The length of a digest, in bytes.
pub const DIGEST: usize = 16;

/// Longer values are kept as digests, in bytes.
const SHORT: usize = 16;

/// What a digest begins with. It is longer than any value that is kept, and no value of a field begins with a control
/// character.
const MARK: u8 = 2;

/// Fields whose short values say nothing about who asks; those of any other are always hidden.
const PLAIN: [HeaderName; 8] = [
    http::header::ACCEPT,
    http::header::ACCEPT_ENCODING,
    http::header::ACCEPT_LANGUAGE,
    http::header::CONTENT_ENCODING,
    http::header::CONTENT_LANGUAGE,
    http::header::CONTENT_TYPE,
    http::header::ORIGIN,
    HeaderName::from_static("x-forwarded-proto"),
];

/// What is kept of `value`, which a request has in the field `name`.
pub(super) fn veiled(veil: &dyn Veil, name: &str, value: &[u8]) -> Box<[u8]> {
    if value.len() <= SHORT && PLAIN.iter().any(|plain| plain == name) {
        return value.into();
    }
    let mut kept = Vec::with_capacity(1 + DIGEST);
    kept.push(MARK);
    kept.extend_from_slice(&veil.digest(name, value));
    kept.into()
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// Hides well enough for a test (FNV-1a).
    #[derive(Debug)]
    pub(crate) struct Thin;

    impl Veil for Thin {
        fn digest(&self, name: &str, value: &[u8]) -> [u8; DIGEST] {
            let fold =
                |hash: u128, byte: &u8| (hash ^ u128::from(*byte)).wrapping_mul((1 << 88) + 0x13b);
            let name = name.as_bytes().iter().chain(b":").fold(0, fold);
            value.iter().chain(b":").fold(name, fold).to_be_bytes()
        }
    }

    #[test]
    fn what_may_say_who_asks_is_hidden_however_short_it_is() {
        for (name, value) in [("x-api-key", "alice"), ("cookie", "a=1"), ("x-own", "")] {
            let kept = veiled(&Thin, name, value.as_bytes());
            assert_eq!((kept[0], kept.len()), (MARK, 1 + DIGEST), "{name}");
        }
    }

    #[test]
    fn what_is_short_and_everybodys_stays_readable() {
        assert_eq!(*veiled(&Thin, "accept-language", b"de"), *b"de");
        let long = veiled(&Thin, "accept-language", b"de-AT,de;q=0.9,en;q=0.8");
        assert_eq!(long[0], MARK);
    }
}
