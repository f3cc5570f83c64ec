//! The only reader of the system's clocks. Everybody else is given `now`.
//!
//! There are two times, because the wall clock can be set. *Cache time* ([`Clock::now`]) is what ages and lifetimes are
//! counted in: it goes on whatever becomes of the wall clock. *Wall-clock time* ([`Clock::wall`]) is what HTTP dates say
//! and what other processes know. [`Times`] is both at one moment, and the only way from one to the other.

use parking_lot::Mutex;
use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, SystemTime, UNIX_EPOCH},
};

/// What the wall clock may gain or lose before that counts as a step, in milliseconds: two readings are never of the same
/// moment, and there are leap seconds.
const STEP: i64 = 2_000;

/// Goes on while the system sleeps, and nobody can set it.
#[cfg(target_os = "linux")]
const SINCE_START: rustix::time::ClockId = rustix::time::ClockId::Boottime;
#[cfg(not(target_os = "linux"))]
const SINCE_START: rustix::time::ClockId = rustix::time::ClockId::Monotonic;

/// Of the system's clocks; there is one of each in a process.
static SYSTEM: Timeline = Timeline::new();

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
    /// Cache time: what ages and lifetimes are counted in. It never goes back. Only differences of it mean something,
    /// though it began as what the wall clock said, to the second. One reading of one clock: every hit asks.
    pub fn now(&self) -> SystemTime {
        match self {
            Self::System => SYSTEM.at(since_start()),
            Self::Manual(manual) => manual.0.timeline.at(manual.hands().0),
        }
    }

    /// What the wall clock says: for the dates in HTTP messages.
    pub fn wall(&self) -> SystemTime {
        match self {
            #[expect(
                clippy::disallowed_methods,
                reason = "this is the one place that asks the system"
            )]
            Self::System => SystemTime::now(),
            Self::Manual(manual) => manual.hands().1,
        }
    }

    /// Both at this moment.
    pub fn times(&self) -> Times {
        Times {
            now: self.now(),
            wall: self.wall(),
        }
    }

    /// Compares the wall clock with the time that has passed. A wall clock that has gained more takes cache time along: the
    /// system may have stood still. One that has lost does not.
    ///
    /// [`Runtime`](crate::runtime::Runtime) asks once a second. Returns what the wall clock was set by since the last call.
    pub fn compare(&self) -> Option<Step> {
        match self {
            Self::System => SYSTEM.compare(since_start(), self.wall()),
            Self::Manual(manual) => manual.compare(),
        }
    }
}

/// The time since the system was started.
fn since_start() -> Duration {
    let time = rustix::time::clock_gettime(SINCE_START);
    let (seconds, nanos) = (u64::try_from(time.tv_sec), u32::try_from(time.tv_nsec));
    Duration::new(seconds.unwrap_or(0), nanos.unwrap_or(0))
}

/// One moment by both clocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Times {
    /// Cache time.
    pub now: SystemTime,
    /// What the wall clock says.
    pub wall: SystemTime,
}

impl Times {
    /// When something happened that was at `then` in cache time, by the wall clock of now: for other processes.
    pub fn wall_at(&self, then: SystemTime) -> SystemTime {
        let ago = self.now.duration_since(then).unwrap_or_default();
        self.wall.checked_sub(ago).unwrap_or(UNIX_EPOCH)
    }
}

/// What the wall clock was set by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// It lost so much.
    Back(Duration),
    /// It gained so much.
    Forward(Duration),
}

/// Cache time: the time since the system's start, and all that the wall clock was seen to gain on it.
#[derive(Debug)]
struct Timeline {
    /// In whole seconds, which costs a hit least.
    ahead: AtomicU64,
    /// How far the wall clock was ahead of the time since the start, in milliseconds, when it last counted.
    seen: Mutex<Option<i64>>,
}

impl Timeline {
    const fn new() -> Self {
        Self {
            ahead: AtomicU64::new(0),
            seen: Mutex::new(None),
        }
    }

    fn at(&self, since_start: Duration) -> SystemTime {
        UNIX_EPOCH + (since_start + Duration::from_secs(self.ahead.load(Relaxed)))
    }

    fn compare(&self, since_start: Duration, wall: SystemTime) -> Option<Step> {
        let wall = wall.duration_since(UNIX_EPOCH).unwrap_or_default();
        let offset = millis(wall).saturating_sub(millis(since_start));
        let mut seen = self.seen.lock();
        let gained = offset.saturating_sub(seen.unwrap_or(0));
        // What is less is kept in mind: a clock that is set by a little every day has its step one day.
        if seen.is_some() && gained.abs() < STEP {
            return None;
        }
        let is_first = seen.replace(offset).is_none();
        let by = Duration::from_millis(gained.unsigned_abs());
        if gained < 0 {
            return (!is_first).then_some(Step::Back(by));
        }
        // Upwards, so that nothing is younger by that than it is.
        let ahead = by.as_millis().div_ceil(1000);
        let ahead = u64::try_from(ahead).unwrap_or(u64::MAX);
        self.ahead.fetch_add(ahead, Relaxed);
        (!is_first).then_some(Step::Forward(by))
    }
}

/// A pause before the next try: the first of `range`, doubled for each of `failures` in a row up to the second, and up to a
/// quarter shorter or longer, so that those who failed together do not come back together.
pub fn back_off((first, most): (Duration, Duration), failures: u32) -> Duration {
    let pause = first.saturating_mul(1 << failures.min(16)).min(most);
    pause.mul_f64(0.75 + fastrand::f64() / 2.0)
}

/// Clocks that stand still until they are moved. Clones are the same clocks.
#[derive(Clone, Debug)]
pub struct Manual(Arc<Hands>);

#[derive(Debug)]
struct Hands {
    /// The time since the start, and the wall clock as time since 1970.
    at: Mutex<(Duration, Duration)>,
    timeline: Timeline,
}

impl Manual {
    /// Stands at `start`; a start before 1970 counts as 1970.
    pub fn at(start: SystemTime) -> Self {
        let wall = start.duration_since(UNIX_EPOCH).unwrap_or_default();
        let manual = Self(Arc::new(Hands {
            at: Mutex::new((Duration::ZERO, wall)),
            timeline: Timeline::new(),
        }));
        manual.compare();
        manual
    }

    /// Time passes, by both clocks.
    pub fn advance(&self, by: Duration) {
        let mut at = self.0.at.lock();
        *at = (at.0 + by, at.1 + by);
    }

    /// The wall clock is set back, to 1970 at most. No time passes.
    pub fn step_back(&self, by: Duration) {
        let mut at = self.0.at.lock();
        at.1 = at.1.saturating_sub(by);
    }

    /// The wall clock is set forward. No time passes.
    pub fn step_forward(&self, by: Duration) {
        self.0.at.lock().1 += by;
    }

    fn hands(&self) -> (Duration, SystemTime) {
        let (since_start, wall) = *self.0.at.lock();
        (since_start, UNIX_EPOCH + wall)
    }

    fn compare(&self) -> Option<Step> {
        let (since_start, wall) = self.hands();
        self.0.timeline.compare(since_start, wall)
    }
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_secs(3600);

    fn secs(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    /// A clock at some date, and what cache time says of how long ago that was.
    fn clock() -> (Clock, Manual, impl Fn() -> Duration) {
        let manual = Manual::at(UNIX_EPOCH + secs(1_700_000_000) + Duration::from_millis(250));
        let clock = Clock::Manual(manual.clone());
        let (same, begun) = (clock.clone(), clock.now());
        (clock, manual, move || {
            same.now().duration_since(begun).unwrap()
        })
    }

    #[test]
    fn cache_time_goes_on_where_the_wall_clock_is_set_back() {
        let (clock, manual, passed) = clock();
        assert_eq!(clock.compare(), None);
        manual.advance(secs(10));
        manual.step_back(HOUR);
        assert_eq!(passed(), secs(10), "at once, before anybody looks");
        assert_eq!(clock.compare(), Some(Step::Back(HOUR)));
        assert_eq!(clock.compare(), None, "once");
        manual.advance(secs(50));
        assert_eq!(passed(), secs(60));
    }

    #[test]
    fn cache_time_goes_along_where_the_wall_clock_is_set_forward_and_stays_there() {
        let (clock, manual, passed) = clock();
        manual.step_forward(HOUR);
        assert_eq!(clock.compare(), Some(Step::Forward(HOUR)));
        assert_eq!(passed(), HOUR);
        manual.step_back(HOUR);
        assert_eq!(clock.compare(), Some(Step::Back(HOUR)));
        manual.advance(secs(60));
        assert_eq!(passed(), HOUR + secs(60), "and goes on as time does");
        // A system that stood still says so again, whatever was before.
        manual.step_forward(secs(600));
        assert_eq!(clock.compare(), Some(Step::Forward(secs(600))));
        assert_eq!(passed(), HOUR + secs(660));
    }

    #[test]
    fn a_clock_that_trembles_does_not_add_up_and_one_that_creeps_does() {
        let (clock, manual, passed) = clock();
        for _ in 0..1000 {
            manual.step_forward(secs(1));
            assert_eq!(clock.compare(), None);
            manual.step_back(secs(1));
            assert_eq!(clock.compare(), None);
        }
        assert_eq!(passed(), Duration::ZERO);
        let steps = (0..40).filter(|_| {
            manual.step_forward(Duration::from_millis(100));
            clock.compare().is_some()
        });
        assert_eq!(steps.count(), 2);
        assert_eq!(passed(), secs(4));
    }

    #[test]
    fn what_was_earlier_has_a_date_by_the_clock_of_now() {
        let (clock, manual, _) = clock();
        let (then, date) = (clock.now(), clock.wall());
        manual.advance(secs(60));
        assert_eq!(clock.times().wall_at(then), date);
        manual.step_back(HOUR);
        assert_eq!(clock.times().wall_at(then), date - HOUR);
        assert_eq!(
            clock.times().wall_at(then + HOUR),
            clock.wall(),
            "not later than now"
        );
    }

    #[test]
    fn the_systems_clocks_agree() {
        Clock::System.compare();
        let Times { now, wall } = Clock::System.times();
        let apart = now
            .duration_since(wall)
            .unwrap_or_else(|early| early.duration());
        assert!(apart < HOUR, "{now:?} and {wall:?}");
        assert!(Clock::System.now() >= now);
    }
}
