//! Conversations, and their list in two ways: with two statements, and with one for each row.

use serde::Serialize;
use sqlx::{FromRow, Row, query, query_as, query_scalar, sqlite::SqliteRow};

use super::{
    Person,
    messages::{self, Message},
    no_conversation,
};
use crate::demo::{
    page::{Cursor, List, Page, Window},
    problem::Problem,
    receive::NewConversation,
    schema::Pools,
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

/// The most recently updated first.
async fn page(pools: &Pools, window: &Window) -> Result<Page<Conversation>, Problem> {
    let rows: Vec<Conversation> = query_as(
        "SELECT conversations.id, title, updated_at, users.id AS person_id, name AS person_name
         FROM conversations JOIN users ON users.id = owner_id
         WHERE ?1 IS NULL OR (updated_at, conversations.id) < (?1, ?2)
         ORDER BY updated_at DESC, conversations.id DESC LIMIT ?3",
    )
    .bind(window.after_key())
    .bind(window.after_id())
    .bind(window.rows())
    .fetch_all(&pools.readers)
    .await?;
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
    let conversation: Option<Conversation> = query_as(
        "SELECT conversations.id, title, updated_at, users.id AS person_id, name AS person_name
         FROM conversations JOIN users ON users.id = owner_id WHERE conversations.id = ?1",
    )
    .bind(id)
    .fetch_optional(&pools.readers)
    .await?;
    let conversation = conversation.ok_or(no_conversation(id))?;
    let messages = messages::last_of(pools, id).await?;
    Ok(Whole {
        conversation,
        messages,
    })
}

/// Returns the id of the new conversation.
pub(crate) async fn create(pools: &Pools, body: &NewConversation) -> Result<i64, Problem> {
    let id: Option<i64> = query_scalar(
        "INSERT INTO conversations (title, owner_id, updated_at)
         SELECT ?1, id, strftime('%Y-%m-%dT%H:%M:%SZ', 'now') FROM users WHERE id = ?2
         RETURNING id",
    )
    .bind(&body.title)
    .bind(body.owner_id)
    .fetch_optional(&pools.writer)
    .await?;
    id.ok_or(Problem::Field {
        name: "owner_id",
        allowed: "the id of a user",
    })
}

pub(crate) async fn rename(pools: &Pools, id: i64, title: &str) -> Result<(), Problem> {
    let updated = query(
        "UPDATE conversations
         SET title = ?2, updated_at = strftime('%Y-%m-%dT%H:%M:%SZ', 'now') WHERE id = ?1",
    )
    .bind(id)
    .bind(title)
    .execute(&pools.writer)
    .await?;
    if updated.rows_affected() == 0 {
        Err(no_conversation(id))
    } else {
        Ok(())
    }
}

/// Deletes the conversation with its messages.
pub(crate) async fn delete(pools: &Pools, id: i64) -> Result<(), Problem> {
    let deleted = query("DELETE FROM conversations WHERE id = ?1")
        .bind(id)
        .execute(&pools.writer)
        .await?;
    if deleted.rows_affected() == 0 {
        Err(no_conversation(id))
    } else {
        Ok(())
    }
}

impl FromRow<'_, SqliteRow> for Conversation {
    fn from_row(row: &SqliteRow) -> Result<Self, sqlx::Error> {
        Ok(Self {
            id: row.try_get("id")?,
            title: row.try_get("title")?,
            owner: Person::from_row(row)?,
            updated_at: row.try_get("updated_at")?,
        })
    }
}
