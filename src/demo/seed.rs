//! The first data: always the same for a size, so that sizes, pages and search results can be relied on.

mod plan;
mod texts;

use serde::Serialize;

use self::plan::Plan;
use super::{
    pools::Pools,
    sql::{Sql, sql},
    transaction::Transaction,
};

/// How many conversations are written with one statement, with some ten times as many messages.
const AT_ONCE: usize = 1000;

/// Where the database counts on after ids that were given. SQLite does so by itself.
const COUNT_ON: [&str; 3] = [
    "SELECT setval(pg_get_serial_sequence('users', 'id'), max(id)) FROM users",
    "SELECT setval(pg_get_serial_sequence('conversations', 'id'), max(id)) FROM conversations",
    "SELECT setval(pg_get_serial_sequence('messages', 'id'), max(id)) FROM messages",
];

/// How many messages can be asked for.
const LEAST: u32 = 100;
const MOST: u32 = 1_000_000;

/// Writes users, profiles, conversations and messages in one transaction if there are no users.
pub(super) async fn fill_if_empty(pools: &Pools, messages: u32) -> Result<(), sqlx::Error> {
    // Takes a lock before it looks: of two processes on one database only one seeds.
    let mut transaction = pools.begin().await?;
    let lock = Sql {
        sqlite: "SELECT 1",
        postgres: "LOCK TABLE users IN SHARE ROW EXCLUSIVE MODE",
    };
    transaction.execute(lock, &[]).await?;
    let filled = sql!("SELECT EXISTS (SELECT 1 FROM users) AS value");
    if transaction.first(filled, &[]).await? == Some(true) {
        return Ok(());
    }
    write(&mut transaction, &Plan::of(messages.clamp(LEAST, MOST))).await?;
    if let Transaction::Postgres(_) = transaction {
        for statement in COUNT_ON {
            let sql = Sql {
                sqlite: statement,
                postgres: statement,
            };
            transaction.execute(sql, &[]).await?;
        }
    }
    transaction.commit().await
}

async fn write(transaction: &mut Transaction, plan: &Plan) -> Result<(), sqlx::Error> {
    let users = sql!(
        "INSERT INTO users (id, name, email, created_at)
         SELECT CAST(value->>'id' AS bigint), value->>'name', value->>'email', value->>'at'
         FROM " EACH
    );
    let profiles = sql!(
        "INSERT INTO profiles (user_id, bio, city)
         SELECT CAST(value->>'id' AS bigint), value->>'bio', value->>'city' FROM " EACH
    );
    let conversations = sql!(
        "INSERT INTO conversations (id, title, owner_id, updated_at)
         SELECT CAST(value->>'id' AS bigint), value->>'title', CAST(value->>'owner' AS bigint), value->>'at'
         FROM " EACH
    );
    let messages = sql!(
        "INSERT INTO messages (id, conversation_id, author_id, text, created_at)
         SELECT CAST(value->>'id' AS bigint), CAST(value->>'conversation' AS bigint),
                CAST(value->>'author' AS bigint), value->>'text', value->>'at'
         FROM " EACH
    );
    let all = plan.users();
    insert(transaction, users, &all).await?;
    insert(transaction, profiles, &all).await?;
    let mut written = 0;
    for first in (0..plan.conversations).step_by(AT_ONCE) {
        let some = first..plan.conversations.min(first + AT_ONCE);
        insert(
            transaction,
            conversations,
            &plan.conversations(some.clone()),
        )
        .await?;
        let rows = plan.messages(some, written);
        written += rows.len();
        insert(transaction, messages, &rows).await?;
    }
    Ok(())
}

async fn insert(
    transaction: &mut Transaction,
    sql: Sql,
    rows: &impl Serialize,
) -> Result<(), sqlx::Error> {
    let rows = serde_json::to_string(rows).map_err(|error| sqlx::Error::Encode(error.into()))?;
    transaction.execute(sql, &[rows.into()]).await.map(drop)
}
