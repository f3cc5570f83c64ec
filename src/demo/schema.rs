//! The database: its file, its tables, its connections.

use std::{path::Path, time::Duration};

use sqlx::{
    SqlSafeStr, SqlitePool,
    migrate::{Migration, MigrationType, Migrator},
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};
use tempfile::TempDir;

use super::{database::Database, error::DemoError};

/// What makes the tables, in order: number, name and statements. A file that stays holds what was done to it.
const MIGRATIONS: [(i64, &str, &str); 1] = [(
    1,
    "messenger",
    include_str!("migrations/0001_messenger.sql"),
)];

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
        migrator().run(&writer).await.map_err(DemoError::Migrate)?;
        let readers = pool(READERS).connect_lazy_with(options.pragma("query_only", "1"));
        Ok((Self { readers, writer }, folder))
    }

    /// Waits until every connection is back and closed.
    pub(super) async fn close(&self) {
        self.readers.close().await;
        self.writer.close().await;
    }
}

/// Not by the macro: for its sake SQLite would be built twice, once for the compiler.
fn migrator() -> Migrator {
    let migration = |(number, name, sql): (i64, &'static str, &'static str)| {
        let sql = sql.into_sql_str();
        Migration::new(number, name.into(), MigrationType::Simple, sql, false)
    };
    Migrator::with_migrations(MIGRATIONS.map(migration).into())
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_done_to_a_file_that_stays_is_never_changed_afterwards() {
        let migrator = migrator();
        let marks = |migration: &Migration| {
            let first = migration.checksum.first_chunk().copied();
            (migration.version, first.map(u32::from_be_bytes))
        };
        let done: Vec<_> = migrator.iter().map(marks).collect();
        assert_eq!(done, [(1, Some(0xb876_9a32))]); // later ones are added, these stay as they are
    }
}
