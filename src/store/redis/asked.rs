//! A connection that many calls share, and what the calls on it say about the server.
//!
//! Replies come in the order of the calls, so one that is late may have waited behind others that we asked for ourselves. That
//! is no failure of the server as long as replies come at all; only if none comes, or every one is late for long, it is.

use ::redis::{ErrorKind, RedisError, aio::MultiplexedConnection};
use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU32, AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};
use tokio::{
    runtime::Handle,
    sync::{OwnedSemaphorePermit, Semaphore},
    time::Instant,
};

/// Calls in a row without a reply in time after which a server may be of no use.
const MAX_FAILURES: u32 = 5;

/// For how long every reply may be late.
const TOO_SLOW: Duration = Duration::from_secs(1);

/// Whoever is woken later than this part of what he was to wait for is in a process that has too much to do.
const STARVED: u32 = 8;

/// Lookups under way per connection, abandoned ones too: more wait, within their budget. Each may bring
/// [`INLINE`](super::commands::INLINE) bytes.
const PLACES: usize = 32;

/// See the module docs.
pub(super) struct Lane {
    pub(super) connection: MultiplexedConnection,
    /// Of which connect it is.
    generation: u64,
    /// For lookups.
    pub(super) places: Arc<Semaphore>,
    opened: Instant,
    /// Replies, late ones too.
    replies: AtomicU64,
    /// When the last one came, in milliseconds since `opened`.
    heard: AtomicU64,
    /// Calls in a row during which no reply at all came.
    failures: AtomicU32,
    /// Calls in a row that had no reply in time, and since when, in milliseconds since `opened`.
    late: AtomicU32,
    late_since: AtomicU64,
}

pub(super) type BoxFuture<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// What a call without a reply in time says about the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Judged {
    /// Nothing yet.
    Usable,
    /// It does not answer.
    Useless,
    /// It answers, and never in time.
    TooSlow,
}

/// A call that was made.
pub(super) struct Asked {
    lane: Arc<Lane>,
    at: Instant,
    replies_before: u64,
    /// What a call may take.
    budget: Duration,
    /// Whether this one had all of that.
    had_it: bool,
}

impl Lane {
    pub(super) fn new(connection: MultiplexedConnection, generation: u64) -> Self {
        Self {
            connection,
            generation,
            places: Arc::new(Semaphore::new(PLACES)),
            opened: Instant::now(),
            replies: AtomicU64::new(0),
            heard: AtomicU64::new(0),
            failures: AtomicU32::new(0),
            late: AtomicU32::new(0),
            late_since: AtomicU64::new(0),
        }
    }

    fn millis(&self) -> u64 {
        u64::try_from(self.opened.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// Whether the last reply came longer ago than that.
    pub(super) fn heard_before(&self, ago: Duration) -> bool {
        let since = self.millis().saturating_sub(self.heard.load(Relaxed));
        Duration::from_millis(since) >= ago
    }

    fn hear(&self) {
        self.replies.fetch_add(1, Relaxed);
        self.heard.store(self.millis(), Relaxed);
    }
}

impl Asked {
    pub(super) fn of(lane: &Arc<Lane>, budget: Duration, limit: Duration) -> Self {
        Self {
            replies_before: lane.replies.load(Relaxed),
            lane: Arc::clone(lane),
            at: Instant::now(),
            budget,
            had_it: limit >= budget.mul_f64(0.9),
        }
    }

    pub(super) fn generation(&self) -> u64 {
        self.lane.generation
    }

    /// It has a reply. One that came after the budget proves nothing to those who have no more.
    pub(super) fn answered(&self) {
        if self.at.elapsed() <= self.budget {
            self.lane.failures.store(0, Relaxed);
            self.lane.late.store(0, Relaxed);
        }
    }

    /// The connection failed.
    pub(super) fn failed(&self) -> Judged {
        if self.lane.failures.fetch_add(1, Relaxed) + 1 >= MAX_FAILURES {
            Judged::Useless
        } else {
            Judged::Usable
        }
    }

    /// No reply came in time. What it had waited in our own queue is not the server's.
    pub(super) fn late(&self) -> Judged {
        if !self.had_it {
            return Judged::Usable;
        }
        let (lane, now) = (&self.lane, self.lane.millis());
        let late = lane.late.fetch_add(1, Relaxed) + 1;
        if late == 1 {
            lane.late_since.store(now, Relaxed);
        }
        let since = now.saturating_sub(lane.late_since.load(Relaxed));
        if lane.replies.load(Relaxed) == self.replies_before {
            self.failed()
        } else if late >= MAX_FAILURES && Duration::from_millis(since) >= TOO_SLOW {
            Judged::TooSlow
        } else {
            Judged::Usable
        }
    }
}

/// A call that goes on when nobody waits for it any more: its reply comes all the same, and has its place until then.
struct Abandoned<F: Future<Output: Send> + Send + 'static>(Option<Pin<Box<F>>>);

impl<F: Future<Output: Send> + Send + 'static> Abandoned<F> {
    async fn within(&mut self, end: Instant) -> Option<F::Output> {
        let call = self.0.as_mut()?;
        let output = tokio::time::timeout_at(end, call).await.ok()?;
        self.0 = None;
        Some(output)
    }
}

impl<F: Future<Output: Send> + Send + 'static> Drop for Abandoned<F> {
    fn drop(&mut self) {
        if let (Some(rest), Ok(runtime)) = (self.0.take(), Handle::try_current()) {
            runtime.spawn(rest); // the connection's own limit ends it
        }
    }
}

/// No reply came in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Late {
    /// This process has too much to do: the reply may be here, and who reads it has not had his turn.
    pub(super) starved: bool,
}

/// The reply on `lane`, within `limit`. Its `place` is free once it has come, waited for or not.
pub(super) async fn answers<T: Send + 'static>(
    lane: &Arc<Lane>,
    limit: Duration,
    reply: BoxFuture<Result<T, RedisError>>,
    place: Option<OwnedSemaphorePermit>,
) -> Result<Result<T, RedisError>, Late> {
    let on = Arc::clone(lane);
    let call = async move {
        let reply = reply.await;
        if reply.as_ref().err().is_none_or(is_a_reply) {
            on.hear();
        }
        drop(place);
        reply
    };
    let mut call = Abandoned(Some(Box::pin(call)));
    let end = Instant::now() + limit;
    let answer = call.within(end).await;
    let overslept = end.elapsed();
    let starved = overslept > limit / STARVED;
    if answer.is_none() && starved {
        let answer = call.within(Instant::now() + overslept.min(limit)).await;
        return answer.ok_or(Late { starved });
    }
    answer.ok_or(Late { starved })
}

/// Whether this error is what the server said.
fn is_a_reply(error: &RedisError) -> bool {
    matches!(
        error.kind(),
        ErrorKind::Server(_) | ErrorKind::Extension | ErrorKind::UnexpectedReturnType
    )
}
