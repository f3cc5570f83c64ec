//! How slow somebody may be who sends: some silence is nothing, a trickle for hours is.

use std::time::Duration;

/// A least rate with some patience: whoever waits for bytes runs up a debt of time, and each byte pays for a part of it.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    /// In bytes a second; 0: any.
    least: u64,
    patience: Duration,
    debt: Duration,
}

impl Pace {
    /// At least `least` bytes a second, behind which nobody may be by more than `patience`. No rate at all where it is 0.
    pub fn new(least: u64, patience: Duration) -> Self {
        Self {
            least,
            patience,
            debt: Duration::ZERO,
        }
    }

    /// How much longer may be waited now; `None` where there is no end.
    pub fn left(&self) -> Option<Duration> {
        (self.least > 0).then(|| self.patience.saturating_sub(self.debt))
    }

    /// How late somebody is who has been waited for, for so long now.
    pub fn behind(&self, waiting: Duration) -> Duration {
        self.debt + waiting
    }

    /// Whether there is a debt.
    pub fn is_behind(&self) -> bool {
        !self.debt.is_zero()
    }

    /// So long was waited, and then came so many `bytes`.
    pub fn came(&mut self, waited: Duration, bytes: usize) {
        if self.least > 0 {
            let paid = Duration::from_secs_f64(bytes as f64 / self.least as f64);
            self.debt = (self.debt + waited).saturating_sub(paid);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn who_keeps_the_rate_is_never_late_and_who_does_not_is() {
        let mut pace = Pace::new(100, 10 * SECOND);
        for _ in 0..1000 {
            pace.came(SECOND, 100);
        }
        assert_eq!(pace.left(), Some(10 * SECOND));
        for _ in 0..20 {
            pace.came(SECOND, 50);
        }
        assert_eq!(pace.left(), Some(Duration::ZERO));
    }

    #[test]
    fn what_came_fast_buys_no_time_for_later() {
        let mut pace = Pace::new(100, 10 * SECOND);
        pace.came(Duration::ZERO, 1_000_000_000);
        pace.came(SECOND, 0);
        assert_eq!(pace.left(), Some(9 * SECOND));
    }

    #[test]
    fn without_a_rate_there_is_no_end() {
        let mut pace = Pace::new(0, SECOND);
        pace.came(100 * SECOND, 1);
        assert_eq!(pace.left(), None);
    }
}
