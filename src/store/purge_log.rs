//! What was purged, and when: one comparison on every read of either tier decides whether an entry survived.
//!
//! A purge is a record, not a deletion, so it costs the same for ten entries or ten million, and a fetch that began
//! before it can never bring old content back: entries carry the place where the log stood when their fetch *began*.
//! With Redis the records form a stream that every replica follows from its last position.

mod ages;
mod glob;
mod index;
mod intent;
mod marks;
mod pattern;
mod selector;
mod shared;
mod snapshot;
mod table;

pub(super) use self::marks::Verdict;
pub use self::pattern::{PathPattern, TooLong};
pub use self::selector::{Purge, Selector};
use self::{ages::Ages, index::Index};
pub(super) use self::{
    intent::{Intent, Message, OpenIntents, Ticket},
    shared::{Pending, Shared},
};

use self::snapshot::{BadSnapshot, Progress, Taking};
use super::entry::{Entry, Position, StreamId};
use crate::metrics::Metrics;
use bytes::Bytes;
use parking_lot::{Mutex, RwLock};
use std::{
    sync::{
        Arc,
        atomic::{
            AtomicU64,
            Ordering::{Acquire, Relaxed, Release},
        },
    },
    time::{Duration, SystemTime},
};

/// The number before the first purge, so that what is fetched before it has another one than what came from Redis.
const BEFORE_ANY: u64 = 1;

/// How often a snapshot is begun again because the index grew meanwhile.
const SNAPSHOT_TRIES: usize = 5;

/// The log as this process knows it.
#[derive(Debug)]
pub(super) struct PurgeLog {
    index: RwLock<Index>,
    /// The number of the last purge that this process has learned of; read on every hit. The first one is 2: what was checked up to
    /// 0 has never been judged here.
    latest: AtomicU64,
    ages: Mutex<Ages>,
    shared: Option<Shared>,
    metrics: Arc<Metrics>,
}

impl PurgeLog {
    /// An empty log; `shared` where Redis keeps one for all replicas.
    pub(super) fn new(shared: bool, metrics: Arc<Metrics>) -> Self {
        Self {
            index: RwLock::default(),
            latest: AtomicU64::new(BEFORE_ANY),
            ages: Mutex::default(),
            shared: shared.then(Shared::default),
            metrics,
        }
    }

    /// Where the log stands. Taken when a fetch begins.
    pub(super) fn position(&self) -> Position {
        let index = self.index.read();
        Position {
            local: self.latest.load(Acquire),
            shared: index.reached(),
        }
    }

    /// What the log says of an entry of the memory tier. One comparison where nothing was purged since.
    pub(super) fn judge(&self, entry: &Entry) -> Verdict {
        let checked = entry.checked_up_to();
        let latest = self.latest.load(Acquire);
        if checked >= latest {
            return Verdict::Good;
        }
        let verdict = self.index.read().judge_local(entry, checked);
        if verdict == Verdict::Good {
            entry.set_checked(latest);
        }
        verdict
    }

    /// What the log says of an entry that came from Redis; one that is good need not be asked about up to now again.
    pub(super) fn judge_shared(&self, entry: &Entry) -> Verdict {
        let latest = self.latest.load(Acquire);
        let verdict = self.index.read().judge_shared(entry);
        if verdict == Verdict::Good {
            entry.set_checked(latest);
        }
        verdict
    }

    /// Whether anything that this process learned of after purge `number` concerns `entry`, or may.
    pub(super) fn concerns_since(&self, entry: &Entry, number: u64) -> bool {
        number < self.latest.load(Acquire)
            && self.index.read().judge_local(entry, number) != Verdict::Good
    }

    /// Whether Redis's entries can be judged at all.
    pub(super) fn synchronised(&self) -> bool {
        self.shared.as_ref().is_none_or(Shared::is_synchronised)
    }

    /// Records before `id` may have been lost. Whatever began before this call, and of Redis whatever has a position before `id`, may
    /// have been purged: it is confirmed with the origin and stays in its place until then.
    pub(super) fn doubt_before(&self, id: StreamId) {
        let mut index = self.index.write();
        let number = self.latest.load(Relaxed) + 1;
        let origin = index::Origin::Elsewhere(id, Duration::ZERO);
        index.record(&Purge::UNNAMED, number, Some(origin));
        self.latest.store(number, Release);
    }

    /// Purges that have not reached the shared log.
    pub(super) fn pending(&self) -> usize {
        self.shared.as_ref().map_or(0, Shared::pending)
    }

    /// For how long the oldest of them has waited; none at all where there is none.
    pub(super) fn pending_for(&self) -> Duration {
        let waiting = self.shared.as_ref().and_then(Shared::oldest);
        waiting.map_or(Duration::ZERO, |since| since.elapsed())
    }

    /// The number of the last purge that this process has learned of. Never 0.
    pub(super) fn latest(&self) -> u64 {
        self.latest.load(Acquire)
    }

    /// Whether purges may have been missed for longer than `purge_gap`.
    pub(super) fn in_gap(&self, now: SystemTime) -> bool {
        self.shared
            .as_ref()
            .is_some_and(|shared| shared.in_gap(now))
    }

    /// Purges here, at once, and hands the records to the shared log. Returns the last of its records; see
    /// [`Shared::wait_until_written`].
    pub(super) fn append(&self, purges: Vec<Purge>) -> u64 {
        self.append_then(purges, None)
    }

    /// As [`Self::append`], and says what the purges are the outcome of.
    pub(super) fn append_then(&self, purges: Vec<Purge>, then: Option<Message>) -> u64 {
        let mut index = self.index.write();
        let mut number = self.latest.load(Relaxed);
        let mut record = 0;
        for purge in purges {
            number += 1;
            self.metrics.purges.inc();
            index.record(
                &purge,
                number,
                self.shared.is_some().then_some(index::Origin::Here),
            );
            if let Some(shared) = &self.shared {
                let (seq, room) = shared.enqueue(Message::Purge(number, purge));
                record = seq;
                if room.is_err() {
                    index.replace_those_on_their_way(number);
                }
            }
        }
        if let (Some(shared), Some(message)) = (&self.shared, then) {
            record = shared.enqueue(message).0;
        }
        // Published under the lock, so that a position never counts a purge that the index does not know.
        self.latest.store(number, Release);
        drop(index);
        if let Some(shared) = &self.shared {
            shared.wake();
        }
        record
    }

    /// A write is about to be sent. Its number, and its record, where it is `announced` to other replicas. `None` where nobody
    /// else has to know.
    pub(super) fn begin_write(&self, intent: &Intent, announced: bool) -> Option<(u64, u64)> {
        let shared = self.shared.as_ref()?;
        Some(shared.begin_write(intent, announced))
    }

    /// A record of another replica, or of an earlier life of this one, that is so old.
    #[cfg(test)]
    pub(super) fn learn(&self, purge: &Purge, id: StreamId, age: Duration) {
        self.learn_all(&[(purge.clone(), id, age)]);
    }

    /// Records of other replicas, or of an earlier life of this one, and how old each is.
    pub(super) fn learn_all(&self, purges: &[(Purge, StreamId, Duration)]) {
        let mut index = self.index.write();
        let mut number = self.latest.load(Relaxed);
        for (purge, id, age) in purges {
            number += 1;
            index.record(purge, number, Some(index::Origin::Elsewhere(*id, *age)));
        }
        self.metrics.purges.add(purges.len() as u64);
        self.latest.store(number, Release);
    }

    /// The log has our record `seq` at `id`, which reads `message` there.
    pub(super) fn read_back(&self, seq: u64, id: StreamId, is_same: impl Fn(&Message) -> bool) {
        let Some(shared) = &self.shared else { return };
        if let Some(Message::Purge(number, purge)) = shared.read_back(seq, is_same) {
            self.index.write().confirm(&purge, number, id);
        }
        shared.say_written();
    }

    /// The last record is `id`: it happened before whatever begins now.
    pub(super) fn reach(&self, id: StreamId) {
        self.index.write().reach(id);
    }

    /// The log was read up to `id`.
    pub(super) fn read_up_to(&self, id: StreamId) {
        self.index.write().follow(id);
        if let Some(shared) = &self.shared {
            shared.followed_up_to(id);
        }
    }

    /// The log begins at `id`: whatever of Redis is older may have been purged before, so that it is confirmed with the origin.
    /// What this process has fetched itself is not concerned: [`Self::doubt_before`] says that.
    pub(super) fn begins_at(&self, id: StreamId) {
        self.index.write().begins_at(id);
    }

    /// Lets go what is known of purges that concern nothing that is kept, where nothing is kept for longer than `max_lifetime` in
    /// any tier. To be called now and then, as often as its memory is worth: it looks at the whole index.
    pub(super) fn retire(&self, max_lifetime: Duration) {
        let now = tokio::time::Instant::now();
        let dead = self.ages.lock().retired(self.latest(), max_lifetime, now);
        if dead > 0 {
            self.index.write().retire(dead);
        }
    }

    /// What the index of purges takes, in bytes: at most 16 MiB.
    pub(super) fn bytes(&self) -> usize {
        self.index.read().bytes()
    }

    /// All that is known of the shared log, in at most 16 bytes a purge, 24 a soft one, for [`Self::restore`] in another process; the
    /// records are numbered by a clock that shows `now`, in milliseconds. `None` where none has been read yet, or where the
    /// index grew all the time. Takes some ms, of which nobody waits for more than a part.
    pub(super) fn snapshot(&self, now: u64) -> Option<Bytes> {
        for _ in 0..SNAPSHOT_TRIES {
            let mut taking = Taking::begin(&self.index.read(), now)?;
            loop {
                let progress = taking.more(&self.index.read());
                match progress {
                    Progress::More => {}
                    Progress::Complete => return Some(taking.finish()),
                    Progress::Moved => break,
                }
            }
        }
        None
    }

    /// Takes in a [`Self::snapshot`] of another process, at `now` of the same clock, and returns the place in the shared log from which
    /// on records have to be read. What this process has fetched before counts as older than all that was purged. Some tens of ms
    /// for a full one, for which reads wait: for the start.
    ///
    /// # Errors
    /// Where the bytes are no snapshot; then nothing has changed.
    pub(super) fn restore(&self, snapshot: &[u8], now: u64) -> Result<StreamId, BadSnapshot> {
        let mut index = self.index.write();
        let number = self.latest.load(Relaxed) + 1;
        let holds = index.restore(snapshot, number, now)?;
        self.latest.store(number, Release);
        drop(index);
        if let Some(shared) = &self.shared {
            shared.followed_up_to(holds);
        }
        Ok(holds)
    }

    /// The part that is about Redis.
    pub(super) fn shared(&self) -> Option<&Shared> {
        self.shared.as_ref()
    }
}

#[cfg(test)]
mod tests;
