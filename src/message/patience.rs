//! How long somebody is waited for: not for longer than a limit at once, and a trickle not for ever.

use super::pace::Pace;
use std::{
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};
use tokio::time::{Instant, Sleep, sleep};

/// Patience with one that sends or reads. Who is never waited for costs nothing but a comparison.
#[derive(Debug)]
pub struct Patience {
    limit: Duration,
    least: u64,
    /// From the first wait on, until what that cost is paid.
    tried: Option<Tried>,
}

#[derive(Debug)]
struct Tried {
    pace: Pace,
    /// Set while somebody is waited for.
    wait: Option<Wait>,
}

#[derive(Debug)]
struct Wait {
    since: Instant,
    end: Pin<Box<Sleep>>,
}

impl Patience {
    /// At most `limit` at once, and any rate.
    pub fn new(limit: Duration) -> Self {
        Self {
            limit,
            least: 0,
            tried: None,
        }
    }

    /// The same with somebody who moves at least `least` bytes a second, behind which they may be by the limit; 0: any rate.
    #[must_use]
    pub fn with_least(self, least: u64) -> Self {
        Self { least, ..self }
    }

    /// They moved, by so many bytes. Whether they had been waited for.
    #[inline]
    pub fn moved(&mut self, bytes: usize) -> bool {
        let Some(tried) = &mut self.tried else {
            return false;
        };
        let wait = tried.wait.take();
        let waited = wait.as_ref().map(|wait| wait.since.elapsed());
        tried.pace.came(waited.unwrap_or_default(), bytes);
        if !tried.pace.is_behind() {
            self.tried = None;
        }
        wait.is_some()
    }

    /// They do not move. Ready when that has been for too long.
    pub fn poll_end(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let (limit, least) = (self.limit, self.least);
        let tried = self.tried.get_or_insert_with(|| Tried {
            pace: Pace::new(least, limit),
            wait: None,
        });
        let left = tried.pace.left().map_or(limit, |left| left.min(limit));
        let wait = tried.wait.get_or_insert_with(|| Wait {
            since: Instant::now(),
            end: Box::pin(sleep(left)),
        });
        wait.end.as_mut().poll(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::poll_fn;
    use tokio::time::timeout;

    const LIMIT: Duration = Duration::from_secs(10);

    /// Whether `patience` lasts for so long without a move.
    async fn lasts(patience: &mut Patience, wait: Duration) -> bool {
        timeout(wait, poll_fn(|cx| patience.poll_end(cx)))
            .await
            .is_err()
    }

    #[tokio::test(start_paused = true)]
    async fn it_ends_after_the_limit_and_begins_anew_with_each_move() {
        let mut patience = Patience::new(LIMIT);
        for _ in 0..5 {
            assert!(lasts(&mut patience, LIMIT * 2 / 3).await);
            assert!(patience.moved(1), "they were waited for");
        }
        assert!(!patience.moved(1));
        assert!(!lasts(&mut patience, LIMIT * 2).await);
    }

    #[tokio::test(start_paused = true)]
    async fn who_keeps_the_rate_in_bursts_is_waited_for_and_who_does_not_is_given_up() {
        let second = Duration::from_secs(1);
        for (burst, kept) in [(&[50, 50][..], true), (&[25, 25], false)] {
            let mut patience = Patience::new(LIMIT).with_least(100);
            let mut lasted = true;
            for _ in 0..30 {
                lasted &= lasts(&mut patience, second).await;
                for bytes in burst {
                    patience.moved(*bytes);
                }
            }
            assert_eq!(lasted, kept);
        }
    }
}
