//! What is left of many measurements.

use serde::Serialize;
use std::time::Duration;
use tokio::time::Instant;

/// How often something is measured, and when that is enough.
#[derive(Clone, Copy)]
pub(crate) struct Patience {
    /// The most samples.
    pub(crate) samples: usize,
    /// The fewest.
    pub(crate) least: usize,
    /// After which no more are taken, once there are the fewest.
    pub(crate) time: Duration,
}

impl Patience {
    /// Whether another sample is wanted when there are `so_far` since `began`.
    pub(crate) fn wants(&self, so_far: usize, began: Instant) -> bool {
        so_far < self.samples && (so_far < self.least || began.elapsed() < self.time)
    }
}

/// Milliseconds of many samples.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Times {
    pub(crate) median_ms: f64,
    pub(crate) p95_ms: f64,
    pub(crate) samples: usize,
}

impl Times {
    pub(crate) fn of(mut samples: Vec<Duration>) -> Self {
        samples.sort_unstable();
        Self {
            median_ms: quantile(&samples, 0.5),
            p95_ms: quantile(&samples, 0.95),
            samples: samples.len(),
        }
    }
}

/// Milliseconds below which this share of the samples lies, which are sorted: the nearest rank.
pub(crate) fn quantile(sorted: &[Duration], share: f64) -> f64 {
    let last = sorted.len().saturating_sub(1);
    let place = whole(share * sorted.len() as f64)
        .saturating_sub(1)
        .min(last);
    sorted.get(place).map_or(f64::NAN, |took| ms(*took))
}

/// The next whole number.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "it is a count or a place, far below what fits, and none is negative"
)]
pub(crate) fn whole(number: f64) -> usize {
    number.ceil() as usize
}

pub(crate) fn ms(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quantile_is_the_nearest_rank() {
        let sorted: Vec<_> = (1..=20).map(Duration::from_millis).collect();
        let of = |share| quantile(&sorted, share);
        assert_eq!(
            [of(0.0), of(0.5), of(0.95), of(1.0)],
            [1.0, 10.0, 19.0, 20.0]
        );
        assert!(quantile(&[], 0.5).is_nan());
    }
}
