//! Follows the log: first to its end, then from record to record.
//!
//! Only at its end this process is *in contact*: it misses nothing that was purged before that read was sent. Records that are read
//! on the way there are not contact. Hits compare the time of the last contact with the time that they are given.

use super::{
    SharedLog, TRIM,
    ended::Ended,
    history::{History, Todo},
    inbox::{self, Inbox},
    record::{self, Record, What},
    reply::{self, Connection},
};
use crate::{
    clock::back_off,
    store::{
        entry::StreamId,
        purge_log::{Message, OpenIntents, Purge, PurgeLog, Shared},
    },
};
use ::redis::{ErrorKind, RedisError, Value};
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
        if error.redirect_node().is_some() {
            self.shared.servers.moved();
        }
        if error.code() == Some("WRONGTYPE") {
            self.shared.remove_what_is_no_log().await;
        }
        error
    }

    async fn follow(
        &mut self,
        connection: &mut Connection,
    ) -> Result<std::convert::Infallible, RedisError> {
        self.begin(connection).await?;
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
            if count == reply::BATCH || (count > 0 && is_late) {
                self.look_for_a_hole(connection, before).await?;
            }
            self.take_from_inbox(&news.inbox).await;
            let is_end = count < reply::BATCH && news.inbox.len() < reply::BATCH;
            until = self.at_end(is_end, asked, heard).await;
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
                let beginning = self.shared.begin(known).await;
                beginning.map_err(|_| (ErrorKind::Io, "no purge log can be begun"))?;
            }
            Some((first, last)) => {
                if known == StreamId::default() {
                    // What begins now begins after all of that, whether it was read yet or not.
                    self.log().reach(last);
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
    async fn at_end(&mut self, is_end: bool, asked: Asked, heard: SystemTime) -> Option<Instant> {
        if !is_end {
            return None;
        }
        self.ours().send_lost_again(asked.at);
        match self.history.at_end(Instant::now()) {
            Todo::Nothing => {}
            Todo::Wait(until) => return Some(until),
            todo => {
                let what = self.what_to_say(todo);
                if self.say(what).await {
                    return Some(asked.at); // which is to be read first: what begins now begins after it
                }
            }
        }
        self.purge_overdue();
        self.failures = 0;
        if self.ours().in_contact(heard, self.shared.purge_gap) {
            tracing::info!("the purge log is followed again");
        }
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
    async fn say(&mut self, what: What) -> bool {
        let known = self.log().position().shared;
        let said = self.shared.append_after(&what, known).await;
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

    /// Takes records in, in order.
    async fn take_in(
        &mut self,
        connection: &mut Connection,
        records: &[Value],
    ) -> Result<(), RedisError> {
        let mut purges = Vec::new();
        let Some(last) = records.last() else {
            return Ok(());
        };
        for value in records {
            let Some(record) = record::read(value) else {
                continue;
            };
            if self.cursor == StreamId::default() {
                self.log().begins_at(record.id); // what was before it has been trimmed, by whatever replica
            }
            let id = record.id;
            match record.what {
                What::Purge(_) | What::Intent(..) | What::Done(_) | What::Taken(_) => {
                    self.learn(record, &mut purges);
                }
                What::Begin(_) | What::Lost(..) | What::Server(_) => {
                    self.log().learn_all(&purges); // that may fail, and what was read is known
                    purges.clear();
                    self.hear(connection, &record, self.cursor).await?;
                }
            }
            self.cursor = id;
        }
        self.digest = Some(reply::digest_of(last));
        self.log().learn_all(&purges);
        self.log().read_up_to(self.cursor);
        Ok(())
    }

    /// One record of what replicas do; what is to be learned is added to `purges`.
    fn learn(&mut self, record: Record, purges: &mut Vec<(Purge, StreamId, Duration)>) {
        let Record {
            id, replica, seq, ..
        } = record;
        if replica == self.ours().replica() {
            let is_same = |message: &Message| What::of(message, replica) == record.what;
            self.log().read_back(seq, id, is_same);
        }
        match record.what {
            What::Purge(purge) if replica != self.ours().replica() => {
                purges.push((purge, id, self.time.age(id)));
            }
            What::Intent(ticket, intent) => {
                let age = self.time.age(id);
                self.intents.open(ticket, intent, age, Instant::now());
            }
            What::Done(ticket) => self.intents.close(ticket),
            What::Taken(up_to) => {
                self.inbox.taken(up_to);
                if replica == self.ours().replica() {
                    self.emptied = Some(up_to);
                }
            }
            _ => {}
        }
    }

    /// Moves what other programs want to be purged into the log, unless another replica does.
    async fn take_from_inbox(&mut self, entries: &[Value]) {
        if let Some(up_to) = self.emptied.take() {
            self.shared.empty_inbox(up_to).await;
        }
        if entries.is_empty() {
            return;
        }
        let asked = inbox::read(entries);
        if !self.inbox.is_ours(&self.shared, asked.last).await {
            return;
        }
        if let Some(why) = asked.why {
            let count = asked.bad;
            tracing::warn!(
                count,
                why,
                "entries of the inbox cannot be read and are passed by"
            );
            self.shared.metrics.redis.bad_invalidations.add(count);
        }
        self.log()
            .append_then(asked.purges, Some(Message::Taken(asked.last)));
    }

    /// One record that is about the log itself, behind the one at `before`.
    async fn hear(
        &mut self,
        connection: &mut Connection,
        record: &Record,
        before: StreamId,
    ) -> Result<(), RedisError> {
        let (id, is_ours) = (record.id, record.replica == self.ours().replica());
        let known = before != StreamId::default();
        match record.what {
            What::Begin(server) => {
                self.history.names(server, id);
                // Replicas that start together on an empty Redis all begin the log: then it is still the same one.
                if known && !is_ours && !reply::has(connection, &self.shared.key, before).await? {
                    if self.history.doubt(before) {
                        tracing::warn!(
                            "the purge log in redis was begun anew: what is stored is confirmed anew"
                        );
                        self.log().doubt_before(id);
                    }
                    self.log().begins_at(id);
                }
            }
            What::Lost(after, server) => {
                self.history.names(server, id);
                if self.history.told_lost(after) && !is_ours {
                    self.log().doubt_before(id);
                }
            }
            What::Server(server) => self.history.names(server, id),
            _ => {}
        }
        Ok(())
    }

    /// What was trimmed before it was read was perhaps a purge.
    async fn look_for_a_hole(
        &mut self,
        connection: &mut Connection,
        before: StreamId,
    ) -> Result<(), RedisError> {
        let first = reply::first(connection, &self.shared.key).await?;
        let Some(first) = first.filter(|first| *first > before) else {
            return Ok(());
        };
        if before == StreamId::default() {
            self.log().begins_at(first);
            return Ok(());
        }
        tracing::warn!(
            "purges were trimmed before they were read: what is stored is confirmed anew"
        );
        self.log().doubt_before(first);
        self.log().begins_at(first);
        Ok(())
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
            self.name_the_server_again().await;
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
    async fn name_the_server_again(&mut self) {
        let (server, id) = self.history.recorded();
        let age = self.time.age(id);
        if server != 0 && server == self.history.server() && age > self.shared.max_lifetime / 2 {
            self.say(What::Server(server)).await;
        }
    }
}
