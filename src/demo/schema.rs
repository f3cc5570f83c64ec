//! The database: its file, its tables, its connections.

use std::{path::Path, time::Duration};

use sqlx::{
    SqlitePool,
    migrate::Migrator,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};
use tempfile::TempDir;

use super::{database::Database, error::DemoError};

static MIGRATIONS: Migrator = sqlx::migrate!("src/demo/migrations");

const READERS: u32 = 4;
/// How long a statement waits for another process that writes to the same file.
const BUSY: Duration = Duration::from_secs(5);
/// How long a request waits for a connection.
const ACQUIRE: Duration = Duration::from_secs(5);

/// The connections. SQLite has one writer at a time: waiting for it in a pool of one is fair and
/// silent, waiting for its lock is neither.
#[derive(Clone, Debug)]
pub(super) struct Pools {
    pub(super) readers: SqlitePool,
    pub(super) writer: SqlitePool,
}

/// The folder of a temporary database, deleted when dropped. A folder, because WAL adds two files
/// beside the database.
pub(super) type Folder = Option<TempDir>;

impl Pools {
    /// Opens `database`, creates it if need be and brings its tables up to date.
    ///
    /// # Errors
    /// [`DemoError::Temporary`], [`DemoError::Open`] or [`DemoError::Migrate`].
    pub(super) async fn open(database: Database) -> Result<(Self, Folder), DemoError> {
        let (path, folder) = match database {
            Database::File(path) => (path, None),
            Database::Temporary => {
                let folder = tempfile::tempdir().map_err(DemoError::Temporary)?;
                (folder.path().join("demo.db"), Some(folder))
            }
        };
        let options = options(&path);
        let writer = pool(1)
            .connect_with(options.clone())
            .await
            .map_err(|source| DemoError::Open { path, source })?;
        MIGRATIONS.run(&writer).await.map_err(DemoError::Migrate)?;
        let readers = pool(READERS).connect_lazy_with(options.pragma("query_only", "1"));
        Ok((Self { readers, writer }, folder))
    }

    /// Waits until every connection is back and closed.
    pub(super) async fn close(&self) {
        self.readers.close().await;
        self.writer.close().await;
    }
}

fn options(path: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Normal) // safe with WAL; a power cut may lose the last write
        .busy_timeout(BUSY)
}

fn pool(connections: u32) -> SqlitePoolOptions {
    SqlitePoolOptions::new()
        .max_connections(connections)
        .acquire_timeout(ACQUIRE)
}
