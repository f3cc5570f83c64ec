//! What every value begins with: what it is, and how new. The places are fixed, because a script in Redis compares them.

use super::fields::DecodeError;
use crate::store::entry::StreamId;
use bytes::{Buf, BufMut, Bytes};
use std::time::Duration;

const MAGIC: &[u8; 3] = b"SCV";

/// The version of the format, which is in the name of every key too: two releases that write other formats do not meet.
pub(in crate::store) const VERSION: u8 = 6;

/// Where the checksum ends, and what it is made of begins.
pub(super) const PREFIX: usize = 4 + 8;

/// Where the kind is, and behind it the place in the purge log, the age and the TTL.
const STAMP: usize = PREFIX;

/// Where the stamp ends, and the length of what the checksum is made of stands.
const LENGTH: usize = STAMP + 1 + 16 + 8 + 8;

/// Where what differs from kind to kind begins.
pub(super) const CONTENT: usize = LENGTH + 4;

/// What a value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Entry = 0,
    Note = 1,
    Elsewhere = 2,
}

/// How new a value is: by where the purge log stood when it was asked for, and for how long it had been asked for when it was
/// written. What is left of its TTL tells how long ago that was, whoever's clock is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::store) struct Stamp {
    pub(in crate::store) position: StreamId,
    pub(in crate::store) age: Duration,
    pub(in crate::store) ttl: Duration,
}

/// A value up to its content.
pub(super) struct Envelope {
    pub(super) kind: Kind,
    pub(super) stamp: Stamp,
    pub(super) content: Bytes,
    /// What stands behind that, which the checksum says nothing of.
    pub(super) rest: Bytes,
}

pub(super) fn begin(kind: Kind, stamp: Stamp, capacity: usize) -> Vec<u8> {
    let mut out = Vec::with_capacity(CONTENT + capacity);
    out.put_slice(MAGIC);
    out.put_u8(VERSION);
    out.put_u64(0); // the checksum's place
    out.put_u8(kind as u8);
    out.put_u64(stamp.position.0);
    out.put_u64(stamp.position.1);
    out.put_u64(millis(stamp.age));
    out.put_u64(millis(stamp.ttl));
    out.put_u32(0); // the length's
    out
}

/// `None` where it is longer than can be said.
pub(super) fn seal(mut out: Vec<u8>) -> Option<Vec<u8>> {
    let length = u32::try_from(out.len()).ok()?;
    out[LENGTH..CONTENT].copy_from_slice(&length.to_be_bytes());
    let checksum = xxhash_rust::xxh3::xxh3_64(&out[PREFIX..]);
    out[4..PREFIX].copy_from_slice(&checksum.to_be_bytes());
    Some(out)
}

/// The stamp of a value that was made here.
pub(in crate::store) fn stamp_of(value: &[u8]) -> Stamp {
    let mut fields = &value[STAMP + 1..LENGTH];
    Stamp {
        position: StreamId(fields.get_u64(), fields.get_u64()),
        age: Duration::from_millis(fields.get_u64()),
        ttl: Duration::from_millis(fields.get_u64()),
    }
}

/// The checksum that stands in `value`, which has at least a beginning.
pub(in crate::store) fn checksum_of(value: &[u8]) -> Option<u64> {
    let mut checksum = value.get(4..PREFIX)?;
    Some(checksum.get_u64())
}

pub(super) fn open(bytes: &Bytes) -> Result<Envelope, DecodeError> {
    if bytes.len() < CONTENT || bytes[..3] != MAGIC[..] || bytes[3] != VERSION {
        return Err(DecodeError::Format);
    }
    let kind = match bytes[STAMP] {
        0 => Kind::Entry,
        1 => Kind::Note,
        2 => Kind::Elsewhere,
        _ => return Err(DecodeError::Format),
    };
    let length = usize::try_from((&bytes[LENGTH..CONTENT]).get_u32()).unwrap_or(usize::MAX);
    if length < CONTENT || length > bytes.len() {
        return Err(DecodeError::Format);
    }
    let checksum = (&bytes[4..PREFIX]).get_u64();
    if checksum != xxhash_rust::xxh3::xxh3_64(&bytes[PREFIX..length]) {
        return Err(DecodeError::Checksum);
    }
    Ok(Envelope {
        kind,
        stamp: stamp_of(bytes),
        content: bytes.slice(CONTENT..length),
        rest: bytes.slice(length..),
    })
}

pub(super) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
