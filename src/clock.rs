//! The only reader of the system clock. Everybody else is given `now`.

use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering::Relaxed},
    },
    time::{Duration, SystemTime, UNIX_EPOCH},
};

/// Where `now` comes from.
#[derive(Clone, Debug, Default)]
pub enum Clock {
    /// The system's.
    #[default]
    System,
    /// One that a test moves.
    Manual(Manual),
}

impl Clock {
    /// The wall-clock time that HTTP dates and ages are about.
    pub fn now(&self) -> SystemTime {
        match self {
            #[expect(
                clippy::disallowed_methods,
                reason = "this is the one place that asks the system"
            )]
            Self::System => SystemTime::now(),
            Self::Manual(manual) => manual.now(),
        }
    }
}

/// A pause before the next try: the first of `range`, doubled for each of `failures` in a row up to the second, and up to a
/// quarter shorter or longer, so that those who failed together do not come back together.
pub fn back_off((first, most): (Duration, Duration), failures: u32) -> Duration {
    let pause = first.saturating_mul(1 << failures.min(16)).min(most);
    pause.mul_f64(0.75 + fastrand::f64() / 2.0)
}

/// A clock that stands still until it is moved, in either direction.
#[derive(Clone, Debug)]
pub struct Manual(Arc<AtomicI64>);

impl Manual {
    /// Stands at `start`; a start before 1970 counts as 1970.
    pub fn at(start: SystemTime) -> Self {
        let since = start.duration_since(UNIX_EPOCH).unwrap_or_default();
        Self(Arc::new(AtomicI64::new(millis(since))))
    }

    /// Moves forwards.
    pub fn advance(&self, by: Duration) {
        self.0.fetch_add(millis(by), Relaxed);
    }

    /// Moves backwards.
    pub fn step_back(&self, by: Duration) {
        self.0.fetch_sub(millis(by), Relaxed);
    }

    fn now(&self) -> SystemTime {
        UNIX_EPOCH + Duration::from_millis(u64::try_from(self.0.load(Relaxed)).unwrap_or(0))
    }
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}
