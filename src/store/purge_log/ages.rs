//! How old the purges are, by their numbers.

use std::{collections::VecDeque, time::Duration};
use tokio::time::Instant;

/// What is kept may be as much older than the longest lifetime: an answer comes some time after its fetch began.
const MARGIN: Duration = Duration::from_secs(60);

/// Into how many parts a lifetime is divided.
const PARTS: u32 = 32;

/// What the last purge was at some moments of the longest lifetime.
#[derive(Debug, Default)]
pub(super) struct Ages(VecDeque<(Instant, u64)>);

impl Ages {
    /// Takes in that `latest` is the last purge at `now`. Returns the last of those that are older than anything that is kept,
    /// where nothing is kept for longer than `max_lifetime`.
    pub(super) fn retired(&mut self, latest: u64, max_lifetime: Duration, now: Instant) -> u64 {
        let last = self.0.back();
        if last.is_none_or(|(at, _)| now.duration_since(*at) >= max_lifetime / PARTS) {
            self.0.push_back((now, latest));
        }
        let oldest = max_lifetime.saturating_add(MARGIN);
        let mut retired = 0;
        while let Some((at, number)) = self.0.front().copied()
            && now.duration_since(at) >= oldest
        {
            retired = number;
            self.0.pop_front();
        }
        retired
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_purge_retires_once_nothing_older_is_kept_and_not_before() {
        let (mut ages, start, day) = (Ages::default(), Instant::now(), Duration::from_secs(86_400));
        let mut retired = 0;
        for minute in 0..3 * 24 * 60_u64 {
            let now = start + Duration::from_secs(60 * minute);
            let latest = minute + 1; // one each minute
            retired = ages.retired(latest, day, now).max(retired);
            assert!(
                retired <= (minute + 1).saturating_sub(24 * 60),
                "{retired} {minute}"
            );
            assert!(retired + 24 * 60 + 50 >= minute, "{retired} {minute}");
            assert!(ages.0.len() <= PARTS as usize + 2);
        }
    }

    #[test]
    fn a_lifetime_of_nothing_is_kept_for_a_minute() {
        let (mut ages, start) = (Ages::default(), Instant::now());
        assert_eq!(ages.retired(5, Duration::ZERO, start), 0);
        assert_eq!(ages.retired(6, Duration::ZERO, start + MARGIN), 5);
    }
}
