//! The bytes of one stored value in Redis.
//!
//! ```text
//! magic "SCV" · version · xxh3-64 of all that follows · kind · fields…
//! ```
//!
//! Numbers are big-endian, byte strings carry their length in front. What comes back from Redis is untrusted input:
//! anything that does not check out is an error here and a counted miss above, and no length field allocates.

mod body;
mod fields;

use self::fields::{DecodeError, Reader, put_bytes, put_count};
use super::entry::{Entry, Position, StreamId};
use crate::{
    clock::Times,
    semantics::{
        Freshness, Key, StoredHead,
        freshness::Source,
        part::{ByteRange, Part},
        vary::Selecting,
    },
};
use bytes::{Buf, BufMut, Bytes};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

const MAGIC: &[u8; 3] = b"SCV";
/// Another number is another format: the value is a miss for us, and ours is one for the others.
const VERSION: u8 = 5;
const PREFIX: usize = 4 + 8;

const KIND_ENTRY: u8 = 0;
const KIND_VARY: u8 = 1;

/// What stands for a key in Redis, where nobody shall read who asked for what: a digest that only this cache can make.
pub(super) type Id = [u8; 32];

/// What a value holds.
#[derive(Debug)]
pub(super) enum Value {
    /// A whole response.
    Entry(Box<Entry>),
    /// The names of the fields that select among several; each variant has a value of its own.
    Vary(Vec<HeaderName>),
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
}

/// The bytes of `entry`, whose key `id` stands for; a body above `compress_above` bytes is compressed where that makes it smaller.
pub(super) fn encode_entry(
    entry: &Entry,
    id: &Id,
    compress_above: Option<u64>,
    written: Written,
) -> Vec<u8> {
    let mut out = begin(KIND_ENTRY, 256 + entry.body.len());
    out.put_slice(id);
    put_times(&mut out, entry.head.freshness.response_time, written);
    put_head(&mut out, &entry.head);
    out.put_u64(entry.shared_position.0);
    out.put_u64(entry.shared_position.1);
    body::put(&mut out, &entry.body, compress_above);
    finish(out)
}

/// The bytes of a note that `names` select among several responses.
pub(super) fn encode_vary<'a>(names: impl Iterator<Item = &'a HeaderName>) -> Vec<u8> {
    let mut out = begin(KIND_VARY, 64);
    let names: Vec<&HeaderName> = names.collect();
    put_count(&mut out, names.len());
    for name in names {
        put_bytes(&mut out, name.as_str().as_bytes());
    }
    finish(out)
}

fn begin(kind: u8, capacity: usize) -> Vec<u8> {
    let mut out = Vec::with_capacity(PREFIX + capacity);
    out.put_slice(MAGIC);
    out.put_u8(VERSION);
    out.put_u64(0); // the checksum's place
    out.put_u8(kind);
    out
}

fn finish(mut out: Vec<u8>) -> Vec<u8> {
    let checksum = xxhash_rust::xxh3::xxh3_64(&out[PREFIX..]);
    out[4..PREFIX].copy_from_slice(&checksum.to_be_bytes());
    out
}

fn put_head(out: &mut Vec<u8>, head: &StoredHead) {
    out.put_u16(head.status.as_u16());
    out.put_u8(u8::from(head.generated_etag) | u8::from(head.no_transform) << 1);
    put_count(out, head.headers.len());
    for (name, value) in &head.headers {
        put_bytes(out, name.as_str().as_bytes());
        put_bytes(out, value.as_bytes());
    }
    put_count(out, head.selecting.parts().len());
    for (name, value) in head.selecting.parts() {
        put_bytes(out, name.as_str().as_bytes());
        out.put_u8(u8::from(value.is_some()));
        put_bytes(out, value.as_deref().unwrap_or_default());
    }
    put_freshness(out, &head.freshness);
    put_part(out, head.part);
    put_count(out, head.tags.len());
    for tag in &head.tags {
        put_bytes(out, tag.as_bytes());
    }
}

/// When the response came: by the wall clock, and how long before it was written. The TTL tells how long after that it is read,
/// also where the clock of who reads it is not that of who wrote it.
fn put_times(out: &mut Vec<u8>, response_time: SystemTime, written: Written) {
    let Written { at, ttl } = written;
    let since = |later: SystemTime, earlier| later.duration_since(earlier).unwrap_or_default();
    out.put_u64(millis(since(at.wall_at(response_time), UNIX_EPOCH)));
    out.put_u64(millis(since(at.now, response_time)));
    out.put_u64(millis(ttl));
}

fn put_freshness(out: &mut Vec<u8>, freshness: &Freshness) {
    for duration in [
        freshness.initial_age,
        freshness.lifetime,
        freshness.while_revalidate,
        freshness.if_error,
    ] {
        out.put_u64(millis(duration));
    }
    out.put_u8(match freshness.source {
        Source::Origin => 0,
        Source::Route => 1,
        Source::Heuristic => 2,
        Source::StaleAtOnce => 3,
    });
    out.put_u8(u8::from(freshness.validate_always) | u8::from(freshness.forbids_stale) << 1);
}

fn put_part(out: &mut Vec<u8>, part: Option<Part>) {
    let Some(Part { range, complete }) = part else {
        return out.put_u8(0);
    };
    out.put_u8(1);
    out.put_u64(range.first);
    out.put_u64(range.last);
    out.put_u64(complete.unwrap_or(u64::MAX));
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// Reads a value. A body that is not compressed stays a slice of `bytes`.
///
/// It has to be one for `key`, for which `id` stands. Its age is the larger of what the wall clock and what Redis says:
/// another replica's clock may be ahead, and ours may have been set.
///
/// # Errors
/// [`DecodeError`]: the caller treats it as a miss and deletes the value.
pub(super) fn decode(bytes: &Bytes, key: &Key, id: &Id, read: Read) -> Result<Value, DecodeError> {
    if bytes.len() <= PREFIX || bytes[..3] != MAGIC[..] || bytes[3] != VERSION {
        return Err(DecodeError::Format);
    }
    let mut fields = Reader(bytes.slice(PREFIX..));
    let checksum = (&bytes[4..PREFIX]).get_u64();
    if checksum != xxhash_rust::xxh3::xxh3_64(&fields.0) {
        return Err(DecodeError::Checksum);
    }
    let value = match fields.u8()? {
        KIND_ENTRY if fields.0.starts_with(id) => {
            fields.0.advance(id.len());
            Value::Entry(Box::new(entry(key, &mut fields, read)?))
        }
        KIND_ENTRY => return Err(DecodeError::Key),
        KIND_VARY => Value::Vary(
            (0..fields.count()?)
                .map(|_| fields.name())
                .collect::<Result<_, _>>()?,
        ),
        _ => return Err(DecodeError::Format),
    };
    if fields.0.has_remaining() {
        Err(DecodeError::Field)
    } else {
        Ok(value)
    }
}

fn entry(key: &Key, fields: &mut Reader, read: Read) -> Result<Entry, DecodeError> {
    let response_time = response_time(fields, read)?;
    let head = head(fields, response_time)?;
    let shared = StreamId(fields.u64()?, fields.u64()?);
    let body = body::take(fields)?;
    if head
        .part
        .is_some_and(|part| part.range.length() != body.len() as u64)
    {
        return Err(DecodeError::Field); // slices of it are taken by these positions
    }
    Ok(Entry::new(
        key.clone(),
        head,
        body,
        Position { local: 0, shared },
    ))
}

fn head(fields: &mut Reader, response_time: SystemTime) -> Result<StoredHead, DecodeError> {
    let status = StatusCode::from_u16(fields.u16()?).map_err(|_| DecodeError::Field)?;
    let flags = fields.u8()?;
    let mut headers = HeaderMap::new();
    for _ in 0..fields.count()? {
        let name = fields.name()?;
        let value =
            HeaderValue::from_maybe_shared(fields.bytes()?).map_err(|_| DecodeError::Field)?;
        headers
            .try_append(name, value)
            .map_err(|_| DecodeError::Field)?;
    }
    let mut selecting = Vec::new();
    for _ in 0..fields.count()? {
        let (name, present, value) = (fields.name()?, fields.u8()?, fields.bytes()?);
        selecting.push((name, (present == 1).then(|| Box::from(&*value))));
    }
    let freshness = freshness(fields, response_time)?;
    let part = part(fields)?;
    let mut tags = Vec::new();
    for _ in 0..fields.count()? {
        let tag = fields.bytes()?;
        tags.push(
            std::str::from_utf8(&tag)
                .map_err(|_| DecodeError::Field)?
                .into(),
        );
    }
    Ok(StoredHead {
        status,
        headers,
        selecting: Selecting::from_parts(selecting),
        freshness,
        part,
        generated_etag: flags & 1 != 0,
        no_transform: flags & 2 != 0,
        tags,
    })
}

fn part(fields: &mut Reader) -> Result<Option<Part>, DecodeError> {
    if fields.u8()? == 0 {
        return Ok(None);
    }
    let range = ByteRange {
        first: fields.u64()?,
        last: fields.u64()?,
    };
    let complete = Some(fields.u64()?).filter(|complete| *complete != u64::MAX);
    let sound = range.first <= range.last && complete.is_none_or(|complete| range.last < complete);
    if sound {
        Ok(Some(Part { range, complete }))
    } else {
        Err(DecodeError::Field)
    }
}

/// When the response came, in cache time. See [`put_times`].
fn response_time(fields: &mut Reader, read: Read) -> Result<SystemTime, DecodeError> {
    let mut duration = || fields.u64().map(Duration::from_millis);
    let (came, before, ttl) = (duration()?, duration()?, duration()?);
    let came = UNIX_EPOCH.checked_add(came).ok_or(DecodeError::Field)?;
    let by_clock = read.at.wall.duration_since(came).unwrap_or_default();
    let in_redis = read.left.map(|left| ttl.saturating_sub(left));
    let by_redis = before.saturating_add(in_redis.unwrap_or_default());
    let age = by_clock.max(by_redis);
    read.at.now.checked_sub(age).ok_or(DecodeError::Field)
}

fn freshness(fields: &mut Reader, response_time: SystemTime) -> Result<Freshness, DecodeError> {
    let mut duration = || fields.u64().map(Duration::from_millis);
    let (initial_age, lifetime, while_revalidate, if_error) =
        (duration()?, duration()?, duration()?, duration()?);
    let source = match fields.u8()? {
        0 => Source::Origin,
        1 => Source::Route,
        2 => Source::Heuristic,
        3 => Source::StaleAtOnce,
        _ => return Err(DecodeError::Field),
    };
    let flags = fields.u8()?;
    Ok(Freshness {
        initial_age,
        response_time,
        lifetime,
        source,
        while_revalidate,
        if_error,
        validate_always: flags & 1 != 0,
        forbids_stale: flags & 2 != 0,
    })
}

#[cfg(test)]
mod tests;
