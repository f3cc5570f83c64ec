//! Statements, their values and their rows, for SQLite and PostgreSQL alike.
//!
//! A statement is a constant and written once, by [`sql!`]; what the databases say differently is a [`word!`] in it. What
//! clients send comes in as a [`Value`] and never as text of a statement.

use sqlx::{
    AssertSqlSafe, Postgres, Row as _, Sqlite, postgres::PgRow, query, query::Query,
    sqlite::SqliteRow,
};

type SqliteQuery = Query<'static, Sqlite, <Sqlite as sqlx::Database>::Arguments>;
type PostgresQuery = Query<'static, Postgres, <Postgres as sqlx::Database>::Arguments>;

/// A statement in the words of each database. Made by [`sql!`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Sql {
    pub(crate) sqlite: &'static str,
    pub(crate) postgres: &'static str,
}

/// The [`Sql`] of literals and of the words that [`word!`] knows, in their order. `$1` is the first value in both databases.
macro_rules! sql {
    ($($part:tt)+) => {
        $crate::demo::sql::Sql {
            sqlite: concat!($($crate::demo::sql::word!(sqlite $part)),+),
            postgres: concat!($($crate::demo::sql::word!(postgres $part)),+),
        }
    };
}

/// What the two databases say differently.
macro_rules! word {
    // The time of the statement as text in UTC with whole seconds, which sorts as it reads.
    (sqlite NOW) => {
        "strftime('%Y-%m-%dT%H:%M:%SZ', 'now')"
    };
    (postgres NOW) => {
        "to_char(now() AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"')"
    };
    // Whether what stands before it is among the ids that are the first value.
    (sqlite IN_IDS) => {
        "IN (SELECT value FROM json_each($1))"
    };
    (postgres IN_IDS) => {
        "= ANY ($1)"
    };
    // The members, as `value` and `key` (their order), of the JSON array that is the first value.
    (sqlite EACH) => {
        "json_each($1)"
    };
    (postgres EACH) => {
        "json_array_elements($1::json) WITH ORDINALITY AS each (value, key)"
    };
    // Compares with a pattern, whatever the case of ASCII letters.
    (sqlite LIKE) => {
        "LIKE"
    };
    (postgres LIKE) => {
        "ILIKE"
    };
    // Whether the conversation of the message `m` is there. Of a join SQLite, with the statistics of a large table, makes a filter
    // of all conversations first; of a value PostgreSQL thinks that it costs so much that it compiles the statement.
    (sqlite IN_LIVE_CONVERSATION) => {
        "(SELECT c.deleted_at FROM conversations c WHERE c.id = m.conversation_id) IS NULL"
    };
    (postgres IN_LIVE_CONVERSATION) => {
        "EXISTS (SELECT 1 FROM conversations c WHERE c.id = m.conversation_id AND c.deleted_at IS NULL)"
    };
    // What a row needs when it is changed.
    (sqlite TOUCHED) => {
        concat!(
            "version = version + 1, changed_at = ",
            $crate::demo::sql::word!(sqlite NOW)
        )
    };
    (postgres TOUCHED) => {
        concat!(
            "version = version + 1, changed_at = ",
            $crate::demo::sql::word!(postgres NOW)
        )
    };
    // Rows with all that a list shows of them; their person is u.
    ($dialect:ident CONVERSATIONS) => {
        "SELECT c.id, c.title, c.updated_at, u.id AS person_id, u.name AS person_name
         FROM conversations c JOIN users u ON u.id = c.owner_id"
    };
    ($dialect:ident MESSAGES) => {
        "SELECT m.id, m.conversation_id, m.text, m.created_at, u.id AS person_id, u.name AS person_name
         FROM messages m JOIN users u ON u.id = m.author_id"
    };
    ($dialect:ident DOCUMENTS) => {
        "SELECT d.id, d.title, d.created_at, d.changed_at, u.id AS person_id, u.name AS person_name
         FROM documents d JOIN users u ON u.id = d.owner_id"
    };
    ($dialect:ident $text:literal) => {
        $text
    };
}

pub(crate) use {sql, word};

/// What takes the place of `$1`, `$2` … in a statement.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Value {
    Int(i64),
    Text(String),
    /// For `IN_IDS`.
    Ids(Vec<i64>),
}

/// A row of either database.
pub(crate) enum Row {
    Sqlite(SqliteRow),
    Postgres(PgRow),
}

/// What can be read from a row.
pub(crate) trait Record: Sized {
    /// # Errors
    /// If a column is missing or has another type.
    fn read(row: &Row) -> Result<Self, sqlx::Error>;
}

// === impl Sql ===

impl Sql {
    pub(crate) fn sqlite(self, values: &[Value]) -> SqliteQuery {
        Value::all_for_sqlite(values, query(self.sqlite))
    }

    pub(crate) fn postgres(self, values: &[Value]) -> PostgresQuery {
        Value::all_for_postgres(values, query(self.postgres))
    }

    /// The question how SQLite would run it.
    pub(crate) fn sqlite_plan(self, values: &[Value]) -> SqliteQuery {
        // Two constants of the program, one behind the other.
        let sql = AssertSqlSafe(format!("EXPLAIN QUERY PLAN {}", self.sqlite));
        Value::all_for_sqlite(values, query(sql))
    }

    /// The question how PostgreSQL would run it.
    pub(crate) fn postgres_plan(self, values: &[Value]) -> PostgresQuery {
        let sql = AssertSqlSafe(format!("EXPLAIN (COSTS OFF) {}", self.postgres));
        Value::all_for_postgres(values, query(sql))
    }
}

// === impl Value ===

impl Value {
    fn all_for_sqlite(values: &[Self], query: SqliteQuery) -> SqliteQuery {
        values.iter().fold(query, |query, value| match value {
            Self::Int(number) => query.bind(*number),
            Self::Text(text) => query.bind(text.clone()),
            Self::Ids(ids) => query.bind(format!("{ids:?}")),
        })
    }

    fn all_for_postgres(values: &[Self], query: PostgresQuery) -> PostgresQuery {
        values.iter().fold(query, |query, value| match value {
            Self::Int(number) => query.bind(*number),
            Self::Text(text) => query.bind(text.clone()),
            Self::Ids(ids) => query.bind(ids.clone()),
        })
    }
}

impl From<i64> for Value {
    fn from(number: i64) -> Self {
        Self::Int(number)
    }
}

impl From<u32> for Value {
    fn from(number: u32) -> Self {
        Self::Int(number.into())
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<&[i64]> for Value {
    fn from(ids: &[i64]) -> Self {
        Self::Ids(ids.to_vec())
    }
}

// === impl Row ===

impl Row {
    pub(crate) fn int(&self, column: &str) -> Result<i64, sqlx::Error> {
        match self {
            Self::Sqlite(row) => row.try_get(column),
            Self::Postgres(row) => row.try_get(column),
        }
    }

    pub(crate) fn text(&self, column: &str) -> Result<String, sqlx::Error> {
        match self {
            Self::Sqlite(row) => row.try_get(column),
            Self::Postgres(row) => row.try_get(column),
        }
    }

    pub(crate) fn maybe_int(&self, column: &str) -> Result<Option<i64>, sqlx::Error> {
        match self {
            Self::Sqlite(row) => row.try_get(column),
            Self::Postgres(row) => row.try_get(column),
        }
    }

    pub(crate) fn flag(&self, column: &str) -> Result<bool, sqlx::Error> {
        match self {
            Self::Sqlite(row) => row.try_get(column),
            Self::Postgres(row) => row.try_get(column),
        }
    }
}

// === impl Record ===

/// Of a statement that has one column, `value`.
impl Record for i64 {
    fn read(row: &Row) -> Result<Self, sqlx::Error> {
        row.int("value")
    }
}

/// Of a statement that has one column, `value`.
impl Record for bool {
    fn read(row: &Row) -> Result<Self, sqlx::Error> {
        row.flag("value")
    }
}

/// Of a statement that has one column, `value`.
impl Record for String {
    fn read(row: &Row) -> Result<Self, sqlx::Error> {
        row.text("value")
    }
}
