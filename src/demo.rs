//! The bundled demo backend: a small messenger API over SQLite, to try the cache with.
//!
//! It migrates and seeds its own database. Every response says how many SQL statements it took
//! (`Server-Timing: db;dur=1.93;desc="n=2"`), so that what a cache saves can be read off; the
//! counting needs [`profiler::layer`] in the program's subscriber.

mod database;
mod error;
mod layers;
mod page;
mod problem;
pub mod profiler;
mod queries;
mod receive;
mod routes;
mod schema;
mod seed;

use std::{net::SocketAddr, sync::Arc, time::Duration};

use tokio::net::TcpListener;
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::{debug, warn};

pub use self::{database::Database, error::DemoError};
use self::{profiler::Total, schema::Pools};

/// How long open exchanges may take to end after the shutdown began.
const GRACE: Duration = Duration::from_secs(5);

/// Where the demo listens and keeps its data.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The address to bind; port 0 lets the system choose.
    pub listen: SocketAddr,
    /// The database, created and filled if need be.
    pub database: Database,
}

/// The running demo backend.
///
/// Dropping it does not end the server; the token given to [`Demo::start`] does.
#[derive(Debug)]
pub struct Demo {
    address: SocketAddr,
    tasks: TaskTracker,
    total: Arc<Total>,
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

        let (pools, folder) = Pools::open(settings.database).await?;
        let (seeded, total) = profiler::listen(seed::fill_if_empty(&pools)).await;
        seeded.map_err(DemoError::Seed)?;

        let total = Arc::new(total);
        let router = routes::router(pools.clone(), shutdown.clone(), Arc::clone(&total));
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
            total,
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
        self.total.count()
    }

    /// Waits until the server has ended and a temporary database is deleted.
    ///
    /// That comes only after the token given to [`Demo::start`] is cancelled, and at most a few
    /// seconds later. Cancel safe.
    pub async fn finished(&self) {
        self.tasks.wait().await;
    }
}
