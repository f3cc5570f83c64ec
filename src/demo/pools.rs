//! The connections of one demo: those that read and those that write.

use std::{path::Path, sync::Arc, time::Duration};

use tempfile::TempDir;

use super::{
    database::{Database, Place},
    error::DemoError,
    pool::{Connections, Pool, PoolSettings, PoolUse},
    query_cache::QueryCache,
    sql::{Record, Row, Sql, Value},
    transaction::Transaction,
};

/// The connections. PostgreSQL reads and writes over the same ones. SQLite has one writer at a time: waiting for it in a pool
/// of one is fair and silent, waiting for its lock is neither.
#[derive(Clone, Debug)]
pub(crate) struct Pools {
    readers: Pool,
    writer: Pool,
    cache: Option<Arc<QueryCache>>,
}

/// The folder of a temporary database, deleted when dropped. A folder, because WAL adds two files
/// beside the database.
pub(super) type Folder = Option<TempDir>;

impl Pools {
    /// Opens `database`, and creates it if it is a file. No statement runs for longer than `longest` where the server can say so.
    ///
    /// # Errors
    /// [`DemoError::Temporary`] or [`DemoError::Open`].
    pub(super) async fn open(
        database: &Database,
        settings: &PoolSettings,
        longest: Duration,
    ) -> Result<(Self, Folder), DemoError> {
        let (pools, folder) = match database.place() {
            Place::Temporary => {
                let folder = tempfile::tempdir().map_err(DemoError::Temporary)?;
                let file = folder.path().join("demo.db");
                (Self::sqlite(&file, settings), Some(folder))
            }
            Place::File(file) => (Self::sqlite(file, settings), None),
            Place::Server(options) => {
                let pool = Pool::postgres(options, longest, settings);
                let readers = pool.clone();
                (
                    Self {
                        readers,
                        writer: pool,
                        cache: None,
                    },
                    None,
                )
            }
        };
        let open = |source| DemoError::Open {
            database: database.to_string(),
            source,
        };
        pools.writer.try_out().await.map_err(open)?;
        Ok((pools, folder))
    }

    fn sqlite(file: &Path, settings: &PoolSettings) -> Self {
        let one = PoolSettings {
            size: 1,
            overflow: 0,
            ..*settings
        };
        Self {
            readers: Pool::sqlite(file, true, settings),
            writer: Pool::sqlite(file, false, &one),
            cache: None,
        }
    }

    /// The same connections over a new [`QueryCache`], for one request.
    pub(crate) fn cached(&self) -> Self {
        Self {
            cache: Some(Arc::default()),
            ..self.clone()
        }
    }

    async fn rows(&self, sql: Sql, values: &[Value]) -> Result<Arc<Vec<Row>>, sqlx::Error> {
        if let Some(known) = self.cache.as_ref().and_then(|cache| cache.get(sql, values)) {
            return Ok(known);
        }
        let rows = Arc::new(self.readers.rows(sql, values).await?);
        if let Some(cache) = &self.cache {
            cache.put(sql, values, &rows);
        }
        Ok(rows)
    }

    pub(crate) async fn all<T: Record>(
        &self,
        sql: Sql,
        values: &[Value],
    ) -> Result<Vec<T>, sqlx::Error> {
        let rows = self.rows(sql, values).await?;
        rows.iter().map(T::read).collect()
    }

    /// What the first row says, if there is one.
    pub(crate) async fn first<T: Record>(
        &self,
        sql: Sql,
        values: &[Value],
    ) -> Result<Option<T>, sqlx::Error> {
        let rows = self.rows(sql, values).await?;
        rows.first().map(T::read).transpose()
    }

    /// What the only row of a statement says that always brings one.
    pub(crate) async fn one<T: Record>(
        &self,
        sql: Sql,
        values: &[Value],
    ) -> Result<T, sqlx::Error> {
        self.first(sql, values)
            .await?
            .ok_or(sqlx::Error::RowNotFound)
    }

    pub(crate) async fn begin(&self) -> Result<Transaction, sqlx::Error> {
        if let Some(cache) = &self.cache {
            cache.end(); // what is written changes what is read from now on
        }
        self.writer.begin().await
    }

    /// Where tables are made and changed.
    pub(super) fn writer(&self) -> &Pool {
        &self.writer
    }

    /// Which database it is.
    pub(crate) fn kind(&self) -> &'static str {
        match self.writer.connections() {
            Connections::Sqlite(_) => "sqlite",
            Connections::Postgres(_) => "postgresql",
        }
    }

    /// What each pool is doing, with its name.
    pub(crate) fn used(&self) -> Vec<(&'static str, PoolUse)> {
        match self.writer.connections() {
            Connections::Sqlite(_) => vec![
                ("readers", self.readers.used()),
                ("writer", self.writer.used()),
            ],
            Connections::Postgres(_) => vec![("all", self.writer.used())],
        }
    }

    /// Waits until every connection is back and closed.
    pub(super) async fn close(&self) {
        self.readers.close().await;
        self.writer.close().await;
    }
}
