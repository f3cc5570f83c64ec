//! The secret by which this cache hides who asked (RFC 2104).

use crate::semantics::veil::{DIGEST, Veil};
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};
use std::fmt;

/// Makes digests of what requests say about their callers, for keys and selecting fields: nobody who reads Redis can tell
/// what they were, or try it out. All replicas need the same one.
#[derive(Clone)]
pub struct Secret {
    key: [u8; 32],
    keyed: Hmac<Sha256>,
    is_of_prefix: bool,
}

impl Secret {
    /// Made of what the operator wrote.
    pub fn new(text: &str) -> Self {
        Self::of(b"sidecache secret ", text.as_bytes())
    }

    /// The same for all processes with this prefix, for want of a better one: who knows the prefix can try out values.
    pub fn of_prefix(prefix: &str) -> Self {
        Self {
            is_of_prefix: true,
            ..Self::of(b"sidecache prefix ", prefix.as_bytes())
        }
    }

    /// Whether it was made of the prefix.
    pub fn is_of_prefix(&self) -> bool {
        self.is_of_prefix
    }

    /// One that nobody else knows, and that ends with the process.
    pub fn random() -> Self {
        // Each of them is seeded by the system's source of randomness.
        let word = || {
            use std::hash::{BuildHasher, RandomState};
            RandomState::new().hash_one(fastrand::u64(..)).to_be_bytes()
        };
        Self::of(b"", &[word(), word(), word(), word()].concat())
    }

    fn of(kind: &[u8], text: &[u8]) -> Self {
        let key: [u8; 32] = Sha256::digest([kind, text].concat()).into();
        Self {
            key,
            keyed: Hmac::new_from_slice(&key).expect("a key of any length will do"),
            is_of_prefix: false,
        }
    }
}

impl Secret {
    /// What stands for a key where others can read it.
    pub(super) fn of_key(&self, key: &[u8]) -> [u8; 32] {
        self.mac(&[b"key ", key])
    }

    fn mac(&self, parts: &[&[u8]]) -> [u8; 32] {
        let mut mac = self.keyed.clone();
        parts.iter().for_each(|part| mac.update(part));
        mac.finalize().into_bytes().into()
    }
}

impl Veil for Secret {
    fn digest(&self, name: &str, value: &[u8]) -> [u8; DIGEST] {
        let length = (name.len() as u64).to_be_bytes();
        let mac = self.mac(&[b"field ", &length, name.as_bytes(), value]);
        std::array::from_fn(|at| mac[at])
    }
}

impl PartialEq for Secret {
    fn eq(&self, other: &Self) -> bool {
        self.key == other.key
    }
}

impl Eq for Secret {}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_values_of_one_field_have_equal_digests_and_others_have_others() {
        let secret = Secret::new("one");
        let digest = |secret: &Secret, name, value: &str| secret.digest(name, value.as_bytes());
        assert_eq!(digest(&secret, "x", "a"), digest(&secret.clone(), "x", "a"));
        assert_ne!(digest(&secret, "x", "a"), digest(&secret, "x", "b"));
        assert_ne!(digest(&secret, "x", "ya"), digest(&secret, "xy", "a"));
        assert_ne!(
            digest(&secret, "x", "a"),
            digest(&Secret::new("two"), "x", "a")
        );
        assert_ne!(Secret::new("p"), Secret::of_prefix("p"));
        assert_ne!(Secret::random(), Secret::random());
    }

    #[test]
    fn it_is_shown_nowhere() {
        assert_eq!(format!("{:?}", Secret::new("hidden")), "Secret");
    }
}
