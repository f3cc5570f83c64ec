//! What all requests of one demo share.

use std::time::Duration;

use crate::demo::meters::Meters;

pub(super) const TARGET: &str = "sidecache::demo";

/// What is worth a warning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProfileSettings {
    /// A statement that takes this long is logged with its text.
    pub slow: Duration,
    /// A statement that one request runs more often than this is logged as a suspected N+1.
    pub repeated: u32,
}

/// See the module docs.
#[derive(Debug)]
pub(crate) struct Profiler {
    pub(super) settings: ProfileSettings,
    pub(crate) meters: Meters,
    /// Whether statements come to be counted at all; otherwise no number is told.
    pub(super) heard: bool,
}

impl Profiler {
    pub(super) fn new(settings: ProfileSettings, heard: bool) -> Self {
        Self {
            settings,
            meters: Meters::new(),
            heard,
        }
    }
}

impl Default for Profiler {
    fn default() -> Self {
        Self::new(ProfileSettings::default(), false)
    }
}

impl Default for ProfileSettings {
    fn default() -> Self {
        Self {
            slow: Duration::from_millis(100),
            repeated: 10,
        }
    }
}
