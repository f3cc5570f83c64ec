//! Follows the log: first to its end, then from record to record.
//!
//! Only at its end this process is *in contact*: it misses nothing that was purged before that read was sent. Records that are read
//! on the way there are not contact. Hits compare the time of the last contact with the time that they are given.

mod intake;
mod starting;

use super::{
    Over, SharedLog, TRIM,
    ended::Ended,
    history::{History, Todo},
    inbox::Inbox,
    record::What,
    reply::{self, Connection},
};
use crate::{
    clock::back_off,
    store::{
        entry::StreamId,
        purge_log::{Message, OpenIntents, PurgeLog, Shared},
        redis::error::{CallError, failure},
    },
};
use ::redis::{ErrorKind, RedisError};
use std::{
    sync::{Arc, atomic::Ordering::Relaxed},
    time::{Duration, SystemTime},
};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// How long one read waits for news at most.
const MAX_BLOCK: Duration = Duration::from_secs(2);

/// How often the log is seen to exist, at most; and that its TTL is not too short.
const UPKEEP: Duration = Duration::from_secs(5);

/// The first and the longest pause before another connection is tried.
const BACK_OFF: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(2));

/// A reader that did nothing for so long may have slept while records were trimmed.
const LATE: Duration = Duration::from_secs(1);

/// What the clock of Redis says.
#[derive(Clone, Copy, Debug)]
struct RedisTime {
    at: Instant,
    /// Milliseconds since 1970.
    said: u64,
}

impl RedisTime {
    fn now(&self) -> u64 {
        let since = u64::try_from(self.at.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.said.saturating_add(since)
    }

    /// How long ago a record was made.
    fn age(&self, id: StreamId) -> Duration {
        Duration::from_millis(self.now().saturating_sub(id.0))
    }
}

/// When a read was sent.
#[derive(Clone, Copy, Debug)]
struct Asked {
    at: Instant,
    /// In cache time.
    now: SystemTime,
}

/// See the module docs.
#[derive(Debug)]
pub(super) struct Reader {
    shared: Arc<SharedLog>,
    /// The last record that was read, and what it was.
    cursor: StreamId,
    digest: Option<u64>,
    history: History,
    intents: OpenIntents,
    inbox: Inbox,
    ended: Ended,
    /// What this process has taken from the inbox, and may be deleted there.
    emptied: Option<StreamId>,
    time: RedisTime,
    kept_up: Instant,
    timed: Instant,
    failures: u32,
    /// Records since the last snapshot that this process knows of.
    unkept: usize,
}

impl SharedLog {
    /// Reads what other replicas purged, until `stop`.
    pub(in crate::store) async fn follow(self: Arc<Self>, stop: CancellationToken) {
        let log = Arc::clone(&self.log);
        let Some(shared) = log.shared() else { return };
        let mut reader = Reader::new(self, shared);
        while !stop.is_cancelled() {
            let error = tokio::select! {
                error = reader.session() => error,
                () = stop.cancelled() => return,
            };
            tracing::debug!(%error, "the purge log is not followed");
            reader.purge_overdue(); // which needs nobody
            shared.has_no_log();
            if shared.in_gap(reader.shared.clock.now()) && shared.is_news() {
                tracing::warn!(
                    "purges may have been missed: memory asks the upstream before it serves"
                );
            }
            let pause = back_off(BACK_OFF, reader.failures);
            reader.failures += 1;
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = stop.cancelled() => return,
            }
        }
    }
}

impl Reader {
    fn new(shared: Arc<SharedLog>, known: &Shared) -> Self {
        let now = Instant::now();
        Self {
            intents: OpenIntents::new(known.replica()),
            shared,
            cursor: StreamId::default(),
            digest: None,
            history: History::default(),
            inbox: Inbox::default(),
            ended: Ended::default(),
            emptied: None,
            time: RedisTime { at: now, said: 0 },
            kept_up: now,
            timed: now,
            failures: 0,
            unkept: 0,
        }
    }

    fn log(&self) -> &PurgeLog {
        &self.shared.log
    }

    fn ours(&self) -> &Shared {
        self.log()
            .shared()
            .expect("who follows a log has the part that is about it")
    }

    /// Follows the log over one connection, until that fails.
    async fn session(&mut self) -> RedisError {
        // Of its own: a connection that is waited on for seconds must not be handed to anyone else.
        let connecting = self.shared.servers.connect_alone(&self.shared.key).await;
        let error = match connecting {
            Ok(mut connection) => match self.follow(&mut connection).await {
                Ok(never) => match never {},
                Err(error) => error,
            },
            Err(error) => error,
        };
        match failure(&error) {
            CallError::Moved => self.shared.servers.moved(),
            CallError::WrongType => self.shared.remove_what_is_no_log().await,
            _ => {}
        }
        error
    }

    async fn follow(
        &mut self,
        connection: &mut Connection,
    ) -> Result<std::convert::Infallible, RedisError> {
        self.begin(connection).await?;
        self.ours().has_a_log();
        let mut replied = Instant::now();
        let mut until = Some(replied); // what is there is read at once, also in the inbox
        loop {
            self.keep_up(connection).await?;
            let block = self.block(until);
            let is_late = replied.elapsed() > LATE;
            let asked = self.asked();
            let log = Arc::clone(&self.shared);
            let keys = [&*log.key, &*log.inbox, &*log.ended];
            let after = [self.cursor, self.inbox.after(), self.ended.after()];
            let news = reply::read(connection, keys, after, block).await?;
            replied = Instant::now();
            let (count, before) = (news.log.len(), self.cursor);
            // Of a read that brought nothing Redis says so at the end of its wait.
            let heard = if count == 0 && news.inbox.is_empty() && news.ended.is_empty() {
                (asked.now + block).min(log.clock.now())
            } else {
                asked.now
            };
            self.ended.tell(&log.landings, &news.ended);
            self.take_in(connection, &news.log).await?;
            self.unkept += count;
            if count == reply::BATCH || (count > 0 && is_late) {
                self.look_for_a_hole(connection, before).await?;
            }
            self.take_from_inbox(&news.inbox).await;
            let is_end = count < reply::BATCH && news.inbox.len() < reply::BATCH;
            until = self.at_end(connection, is_end, asked, heard).await;
        }
    }

    fn asked(&self) -> Asked {
        Asked {
            at: Instant::now(),
            now: self.shared.clock.now(),
        }
    }

    /// How long the next read may wait.
    fn block(&self, until: Option<Instant>) -> Duration {
        let most = MAX_BLOCK.min(self.shared.purge_gap / 3);
        let until = [until, self.intents.next(), self.inbox.next()]
            .into_iter()
            .flatten()
            .min();
        let left = until.map(|until| until.saturating_duration_since(Instant::now()));
        left.map_or(most, |left| most.min(left + Duration::from_millis(1)))
    }

    /// Sees whether the log is the one that was read, and begins one where there is none.
    async fn begin(&mut self, connection: &mut Connection) -> Result<(), RedisError> {
        let known = self.log().position().shared;
        let digest = self.digest.filter(|_| known == self.cursor);
        let asked = Instant::now();
        let seen = reply::look(connection, &self.shared.key, (known, digest)).await?;
        self.time = RedisTime {
            at: asked,
            said: seen.time,
        };
        (self.kept_up, self.timed) = (asked, asked);
        self.shared.server.store(seen.server, Relaxed);
        let was_in_contact = !self.ours().in_gap(self.shared.clock.now());
        if self.history.begin(&seen, known, was_in_contact) {
            tracing::warn!("the purge log in redis was lost: what is stored is confirmed anew");
            // By the clock of Redis: somebody may have known of more than is known here.
            self.log().doubt_before(StreamId(seen.time, 0).max(known));
        }
        match seen.ends {
            None => {
                let over = Over::Own(connection);
                let beginning = self.shared.begin(over, known).await;
                beginning.map_err(|_| (ErrorKind::Io, "no purge log can be begun"))?;
            }
            Some((first, last)) => {
                if known == StreamId::default() {
                    // What begins now begins after all of that, whether it was read yet or not.
                    self.log().reach(last);
                    self.restore(connection, first).await?;
                } else if !seen.has_known {
                    self.log().begins_at(first);
                    // Of an older copy what comes now is read, although it may have numbers that were there before.
                    self.cursor = self.cursor.min(last);
                    self.digest = None;
                }
            }
        }
        Ok(())
    }

    /// The log was perhaps read to its end, as it was when `asked` or, as is known now, even at `heard`. Until when the next read
    /// may wait at most, if not as long as ever.
    async fn at_end(
        &mut self,
        connection: &Connection,
        is_end: bool,
        asked: Asked,
        heard: SystemTime,
    ) -> Option<Instant> {
        if !is_end {
            return None;
        }
        self.ours().send_lost_again(asked.at);
        match self.history.at_end(Instant::now()) {
            Todo::Nothing => {}
            Todo::Wait(until) => return Some(until),
            todo => {
                let what = self.what_to_say(todo);
                if self.say(connection, what).await {
                    return Some(asked.at); // which is to be read first: what begins now begins after it
                }
            }
        }
        self.purge_overdue();
        self.failures = 0;
        if self.ours().in_contact(heard, self.shared.purge_gap) {
            tracing::info!("the purge log is followed again");
        }
        self.keep_a_snapshot().await;
        None
    }

    fn what_to_say(&mut self, todo: Todo) -> What {
        let server = self.history.server();
        match todo {
            Todo::SayLost(after) => What::Lost(after, server),
            Todo::Doubt => {
                tracing::warn!(
                    "redis was started again, and nobody can tell whether purges were lost: what is stored is confirmed anew"
                );
                self.history.doubt(self.cursor);
                let now = StreamId(self.time.now(), 0);
                self.log().doubt_before(now.max(self.cursor));
                What::Lost(self.cursor, server)
            }
            Todo::Vouch | Todo::Nothing | Todo::Wait(_) => What::Server(server),
        }
    }

    /// Says something of the log itself. Where it cannot be said, the others have to see for themselves.
    async fn say(&mut self, connection: &Connection, what: What) -> bool {
        let known = self.log().position().shared;
        let said = self
            .shared
            .append_after(Over::Own(connection), &what, known)
            .await;
        if let Err(error) = &said {
            tracing::debug!(?error, ?what, "the log does not take it");
        }
        self.history.said();
        said.is_ok()
    }

    /// Purges what may have been changed by writes whose outcome nobody has told in time.
    fn purge_overdue(&mut self) {
        for (ticket, purges) in self.intents.overdue(Instant::now()) {
            tracing::debug!(?ticket, "a write without an outcome counts as a purge");
            let done = ticket.map(Message::Done);
            self.log().append_then(purges.to_vec(), done);
        }
    }

    /// Sees that the log is there, once in a while, and renews its TTL where less than half of it is left.
    async fn keep_up(&mut self, connection: &mut Connection) -> Result<(), RedisError> {
        let now = Instant::now();
        if now - self.kept_up < UPKEEP.min(self.shared.purge_gap) {
            return Ok(());
        }
        let with_time = now - self.timed >= TRIM;
        let (left, time) = reply::upkeep(connection, &self.shared.key, with_time).await?;
        self.kept_up = now;
        if let Some(said) = time {
            self.timed = now;
            self.time = RedisTime { at: now, said };
            self.name_the_server_again(connection).await;
        }
        let ttl = self.shared.ttl();
        match left {
            -2 => Err((ErrorKind::Io, "the log is not there any more").into()),
            left if u64::try_from(left).is_ok_and(|left| left / 500 > ttl) => Ok(()),
            _ => {
                let mut expire = ::redis::Cmd::new();
                expire.arg("EXPIRE").arg(&self.shared.key).arg(ttl);
                reply::within(Duration::ZERO, expire.query_async(connection)).await
            }
        }
    }

    /// The record that names the server must not be trimmed.
    async fn name_the_server_again(&mut self, connection: &Connection) {
        let (server, id) = self.history.recorded();
        let age = self.time.age(id);
        if server != 0 && server == self.history.server() && age > self.shared.max_lifetime / 2 {
            self.say(connection, What::Server(server)).await;
        }
    }
}
