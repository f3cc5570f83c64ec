//! Durations, sizes and truth values as people write them.

mod duration;
mod fault;
mod size;

use std::time::Duration;

pub(super) use self::{
    duration::{DURATION_HELP, LONGEST, duration, print_duration, without_unit},
    size::{SIZE_HELP, print_size, size},
};

pub(super) const KIB: u64 = 1 << 10;
pub(super) const MIB: u64 = 1 << 20;

pub(super) fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// Reads what environment variables use for true and false.
pub(super) fn boolean(text: &str) -> Option<bool> {
    match text.trim().to_ascii_lowercase().as_str() {
        "true" | "1" | "on" => Some(true),
        "false" | "0" | "off" => Some(false),
        _ => None,
    }
}
