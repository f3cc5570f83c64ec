//! A pool of connections to either database.

use std::{
    fmt::Debug,
    future::ready,
    path::Path,
    str::FromStr,
    sync::{
        Arc, Weak,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use sqlx::{
    ConnectOptions as _, Connection as _, Postgres, Sqlite,
    pool::PoolOptions,
    postgres::PgConnectOptions,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous},
};
use tokio::time::timeout;

use super::{
    sql::{Row, Sql, Value},
    transaction::Transaction,
};

/// How long a statement of SQLite waits for another process that writes to the same file.
const BUSY: Duration = Duration::from_secs(5);

/// How many connections there are, and for how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PoolSettings {
    /// How many stay open while nobody uses them.
    pub size: u32,
    /// How many more there may be while all of those are in use. They are closed when they come back.
    pub overflow: u32,
    /// How long a statement waits for a connection.
    pub timeout: Duration,
    /// How old a connection may become; without one, of any age.
    pub recycle: Option<Duration>,
}

/// What a pool is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct PoolUse {
    /// Connections that nobody uses.
    pub(super) idle: u32,
    /// Connections that are in use.
    pub(super) used: u32,
    /// How many connections there may be.
    pub(super) most: u32,
    /// How many statements have waited for a connection in vain.
    pub(super) timed_out: u64,
}

/// See the module docs. A clone is the same pool.
#[derive(Clone, Debug)]
pub(crate) struct Pool(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    connections: Connections,
    timed_out: AtomicU64,
}

/// The connections of one kind or the other.
#[derive(Debug)]
pub(super) enum Connections {
    Sqlite(sqlx::Pool<Sqlite>),
    Postgres(sqlx::Pool<Postgres>),
}

/// The level of what sqlx itself would say of slow statements: the profiler does that. Its type is of a crate that is not ours.
fn off<L: FromStr<Err: Debug>>() -> L {
    "off".parse().expect("every crate for logs has this level")
}

// === impl PoolSettings ===

impl Default for PoolSettings {
    fn default() -> Self {
        Self {
            size: 20,
            overflow: 10,
            timeout: Duration::from_secs(30),
            recycle: Some(Duration::from_secs(1800)),
        }
    }
}

impl PoolSettings {
    fn most(&self) -> u32 {
        self.size.saturating_add(self.overflow)
    }

    /// What is over `size` is closed when it comes back: the number of open connections is asked, not that of idle ones, so
    /// that two that come back at once cannot both stay.
    fn options<DB: sqlx::Database>(
        &self,
        open: impl Fn() -> Option<u32> + Send + Sync + 'static,
    ) -> PoolOptions<DB> {
        let size = self.size;
        PoolOptions::new()
            .max_connections(self.most())
            .acquire_timeout(self.timeout)
            .max_lifetime(self.recycle)
            .after_release(move |_, _| {
                let stays = open().is_none_or(|open| open <= size);
                Box::pin(ready(Ok(stays)))
            })
    }
}

// === impl Pool ===

impl Pool {
    /// A pool over the file at `path`, which is made if need be. Opens nothing yet.
    pub(super) fn sqlite(path: &Path, read_only: bool, settings: &PoolSettings) -> Self {
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Normal) // safe with WAL; a power cut may lose the last write
            .busy_timeout(BUSY)
            .pragma("query_only", if read_only { "1" } else { "0" })
            .log_slow_statements(off(), Duration::MAX);
        Self::new(|open| Connections::Sqlite(settings.options(open).connect_lazy_with(options)))
    }

    /// A pool over a server. Connects to nothing yet.
    ///
    /// A statement may run for `longest`: the server ends one whose request has gone.
    pub(super) fn postgres(
        options: &PgConnectOptions,
        longest: Duration,
        settings: &PoolSettings,
    ) -> Self {
        let milliseconds = longest.as_millis().to_string();
        let options = options
            .clone()
            .application_name("sidecache-demo")
            .options([
                ("statement_timeout", milliseconds.as_str()),
                ("idle_in_transaction_session_timeout", milliseconds.as_str()),
            ])
            .log_slow_statements(off(), Duration::MAX);
        Self::new(|open| Connections::Postgres(settings.options(open).connect_lazy_with(options)))
    }

    /// `make` gets what says how many connections are open; weakly, because the pool itself holds it.
    fn new(make: impl FnOnce(Box<dyn Fn() -> Option<u32> + Send + Sync>) -> Connections) -> Self {
        Self(Arc::new_cyclic(|pool: &Weak<Shared>| {
            let pool = Weak::clone(pool);
            Shared {
                connections: make(Box::new(move || Some(pool.upgrade()?.connections.open()))),
                timed_out: AtomicU64::new(0),
            }
        }))
    }

    /// Opens one connection, to learn whether that can be done. Not out of the pool, which would try in vain until its time is
    /// up and then not say why.
    pub(super) async fn try_out(&self) -> Result<(), sqlx::Error> {
        match &self.0.connections {
            Connections::Sqlite(pool) => try_out(pool).await,
            Connections::Postgres(pool) => try_out(pool).await,
        }
    }

    /// All rows that a statement brings.
    pub(crate) async fn rows(&self, sql: Sql, values: &[Value]) -> Result<Vec<Row>, sqlx::Error> {
        let rows = match &self.0.connections {
            Connections::Sqlite(pool) => sql.sqlite(values).map(Row::Sqlite).fetch_all(pool).await,
            Connections::Postgres(pool) => {
                let rows = sql.postgres(values).map(Row::Postgres);
                rows.fetch_all(pool).await
            }
        };
        self.counted(rows)
    }

    /// How the database would run a statement, line by line.
    pub(super) async fn plan(
        &self,
        sql: Sql,
        values: &[Value],
    ) -> Result<Vec<String>, sqlx::Error> {
        match &self.0.connections {
            Connections::Sqlite(pool) => {
                let lines = sql.sqlite_plan(values).map(Row::Sqlite);
                let lines = lines.fetch_all(pool).await?;
                lines.iter().map(|line| line.text("detail")).collect()
            }
            Connections::Postgres(pool) => {
                let lines = sql.postgres_plan(values).map(Row::Postgres);
                let lines = lines.fetch_all(pool).await?;
                lines.iter().map(|line| line.text("QUERY PLAN")).collect()
            }
        }
    }

    /// Begins a transaction that may write. SQLite's takes the right to at once: asking for it later could fail.
    pub(crate) async fn begin(&self) -> Result<Transaction, sqlx::Error> {
        let begun = match &self.0.connections {
            Connections::Sqlite(pool) => {
                let begun = pool.begin_with("BEGIN IMMEDIATE").await;
                begun.map(Transaction::Sqlite)
            }
            Connections::Postgres(pool) => pool.begin().await.map(Transaction::Postgres),
        };
        self.counted(begun)
    }

    fn counted<T>(&self, result: Result<T, sqlx::Error>) -> Result<T, sqlx::Error> {
        if let Err(sqlx::Error::PoolTimedOut) = &result {
            self.0.timed_out.fetch_add(1, Ordering::Relaxed);
        }
        result
    }

    pub(super) fn connections(&self) -> &Connections {
        &self.0.connections
    }

    pub(super) fn used(&self) -> PoolUse {
        let (open, idle, most) = match &self.0.connections {
            Connections::Sqlite(pool) => measure(pool),
            Connections::Postgres(pool) => measure(pool),
        };
        PoolUse {
            idle,
            used: open - idle,
            most,
            timed_out: self.0.timed_out.load(Ordering::Relaxed),
        }
    }

    /// Waits until every connection is back and closed.
    pub(super) async fn close(&self) {
        match &self.0.connections {
            Connections::Sqlite(pool) => pool.close().await,
            Connections::Postgres(pool) => pool.close().await,
        }
    }
}

// === impl Connections ===

impl Connections {
    fn open(&self) -> u32 {
        match self {
            Self::Sqlite(pool) => pool.size(),
            Self::Postgres(pool) => pool.size(),
        }
    }
}

async fn try_out<DB: sqlx::Database>(pool: &sqlx::Pool<DB>) -> Result<(), sqlx::Error> {
    let options = pool.connect_options();
    let connect = timeout(pool.options().get_acquire_timeout(), options.connect());
    let connection = connect.await.map_err(|_| sqlx::Error::PoolTimedOut)??;
    connection.close().await
}

/// How many are open, how many of those idle, and how many there may be.
fn measure<DB: sqlx::Database>(pool: &sqlx::Pool<DB>) -> (u32, u32, u32) {
    let open = pool.size();
    let idle = u32::try_from(pool.num_idle()).unwrap_or(open).min(open);
    (open, idle, pool.options().get_max_connections())
}
