//! Several statements that hold together or not at all. What is dropped without [`Transaction::commit`] has not happened.

use sqlx::{Postgres, Sqlite};

use super::sql::{Record, Row, Sql, Value};

/// A transaction in either database.
pub(crate) enum Transaction {
    Sqlite(sqlx::Transaction<'static, Sqlite>),
    Postgres(sqlx::Transaction<'static, Postgres>),
}

impl Transaction {
    pub(crate) async fn all<T: Record>(
        &mut self,
        sql: Sql,
        values: &[Value],
    ) -> Result<Vec<T>, sqlx::Error> {
        let rows = match self {
            Self::Sqlite(transaction) => {
                let rows = sql.sqlite(values).map(Row::Sqlite);
                rows.fetch_all(&mut **transaction).await?
            }
            Self::Postgres(transaction) => {
                let rows = sql.postgres(values).map(Row::Postgres);
                rows.fetch_all(&mut **transaction).await?
            }
        };
        rows.iter().map(T::read).collect()
    }

    /// What the first row says, if there is one.
    pub(crate) async fn first<T: Record>(
        &mut self,
        sql: Sql,
        values: &[Value],
    ) -> Result<Option<T>, sqlx::Error> {
        let mut rows = self.all(sql, values).await?;
        Ok(if rows.is_empty() {
            None
        } else {
            Some(rows.swap_remove(0))
        })
    }

    /// Returns how many rows were changed.
    pub(crate) async fn execute(&mut self, sql: Sql, values: &[Value]) -> Result<u64, sqlx::Error> {
        match self {
            Self::Sqlite(transaction) => {
                let done = sql.sqlite(values).execute(&mut **transaction).await?;
                Ok(done.rows_affected())
            }
            Self::Postgres(transaction) => {
                let done = sql.postgres(values).execute(&mut **transaction).await?;
                Ok(done.rows_affected())
            }
        }
    }

    pub(crate) async fn commit(self) -> Result<(), sqlx::Error> {
        match self {
            Self::Sqlite(transaction) => transaction.commit().await,
            Self::Postgres(transaction) => transaction.commit().await,
        }
    }
}
