//! Commands that several parts of the tier send.

use ::redis::Cmd;
use std::time::Duration;

/// Values up to this length, in bytes, are read and written over the shared connections. Larger ones are under a name of their
/// own and go over connections of their own, so that small ones do not queue behind them.
pub(super) const INLINE: u64 = 64 << 10;

/// Reads what is at `at`, and of what is longer than `most` bytes one byte more than that. Nothing there, or nothing in it, is
/// read as no bytes.
pub(super) fn get_at_most(at: &str, most: u64) -> Cmd {
    let last = most.min(i64::MAX as u64); // a position, counted from 0
    let mut get = Cmd::new();
    get.arg("GETRANGE").arg(at).arg(0).arg(last);
    get
}

/// What is left of the TTL of `at`.
pub(super) fn left_of(at: &str) -> Cmd {
    Cmd::new().arg("PTTL").arg(at).to_owned()
}

pub(super) fn set(at: &str, value: &[u8], ttl: Duration) -> Cmd {
    let mut set = Cmd::new();
    set.arg("SET").arg(at).arg(value).arg("PX").arg(millis(ttl));
    set
}

pub(super) fn delete(names: &[String]) -> Cmd {
    Cmd::new().arg("DEL").arg(names).to_owned()
}

/// Never none, which would be no TTL.
pub(super) fn millis(ttl: Duration) -> u64 {
    u64::try_from(ttl.as_millis()).unwrap_or(u64::MAX).max(1)
}

/// How long a large value of so many bytes may take, with what it waits for others of its kind: 20 budgets, and 4 for each
/// 256 KiB of it.
pub(super) fn patience(budget: Duration, length: u64) -> Duration {
    let pieces = u32::try_from(length >> 18).unwrap_or(u32::MAX).min(1 << 12);
    budget * (20 + 4 * pieces)
}
