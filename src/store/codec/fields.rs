//! The fields of a value: byte strings and counts on the way out, all kinds on the way in.

use bytes::{Buf, BufMut, Bytes};
use http::HeaderName;

/// More fields than any response head may have.
pub(super) const MAX_FIELDS: u32 = 1024;

/// More tags than any response has: those of the origin, of the route, and of what it was put together with.
pub(super) const MAX_TAGS: u32 = 4096;

/// Why bytes are no value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(in crate::store) enum DecodeError {
    #[error("not a value of this format and version")]
    Format,
    #[error("the checksum does not match")]
    Checksum,
    #[error("a value of another key")]
    Key,
    #[error("a field does not hold what it should")]
    Field,
    #[error("the body is larger than any of ours")]
    Inflated,
}

pub(super) fn put_count(out: &mut Vec<u8>, count: usize) {
    out.put_u32(u32::try_from(count).unwrap_or(u32::MAX));
}

pub(super) fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    put_count(out, bytes.len());
    out.put_slice(bytes);
}

/// Takes fields from the front; runs out instead of panicking.
pub(super) struct Reader(pub(super) Bytes);

impl Reader {
    pub(super) fn u8(&mut self) -> Result<u8, DecodeError> {
        self.0.try_get_u8().map_err(|_| DecodeError::Field)
    }

    pub(super) fn u16(&mut self) -> Result<u16, DecodeError> {
        self.0.try_get_u16().map_err(|_| DecodeError::Field)
    }

    fn u32(&mut self) -> Result<u32, DecodeError> {
        self.0.try_get_u32().map_err(|_| DecodeError::Field)
    }

    pub(super) fn u64(&mut self) -> Result<u64, DecodeError> {
        self.0.try_get_u64().map_err(|_| DecodeError::Field)
    }

    /// A number of things, of which there may be so many.
    pub(super) fn count(&mut self, most: u32) -> Result<u32, DecodeError> {
        self.u32()
            .ok()
            .filter(|count| *count <= most)
            .ok_or(DecodeError::Field)
    }

    pub(super) fn bytes(&mut self) -> Result<Bytes, DecodeError> {
        let length = usize::try_from(self.u32()?).map_err(|_| DecodeError::Field)?;
        if length > self.0.remaining() {
            return Err(DecodeError::Field);
        }
        Ok(self.0.split_to(length))
    }

    pub(super) fn name(&mut self) -> Result<HeaderName, DecodeError> {
        HeaderName::from_bytes(&self.bytes()?).map_err(|_| DecodeError::Field)
    }

    /// That nothing is left.
    pub(super) fn end(&self) -> Result<(), DecodeError> {
        if self.0.has_remaining() {
            Err(DecodeError::Field)
        } else {
            Ok(())
        }
    }
}
