//! Counters that threads do not fight over: each thread adds to a stripe of its own, the scrape sums them.

use prometheus_client::{
    encoding::{EncodeMetric, MetricEncoder, NoLabelSet},
    metrics::{MetricType, TypedMetric},
};
use std::{
    cell::Cell,
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed},
    },
};

/// Enough for the cores that a sidecar gets; more threads share stripes.
const STRIPES: usize = 8;

/// Upper bounds in seconds: from a memory hit to a slow upstream.
const BOUNDS: [f64; 12] = [
    0.000_05,
    0.000_1,
    0.000_5,
    0.001,
    0.005,
    0.01,
    0.05,
    0.1,
    0.5,
    1.0,
    5.0,
    f64::INFINITY,
];

/// Two cache lines, because adjacent lines are fetched in pairs.
#[repr(align(128))]
struct Padded<T>(T);

fn stripe() -> usize {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    thread_local!(static MINE: Cell<usize> = const { Cell::new(usize::MAX) });
    MINE.with(|mine| {
        if mine.get() == usize::MAX {
            mine.set(NEXT.fetch_add(1, Relaxed) % STRIPES);
        }
        mine.get()
    })
}

/// A number that only grows. Clones count into the same number.
#[derive(Clone)]
pub struct Counter(Arc<[Padded<AtomicU64>; STRIPES]>);

impl Counter {
    /// Adds one.
    pub fn inc(&self) {
        self.add(1);
    }

    /// Adds `n`.
    pub fn add(&self, n: u64) {
        self.0[stripe()].0.fetch_add(n, Relaxed);
    }

    /// The sum.
    pub fn value(&self) -> u64 {
        self.0
            .iter()
            .map(|stripe| stripe.0.load(Relaxed))
            .fold(0, u64::wrapping_add)
    }
}

impl Default for Counter {
    fn default() -> Self {
        Self(Arc::new(std::array::from_fn(|_| Padded(AtomicU64::new(0)))))
    }
}

impl fmt::Debug for Counter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Counter({})", self.value())
    }
}

impl TypedMetric for Counter {
    const TYPE: MetricType = MetricType::Counter;
}

impl EncodeMetric for Counter {
    fn encode(&self, mut encoder: MetricEncoder<'_>) -> fmt::Result {
        encoder.encode_counter::<NoLabelSet, _, u64>(&self.value(), None)
    }

    fn metric_type(&self) -> MetricType {
        Self::TYPE
    }
}

/// Durations by magnitude. Clones observe into the same histogram.
#[derive(Clone)]
pub struct Histogram(Arc<[Padded<Buckets>; STRIPES]>);

struct Buckets {
    counts: [AtomicU64; BOUNDS.len()],
    nanoseconds: AtomicU64,
}

impl Histogram {
    /// Adds one duration of `seconds`.
    pub fn observe(&self, seconds: f64) {
        let buckets = &self.0[stripe()].0;
        let at = BOUNDS
            .iter()
            .position(|bound| seconds <= *bound)
            .unwrap_or(BOUNDS.len() - 1);
        buckets.counts[at].fetch_add(1, Relaxed);
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a float to integer cast saturates, and durations are not negative"
        )]
        buckets
            .nanoseconds
            .fetch_add((seconds * 1e9) as u64, Relaxed);
    }
}

impl Default for Histogram {
    fn default() -> Self {
        let buckets = || Buckets {
            counts: std::array::from_fn(|_| AtomicU64::new(0)),
            nanoseconds: AtomicU64::new(0),
        };
        Self(Arc::new(std::array::from_fn(|_| Padded(buckets()))))
    }
}

impl fmt::Debug for Histogram {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Histogram").finish_non_exhaustive()
    }
}

impl TypedMetric for Histogram {
    const TYPE: MetricType = MetricType::Histogram;
}

impl EncodeMetric for Histogram {
    fn encode(&self, mut encoder: MetricEncoder<'_>) -> fmt::Result {
        let sum_of =
            |read: &dyn Fn(&Buckets) -> u64| self.0.iter().map(|s| read(&s.0)).sum::<u64>();
        let buckets: Vec<(f64, u64)> = (0..)
            .zip(BOUNDS)
            .map(|(at, bound): (usize, f64)| (bound, sum_of(&|b| b.counts[at].load(Relaxed))))
            .collect();
        let count = buckets.iter().map(|(_, count)| count).sum();
        #[expect(
            clippy::cast_precision_loss,
            reason = "a sum of durations is shown, not computed with"
        )]
        let seconds = sum_of(&|b| b.nanoseconds.load(Relaxed)) as f64 / 1e9;
        encoder.encode_histogram::<NoLabelSet>(seconds, count, &buckets, None)
    }

    fn metric_type(&self) -> MetricType {
        Self::TYPE
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn threads_count_into_one_sum() {
        let counter = Counter::default();
        std::thread::scope(|scope| {
            for _ in 0..2 * STRIPES {
                scope.spawn(|| (0..1000).for_each(|_| counter.inc()));
            }
        });
        assert_eq!(counter.value(), 2 * STRIPES as u64 * 1000);
    }
}
