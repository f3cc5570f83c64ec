//! The purge log that replicas share: a Redis stream, read from the last position and appended to in order.
//!
//! ```text
//! writer     what this process purges and is about to write -> XADD, again and again until it was read back
//! reader     XREAD from the last position: purges, intents, what the log says of itself; then this process is in contact
//! history    whether it is still the log that was read; what is uncertain is doubted
//! inbox      what other programs want to be purged
//! ended      leases that have ended, for those who wait for them
//! snapshot   what who starts reads in the place of most records
//! record     how a record is written
//! ```
//!
//! The first record of a stream says only that it begins here: what Redis still holds from before cannot be judged.

mod ended;
mod history;
mod inbox;
mod reader;
mod record;
mod reply;
mod snapshot;
mod writer;

use super::{
    error::{CallError, failure},
    landing::Landings,
    servers::Servers,
    settings::Settings,
};
use crate::{
    clock::Clock,
    metrics::Metrics,
    runtime::Runtime,
    store::{entry::StreamId, purge_log::PurgeLog},
};
use ::redis::{Cmd, FromRedisValue, Pipeline};
use parking_lot::Mutex;
use record::{Encoded, What, parse_id};
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};
use tokio::time::Instant;
use tokio_util::task::TaskTracker;

/// What appending may take before it is tried again.
const APPEND_BUDGET: Duration = Duration::from_millis(500);

/// More records are not kept, about: some sixty bytes each, whatever clients sent, and 512 for a pattern of an operator. What
/// was stored before the oldest one cannot be judged then by a replica that starts, and is confirmed.
const MAX_RECORDS: usize = 500_000;

/// How often what is older than any stored response is trimmed, by who appends.
const TRIM: Duration = Duration::from_secs(60);

/// Appends to a server that is full. A script that has written once may write on, whatever memory there is; what it adds is
/// bounded as ever, and makes room first. Nothing where there is no log and none is to be begun.
const SQUEEZE: &str = "redis.call('XTRIM', KEYS[1], 'MINID', '~', ARGV[1])
if ARGV[2] == 'NOMKSTREAM' and redis.call('EXISTS', KEYS[1]) == 0 then return {} end
local ids = {}
for at = 4, #ARGV, 2 do
  ids[#ids + 1] = redis.call('XADD', KEYS[1], 'MAXLEN', '~', ARGV[3], '*', ARGV[at], ARGV[at + 1])
end
return ids";

/// Reads and writes the stream. See the module docs.
#[derive(Debug)]
pub(in crate::store) struct SharedLog {
    key: String,
    /// Where others leave what they want to be purged, in the same slot.
    inbox: String,
    /// Where replicas are told of leases that have ended, in the same slot.
    ended: String,
    landings: Landings,
    snapshot: String,
    servers: Servers,
    clock: Clock,
    metrics: Arc<Metrics>,
    tasks: TaskTracker,
    log: Arc<PurgeLog>,
    max_lifetime: Duration,
    purge_gap: Duration,
    /// Redis does not take records as it should.
    refuses: AtomicBool,
    /// It has not taken the last ones.
    stuck: AtomicBool,
    /// The server that records are written to, for what begins a log. See [`What::Begin`].
    server: AtomicU64,
    trimmed: Mutex<Option<Instant>>,
}

/// Which way records are appended.
#[derive(Clone, Copy, Debug)]
enum Over<'c> {
    /// As all that is asked of Redis.
    Lanes,
    /// By the reader, who is there before they are.
    Own(&'c reply::Connection),
}

/// For how long what is kept and trusted.
#[derive(Clone, Copy, Debug)]
pub(in crate::store) struct Limits {
    /// Nothing that is stored is used for longer.
    pub(in crate::store) max_lifetime: Duration,
    /// For so long the log may be out of reach.
    pub(in crate::store) purge_gap: Duration,
}

impl SharedLog {
    pub(super) fn new(
        settings: &Settings,
        servers: Servers,
        runtime: &Runtime,
        log: Arc<PurgeLog>,
        limits: Limits,
        landings: Landings,
    ) -> Self {
        Self {
            key: settings.log_key(),
            inbox: settings.inbox_key(),
            ended: settings.ended_key(),
            landings,
            snapshot: format!("{}:snapshot", settings.log_key()),
            servers,
            clock: runtime.clock.clone(),
            metrics: Arc::clone(&runtime.metrics),
            tasks: runtime.tasks.clone(),
            log,
            max_lifetime: limits.max_lifetime,
            purge_gap: limits.purge_gap,
            refuses: AtomicBool::new(false),
            stuck: AtomicBool::new(false),
            server: AtomicU64::new(0),
            trimmed: Mutex::default(),
        }
    }

    /// Whether Redis answers and does not take records as it should: it is full, or does not allow this process to write.
    pub(in crate::store) fn is_refused(&self) -> bool {
        self.refuses.load(Relaxed)
    }

    /// Whether it has not taken the last records at all: nobody needs to wait for the next ones.
    pub(in crate::store) fn is_stuck(&self) -> bool {
        self.stuck.load(Relaxed)
    }

    /// The TTL of the log, in seconds: longer than anything that it is about.
    fn ttl(&self) -> u64 {
        let kept = self.max_lifetime.as_secs().saturating_mul(2);
        kept.saturating_add(3600)
    }

    /// Purges before this moment concern nothing any more; `now` in milliseconds of the clock of Redis.
    fn oldest(&self, now: u64) -> u64 {
        let kept = self.max_lifetime.as_secs().saturating_add(60);
        now.saturating_sub(kept.saturating_mul(1000))
    }

    /// Appends `records` in one round trip and in this order, all of them or an error: then some may be there twice, which is no
    /// harm. None where there is no log: never into a stream that is not there, for it would look as if nothing had been purged
    /// before.
    async fn append(&self, records: &[Encoded]) -> Result<Option<Vec<StreamId>>, CallError> {
        let mut pipeline = Pipeline::new();
        for (kind, value) in records {
            let command = pipeline.cmd("XADD").arg(&self.key).arg("NOMKSTREAM");
            command.arg("MAXLEN").arg("~").arg(MAX_RECORDS).arg("*");
            command.arg(*kind).arg(&value[..]);
        }
        let appending = self.servers.call_many(&self.key, APPEND_BUDGET, &pipeline);
        let ids: Vec<Option<String>> = match appending.await {
            Ok(ids) => ids,
            Err(CallError::Full) => {
                self.refuses.store(true, Relaxed);
                let ids = self.squeeze(Over::Lanes, records, "NOMKSTREAM").await?;
                if ids.is_empty() {
                    return Ok(None);
                }
                return Ok(Some(ids));
            }
            Err(error) => {
                let is_its_answer = matches!(error, CallError::Refused | CallError::WrongType);
                self.refuses.fetch_or(is_its_answer, Relaxed);
                return Err(error);
            }
        };
        self.refuses.store(false, Relaxed);
        let Some(ids) = ids.into_iter().collect::<Option<Vec<String>>>() else {
            return Ok(None);
        };
        let ids = ids.iter().map(|id| parse_id(id.as_bytes()));
        let ids: Vec<StreamId> = ids.collect::<Option<_>>().ok_or(CallError::Failed)?;
        if let Some(last) = ids.last() {
            self.trim(last.0).await;
        }
        Ok(Some(ids))
    }

    /// See [`SQUEEZE`].
    async fn squeeze(
        &self,
        over: Over<'_>,
        records: &[Encoded],
        make: &str,
    ) -> Result<Vec<StreamId>, CallError> {
        let oldest = self.oldest(self.log.position().shared.0);
        let mut pipeline = Pipeline::new();
        let script = pipeline.cmd("EVAL").arg(SQUEEZE).arg(1).arg(&self.key);
        script.arg(oldest).arg(make).arg(MAX_RECORDS);
        for (kind, value) in records {
            script.arg(*kind).arg(&value[..]);
        }
        let (ids,): (Vec<String>,) = match self.call_many(over, &pipeline).await {
            Err(CallError::Refused) => return Err(CallError::Full), // scripts are not allowed
            ids => ids?,
        };
        let ids = ids.iter().map(|id| parse_id(id.as_bytes()));
        ids.collect::<Option<_>>().ok_or(CallError::Failed)
    }

    async fn call_many<T: FromRedisValue + Send + 'static>(
        &self,
        over: Over<'_>,
        pipeline: &Pipeline,
    ) -> Result<T, CallError> {
        let Over::Own(connection) = over else {
            let calling = self.servers.call_many(&self.key, APPEND_BUDGET, pipeline);
            return calling.await;
        };
        let mut connection = connection.clone();
        let calling = pipeline.query_async(&mut connection);
        match tokio::time::timeout(APPEND_BUDGET, calling).await {
            Ok(reply) => reply.map_err(|error| failure(&error)),
            Err(_) => Err(CallError::Timeout),
        }
    }

    /// Trims what concerns nothing any more, once in a while; `now` as in [`Self::oldest`]. One record stays, whatever its age:
    /// the one that was just appended.
    async fn trim(&self, now: u64) {
        {
            let mut trimmed = self.trimmed.lock();
            if trimmed.is_some_and(|at| at.elapsed() < TRIM) {
                return;
            }
            *trimmed = Some(Instant::now());
        }
        let mut trim = Cmd::new();
        trim.arg("XTRIM").arg(&self.key).arg("MINID").arg("~");
        trim.arg(self.oldest(now));
        let _: Result<(), CallError> = self.servers.call(&self.key, APPEND_BUDGET, &trim).await;
    }

    /// Begins a log that is not there, after `known`, also where the clock of this server is behind.
    async fn begin(&self, over: Over<'_>, known: StreamId) -> Result<(), CallError> {
        let what = What::Begin(self.server.load(Relaxed));
        self.append_after(over, &what, known).await
    }

    /// Appends `what` behind `known`, and makes the log for it where there is none.
    async fn append_after(
        &self,
        over: Over<'_>,
        what: &What,
        known: StreamId,
    ) -> Result<(), CallError> {
        let (kind, value) = what.encode(self.replica(), 0);
        let add = |id: &str| {
            let mut pipeline = Pipeline::new();
            let command = pipeline.cmd("XADD").arg(&self.key).arg(id);
            command.arg(kind).arg(&value[..]);
            pipeline.cmd("EXPIRE").arg(&self.key).arg(self.ttl());
            pipeline
        };
        let id = match self.call_many(over, &add("*")).await {
            Ok::<(String, i64), _>((id, _)) => {
                self.refuses.store(false, Relaxed);
                parse_id(id.as_bytes())
            }
            Err(CallError::Full) => {
                self.refuses.store(true, Relaxed);
                self.log.shared().inspect(|shared| shared.wake()); // the writer sees when that ends
                let record = [(kind, value.clone())];
                let ids = self.squeeze(over, &record, "MKSTREAM").await?;
                ids.first().copied()
            }
            Err(error) => return Err(error),
        };
        if id.is_none_or(|id| id <= known) {
            let later = format!("{}-0", known.0.saturating_add(1));
            let _: (String, i64) = self.call_many(over, &add(&later)).await?;
        }
        Ok(())
    }

    /// Another program's value is under our name.
    async fn remove_what_is_no_log(&self) {
        tracing::warn!(
            key = self.key,
            "what is there is no purge log, and is deleted"
        );
        self.delete().await;
    }

    /// Whether it was there.
    async fn delete(&self) -> bool {
        let delete = Cmd::new().arg("DEL").arg(&self.key).to_owned();
        let deleting = self.servers.call(&self.key, APPEND_BUDGET, &delete);
        deleting.await.is_ok_and(|deleted: i64| deleted > 0)
    }

    fn replica(&self) -> u64 {
        self.log.shared().map_or(0, |shared| shared.replica())
    }
}
