//! The purge log that replicas share: a Redis stream, read from the last position and appended to in order.
//!
//! The first record of a stream says only that it begins here. A stream that was lost is begun anew, and what Redis
//! still holds from before cannot be judged and is not used.

use super::{error::CallError, servers::Servers};
use crate::store::{
    entry::StreamId,
    purge_log::{Pending, Purge, PurgeLog},
};
use ::redis::{
    Cmd, Pipeline, RedisError, Value,
    aio::MultiplexedConnection as Connection,
    streams::{StreamId as Record, StreamRangeReply, StreamReadReply},
};
use bytes::Bytes;
use parking_lot::Mutex;
use std::{sync::Arc, time::Duration};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// How long one read waits for news at most. Bounds how late a lost connection is noticed.
const MAX_BLOCK: Duration = Duration::from_secs(1);

/// Records per read.
const BATCH: usize = 1000;

/// What appending one record may take before it is tried again.
const APPEND_BUDGET: Duration = Duration::from_millis(500);

/// How often the stream is seen to exist, and its TTL is renewed.
const RENEWAL: Duration = Duration::from_secs(1);

/// Records that are appended in one round trip.
const APPEND_BATCH: usize = 200;

/// More records are not kept, about: some sixty bytes each, whatever clients sent, and 512 for a pattern of an operator. What
/// was stored before the oldest one cannot be judged then by a replica that starts, and is fetched anew.
const MAX_RECORDS: usize = 500_000;

/// Reads and writes the stream. See the module docs.
#[derive(Debug)]
pub(in crate::store) struct SharedLog {
    key: String,
    servers: Servers,
    max_lifetime: Duration,
    purge_gap: Duration,
    /// Tells our own records from those of other replicas.
    replica: String,
    /// When Redis last answered a read of the log.
    contact: Mutex<Instant>,
    /// The record by which the loss of the log was noticed, until it is begun anew.
    lost: Mutex<Option<StreamId>>,
}

impl SharedLog {
    pub(super) fn new(
        key: String,
        servers: Servers,
        max_lifetime: Duration,
        purge_gap: Duration,
    ) -> Self {
        let replica = format!("{:016x}", fastrand::u64(..));
        Self {
            key,
            servers,
            max_lifetime,
            purge_gap,
            replica,
            contact: Mutex::new(Instant::now()),
            lost: Mutex::default(),
        }
    }

    /// Writes what `log` was asked to purge, in order, again and again until each record has its place.
    pub(in crate::store) async fn write(
        self: Arc<Self>,
        log: Arc<PurgeLog>,
        stop: CancellationToken,
    ) {
        let Some(shared) = log.shared() else { return };
        let mut given_up: Option<Instant> = None;
        loop {
            let next = shared.next_batch(APPEND_BATCH);
            let retry = match next.first() {
                None => false,
                Some(first) => match self.append(&next).await {
                    Ok(ids) => {
                        for (record, id) in next.iter().zip(ids) {
                            log.confirm(record, id);
                        }
                        continue;
                    }
                    Err(error) => {
                        let long = first.since.elapsed() >= self.purge_gap
                            && given_up.is_none_or(|at| at.elapsed() >= self.purge_gap);
                        if matches!(error, CallError::Refused | CallError::WrongType) && long {
                            given_up = Some(Instant::now());
                            self.give_up().await;
                        }
                        true
                    }
                },
            };
            tokio::select! {
                () = shared.woken() => {}
                () = tokio::time::sleep(Duration::from_millis(200)), if retry => {}
                () = stop.cancelled() => return,
            }
        }
    }

    /// Redis is there and takes no more records, mostly because it is full: then nobody may go on as if nothing were
    /// purged. Without the stream every replica notices within [`RENEWAL`] that it cannot follow it.
    async fn give_up(&self) {
        tracing::error!("redis takes no purges: the log is deleted, so that no replica trusts it");
        let delete = Cmd::new().arg("DEL").arg(&self.key).to_owned();
        let _: Result<(), CallError> = self.servers.call(&self.key, APPEND_BUDGET, &delete).await;
    }

    /// Appends `records` in one round trip, all of them or an error: then some may be there twice, which is no harm.
    async fn append(&self, records: &[Pending]) -> Result<Vec<StreamId>, CallError> {
        let mut pipeline = Pipeline::new();
        for record in records {
            let (kind, value, hard) = record.purge.fields();
            // Never into a stream that is not there: it would look as if nothing had been purged before.
            let command = pipeline.cmd("XADD").arg(&self.key).arg("NOMKSTREAM");
            command.arg("MAXLEN").arg("~").arg(MAX_RECORDS).arg("*");
            command.arg("from").arg(&self.replica).arg("kind").arg(kind);
            command
                .arg("value")
                .arg(&value[..])
                .arg("hard")
                .arg(u8::from(hard));
        }
        let ids: Vec<Option<String>> = self
            .servers
            .call_many(&self.key, APPEND_BUDGET, &pipeline)
            .await?;
        if let Some(ids) = ids.into_iter().collect::<Option<Vec<String>>>() {
            let ids = ids.iter().map(|id| parse_id(id));
            return ids.collect::<Option<_>>().ok_or(CallError::Failed);
        }
        let begin = self.begin("*");
        let _: String = self.servers.call(&self.key, APPEND_BUDGET, &begin).await?;
        Err(CallError::Failed) // the next try finds a stream
    }

    /// The first record of a stream: what is older than it cannot be judged.
    fn begin(&self, id: &str) -> Cmd {
        self.mark(BEGIN, id)
    }

    /// A record that says something of the log itself.
    fn mark(&self, kind: &str, id: &str) -> Cmd {
        let mut mark = Cmd::new();
        mark.arg("XADD").arg(&self.key).arg(id);
        mark.arg("from").arg(&self.replica).arg("kind").arg(kind);
        mark
    }

    /// Reads what other replicas purged, until `stop`. Raises the flag when it could not for `purge_gap`.
    pub(in crate::store) async fn follow(
        self: Arc<Self>,
        log: Arc<PurgeLog>,
        stop: CancellationToken,
    ) {
        let Some(shared) = log.shared() else { return };
        let mut cursor = StreamId::default();
        *self.contact.lock() = Instant::now();
        while !stop.is_cancelled() {
            tokio::select! {
                result = self.session(&log, &mut cursor) => {
                    let error = result.err().map(|error| error.to_string()).unwrap_or_default();
                    tracing::debug!(error, "the purge log is not followed");
                }
                () = self.silence() => {} // the connection hangs: take another one
                () = stop.cancelled() => return,
            }
            if self.contact.lock().elapsed() >= self.purge_gap && shared.begin_gap() {
                tracing::warn!(
                    "purges may have been missed: memory asks the upstream before it serves"
                );
            }
            tokio::select! {
                () = tokio::time::sleep(Duration::from_millis(200)) => {}
                () = stop.cancelled() => return,
            }
        }
    }

    /// Returns once nothing has been heard for `purge_gap`; once that is known, for as long again.
    async fn silence(&self) {
        let mut since = *self.contact.lock();
        if since.elapsed() >= self.purge_gap {
            since = Instant::now();
        }
        loop {
            tokio::time::sleep_until(since + self.purge_gap).await;
            let contact = *self.contact.lock();
            if contact <= since {
                return;
            }
            since = contact;
        }
    }

    async fn session(&self, log: &PurgeLog, cursor: &mut StreamId) -> Result<(), RedisError> {
        // Of its own: a connection that is waited on for seconds must not be handed to anyone else.
        let mut connection = self.servers.connect_alone(&self.key).await?;
        if let Err(error) = self.check_history(&mut connection, log, cursor).await {
            if error.code() == Some("WRONGTYPE") {
                self.give_up().await; // another program's value under our name
            }
            return Err(error);
        }
        let mut renewed: Option<Instant> = None;
        loop {
            if renewed.is_none_or(|at| at.elapsed() >= RENEWAL) {
                self.keep_alive(&mut connection).await?;
                renewed = Some(Instant::now());
            }
            let records = self.read(&mut connection, *cursor).await?;
            let now = if records.is_empty() {
                0
            } else {
                time(&mut connection).await?
            };
            let reached_the_end = records.len() < BATCH;
            for record in records {
                let known = *cursor != StreamId::default();
                // Replicas that start together on an empty Redis both begin the log: then it is still the same one.
                let same = known
                    && kind_of(&record) == BEGIN.as_bytes()
                    && self.has(&mut connection, *cursor).await?;
                let learned = if same {
                    self.skip(log, &record)
                } else {
                    self.learn(log, &record, known, now)
                };
                *cursor = learned.unwrap_or(*cursor);
            }
            *self.contact.lock() = Instant::now();
            if let Some(shared) = log.shared().filter(|_| reached_the_end)
                && shared.end_gap()
            {
                tracing::info!("the purge log is followed again");
            }
        }
    }

    /// The records after `cursor`; waits for some only once the log has been read to its end.
    async fn read(
        &self,
        connection: &mut Connection,
        cursor: StreamId,
    ) -> Result<Vec<Record>, RedisError> {
        let block = u64::try_from(MAX_BLOCK.min(self.purge_gap / 3).as_millis())
            .unwrap_or(1)
            .max(1);
        let after = format!("{}-{}", cursor.0, cursor.1);
        let mut command = Cmd::new();
        command
            .arg("XREAD")
            .arg("COUNT")
            .arg(BATCH)
            .arg("BLOCK")
            .arg(block);
        command.arg("STREAMS").arg(&self.key).arg(after);
        let reply: Option<StreamReadReply> = command.query_async(connection).await?;
        Ok(reply
            .into_iter()
            .flat_map(|reply| reply.keys)
            .flat_map(|key| key.ids)
            .collect())
    }

    /// A log without the last record that was read of it, or written to it, is another one or an older copy: a failover
    /// may lose what was not replicated yet. What it once held is lost, and what was kept by it cannot be judged.
    async fn check_history(
        &self,
        connection: &mut Connection,
        log: &PurgeLog,
        cursor: &mut StreamId,
    ) -> Result<(), RedisError> {
        let reached = log.position().shared.max(*cursor);
        if reached == StreamId::default() || reached.0 < self.oldest(connection).await? {
            return Ok(()); // nothing was, or it has been trimmed since: all that it concerned has expired
        }
        if !self.has(connection, reached).await? {
            // Known before it is begun anew: a server that is full may not let us.
            if self.lost.lock().replace(reached) != Some(reached) {
                tracing::warn!("the purge log in redis was lost: what is stored is asked for anew");
                log.lose_history(reached);
            }
            *cursor = StreamId::default();
            self.begin_after(connection, reached).await?;
        }
        self.lost.lock().take();
        Ok(())
    }

    /// Whether the stream has this record.
    async fn has(&self, connection: &mut Connection, id: StreamId) -> Result<bool, RedisError> {
        let id = format!("{}-{}", id.0, id.1);
        let mut range = Cmd::new();
        range.arg("XRANGE").arg(&self.key).arg(&id).arg(&id);
        let found: StreamRangeReply = range.query_async(connection).await?;
        Ok(!found.ids.is_empty())
    }

    /// Begins anew with a record that is later than `lost`, also where the clock of this server is behind.
    async fn begin_after(
        &self,
        connection: &mut Connection,
        lost: StreamId,
    ) -> Result<(), RedisError> {
        let id: String = self.mark(LOST, "*").query_async(connection).await?;
        if parse_id(&id).is_none_or(|id| id <= lost) {
            let later = format!("{}-0", lost.0.saturating_add(1));
            let later = self.mark(LOST, &later);
            later.query_async::<String>(connection).await?;
        }
        Ok(())
    }

    /// What is older than this has been trimmed, in milliseconds of the clock of Redis, which numbers the records.
    async fn oldest(&self, connection: &mut Connection) -> Result<u64, RedisError> {
        let kept = self.max_lifetime.as_secs().saturating_add(60);
        Ok(time(connection)
            .await?
            .saturating_sub(kept.saturating_mul(1000)))
    }

    /// Renews the TTL, or begins the stream where there is none; trims it behind the longest lifetime.
    async fn keep_alive(&self, connection: &mut Connection) -> Result<(), RedisError> {
        let ttl = self
            .max_lifetime
            .as_secs()
            .saturating_mul(2)
            .saturating_add(3600);
        let expire = Cmd::new().arg("EXPIRE").arg(&self.key).arg(ttl).to_owned();
        if expire.query_async::<i64>(connection).await? == 0 {
            self.begin("*").query_async::<String>(connection).await?;
            expire.query_async::<i64>(connection).await?;
        }
        // One record stays, whatever its age: by it a replica that starts sees how far back the log goes.
        let last = Cmd::new()
            .arg("XREVRANGE")
            .arg(&self.key)
            .arg("+")
            .arg("-")
            .arg("COUNT")
            .arg(1)
            .to_owned();
        let last: StreamRangeReply = last.query_async(connection).await?;
        let last = last.ids.first().and_then(|record| parse_id(&record.id));
        let oldest = self.oldest(connection).await?;
        let oldest = oldest.min(last.map_or(0, |last| last.0));
        let trim = Cmd::new()
            .arg("XTRIM")
            .arg(&self.key)
            .arg("MINID")
            .arg("~")
            .arg(oldest)
            .to_owned();
        trim.query_async::<i64>(connection).await?;
        Ok(())
    }

    /// Takes in that there is one more record.
    fn skip(&self, log: &PurgeLog, record: &Record) -> Option<StreamId> {
        let id = parse_id(&record.id)?;
        log.read_up_to(id);
        Some(id)
    }

    /// Takes one record in; `known` where records were read before, `now` in milliseconds of the clock that numbers them.
    /// `None` where even its number cannot be read.
    fn learn(&self, log: &PurgeLog, record: &Record, known: bool, now: u64) -> Option<StreamId> {
        let id = parse_id(&record.id)?;
        let field = |name: &str| match record.map.get(name) {
            Some(Value::BulkString(bytes)) => Some(Bytes::copy_from_slice(bytes)),
            _ => None,
        };
        let kind = kind_of(record);
        let is_mark = [BEGIN, LOST].iter().any(|mark| kind == mark.as_bytes());
        if is_mark {
            if known {
                tracing::warn!(
                    "the purge log in redis was begun anew: what is stored is asked for anew"
                );
                log.lose_history(log.position().shared);
            }
            log.begins_at(id);
        } else if !known {
            log.begins_at(id); // what was before it has been trimmed, by whatever replica
        }
        if !is_mark && field("from").as_deref() != Some(self.replica.as_bytes()) {
            let hard = field("hard").as_deref() != Some(b"0");
            log.learn(
                &Purge::from_fields(kind, &field("value").unwrap_or_default(), hard),
                id,
                Duration::from_millis(now.saturating_sub(id.0)),
            );
        }
        log.read_up_to(id);
        Some(id)
    }
}

/// A record that begins a stream which was not there.
const BEGIN: &str = "begin";

/// A record that begins it anew, because somebody has seen that something of it was lost.
const LOST: &str = "lost";

fn kind_of(record: &Record) -> &[u8] {
    match record.map.get("kind") {
        Some(Value::BulkString(kind)) => kind,
        _ => b"",
    }
}

/// The clock of Redis, in milliseconds.
async fn time(connection: &mut Connection) -> Result<u64, RedisError> {
    let (seconds, micros): (u64, u64) = Cmd::new().arg("TIME").query_async(connection).await?;
    Ok(seconds.saturating_mul(1000).saturating_add(micros / 1000))
}

fn parse_id(text: &str) -> Option<StreamId> {
    let (ms, seq) = text.split_once('-')?;
    Some(StreamId(ms.parse().ok()?, seq.parse().ok()?))
}
