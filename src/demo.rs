//! The bundled demo backend: a small messenger API over SQLite or PostgreSQL, to try the cache with.
//!
//! It migrates and seeds its own database. Every response says how many SQL statements it took
//! (`Server-Timing: db;dur=1.93;desc="n=2"`), so that what a cache saves can be read off; the
//! counting needs [`profiler::layer`] in the program's subscriber.

mod caching;
mod database;
mod error;
mod indexes;
mod layers;
mod loader;
mod meters;
mod migrations;
mod page;
mod pool;
mod pools;
mod problem;
pub mod profiler;
mod queries;
mod query_cache;
mod receive;
mod revision;
mod routes;
mod schema;
mod seed;
mod sql;
mod time;
mod transaction;

use std::{net::SocketAddr, sync::Arc, time::Duration};

use tokio::net::TcpListener;
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::{debug, warn};

pub use self::{
    caching::CacheControl, database::Database, error::DemoError, indexes::IndexState,
    migrations::StepState, pool::PoolSettings, profiler::ProfileSettings, schema::Schema,
};
use self::{pools::Pools, profiler::Profiler, routes::App};

/// How long open exchanges may take to end after the shutdown began.
const GRACE: Duration = Duration::from_secs(5);
/// How long a request may take beyond the longest wait for a connection; and each of its statements.
const AFTER_WAITING: Duration = Duration::from_secs(5);

/// Where the demo listens and keeps its data.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The address to bind; port 0 lets the system choose.
    pub listen: SocketAddr,
    /// The database, created and filled if need be.
    pub database: Database,
    /// Its connections.
    pub pool: PoolSettings,
    /// What is worth a warning in the log.
    pub profile: ProfileSettings,
    /// Which answers say for how long they are fresh.
    pub cache_control: CacheControl,
    /// How many messages an empty database is filled with, or a few more: 100 to 1,000,000.
    pub messages: u32,
}

/// The running demo backend.
///
/// Dropping it does not end the server; the token given to [`Demo::start`] does.
#[derive(Debug)]
pub struct Demo {
    address: SocketAddr,
    tasks: TaskTracker,
    profiler: Arc<Profiler>,
}

// === impl Settings ===

impl Default for Settings {
    /// A free port of this machine and a temporary database with 1,200 messages.
    fn default() -> Self {
        Self {
            listen: ([127, 0, 0, 1], 0).into(),
            database: Database::default(),
            pool: PoolSettings::default(),
            profile: ProfileSettings::default(),
            cache_control: CacheControl::default(),
            messages: 1200,
        }
    }
}

// === impl Demo ===

impl Demo {
    /// Binds, opens and seeds the database, then serves until `shutdown` is cancelled.
    ///
    /// # Errors
    /// [`DemoError`] if the address or the database cannot be used. Nothing keeps running then.
    pub async fn start(settings: Settings, shutdown: CancellationToken) -> Result<Self, DemoError> {
        let bind = |source| DemoError::Bind {
            address: settings.listen,
            source,
        };
        let listener = TcpListener::bind(settings.listen).await.map_err(bind)?;
        let address = listener.local_addr().map_err(bind)?;

        let longest = settings.pool.timeout + AFTER_WAITING;
        let (pools, folder) = Pools::open(&settings.database, &settings.pool, longest).await?;
        migrations::up(pools.writer(), migrations::LATEST)
            .await
            .map_err(DemoError::Migrate)?;
        let fill = seed::fill_if_empty(&pools, settings.messages);
        let (seeded, profiler) = profiler::listen(settings.profile, fill).await;
        seeded.map_err(DemoError::Seed)?;

        let profiler = Arc::new(profiler);
        let app = App {
            pools: pools.clone(),
            profiler: Arc::clone(&profiler),
            speaks: settings.cache_control,
            shutdown: shutdown.clone(),
        };
        let router = layers::around(routes::router(app), Arc::clone(&profiler), longest);
        let tasks = TaskTracker::new();
        tasks.spawn(async move {
            let serve = axum::serve(listener, router)
                .with_graceful_shutdown(shutdown.clone().cancelled_owned());
            let overdue = async {
                shutdown.cancelled().await;
                tokio::time::sleep(GRACE).await;
            };
            tokio::select! {
                _ = serve => debug!("the demo backend has ended"),
                () = overdue => warn!(grace = ?GRACE, "the demo backend ends with open exchanges"),
            }
            pools.close().await;
            drop(folder);
        });
        tasks.close();
        Ok(Self {
            address,
            tasks,
            profiler,
        })
    }

    /// The bound address.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// All SQL statements that requests have executed since the start.
    ///
    /// Stays 0 unless [`profiler::layer`] is installed: it does the counting.
    pub fn statements_total(&self) -> u64 {
        self.profiler.meters.statements()
    }

    /// Waits until the server has ended and a temporary database is deleted.
    ///
    /// That comes only after the token given to [`Demo::start`] is cancelled, and at most a few
    /// seconds later. Cancel safe.
    pub async fn finished(&self) {
        self.tasks.wait().await;
    }
}
