//! A body at rest: as it is, or compressed with zstd.

use super::fields::{DecodeError, Reader, put_bytes};
use bytes::{BufMut, Bytes};
use std::io::Read;

const RAW: u8 = 0;
const ZSTD: u8 = 1;

/// zstd's own default: about as fast as the network, and most of what can be gained.
const LEVEL: i32 = 3;

/// Appends `body`; above `compress_above` bytes compressed, where that makes it smaller.
pub(super) fn put(out: &mut Vec<u8>, body: &Bytes, compress_above: Option<u64>) {
    let length = body.len() as u64;
    let worth_it = compress_above.is_some_and(|above| length > above);
    let compressed = worth_it.then(|| zstd::bulk::compress(body, LEVEL).ok());
    match compressed.flatten().filter(|c| c.len() < body.len()) {
        Some(compressed) => {
            out.put_u8(ZSTD);
            out.put_u64(length);
            put_bytes(out, &compressed);
        }
        None => {
            out.put_u8(RAW);
            put_bytes(out, body);
        }
    }
}

/// Takes it back. What a length claims is never allocated before it has come, and nothing larger than `max` bytes is inflated.
pub(super) fn take(fields: &mut Reader, max: u64) -> Result<Bytes, DecodeError> {
    match fields.u8()? {
        RAW => fields.bytes(),
        ZSTD => inflated(fields.u64()?, &fields.bytes()?, max),
        _ => Err(DecodeError::Field),
    }
}

fn inflated(length: u64, compressed: &[u8], max: u64) -> Result<Bytes, DecodeError> {
    if length > max {
        return Err(DecodeError::Inflated);
    }
    let mut body = Vec::new();
    let decoder = zstd::stream::read::Decoder::new(compressed).map_err(|_| DecodeError::Field)?;
    let read = decoder.take(length + 1).read_to_end(&mut body);
    match read {
        Ok(_) if body.len() as u64 == length => {
            body.shrink_to_fit();
            Ok(body.into())
        }
        Ok(_) | Err(_) => Err(DecodeError::Field),
    }
}
