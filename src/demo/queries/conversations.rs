//! Conversations, and their list in two ways: with two statements, and with one for each row.

use serde::Serialize;

use super::{
    Person,
    messages::{self, Message},
    no_conversation,
};
use crate::demo::{
    page::{Cursor, List, Page, Window},
    pools::Pools,
    problem::Problem,
    receive::NewConversation,
    sql::{Record, Row, Sql, Value, sql},
};

#[derive(Serialize)]
pub(crate) struct Conversation {
    id: i64,
    title: String,
    owner: Person,
    updated_at: String,
}

/// A row of the list: the conversation and its last messages, newest first.
#[derive(Serialize)]
pub(crate) struct Summary {
    #[serde(flatten)]
    conversation: Conversation,
    latest_messages: Vec<Message>,
}

/// The conversation and its messages, oldest first; of very many the last ones.
#[derive(Serialize)]
pub(crate) struct Whole {
    #[serde(flatten)]
    conversation: Conversation,
    messages: Vec<Message>,
}

/// The most recently updated first. Where there is no cursor the first page begins after what is later than any time: a
/// condition that may be NULL would keep the database from beginning in the middle of the index.
async fn page(pools: &Pools, window: &Window) -> Result<Page<Conversation>, Problem> {
    let sql = sql!(
        "SELECT conversations.id, title, updated_at, users.id AS person_id, name AS person_name
         FROM conversations JOIN users ON users.id = owner_id
         WHERE (updated_at, conversations.id) < ($1, $2)
         ORDER BY updated_at DESC, conversations.id DESC LIMIT $3"
    );
    let (time, id) = window.after_time();
    let values = [time.into(), id.into(), window.rows().into()];
    let rows: Vec<Conversation> = pools.all(sql, &values).await?;
    Ok(Page::new(rows, window, List::Conversations, |row| Cursor {
        key: row.updated_at.clone(),
        id: row.id,
    }))
}

/// The list with two statements, however long.
pub(crate) async fn list(pools: &Pools, window: &Window) -> Result<Page<Summary>, Problem> {
    let page = page(pools, window).await?;
    let ids: Vec<i64> = page
        .items()
        .iter()
        .map(|conversation| conversation.id)
        .collect();
    let mut latest = messages::latest_of_each(pools, &ids).await?;
    Ok(page.map(|conversation| {
        let latest_messages = latest.remove(&conversation.id).unwrap_or_default();
        Summary {
            conversation,
            latest_messages,
        }
    }))
}

/// The same list as many programs make it: one statement, and one more for each of its rows.
pub(crate) async fn naive_list(pools: &Pools, window: &Window) -> Result<Page<Summary>, Problem> {
    let page = page(pools, window).await?;
    let mut latest = Vec::new();
    for conversation in page.items() {
        latest.push(messages::latest_of_one(pools, conversation.id).await?);
    }
    let mut latest = latest.into_iter();
    Ok(page.map(|conversation| {
        let latest_messages = latest.next().unwrap_or_default();
        Summary {
            conversation,
            latest_messages,
        }
    }))
}

pub(crate) async fn one(pools: &Pools, id: i64) -> Result<Whole, Problem> {
    let sql = sql!(
        "SELECT conversations.id, title, updated_at, users.id AS person_id, name AS person_name
         FROM conversations JOIN users ON users.id = owner_id WHERE conversations.id = $1"
    );
    let conversation = pools.first(sql, &[id.into()]).await?;
    let conversation = conversation.ok_or(no_conversation(id))?;
    let messages = messages::last_of(pools, id).await?;
    Ok(Whole {
        conversation,
        messages,
    })
}

/// Returns the id of the new conversation.
pub(crate) async fn create(pools: &Pools, body: &NewConversation) -> Result<i64, Problem> {
    let sql = sql!(
        "INSERT INTO conversations (title, owner_id, updated_at)
         SELECT $1, id, " NOW " FROM users WHERE id = $2
         RETURNING id AS value"
    );
    let mut transaction = pools.begin().await?;
    let values = [body.title.as_str().into(), body.owner_id.into()];
    let id = transaction.first(sql, &values).await?;
    let id = id.ok_or(Problem::Field {
        name: "owner_id",
        allowed: "the id of a user",
    })?;
    transaction.commit().await?;
    Ok(id)
}

pub(crate) async fn rename(pools: &Pools, id: i64, title: &str) -> Result<(), Problem> {
    let sql = sql!("UPDATE conversations SET title = $2, updated_at = " NOW " WHERE id = $1");
    change(pools, sql, &[id.into(), title.into()], id).await
}

/// Deletes the conversation with its messages.
pub(crate) async fn delete(pools: &Pools, id: i64) -> Result<(), Problem> {
    let sql = sql!("DELETE FROM conversations WHERE id = $1");
    change(pools, sql, &[id.into()], id).await
}

async fn change(pools: &Pools, sql: Sql, values: &[Value], id: i64) -> Result<(), Problem> {
    let mut transaction = pools.begin().await?;
    if transaction.execute(sql, values).await? == 0 {
        return Err(no_conversation(id));
    }
    Ok(transaction.commit().await?)
}

impl Record for Conversation {
    fn read(row: &Row) -> Result<Self, sqlx::Error> {
        Ok(Self {
            id: row.int("id")?,
            title: row.text("title")?,
            owner: Person::read(row)?,
            updated_at: row.text("updated_at")?,
        })
    }
}
