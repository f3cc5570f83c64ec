//! What things are called in Redis.

use crate::{
    semantics::{Key, vary::Selecting},
    store::{codec, secret::Secret},
};
use sha2::{Digest, Sha256};

/// Makes names.
#[derive(Clone, Debug)]
pub(super) struct Names {
    pub(super) prefix: String,
    pub(super) secret: Secret,
}

/// A key as it is known in Redis.
#[derive(Debug)]
pub(super) struct Named<'k> {
    pub(super) key: &'k Key,
    pub(super) id: codec::Id,
    /// What the names of its values begin with.
    name: String,
}

impl Names {
    pub(super) fn of<'k>(&self, key: &'k Key) -> Named<'k> {
        let id = self.secret.of_key(key.as_bytes());
        let name = format!("{}:v{}:{{{}}}", self.prefix, codec::VERSION, hex(&id));
        Named { key, id, name }
    }
}

impl Named<'_> {
    /// The response, or what is known of its variants.
    pub(super) fn main(&self) -> String {
        format!("{}:m", self.name)
    }

    /// The variant whose selecting values these stand for.
    pub(super) fn variant(&self, values: [u8; 16]) -> String {
        format!("{}:{}", self.name, hex(&values))
    }

    /// Who fetches it.
    pub(super) fn lease(&self) -> String {
        format!("{}:l", self.name)
    }

    /// That somebody waits for who fetches it.
    pub(super) fn waited(&self) -> String {
        format!("{}:w", self.name)
    }
}

/// Where a large value is that is known as `at`.
pub(super) fn whole(at: &str) -> String {
    format!("{at}:b")
}

/// What stands for what selects a response.
pub(super) fn values(selecting: &Selecting) -> [u8; 16] {
    let mut hash = Sha256::new();
    for (field, value) in selecting.parts() {
        hash.update(field.as_str());
        hash.update(match value {
            Some(_) => b":+",
            None => b":-",
        });
        let value = value.as_deref().unwrap_or_default();
        hash.update((value.len() as u64).to_be_bytes());
        hash.update(value);
    }
    let mut values = [0; 16];
    values.copy_from_slice(&hash.finalize()[..16]);
    values
}

fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    bytes
        .iter()
        .flat_map(|byte| [byte >> 4, byte & 15])
        .map(|nibble| char::from(DIGITS[usize::from(nibble)]))
        .collect()
}
