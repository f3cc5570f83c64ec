//! The shared connections to Redis, and whether they are used at all.
//!
//! Requests never connect: one task does, with back-off, and until it has succeeded every call is answered at once with
//! [`CallError::Out`]. After repeated failures, or one that means this server is of no use, the link goes out and that
//! task tries to bring it back. That is the circuit breaker.

use super::{
    alone::Pool,
    dial::Dialer,
    error::{CallError, is_useless, refusal},
    settings::Settings,
};
use crate::metrics::{Metrics, RedisCall};
use ::redis::{
    AsyncConnectionConfig, Cmd, ErrorKind, FromRedisValue, Pipeline, RedisError, Value,
    aio::MultiplexedConnection,
};
use arc_swap::ArcSwapOption;
use parking_lot::Mutex;
use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};
use tokio::{sync::watch, time::Instant};
use tokio_util::sync::CancellationToken;

/// What one reply may take on a connection for exclusive use: the purge log is waited on for seconds.
const LONGEST_REPLY: Duration = Duration::from_secs(5);

/// Connections that all calls share. Two, so that one slow reply holds up half of the rest at most.
const LANES: usize = 2;

/// Failures in a row that put the link out.
const MAX_FAILURES: u32 = 5;

/// Calls under way per connection; more wait, within their budget.
const MAX_IN_FLIGHT: usize = 1024;

/// The pause before the first and the longest before a later attempt to connect.
const BACK_OFF: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(2));

/// A link that has held so long was a good one.
const STEADY: Duration = Duration::from_secs(5);

/// How often each connection is asked whether it is alive.
const HEARTBEAT: Duration = Duration::from_secs(1);

/// A call that was made.
struct Asked {
    at: usize,
    lane: Arc<Lane>,
}

/// One shared connection, and of which connect it is.
struct Lane {
    connection: MultiplexedConnection,
    generation: u64,
}

/// See the module docs.
pub(super) struct Link {
    dialer: Dialer,
    settings: Settings,
    lanes: [ArcSwapOption<Lane>; LANES],
    /// Connections for exclusive use, to the same server: large values, which would hold up small ones.
    alone: ArcSwapOption<Pool>,
    /// Which connect lanes and pool are of. Held while they change, so that `up` says whether there are any.
    generation: Mutex<u64>,
    next: AtomicUsize,
    /// Failures in a row, by lane: one that hangs is not hidden by another one that works.
    failures: [AtomicU32; LANES],
    up: watch::Sender<bool>,
    /// A key that we may ask for.
    probe: String,
    metrics: Arc<Metrics>,
}

impl std::fmt::Debug for Link {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Link")
            .field("up", &self.is_up())
            .finish_non_exhaustive()
    }
}

impl Link {
    /// A link that is out.
    pub(super) fn new(dialer: Dialer, settings: &Settings, metrics: Arc<Metrics>) -> Self {
        Self {
            dialer,
            settings: settings.clone(),
            alone: ArcSwapOption::empty(),
            lanes: std::array::from_fn(|_| ArcSwapOption::empty()),
            generation: Mutex::new(0),
            next: AtomicUsize::new(0),
            failures: std::array::from_fn(|_| AtomicU32::new(0)),
            up: watch::Sender::new(false),
            probe: settings.log_key(),
            metrics,
        }
    }

    /// Whether calls are sent.
    pub(super) fn is_up(&self) -> bool {
        *self.up.borrow()
    }

    /// Waits until calls are sent, at most for `limit`.
    pub(super) async fn wait_until_up(&self, limit: Duration) {
        let mut up = self.up.subscribe();
        let _ = tokio::time::timeout(limit, up.wait_for(|up| *up)).await;
    }

    /// Waits until no calls are sent.
    pub(super) async fn wait_until_out(&self) {
        let _ = self.up.subscribe().wait_for(|up| !*up).await;
    }

    /// Sends `command` and waits for its reply, no longer than `budget`.
    ///
    /// Cancel safe: replies are matched to calls, an abandoned one is dropped when it arrives.
    pub(super) async fn call<T: FromRedisValue>(
        &self,
        budget: Duration,
        command: &Cmd,
    ) -> Result<T, CallError> {
        let asking = async |mut connection| command.query_async(&mut connection).await;
        self.ask(budget, asking).await
    }

    /// As [`Self::call`], several commands in one round trip.
    pub(super) async fn call_many<T: FromRedisValue>(
        &self,
        budget: Duration,
        commands: &Pipeline,
    ) -> Result<T, CallError> {
        let asking = async |mut connection| commands.query_async(&mut connection).await;
        self.ask(budget, asking).await
    }

    /// As [`Self::call`] for the first of two commands that are sent together. The other one may fail by itself: an operator may
    /// not have allowed it.
    pub(super) async fn call_beside<T: FromRedisValue, U: FromRedisValue>(
        &self,
        budget: Duration,
        [command, beside]: [&Cmd; 2],
    ) -> Result<(T, Option<U>), CallError> {
        let asking = async |mut connection: MultiplexedConnection| {
            let mut same = connection.clone();
            let both = tokio::join!(
                command.query_async(&mut connection),
                beside.query_async(&mut same)
            );
            Ok((both.0?, both.1.ok()))
        };
        self.ask(budget, asking).await
    }

    async fn ask<T>(
        &self,
        budget: Duration,
        asking: impl AsyncFnOnce(MultiplexedConnection) -> Result<T, RedisError>,
    ) -> Result<T, CallError> {
        let at = self.next.fetch_add(1, Relaxed) % LANES;
        let Some(lane) = self.lanes[at].load_full() else {
            self.metrics.redis.call(RedisCall::Skipped);
            return Err(CallError::Out);
        };
        let (connection, asked) = (lane.connection.clone(), Asked { at, lane });
        match tokio::time::timeout(budget, asking(connection)).await {
            Ok(Ok(reply)) => {
                self.failures[at].store(0, Relaxed);
                Ok(reply)
            }
            Ok(Err(error)) if error.is_timeout() => {
                Err(self.failed(&asked, CallError::Timeout, "no reply in time"))
            }
            Ok(Err(error)) => Err(self.judge(&asked, &error)),
            Err(_) => Err(self.failed(&asked, CallError::Timeout, "no reply in time")),
        }
    }

    /// Sends a large `command` over a connection of its own, within `limit`: nobody else waits behind it.
    ///
    /// Cancel safe: a connection whose reply is still to come is not used again.
    pub(super) async fn call_alone(&self, limit: Duration, command: &Cmd) -> Result<(), CallError> {
        match self.alone.load_full() {
            Some(pool) => pool.call(limit, command).await,
            None => Err(CallError::Out),
        }
    }

    /// A connection of the caller's own, whose replies may take seconds.
    pub(super) async fn connect_alone(&self) -> Result<MultiplexedConnection, RedisError> {
        self.dialer.connect(&self.alone_config()).await
    }

    fn alone_config(&self) -> AsyncConnectionConfig {
        AsyncConnectionConfig::new()
            .set_connection_timeout(Some(self.settings.connect_timeout))
            .set_response_timeout(Some(LONGEST_REPLY))
    }

    fn judge(&self, asked: &Asked, error: &RedisError) -> CallError {
        if is_useless(error) {
            self.metrics.redis.call(RedisCall::Error);
            self.put_out(asked.lane.generation, &error.to_string());
            return CallError::Failed;
        }
        match error.kind() {
            ErrorKind::Server(_) | ErrorKind::Extension | ErrorKind::UnexpectedReturnType => {
                self.metrics.redis.call(RedisCall::Error);
                tracing::debug!(%error, "redis refuses a call");
                refusal(error)
            }
            _ => self.failed(asked, CallError::Failed, &error.to_string()),
        }
    }

    fn failed(&self, asked: &Asked, failure: CallError, why: &str) -> CallError {
        match failure {
            CallError::Timeout => self.metrics.redis.call(RedisCall::Timeout),
            CallError::Out
            | CallError::Failed
            | CallError::Refused
            | CallError::Full
            | CallError::WrongType
            | CallError::Moved => self.metrics.redis.call(RedisCall::Error),
        }
        if self.failures[asked.at].fetch_add(1, Relaxed) + 1 >= MAX_FAILURES {
            self.put_out(asked.lane.generation, why);
        }
        failure
    }

    /// Puts out what was connected as `generation`; what has been connected since is another thing.
    fn put_out(&self, generation: u64, why: &str) {
        let current = self.generation.lock();
        if *current != generation {
            return;
        }
        self.lanes.iter().for_each(|lane| lane.store(None));
        self.alone.store(None);
        if self.up.send_replace(false) {
            self.metrics.redis.up.dec();
            tracing::warn!(
                server = self.dialer.name(),
                why,
                "redis is out: serving from memory and the upstream"
            );
        }
    }

    /// Connects, and connects again whenever the link goes out, until `stop`.
    pub(super) async fn supervise(self: Arc<Self>, stop: CancellationToken) {
        let mut up = self.up.subscribe();
        let mut pause = Duration::ZERO;
        let mut told = false;
        while !stop.is_cancelled() {
            match self.connect().await {
                Ok(()) => {
                    told = false;
                    let since = Instant::now();
                    tokio::select! {
                        _ = up.wait_for(|up| !*up) => {}
                        () = self.keep_asking() => {}
                        () = stop.cancelled() => break,
                    }
                    if since.elapsed() >= STEADY {
                        pause = Duration::ZERO; // one that comes and goes is not connected to again and again
                    }
                }
                Err(error) if !told => {
                    told = true;
                    tracing::warn!(server = self.dialer.name(), %error, "redis cannot be reached: serving from memory and the upstream");
                }
                Err(error) => tracing::debug!(%error, "redis still cannot be reached"),
            }
            pause = (pause * 2).clamp(BACK_OFF.0, BACK_OFF.1);
            let jittered = pause.mul_f64(0.5 + fastrand::f64());
            tokio::select! {
                () = tokio::time::sleep(jittered) => {}
                () = stop.cancelled() => break,
            }
        }
        if self.up.send_replace(false) {
            self.metrics.redis.up.dec(); // nobody asks this server any more
        }
    }

    /// Notices that Redis is gone also while nobody asks for anything. Never returns while calls succeed.
    async fn keep_asking(&self) {
        while self.is_up() {
            tokio::time::sleep(HEARTBEAT).await;
            for _ in 0..LANES {
                let _: Result<Value, CallError> = self
                    .call(self.settings.connect_timeout, &redis::cmd("PING"))
                    .await;
            }
        }
    }

    /// Opens every lane, and is up once each has answered.
    async fn connect(&self) -> Result<(), RedisError> {
        let server = self.dialer.find().await?;
        let config = lane_config(&self.settings);
        let mut opened = Vec::with_capacity(LANES);
        for _ in 0..LANES {
            let mut connection = self.dialer.open(&server, &config).await?;
            // A server that is loading, or a replica without its primary, accepts and cannot serve.
            let probe = Cmd::new().arg("EXISTS").arg(&self.probe).to_owned();
            match self
                .dialer
                .within(probe.query_async::<i64>(&mut connection))
                .await
            {
                Err(error) if error.redirect_node().is_none() => return Err(error),
                Ok(_) | Err(_) => {} // another server of the cluster has this name; this one works
            }
            // One that is full refuses this too, and can still be read; a replica is of no use.
            let mut write = Cmd::new();
            write.arg("SET").arg(format!("{}:probe", self.probe));
            write.arg("").arg("PX").arg(1000);
            let written = write.query_async::<()>(&mut connection);
            if let Err(error) = self.dialer.within(written).await
                && is_useless(&error)
            {
                return Err(error);
            }
            opened.push(connection);
        }
        let mut generation = self.generation.lock();
        *generation += 1;
        for (lane, connection) in self.lanes.iter().zip(opened) {
            lane.store(Some(Arc::new(Lane {
                connection,
                generation: *generation,
            })));
        }
        let pool = Pool::new(&server, &self.settings, self.alone_config());
        self.alone.store(Some(Arc::new(pool)));
        self.failures
            .iter()
            .for_each(|failures| failures.store(0, Relaxed));
        if !self.up.send_replace(true) {
            self.metrics.redis.up.inc();
            tracing::info!(server = self.dialer.name(), "redis is in use");
        }
        Ok(())
    }
}

/// For connections that many calls share.
pub(super) fn lane_config(settings: &Settings) -> AsyncConnectionConfig {
    AsyncConnectionConfig::new()
        .set_connection_timeout(Some(settings.connect_timeout))
        .set_concurrency_limit(MAX_IN_FLIGHT)
        .set_pipeline_buffer_size(MAX_IN_FLIGHT)
        .set_response_timeout(Some(Duration::from_secs(1)))
}
