//! A database of either kind, and what is done to it past the demo.

use crate::{Failure, error};
use sqlx::{
    AssertSqlSafe, Connection as _, PgConnection, SqliteConnection, postgres::PgRow,
    sqlite::SqliteRow,
};

/// Where one is.
#[derive(Clone, Debug)]
pub(crate) enum Database {
    Sqlite(String),
    Postgres(String),
}

impl Database {
    pub(crate) fn url(&self) -> &str {
        match self {
            Self::Sqlite(url) | Self::Postgres(url) => url,
        }
    }

    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Sqlite(_) => "SQLite",
            Self::Postgres(_) => "PostgreSQL",
        }
    }

    /// Runs a statement over a connection of its own.
    pub(crate) async fn run(&self, statement: &str) -> Result<(), Failure> {
        let sql = AssertSqlSafe(statement.to_owned());
        let failed = |cause| error(format!("{}: {statement}: {cause}", self.name()));
        match self {
            Self::Sqlite(url) => {
                let mut own = SqliteConnection::connect(url).await?;
                sqlx::raw_sql(sql).execute(&mut own).await.map_err(failed)?;
                own.close().await?;
            }
            Self::Postgres(url) => {
                let mut own = PgConnection::connect(url).await?;
                sqlx::raw_sql(sql).execute(&mut own).await.map_err(failed)?;
                own.close().await?;
            }
        }
        Ok(())
    }

    /// The text in the first column of the only row.
    pub(crate) async fn text(&self, statement: &str) -> Result<String, Failure> {
        use sqlx::Row as _;
        let sql = AssertSqlSafe(statement.to_owned());
        let failed = |cause| error(format!("{}: {statement}: {cause}", self.name()));
        match self {
            Self::Sqlite(url) => {
                let mut own = SqliteConnection::connect(url).await?;
                let row: SqliteRow = sqlx::query(sql).fetch_one(&mut own).await.map_err(failed)?;
                own.close().await?;
                Ok(row.try_get(0)?)
            }
            Self::Postgres(url) => {
                let mut own = PgConnection::connect(url).await?;
                let row: PgRow = sqlx::query(sql).fetch_one(&mut own).await.map_err(failed)?;
                own.close().await?;
                Ok(row.try_get(0)?)
            }
        }
    }

    pub(crate) async fn version(&self) -> Result<String, Failure> {
        self.text(match self {
            Self::Sqlite(_) => "SELECT sqlite_version()",
            Self::Postgres(_) => "SHOW server_version",
        })
        .await
    }

    /// The statement that makes an index.
    pub(crate) async fn definition(&self, index: &str) -> Result<String, Failure> {
        self.text(&match self {
            Self::Sqlite(_) => format!("SELECT sql FROM sqlite_schema WHERE name = '{index}'"),
            Self::Postgres(_) => format!("SELECT pg_get_indexdef('{index}'::regclass)"),
        })
        .await
    }

    /// The largest id of a message, before something is written that [`forget`](Self::forget) takes back.
    pub(crate) async fn last_message(&self) -> Result<String, Failure> {
        self.text("SELECT CAST(max(id) AS text) FROM messages")
            .await
    }

    /// Deletes the messages after `last`, so that what follows finds what was there before.
    pub(crate) async fn forget(&self, last: &str) -> Result<(), Failure> {
        self.run(&format!("DELETE FROM messages WHERE id > {last}"))
            .await
    }
}
