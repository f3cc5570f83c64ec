//! Everything of a response but its body.

use super::{
    envelope::millis,
    fields::{DecodeError, MAX_FIELDS, MAX_TAGS, Reader, put_bytes, put_count},
};
use crate::semantics::{
    Freshness, StoredHead,
    freshness::Source,
    hop_by_hop,
    part::{ByteRange, Part},
    vary::Selecting,
};
use bytes::BufMut;
use http::{HeaderMap, HeaderValue, StatusCode};
use std::time::{Duration, SystemTime};

/// Whether all of it can be read again.
pub(super) fn is_readable(head: &StoredHead) -> bool {
    let within = |count: usize, most: u32| u32::try_from(count).is_ok_and(|count| count <= most);
    within(head.headers.len(), MAX_FIELDS)
        && within(head.selecting.parts().len(), MAX_FIELDS)
        && within(head.tags.len(), MAX_TAGS)
}

pub(super) fn put_head(out: &mut Vec<u8>, head: &StoredHead) {
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

pub(super) fn take_head(
    fields: &mut Reader,
    times: (SystemTime, SystemTime),
) -> Result<StoredHead, DecodeError> {
    let status = StatusCode::from_u16(fields.u16()?).map_err(|_| DecodeError::Field)?;
    if status.is_informational() {
        return Err(DecodeError::Field); // no response ends with one
    }
    let flags = fields.u8()?;
    let mut headers = HeaderMap::new();
    for _ in 0..fields.count(MAX_FIELDS)? {
        let name = fields.name()?;
        if hop_by_hop::ends_here(&name) {
            return Err(DecodeError::Field); // it would frame the message anew
        }
        let value =
            HeaderValue::from_maybe_shared(fields.bytes()?).map_err(|_| DecodeError::Field)?;
        headers
            .try_append(name, value)
            .map_err(|_| DecodeError::Field)?;
    }
    let mut selecting = Vec::new();
    for _ in 0..fields.count(MAX_FIELDS)? {
        let (name, present, value) = (fields.name()?, fields.u8()?, fields.bytes()?);
        selecting.push((name, (present == 1).then(|| Box::from(&*value))));
    }
    let freshness = freshness(fields, times)?;
    let part = part(fields)?;
    let mut tags = Vec::new();
    for _ in 0..fields.count(MAX_TAGS)? {
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

fn freshness(
    fields: &mut Reader,
    (response_time, request_time): (SystemTime, SystemTime),
) -> Result<Freshness, DecodeError> {
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
        request_time,
        lifetime,
        source,
        while_revalidate,
        if_error,
        validate_always: flags & 1 != 0,
        forbids_stale: flags & 2 != 0,
    })
}
