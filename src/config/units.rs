//! Durations, sizes and truth values as people write them.

mod duration;
mod size;

pub(super) use self::{
    duration::{DURATION_HELP, LONGEST, duration, print_duration, without_unit},
    size::{SIZE_HELP, print_size, size},
};

/// What is wrong with a text: a clause that follows the name of the key, and the remedy.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Fault {
    pub(super) clause: &'static str,
    pub(super) help: String,
}

/// Reads what environment variables use for true and false.
pub(super) fn boolean(text: &str) -> Option<bool> {
    match text.trim().to_ascii_lowercase().as_str() {
        "true" | "1" | "on" => Some(true),
        "false" | "0" | "off" => Some(false),
        _ => None,
    }
}
