//! The shared connections to Redis, and whether they are used at all.
//!
//! Requests never connect: one task does, with back-off, and until it has succeeded every call is answered at once with
//! [`CallError::Out`]. After repeated failures, or one that means this server is of no use, the link goes out and that
//! task tries to bring it back. That is the circuit breaker.

use super::Settings;
use crate::metrics::Metrics;
use ::redis::{
    AsyncConnectionConfig, Client, Cmd, ErrorKind, FromRedisValue, IntoConnectionInfo, RedisError,
    ServerErrorKind, Value, aio::MultiplexedConnection, io::tcp::TcpSettings,
};
use arc_swap::ArcSwapOption;
use deadpool_redis::{Manager, Pool, Runtime, Timeouts};
use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// Connections that all calls share. Two, so that one slow reply holds up half of the rest at most.
const LANES: usize = 2;

/// Failures in a row that put the link out.
const MAX_FAILURES: u32 = 5;

/// Calls under way per connection; more wait, within their budget.
const MAX_IN_FLIGHT: usize = 1024;

/// The pause before the first and the longest before a later attempt to connect.
const BACK_OFF: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(2));

/// How often each connection is asked whether it is alive.
const HEARTBEAT: Duration = Duration::from_secs(1);

/// Why a call has no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum CallError {
    /// The link is out; nothing was sent.
    Out,
    /// No reply within the budget.
    Timeout,
    /// The connection failed, or the server cannot serve anything now.
    Failed,
    /// The server is fine and refuses this call.
    Refused,
    /// The key holds another kind of value.
    WrongType,
}

/// See the module docs.
pub(super) struct Link {
    client: Client,
    config: AsyncConnectionConfig,
    connect_timeout: Duration,
    lanes: [ArcSwapOption<MultiplexedConnection>; LANES],
    next: AtomicUsize,
    /// Failures in a row, by lane: one that hangs is not hidden by another one that works.
    failures: [AtomicU32; LANES],
    up: watch::Sender<bool>,
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
    pub(super) fn new(settings: &Settings, metrics: Arc<Metrics>) -> Result<Self, RedisError> {
        Ok(Self {
            client: client(settings)?,
            config: connection_config(settings)
                .set_concurrency_limit(MAX_IN_FLIGHT)
                .set_pipeline_buffer_size(MAX_IN_FLIGHT)
                .set_response_timeout(Some(Duration::from_secs(1))),
            connect_timeout: settings.connect_timeout,
            lanes: std::array::from_fn(|_| ArcSwapOption::empty()),
            next: AtomicUsize::new(0),
            failures: std::array::from_fn(|_| AtomicU32::new(0)),
            up: watch::Sender::new(false),
            metrics,
        })
    }

    /// Whether calls are sent.
    pub(super) fn is_up(&self) -> bool {
        *self.up.borrow()
    }

    /// Waits until calls are sent, at most for `patience`.
    pub(super) async fn wait_until_up(&self, patience: Duration) {
        let mut up = self.up.subscribe();
        let _ = tokio::time::timeout(patience, up.wait_for(|up| *up)).await;
    }

    /// Sends `command` and waits for its reply, no longer than `budget`.
    ///
    /// Cancel safe: replies are matched to calls, an abandoned one is dropped when it arrives.
    pub(super) async fn call<T: FromRedisValue>(
        &self,
        budget: Duration,
        command: &Cmd,
    ) -> Result<T, CallError> {
        let lane = self.next.fetch_add(1, Relaxed) % LANES;
        let Some(connection) = self.lanes[lane].load_full() else {
            self.metrics.redis.skipped.inc();
            return Err(CallError::Out);
        };
        let mut connection = MultiplexedConnection::clone(&connection);
        match tokio::time::timeout(budget, command.query_async(&mut connection)).await {
            Ok(Ok(reply)) => {
                self.failures[lane].store(0, Relaxed);
                Ok(reply)
            }
            Ok(Err(error)) if error.is_timeout() => {
                Err(self.failed(lane, CallError::Timeout, "no reply in time"))
            }
            Ok(Err(error)) => Err(self.judge(lane, &error)),
            Err(_) => Err(self.failed(lane, CallError::Timeout, "no reply in time")),
        }
    }

    fn judge(&self, lane: usize, error: &RedisError) -> CallError {
        if is_useless(error) {
            self.metrics.redis.error.inc();
            self.put_out(&error.to_string());
            return CallError::Failed;
        }
        match error.kind() {
            ErrorKind::Server(_) | ErrorKind::Extension | ErrorKind::UnexpectedReturnType => {
                self.metrics.redis.error.inc();
                tracing::debug!(%error, "redis refuses a call");
                match error.code() {
                    Some("WRONGTYPE") => CallError::WrongType,
                    _ => CallError::Refused,
                }
            }
            _ => self.failed(lane, CallError::Failed, &error.to_string()),
        }
    }

    fn failed(&self, lane: usize, failure: CallError, why: &str) -> CallError {
        match failure {
            CallError::Timeout => self.metrics.redis.timeout.inc(),
            CallError::Out | CallError::Failed | CallError::Refused | CallError::WrongType => {
                self.metrics.redis.error.inc()
            }
        }
        if self.failures[lane].fetch_add(1, Relaxed) + 1 >= MAX_FAILURES {
            self.put_out(why);
        }
        failure
    }

    fn put_out(&self, why: &str) {
        self.lanes.iter().for_each(|lane| lane.store(None));
        if self.up.send_replace(false) {
            self.metrics.redis_up.set(0);
            tracing::warn!(why, "redis is out: serving from memory and the upstream");
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
                    (pause, told) = (Duration::ZERO, false);
                    tokio::select! {
                        _ = up.wait_for(|up| !*up) => {}
                        () = self.keep_asking() => {}
                        () = stop.cancelled() => return,
                    }
                }
                Err(error) if !told => {
                    told = true;
                    tracing::warn!(%error, "redis cannot be reached: serving from memory and the upstream");
                }
                Err(error) => tracing::debug!(%error, "redis still cannot be reached"),
            }
            pause = (pause * 2).clamp(BACK_OFF.0, BACK_OFF.1);
            let jittered = pause.mul_f64(0.5 + fastrand::f64());
            tokio::select! {
                () = tokio::time::sleep(jittered) => {}
                () = stop.cancelled() => return,
            }
        }
    }

    /// Notices that Redis is gone also while nobody asks for anything. Never returns while calls succeed.
    async fn keep_asking(&self) {
        while self.is_up() {
            tokio::time::sleep(HEARTBEAT).await;
            for _ in 0..LANES {
                let _: Result<Value, CallError> =
                    self.call(self.connect_timeout, &redis::cmd("PING")).await;
            }
        }
    }

    /// Opens every lane, and is up once each has answered.
    async fn connect(&self) -> Result<(), RedisError> {
        let mut opened = Vec::with_capacity(LANES);
        for _ in 0..LANES {
            let connecting = self
                .client
                .get_multiplexed_async_connection_with_config(&self.config);
            let mut connection = within(self.connect_timeout, connecting).await?;
            // A server that is loading, or a replica without its primary, accepts and cannot serve.
            within(
                self.connect_timeout,
                Cmd::new()
                    .arg("EXISTS")
                    .arg("sidecache")
                    .query_async::<i64>(&mut connection),
            )
            .await?;
            opened.push(connection);
        }
        for (lane, connection) in self.lanes.iter().zip(opened) {
            lane.store(Some(Arc::new(connection)));
        }
        self.failures
            .iter()
            .for_each(|failures| failures.store(0, Relaxed));
        self.metrics.redis_up.set(1);
        if !self.up.send_replace(true) {
            tracing::info!("redis is in use");
        }
        Ok(())
    }
}

async fn within<T>(
    limit: Duration,
    call: impl Future<Output = Result<T, RedisError>>,
) -> Result<T, RedisError> {
    match tokio::time::timeout(limit, call).await {
        Ok(result) => result,
        Err(_) => Err((ErrorKind::Io, "no answer in time").into()),
    }
}

/// Whether nothing more can be had over this connection: better to connect anew than to try again.
fn is_useless(error: &RedisError) -> bool {
    use ServerErrorKind::{BusyLoading, ClusterDown, MasterDown, ReadOnly};
    error.is_connection_dropped()
        || matches!(
            error.kind(),
            ErrorKind::AuthenticationFailed
                | ErrorKind::Parse
                | ErrorKind::Server(BusyLoading | ClusterDown | MasterDown | ReadOnly)
        )
        || matches!(error.code(), Some("NOAUTH" | "WRONGPASS"))
}

fn client(settings: &Settings) -> Result<Client, RedisError> {
    let info = settings.url.as_str().into_connection_info()?;
    // Off by default in the library: small requests would wait for the previous one's acknowledgement.
    Client::open(info.set_tcp_settings(TcpSettings::default().set_nodelay(true)))
}

fn connection_config(settings: &Settings) -> AsyncConnectionConfig {
    AsyncConnectionConfig::new().set_connection_timeout(Some(settings.connect_timeout))
}

/// Connections for exclusive use. The purge log waits on one of them, so its replies may take seconds.
pub(super) fn pool(settings: &Settings) -> Result<Pool, RedisError> {
    let config = connection_config(settings).set_response_timeout(Some(Duration::from_secs(5)));
    let info = client(settings)?.get_connection_info().clone();
    let timeouts = Timeouts {
        wait: Some(settings.budget),
        create: Some(settings.connect_timeout),
        recycle: Some(settings.connect_timeout),
    };
    let pool = Pool::builder(Manager::new_with_config(info, config)?)
        .max_size(settings.pool_size + 1) // one for the purge log
        .timeouts(timeouts)
        .runtime(Runtime::Tokio1)
        .build();
    Ok(pool.expect("a pool with timeouts needs a runtime, and one is given"))
}
