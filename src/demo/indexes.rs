//! The ten indexes: what each is for, and whether the database uses it.

use serde::Serialize;

use super::{
    pool::Pool,
    queries::{
        conversations, deletion, documents, messages,
        search::{self, Words},
        users,
    },
    sql::{Record, Row, Sql, Value},
};

/// How an index fares.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct IndexState {
    /// Its name in the database.
    pub name: &'static str,
    /// The request for whose statement it was made.
    pub serves: &'static str,
    /// Bytes; without one there is no such index.
    pub size: Option<u64>,
    /// How often it was used since statistics began. PostgreSQL alone counts that.
    pub scans: Option<u64>,
    /// How the database would run that statement, line by line.
    pub plan: Vec<String>,
}

/// An index, and a statement that it is for.
struct Index {
    name: &'static str,
    serves: &'static str,
    sql: Sql,
    values: fn() -> Vec<Value>,
}

/// Somebody, something, and the first page of it.
fn of_one() -> Vec<Value> {
    vec![1_i64.into(), 0_i64.into(), 21_u32.into()]
}

/// The first page of what is in the order of time.
fn latest() -> Vec<Value> {
    vec!["9999".into(), i64::MAX.into(), 21_u32.into()]
}

const INDEXES: [Index; 10] = [
    Index {
        name: "live_conversations_by_update",
        serves: "GET /api/conversations",
        sql: conversations::PAGE,
        values: latest,
    },
    Index {
        name: "live_conversations_by_owner",
        serves: "DELETE /api/users/{id}",
        sql: deletion::DELETE_USER,
        values: || vec![1_i64.into()],
    },
    Index {
        name: "live_messages_by_conversation",
        serves: "GET /api/conversations/{id}/messages",
        sql: messages::OF_CONVERSATION,
        values: of_one,
    },
    Index {
        name: "live_messages_by_author",
        serves: "GET /api/users/{id}/messages",
        sql: messages::OF_USER,
        values: || vec![1_i64.into(), i64::MAX.into(), 21_u32.into()],
    },
    Index {
        name: "live_documents_by_owner",
        serves: "GET /api/users/{id}/documents",
        sql: documents::OF_USER,
        values: of_one,
    },
    Index {
        name: "live_documents_by_change",
        serves: "GET /api/documents",
        sql: documents::LIST,
        values: latest,
    },
    Index {
        name: "participants_by_user",
        serves: "GET /api/users/{id}/conversations",
        sql: conversations::OF_USER,
        values: of_one,
    },
    Index {
        name: "attachments_by_document",
        serves: "GET /api/documents/{id}/conversations",
        sql: conversations::OF_DOCUMENT,
        values: of_one,
    },
    Index {
        name: "profiles_by_city",
        serves: "GET /api/users?city=",
        sql: users::OF_CITY,
        values: || vec!["Bergen".into(), 0_i64.into(), 21_u32.into()],
    },
    Index {
        name: "message_words",
        serves: "GET /api/search",
        sql: search::SEARCH,
        values: || {
            // Few messages have both: where most have all words, reading them from the newest on until there are enough is faster.
            let words = Words::of("lighthouse postcard").map(Value::from);
            let page = [i64::MAX.into(), 21_u32.into()];
            words.into_iter().chain(page).collect()
        },
    },
];

/// Bytes and uses of the index whose name is the first value. What SQLite has for words is a table of its own.
const SIZE: Sql = Sql {
    sqlite: "SELECT CAST(sum(pgsize) AS bigint) AS size, NULL AS scans FROM dbstat
             WHERE name = $1 OR name LIKE $1 || '\\_%' ESCAPE '\\' HAVING count(*) > 0",
    postgres:
        "SELECT pg_relation_size(indexrelid) AS size, idx_scan AS scans FROM pg_stat_user_indexes
               WHERE indexrelname = $1 AND schemaname = current_schema()",
};

struct Size {
    size: Option<i64>,
    scans: Option<i64>,
}

impl Record for Size {
    fn read(row: &Row) -> Result<Self, sqlx::Error> {
        Ok(Self {
            size: row.maybe_int("size")?,
            scans: row.maybe_int("scans")?,
        })
    }
}

/// Each index with how it fares. One that is not there yet has a plan too: how the statement is run without it.
pub(super) async fn states(pool: &Pool) -> Result<Vec<IndexState>, sqlx::Error> {
    let mut states = Vec::with_capacity(INDEXES.len());
    for index in &INDEXES {
        let rows = pool.rows(SIZE, &[index.name.into()]).await?;
        let size = rows.first().map(Size::read).transpose()?;
        let number = |number: Option<i64>| number.and_then(|number| u64::try_from(number).ok());
        states.push(IndexState {
            name: index.name,
            serves: index.serves,
            size: size.as_ref().and_then(|size| number(size.size)),
            scans: size.as_ref().and_then(|size| number(size.scans)),
            plan: plan(pool, index).await?,
        });
    }
    Ok(states)
}

const NO_PLAN: &str = "cannot be run";

/// Where the tables are not yet those of the statement, why it cannot be run.
async fn plan(pool: &Pool, index: &Index) -> Result<Vec<String>, sqlx::Error> {
    match pool.plan(index.sql, &(index.values)()).await {
        Err(sqlx::Error::Database(error)) => Ok(vec![format!("{NO_PLAN}: {error}")]),
        plan => plan,
    }
}

// === impl IndexState ===

impl IndexState {
    /// Whether the plan of the statement names it.
    pub fn is_used(&self) -> bool {
        let names = |line: &String| {
            let words = line.split(|c: char| !(c.is_alphanumeric() || c == '_'));
            words.into_iter().any(|word| word == self.name)
        };
        // SQLite calls the table of words by the name that the statement gives it.
        let words = |line: &String| self.name == "message_words" && line.contains("VIRTUAL TABLE");
        let mut plan = self.plan.iter().filter(|line| !line.starts_with(NO_PLAN));
        plan.any(|line| names(line) || words(line))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::demo::{database::Database, migrations, pool::PoolSettings, pools::Pools, seed};
    use std::time::Duration;

    const ANALYZE: Sql = Sql {
        sqlite: "ANALYZE",
        postgres: "ANALYZE",
    };

    /// A filter of all conversations is made for each page where the statement is a join.
    #[tokio::test]
    async fn a_page_of_messages_reads_no_more_than_itself_also_with_statistics() {
        let (database, settings) = (Database::default(), PoolSettings::default());
        let opened = Pools::open(&database, &settings, Duration::from_secs(60)).await;
        let (pools, _folder) = opened.unwrap();
        let pool = pools.writer();
        migrations::up(pool, migrations::LATEST).await.unwrap();
        seed::fill_if_empty(&pools, 10_000).await.unwrap();
        pool.rows(ANALYZE, &[]).await.unwrap();
        let values = [5000_i64.into(), 101_u32.into()];
        let plan = pool.plan(messages::ALL, &values).await.unwrap();
        let searched = plan.iter().filter(|line| line.starts_with("SEARCH"));
        assert_eq!(searched.count(), 3, "{plan:#?}");
        let more = ["BLOOM", "SCAN", "TEMP"].map(|word| plan.iter().any(|l| l.contains(word)));
        assert_eq!(more, [false; 3], "{plan:#?}");
        pools.close().await;
    }
}
