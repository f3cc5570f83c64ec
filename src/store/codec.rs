//! The bytes of one stored value in Redis.
//!
//! ```text
//! magic "SCV" · version · xxh3-64 of all that follows · kind · stamp · length · content…
//! ```
//!
//! Numbers are big-endian, byte strings carry their length in front. What comes back from Redis is untrusted input:
//! anything that does not check out is an error here and a counted miss above, and no length field allocates.

mod body;
mod envelope;
mod fields;
mod head;
mod note;

use self::{
    envelope::{Kind, begin, millis, open, seal, stamp_of},
    fields::Reader,
};
pub(super) use self::{
    envelope::{Stamp, VERSION, checksum_of},
    fields::DecodeError,
    note::{MAX_VARIANTS, Member, Note, encode as encode_note},
};
use super::entry::{Entry, Position};
use crate::{clock::Times, semantics::Key};
use bytes::{Buf, BufMut, Bytes};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// What stands for a key in Redis, where nobody shall read who asked for what: a digest that only this cache can make.
pub(super) type Id = [u8; 32];

/// What a value holds.
#[derive(Debug)]
pub(super) enum Value {
    /// A whole response.
    Entry(Box<Entry>),
    /// By what one of several responses is selected; each has a value of its own.
    Note(Note),
    /// A large response is under another name.
    Elsewhere(Elsewhere),
}

/// What is known of a large value before it is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Elsewhere {
    /// In bytes.
    pub(super) length: u64,
    /// Its own: another one is another value.
    pub(super) checksum: u64,
}

/// The moment at which a value is written, and for how long Redis is to keep it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Written {
    pub(super) at: Times,
    pub(super) ttl: Duration,
}

/// The moment at which a value is read, and how much of its TTL was left then; `None` where Redis does not say.
#[derive(Clone, Copy, Debug)]
pub(super) struct Read {
    pub(super) at: Times,
    pub(super) left: Option<Duration>,
    /// No larger body comes out of what is compressed, in bytes.
    pub(super) max_body: u64,
}

/// How new `entry` is at the moment of writing.
pub(super) fn stamp(entry: &Entry, written: Written) -> Stamp {
    let asked = entry.head.freshness.request_time;
    Stamp {
        position: entry.shared_position,
        age: since(written.at.now, asked),
        ttl: written.ttl,
    }
}

/// The bytes of `entry`, whose key `id` stands for; a body above `compress_above` bytes is compressed where that makes it smaller.
///
/// `None` where they could not be read again: there are more fields or tags than any value may have.
pub(super) fn encode_entry(
    entry: &Entry,
    id: &Id,
    compress_above: Option<u64>,
    written: Written,
) -> Option<Vec<u8>> {
    if !head::is_readable(&entry.head) {
        return None;
    }
    let stamp = stamp(entry, written);
    let mut out = begin(Kind::Entry, stamp, 256 + entry.body.len());
    out.put_slice(id);
    put_times(&mut out, entry.head.freshness.response_time, written.at);
    head::put_head(&mut out, &entry.head);
    body::put(&mut out, &entry.body, compress_above);
    seal(out)
}

/// The bytes of a note that `whole`, a value that was made here, is under another name.
pub(super) fn encode_elsewhere(whole: &[u8]) -> Option<Vec<u8>> {
    let mut out = begin(Kind::Elsewhere, stamp_of(whole), 16);
    out.put_u64(whole.len() as u64);
    out.put_u64(checksum_of(whole)?);
    seal(out)
}

/// When the response came: by the wall clock, and how long before it was written. The TTL tells how long after that it is read,
/// also where the clock of who reads it is not that of who wrote it.
fn put_times(out: &mut Vec<u8>, response_time: SystemTime, at: Times) {
    out.put_u64(millis(since(at.wall_at(response_time), UNIX_EPOCH)));
    out.put_u64(millis(since(at.now, response_time)));
}

fn since(later: SystemTime, earlier: SystemTime) -> Duration {
    later.duration_since(earlier).unwrap_or_default()
}

/// Reads a value. A body that is not compressed stays a slice of `bytes`.
///
/// It has to be one for `key`, for which `id` stands. Its age is the larger of what the wall clock and what Redis says:
/// another replica's clock may be ahead, and ours may have been set.
///
/// # Errors
/// [`DecodeError`]: the caller treats it as a miss and deletes the value.
pub(super) fn decode(bytes: &Bytes, key: &Key, id: &Id, read: Read) -> Result<Value, DecodeError> {
    let envelope = open(bytes)?;
    let mut fields = Reader(envelope.content);
    let value = match envelope.kind {
        Kind::Entry if fields.0.starts_with(id) => {
            fields.0.advance(id.len());
            Value::Entry(Box::new(entry(key, &mut fields, envelope.stamp, read)?))
        }
        Kind::Entry => return Err(DecodeError::Key),
        Kind::Elsewhere => Value::Elsewhere(Elsewhere {
            length: fields.u64()?,
            checksum: fields.u64()?,
        }),
        Kind::Note => {
            let note = note::take(&mut fields, &envelope.rest)?;
            return fields.end().map(|()| Value::Note(note));
        }
    };
    fields.end()?;
    if envelope.rest.is_empty() {
        Ok(value)
    } else {
        Err(DecodeError::Field)
    }
}

fn entry(key: &Key, fields: &mut Reader, stamp: Stamp, read: Read) -> Result<Entry, DecodeError> {
    let times = times(fields, stamp, read)?;
    let head = head::take_head(fields, times)?;
    let body = body::take(fields, read.max_body)?;
    if head
        .part
        .is_some_and(|part| part.range.length() != body.len() as u64)
    {
        return Err(DecodeError::Field); // slices of it are taken by these positions
    }
    let position = Position {
        local: 0,
        shared: stamp.position,
    };
    Ok(Entry::new(key.clone(), head, body, position))
}

/// When the response came and when it was asked for, in cache time. See [`put_times`].
fn times(
    fields: &mut Reader,
    stamp: Stamp,
    read: Read,
) -> Result<(SystemTime, SystemTime), DecodeError> {
    let mut duration = || fields.u64().map(Duration::from_millis);
    let (came, before) = (duration()?, duration()?);
    let came = UNIX_EPOCH.checked_add(came).ok_or(DecodeError::Field)?;
    let by_clock = since(read.at.wall, came);
    let in_redis = read.left.map(|left| stamp.ttl.saturating_sub(left));
    let by_redis = before.saturating_add(in_redis.unwrap_or_default());
    let age = by_clock.max(by_redis);
    let took = stamp.age.saturating_sub(before);
    let response_time = read.at.now.checked_sub(age).ok_or(DecodeError::Field)?;
    let request_time = response_time.checked_sub(took).ok_or(DecodeError::Field)?;
    Ok((response_time, request_time))
}

#[cfg(test)]
mod tests;
