//! What the writer and the reader of a snapshot agree on.

use tokio::time::Instant;

/// What it begins with; the last byte is the version.
pub(super) const MAGIC: [u8; 4] = *b"SPI\x01";

/// Bits of a mark's first word below its name.
pub(super) const FLAG_BITS: u32 = 12;

/// The flag of a soft mark, after which the time of the first purge follows.
pub(super) const SOFT: u64 = 1;

/// Set in the number of marks of a bucket that has forgotten some: how new they were comes first.
pub(super) const FORGOTTEN: u8 = 0x80;

/// A time by the clock that numbers the records of the shared log, beside that of this process.
#[derive(Clone, Copy, Debug)]
pub(super) struct Clock {
    pub(super) now: Instant,
    pub(super) millis: u64,
}

impl Clock {
    pub(super) fn at(millis: u64) -> Self {
        Self {
            now: Instant::now(),
            millis,
        }
    }

    pub(super) fn to_millis(self, at: Instant) -> u64 {
        let ago = self.now.saturating_duration_since(at).as_millis();
        self.millis
            .saturating_sub(u64::try_from(ago).unwrap_or(u64::MAX))
    }
}
