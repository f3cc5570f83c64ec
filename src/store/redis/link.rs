//! The shared connections to Redis, and whether they are used at all.
//!
//! Requests never connect: one task does, with back-off, and until it has succeeded every call is answered at once with
//! [`CallError::Out`]. After repeated failures, or one that means this server is of no use, the link goes out and that
//! task tries to bring it back. That is the circuit breaker.

use super::{
    alone::{Large, Pool},
    asked::{Asked, BoxFuture, Judged, Lane, Late, answers},
    dial::{Dialer, lane_config},
    error::{CallError, is_useless, refusal},
    settings::Settings,
};
use crate::metrics::{Metrics, RedisCall};
use ::redis::{
    AsyncConnectionConfig, Cmd, ErrorKind, FromRedisValue, Pipeline, RedisError, Value,
    aio::MultiplexedConnection,
};
use arc_swap::ArcSwapOption;
use bytes::Bytes;
use parking_lot::Mutex;
use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};
use tokio::{
    sync::{Notify, OwnedSemaphorePermit, watch},
    time::Instant,
};
use tokio_util::sync::CancellationToken;

/// What one reply may take on a connection for exclusive use: the purge log is waited on for seconds.
const LONGEST_REPLY: Duration = Duration::from_secs(5);

/// Connections that all calls share. Two, so that one slow reply holds up half of the rest at most.
const LANES: usize = 2;

/// The pause before the first and the longest before a later attempt to connect.
const BACK_OFF: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(2));

/// A link that has held so long was a good one.
const STEADY: Duration = Duration::from_secs(5);

/// How long nothing is asked on a connection before it is asked for a sign of life, at least; at most twice as long.
const IDLE: Duration = Duration::from_secs(15);

/// And when one gave none.
const AGAIN: Duration = Duration::from_secs(1);

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
    /// A connection to this server was lost, or nobody knows: ask now.
    doubted: Notify,
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
            doubted: Notify::new(),
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
    pub(super) async fn call<T>(&self, budget: Duration, command: &Cmd) -> Result<T, CallError>
    where
        T: FromRedisValue + Send + 'static,
    {
        let command = command.clone();
        let asking = move |mut connection: MultiplexedConnection| -> BoxFuture<_> {
            Box::pin(async move { command.query_async(&mut connection).await })
        };
        self.ask(self.lane()?, budget, None, asking).await
    }

    /// As [`Self::call`], several commands in one round trip.
    pub(super) async fn call_many<T>(
        &self,
        budget: Duration,
        commands: &Pipeline,
    ) -> Result<T, CallError>
    where
        T: FromRedisValue + Send + 'static,
    {
        let commands = commands.clone();
        let asking = move |mut connection: MultiplexedConnection| -> BoxFuture<_> {
            Box::pin(async move { commands.query_async(&mut connection).await })
        };
        self.ask(self.lane()?, budget, None, asking).await
    }

    /// As [`Self::call`] until `end`, for the first of two commands that are sent together, once few enough of such calls are
    /// under way. The other one may fail by itself: an operator may not have allowed it.
    pub(super) async fn look_up<T, U>(
        &self,
        end: Instant,
        [command, beside]: [Cmd; 2],
    ) -> Result<(T, Option<U>), CallError>
    where
        T: FromRedisValue + Send + 'static,
        U: FromRedisValue + Send + 'static,
    {
        let (lane, place) = self.place(end).await?;
        let asking = move |mut connection: MultiplexedConnection| -> BoxFuture<_> {
            let mut same = connection.clone();
            Box::pin(async move {
                let both = tokio::join!(
                    command.query_async(&mut connection),
                    beside.query_async(&mut same)
                );
                Ok((both.0?, both.1.ok()))
            })
        };
        let left = end.saturating_duration_since(Instant::now());
        self.ask(lane, left, Some(place), asking).await
    }

    fn lane(&self) -> Result<Arc<Lane>, CallError> {
        let at = self.next.fetch_add(1, Relaxed) % LANES;
        self.lanes[at].load_full().ok_or_else(|| {
            self.metrics.redis.call(RedisCall::Skipped);
            CallError::Out
        })
    }

    /// A lane with a place for one more lookup, which is waited for until `end`.
    async fn place(&self, end: Instant) -> Result<(Arc<Lane>, OwnedSemaphorePermit), CallError> {
        for _ in 0..LANES {
            let lane = self.lane()?;
            if let Ok(place) = Arc::clone(&lane.places).try_acquire_owned() {
                return Ok((lane, place));
            }
        }
        let lane = self.lane()?;
        let place = Arc::clone(&lane.places).acquire_owned();
        match tokio::time::timeout_at(end, place).await {
            Ok(Ok(place)) => Ok((lane, place)),
            Ok(Err(_)) | Err(_) => {
                self.metrics.redis.call(RedisCall::Busy);
                Err(CallError::Busy)
            }
        }
    }

    async fn ask<T: Send + 'static>(
        &self,
        lane: Arc<Lane>,
        limit: Duration,
        place: Option<OwnedSemaphorePermit>,
        asking: impl FnOnce(MultiplexedConnection) -> BoxFuture<Result<T, RedisError>>,
    ) -> Result<T, CallError> {
        let asked = Asked::of(&lane, self.settings.budget, limit);
        let reply = asking(lane.connection.clone());
        match answers(&lane, limit, reply, place).await {
            Ok(Ok(reply)) => {
                asked.answered();
                Ok(reply)
            }
            Ok(Err(error)) if error.is_timeout() => Err(self.late(&asked)),
            Ok(Err(error)) => Err(self.judge(&asked, &error)),
            Err(Late { starved: false }) => Err(self.late(&asked)),
            Err(Late { starved: true }) => {
                self.metrics.redis.call(RedisCall::Timeout);
                Err(CallError::Timeout)
            }
        }
    }

    /// Sends a large `command` over a connection of its own, within `limit`: nobody else waits behind it.
    ///
    /// Cancel safe: a connection whose reply is still to come is not used again.
    pub(super) async fn call_alone<T: FromRedisValue>(
        &self,
        limit: Duration,
        command: &Cmd,
    ) -> Result<T, CallError> {
        match self.alone.load_full() {
            Some(pool) => pool.call(limit, command).await,
            None => Err(CallError::Out),
        }
    }

    /// Reads a large value piece by piece over a connection of its own. Nothing that fails there puts the link out.
    ///
    /// Cancel safe: as [`Self::call_alone`].
    pub(super) async fn read_alone(&self, large: Large<'_>) -> Result<Bytes, CallError> {
        let read = match self.alone.load_full() {
            Some(pool) => pool.read(large).await,
            None => Err(CallError::Out),
        };
        match read {
            Err(CallError::Busy) => self.metrics.redis.call(RedisCall::Busy),
            Err(CallError::Timeout) => self.metrics.redis.call(RedisCall::Timeout),
            Err(CallError::Out) => self.metrics.redis.call(RedisCall::Skipped),
            Err(_) => self.metrics.redis.call(RedisCall::Error),
            Ok(_) => {}
        }
        read
    }

    /// A connection of the caller's own, whose replies may take seconds.
    ///
    /// Who needs one has none, or no more: so what else is connected to that server is asked whether it is alive.
    pub(super) async fn connect_alone(&self) -> Result<MultiplexedConnection, RedisError> {
        self.doubted.notify_one();
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
            self.put_out(asked.generation(), &error.to_string());
            return CallError::Failed;
        }
        match error.kind() {
            ErrorKind::Server(_) | ErrorKind::Extension | ErrorKind::UnexpectedReturnType => {
                let refusal = refusal(error);
                if refusal != CallError::NoScript {
                    self.metrics.redis.call(RedisCall::Error);
                    tracing::debug!(%error, "redis refuses a call");
                }
                refusal
            }
            _ => {
                self.metrics.redis.call(RedisCall::Error);
                self.judged(asked, asked.failed(), &error.to_string());
                CallError::Failed
            }
        }
    }

    fn late(&self, asked: &Asked) -> CallError {
        self.metrics.redis.call(RedisCall::Timeout);
        self.judged(asked, asked.late(), "no reply in time");
        CallError::Timeout
    }

    fn judged(&self, asked: &Asked, judged: Judged, why: &str) {
        match judged {
            Judged::Useless => self.put_out(asked.generation(), why),
            Judged::TooSlow => self.put_out(
                asked.generation(),
                "every reply takes longer than cache.redis.budget",
            ),
            Judged::Usable => {}
        }
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
        let mut all_well = true;
        while self.is_up() {
            let pause = if all_well {
                IDLE.mul_f64(1.0 + fastrand::f64())
            } else {
                AGAIN
            };
            all_well = true;
            let doubted = tokio::select! {
                () = tokio::time::sleep(pause) => false,
                () = self.doubted.notified() => true,
            };
            for lane in self.lanes.iter().filter_map(ArcSwapOption::load_full) {
                if doubted || lane.heard_before(pause) {
                    let asking = |mut connection: MultiplexedConnection| -> BoxFuture<_> {
                        Box::pin(async move {
                            redis::cmd("PING")
                                .query_async::<Value>(&mut connection)
                                .await
                        })
                    };
                    let limit = self.settings.connect_timeout;
                    all_well &= self.ask(lane, limit, None, asking).await.is_ok();
                }
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
                .in_time(probe.query_async::<i64>(&mut connection))
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
            if let Err(error) = self.in_time(written).await
                && (is_useless(&error) || error.kind() == ErrorKind::Io)
            {
                return Err(error);
            }
            opened.push(connection);
        }
        let mut generation = self.generation.lock();
        *generation += 1;
        for (lane, connection) in self.lanes.iter().zip(opened) {
            lane.store(Some(Arc::new(Lane::new(connection, *generation))));
        }
        let pool = Pool::new(&server, &self.settings, self.alone_config());
        self.alone.store(Some(Arc::new(pool)));
        if !self.up.send_replace(true) {
            self.metrics.redis.up.inc();
            tracing::info!(server = self.dialer.name(), "redis is in use");
        }
        Ok(())
    }

    /// What a server is asked before it is used has to be answered as fast as what it is asked then: one that is too slow would
    /// come and go.
    async fn in_time<T>(
        &self,
        call: impl Future<Output = Result<T, RedisError>>,
    ) -> Result<T, RedisError> {
        match tokio::time::timeout(self.settings.budget, call).await {
            Ok(result) => result,
            Err(_) => Err((ErrorKind::Io, "it answers later than cache.redis.budget").into()),
        }
    }
}
