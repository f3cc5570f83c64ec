//! Purges, and writes that may cause some: intent before effect.
//!
//! A write leaves an intent in the shared log before it is sent, with what it may change, and its outcome after it. Whoever finds
//! an intent without an outcome past its deadline counts it as a purge: so none is lost with the process that carried the write.

use super::Store;
use crate::store::{
    entry::Position,
    purge_log::{Intent, Message, Purge, PurgeLog, Ticket},
};
use std::{sync::Arc, time::Duration};
use tokio::time::Instant;

/// What a write to the shared purge log may delay the answer to the write that caused it.
const PURGE_ACK_TIMEOUT: Duration = Duration::from_millis(50);

/// What each purge of several may add to that.
const PURGE_ACK_TIMEOUT_EACH: Duration = Duration::from_millis(1);

/// How far a purge has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// There is only this process.
    Here,
    /// It is in the log that every replica follows.
    Everywhere,
    /// Redis did not take it yet; it will as soon as it answers again. Here it holds.
    Later,
}

impl Reach {
    /// Whether the shared log has it; `None` where there is none.
    pub fn is_shared(self) -> Option<bool> {
        match self {
            Self::Here => None,
            Self::Everywhere => Some(true),
            Self::Later => Some(false),
        }
    }
}

/// A write that is under way. Dropped without [`Store::end_write`] it counts as one that may have changed everything that it named.
#[derive(Debug)]
pub struct UnderWay {
    log: Arc<PurgeLog>,
    intent: Intent,
    /// Its number, where others share the log.
    ticket: Option<u64>,
    /// Whether they know of it.
    announced: bool,
    ended: bool,
}

impl UnderWay {
    /// Waits for `sending`, however long that takes, and tells the others that it is still under way.
    pub async fn until<T>(&self, sending: impl Future<Output = T>) -> T {
        let mut sending = std::pin::pin!(sending);
        let pause = self.intent.limit / 3;
        let mut next = Instant::now() + pause;
        loop {
            tokio::select! {
                result = &mut sending => return result,
                () = tokio::time::sleep_until(next) => {}
            }
            next += pause;
            if let (Some(shared), Some(ticket), true) =
                (self.log.shared(), self.ticket, self.announced)
            {
                shared.announce(ticket, &self.intent);
            }
        }
    }

    /// Returns what its outcome is in the log.
    fn end(&mut self) -> Option<Message> {
        self.ended = true;
        let (shared, number) = (self.log.shared()?, self.ticket?);
        shared.end_write(number);
        let replica = shared.replica();
        self.announced
            .then_some(Message::Done(Ticket { replica, number }))
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        if !self.ended {
            let done = self.end();
            self.log.append_then(self.intent.purges.to_vec(), done);
        }
    }
}

impl Store {
    /// Purges what writes that are still under way may change, and waits until every purge of this process has reached the shared
    /// log, at most for `limit`. Returns how many records have not:
    /// other replicas, and this one after a restart, will not learn of these.
    pub async fn flush_purges(&self, limit: Duration) -> usize {
        if let Some(shared) = self.log.shared() {
            // Nobody waits for their outcome here any more; the others do until their time is over.
            let under_way = shared.writes_under_way();
            if !under_way.is_empty() {
                self.log.append(under_way);
            }
        }
        let flushed = async {
            while self.log.pending() > 0 {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        let _ = tokio::time::timeout(limit, flushed).await;
        self.log.pending()
    }

    /// Purges in this process at once and tells the other replicas.
    ///
    /// Returns when the shared log has it, or after 50 ms and 1 ms for each purge: Redis then learns of it as soon as it
    /// answers again. Cancel safe: the purge has happened here before the first wait.
    pub async fn purge(&self, purges: Vec<Purge>) -> Reach {
        if purges.is_empty() {
            return Reach::Here;
        }
        self.purge_then(purges, None).await
    }

    async fn purge_then(&self, purges: Vec<Purge>, then: Option<Message>) -> Reach {
        for purge in &purges {
            tracing::debug!(?purge, "purged");
        }
        let count = u32::try_from(purges.len()).unwrap_or(u32::MAX);
        let limit = PURGE_ACK_TIMEOUT + PURGE_ACK_TIMEOUT_EACH * count;
        let number = self.log.append_then(purges, then);
        let (Some(shared), Some(redis)) = (self.log.shared(), &self.redis) else {
            return Reach::Here;
        };
        let writing = shared.wait_until_written(number);
        let written = redis.has_log()
            && !self.is_stuck()
            && tokio::time::timeout(limit, writing).await.is_ok();
        if written {
            Reach::Everywhere
        } else {
            Reach::Later
        }
    }

    /// Whether the shared log takes nothing now.
    fn is_stuck(&self) -> bool {
        self.shared_log.as_ref().is_some_and(|log| log.is_stuck())
    }

    /// A write that may change what `purges` name is about to be sent, and is over by `limit` from now, or from the last time that
    /// [`UnderWay::until`] says that it is not.
    ///
    /// Returns when the shared log knows, or after 50 ms: then the write goes on without. Cancel safe.
    pub async fn begin_write(&self, purges: Vec<Purge>, limit: Duration) -> UnderWay {
        let intent = Intent {
            purges: purges.into(),
            limit,
        };
        let is_up = self.redis.as_ref().is_some_and(|redis| redis.has_log()) && !self.is_stuck();
        let begun = self.log.begin_write(&intent, is_up);
        let under_way = UnderWay {
            log: Arc::clone(&self.log),
            intent,
            ticket: begun.map(|(ticket, _)| ticket),
            announced: is_up,
            ended: false,
        };
        if let (Some(shared), Some((_, record)), true) = (self.log.shared(), begun, is_up) {
            let sent = shared.wait_until_sent(record);
            let _ = tokio::time::timeout(PURGE_ACK_TIMEOUT, sent).await;
        }
        under_way
    }

    /// The write is over, and `purges` are what it makes invalid. Where nobody knows what became of it, it `may_go_on`: then the same
    /// is purged once more when its time is over.
    ///
    /// Returns as [`Self::purge`].
    pub async fn end_write(
        &self,
        mut write: UnderWay,
        purges: Vec<Purge>,
        may_go_on: bool,
    ) -> Reach {
        let done = write.end();
        if !may_go_on {
            if purges.is_empty() && done.is_none() {
                return Reach::Here;
            }
            if purges.is_empty() {
                self.log.append_then(purges, done); // nobody waits for that
                return Reach::Here;
            }
            return self.purge_then(purges, done).await;
        }
        if done.is_none() {
            let (log, again) = (Arc::clone(&self.log), purges.clone());
            let (limit, stop) = (write.intent.limit, self.runtime.stop.clone());
            self.runtime.tasks.spawn(async move {
                tokio::select! {
                    () = tokio::time::sleep(limit) => {}
                    () = stop.cancelled() => {}
                }
                log.append(again);
            });
        }
        self.purge(purges).await
    }

    /// Where the log stands after the last `own` purges of a write that began at `before`; `None` where others came in
    /// between, also from other replicas, or where that cannot be known within 50 ms.
    pub async fn position_after_own(&self, before: Position, own: usize) -> Option<Position> {
        let after = self.log.position();
        if let Some(shared) = self.log.shared() {
            // Our own records have their place before those of others are known that came earlier.
            let followed = shared.wait_until_followed(after.shared);
            let followed = tokio::time::timeout(PURGE_ACK_TIMEOUT, followed);
            if self.log.pending() > 0 || followed.await.is_err() {
                return None;
            }
        }
        let position = self.log.position();
        (position.local == before.local + own as u64).then_some(position)
    }
}
