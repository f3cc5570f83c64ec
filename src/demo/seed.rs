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

/// How many conversations are written at once, with some ten times as many messages. Even, as [`Plan::messages`] wants it, and a
/// multiple of [`BETWEEN_DOCUMENTS`](plan::BETWEEN_DOCUMENTS).
const AT_ONCE: usize = 1200;

/// Where PostgreSQL counts on after ids that were given. SQLite knows by itself.
const COUNT_ON: [&str; 4] = [
    "SELECT setval(pg_get_serial_sequence('users', 'id'), max(id)) FROM users",
    "SELECT setval(pg_get_serial_sequence('conversations', 'id'), max(id)) FROM conversations",
    "SELECT setval(pg_get_serial_sequence('messages', 'id'), max(id)) FROM messages",
    "SELECT setval(pg_get_serial_sequence('documents', 'id'), max(id)) FROM documents",
];

const USERS: Sql = sql!(
    "INSERT INTO users (id, name, email, created_at, changed_at)
     SELECT CAST(value->>'id' AS bigint), value->>'name', value->>'email', value->>'at', value->>'at'
     FROM " EACH
);
const PROFILES: Sql = sql!(
    "INSERT INTO profiles (user_id, bio, city)
     SELECT CAST(value->>'id' AS bigint), value->>'bio', value->>'city' FROM " EACH
);
const CONVERSATIONS: Sql = sql!(
    "INSERT INTO conversations (id, title, owner_id, updated_at, changed_at)
     SELECT CAST(value->>'id' AS bigint), value->>'title', CAST(value->>'owner' AS bigint), value->>'at', value->>'at'
     FROM " EACH
);
const PARTICIPANTS: Sql = sql!(
    "INSERT INTO participants (conversation_id, user_id, joined_at)
     SELECT CAST(value->>'conversation' AS bigint), CAST(value->>'user' AS bigint), value->>'at' FROM " EACH
);
const MESSAGES: Sql = sql!(
    "INSERT INTO messages (id, conversation_id, author_id, text, created_at, changed_at, deleted_at)
     SELECT CAST(value->>'id' AS bigint), CAST(value->>'conversation' AS bigint), CAST(value->>'author' AS bigint),
            value->>'text', value->>'at', value->>'at', value->>'deleted_at'
     FROM " EACH
);
const DOCUMENTS: Sql = sql!(
    "INSERT INTO documents (id, owner_id, title, content, created_at, changed_at, deleted_at)
     SELECT CAST(value->>'id' AS bigint), CAST(value->>'owner' AS bigint), value->>'title', value->>'content',
            value->>'at', value->>'at', value->>'deleted_at'
     FROM " EACH
);
const ATTACHMENTS: Sql = sql!(
    "INSERT INTO conversation_documents (conversation_id, document_id, attached_at)
     SELECT CAST(value->>'conversation' AS bigint), CAST(value->>'document' AS bigint), value->>'at' FROM " EACH
);

/// How many messages can be asked for.
const LEAST: u32 = 100;
const MOST: u32 = 1_000_000;

/// Writes all of it in one transaction if there are no users.
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
    let users = plan.users();
    insert(transaction, USERS, &users).await?;
    insert(transaction, PROFILES, &users).await?;
    let mut written = 0;
    for first in (0..plan.conversations).step_by(AT_ONCE) {
        let some = || first..plan.conversations.min(first + AT_ONCE);
        insert(transaction, CONVERSATIONS, &plan.conversations(some())).await?;
        insert(transaction, PARTICIPANTS, &plan.participants(some())).await?;
        let messages = plan.messages(some(), written);
        written += messages.len();
        insert(transaction, MESSAGES, &messages).await?;
        insert(transaction, DOCUMENTS, &plan.documents(some())).await?;
        insert(transaction, ATTACHMENTS, &plan.attachments(some())).await?;
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
