//! The bundled demo backend: a small messenger API over SQLite, to try the cache with.
//!
//! It migrates and seeds its own database. Every response says how many SQL statements it took
//! (`Server-Timing: db;dur=1.93;desc="n=2"`), so that what a cache saves can be read off; the
//! counting needs [`profiler::layer`] in the program's subscriber.

mod layers;
mod page;
mod problem;
pub mod profiler;
mod queries;
mod receive;
mod routes;
mod schema;
mod seed;

use std::{io, net::SocketAddr, path::PathBuf, str::FromStr, sync::Arc, time::Duration};

use thiserror::Error;
use tokio::net::TcpListener;
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::{debug, warn};

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

/// Which database the demo uses.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Database {
    /// A new file, deleted when the demo ends.
    #[default]
    Temporary,
    /// A file that stays. Its folder must exist.
    File(PathBuf),
}

/// Why the demo could not start.
#[derive(Debug, Error)]
pub enum DemoError {
    /// The text does not name a database file.
    #[error("`{0}` is no database: write `sqlite:PATH`, without options")]
    Database(String),
    /// The address could not be bound.
    #[error("cannot listen on {address}")]
    Bind {
        /// The address asked for.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// The folder of a temporary database could not be made.
    #[error("cannot create a temporary folder for the database")]
    Temporary(#[source] io::Error),
    /// The database could not be opened.
    #[error("cannot open the database {}", path.display())]
    Open {
        /// The database file.
        path: PathBuf,
        /// What SQLite said.
        source: sqlx::Error,
    },
    /// The tables could not be brought up to date.
    #[error("cannot migrate the database")]
    Migrate(#[source] sqlx::migrate::MigrateError),
    /// The first data could not be written.
    #[error("cannot seed the database")]
    Seed(#[source] sqlx::Error),
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

// === impl Database ===

impl FromStr for Database {
    type Err = DemoError;

    /// Reads `sqlite:PATH` or `sqlite://PATH`.
    ///
    /// # Errors
    /// [`DemoError::Database`] for anything else, for options (`?mode=ro`), and for `:memory:`,
    /// which would be another database in each connection.
    fn from_str(text: &str) -> Result<Self, DemoError> {
        let path = text
            .strip_prefix("sqlite:")
            .map(|rest| rest.strip_prefix("//").unwrap_or(rest));
        match path {
            Some(path) if !path.is_empty() && path != ":memory:" && !path.contains('?') => {
                Ok(Database::File(PathBuf::from(path)))
            }
            _ => Err(DemoError::Database(text.to_owned())),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_database_is_a_sqlite_path() {
        let file = |path: &str| Some(Database::File(PathBuf::from(path)));
        let cases = [
            ("sqlite:demo.db", file("demo.db")),
            ("sqlite:/data/demo.db", file("/data/demo.db")),
            ("sqlite:///data/demo.db", file("/data/demo.db")),
            ("sqlite:", None),
            ("sqlite::memory:", None),
            ("sqlite:demo.db?mode=ro", None),
            ("postgres://localhost/demo", None),
        ];
        for (text, expected) in cases {
            assert_eq!(text.parse::<Database>().ok(), expected, "{text}");
        }
    }
}
