//! Messages: of one conversation, the latest of several, and by their text.

use std::collections::HashMap;

use serde::Serialize;

use super::{Person, no_conversation};
use crate::demo::{
    page::{Cursor, List, Page, Window},
    pools::Pools,
    problem::Problem,
    receive::NewMessage,
    sql::{Record, Row, Sql, Value, sql},
};

/// How many messages the list shows of a conversation.
const LATEST: u32 = 3;
/// How many messages a single conversation brings along.
const LAST: u32 = 200;
/// How many messages a page of the search has.
const FOUND: u32 = 20;

#[derive(Serialize)]
pub(crate) struct Message {
    id: i64,
    conversation_id: i64,
    author: Person,
    text: String,
    created_at: String,
}

#[derive(Serialize)]
pub(crate) struct Found {
    items: Vec<Message>,
    page: u32,
    next_page: Option<u32>,
}

/// The latest messages of every conversation in `ids` with one statement.
pub(crate) async fn latest_of_each(
    pools: &Pools,
    ids: &[i64],
) -> Result<HashMap<i64, Vec<Message>>, Problem> {
    let sql = sql!(
        "SELECT m.id, conversation_id, text, m.created_at,
                users.id AS person_id, users.name AS person_name
         FROM (SELECT *, row_number() OVER (PARTITION BY conversation_id ORDER BY id DESC) AS place
               FROM messages WHERE conversation_id " IN_IDS ") AS m
         JOIN users ON users.id = author_id
         WHERE place <= $2 ORDER BY conversation_id, m.id DESC"
    );
    let rows: Vec<Message> = pools.all(sql, &[ids.into(), LATEST.into()]).await?;
    let mut latest = HashMap::<i64, Vec<Message>>::new();
    for message in rows {
        latest
            .entry(message.conversation_id)
            .or_default()
            .push(message);
    }
    Ok(latest)
}

/// The latest messages of one conversation, newest first.
pub(crate) async fn latest_of_one(pools: &Pools, id: i64) -> Result<Vec<Message>, Problem> {
    newest(pools, id, LATEST).await
}

/// The messages of one conversation, oldest first; if it has very many, its last ones.
pub(crate) async fn last_of(pools: &Pools, id: i64) -> Result<Vec<Message>, Problem> {
    let mut messages = newest(pools, id, LAST).await?;
    messages.reverse();
    Ok(messages)
}

async fn newest(pools: &Pools, conversation: i64, most: u32) -> Result<Vec<Message>, Problem> {
    let sql = sql!(
        "SELECT messages.id, conversation_id, text, messages.created_at,
                users.id AS person_id, users.name AS person_name
         FROM messages JOIN users ON users.id = author_id
         WHERE conversation_id = $1 ORDER BY messages.id DESC LIMIT $2"
    );
    Ok(pools.all(sql, &[conversation.into(), most.into()]).await?)
}

/// The messages of one conversation, oldest first.
pub(crate) async fn list(
    pools: &Pools,
    conversation: i64,
    window: &Window,
) -> Result<Page<Message>, Problem> {
    let exists = sql!("SELECT EXISTS (SELECT 1 FROM conversations WHERE id = $1) AS value");
    if !pools.one::<bool>(exists, &[conversation.into()]).await? {
        return Err(no_conversation(conversation));
    }
    let sql = sql!(
        "SELECT messages.id, conversation_id, text, messages.created_at,
                users.id AS person_id, users.name AS person_name
         FROM messages JOIN users ON users.id = author_id
         WHERE conversation_id = $1 AND messages.id > $2
         ORDER BY messages.id LIMIT $3"
    );
    let values = [
        conversation.into(),
        window.after_id().into(),
        window.rows().into(),
    ];
    let rows: Vec<Message> = pools.all(sql, &values).await?;
    Ok(Page::new(rows, window, List::Messages, |message| {
        Cursor::id(message.id)
    }))
}

pub(crate) async fn one(pools: &Pools, id: i64) -> Result<Message, Problem> {
    let sql = sql!(
        "SELECT messages.id, conversation_id, text, messages.created_at,
                users.id AS person_id, users.name AS person_name
         FROM messages JOIN users ON users.id = author_id WHERE messages.id = $1"
    );
    pools.first(sql, &[id.into()]).await?.ok_or(missing(id))
}

/// The messages that contain `text`, newest first. `page` counts from 1, the last is `pages`.
pub(crate) async fn search(
    pools: &Pools,
    text: &str,
    page: u32,
    pages: u32,
) -> Result<Found, Problem> {
    let sql = sql!(
        "SELECT messages.id, conversation_id, text, messages.created_at,
                users.id AS person_id, users.name AS person_name
         FROM messages JOIN users ON users.id = author_id
         WHERE text " LIKE " $1 ESCAPE '\\' ORDER BY messages.id DESC LIMIT $2 OFFSET $3"
    );
    let values = [
        containing(text).into(),
        (FOUND + 1).into(),
        ((page - 1) * FOUND).into(),
    ];
    let mut items: Vec<Message> = pools.all(sql, &values).await?;
    let more = items.len() > FOUND as usize && page < pages;
    items.truncate(FOUND as usize);
    Ok(Found {
        items,
        page,
        next_page: more.then_some(page + 1),
    })
}

/// The pattern of all texts with `text` in them, whatever characters it has.
fn containing(text: &str) -> String {
    let escaped = text
        .replace('\\', r"\\")
        .replace('%', r"\%")
        .replace('_', r"\_");
    format!("%{escaped}%")
}

/// Returns the id of the new message, which also becomes the conversation's last update.
pub(crate) async fn create(
    pools: &Pools,
    conversation: i64,
    body: &NewMessage,
) -> Result<i64, Problem> {
    let touch = sql!("UPDATE conversations SET updated_at = " NOW " WHERE id = $1");
    let insert = sql!(
        "INSERT INTO messages (conversation_id, author_id, text, created_at)
         SELECT $1, id, $3, " NOW " FROM users WHERE id = $2
         RETURNING id AS value"
    );
    let mut transaction = pools.begin().await?;
    if transaction.execute(touch, &[conversation.into()]).await? == 0 {
        return Err(no_conversation(conversation));
    }
    let values = [
        conversation.into(),
        body.author_id.into(),
        body.text.as_str().into(),
    ];
    let id = transaction.first(insert, &values).await?;
    let id = id.ok_or(Problem::Field {
        name: "author_id",
        allowed: "the id of a user",
    })?;
    transaction.commit().await?;
    Ok(id)
}

pub(crate) async fn rewrite(pools: &Pools, id: i64, text: &str) -> Result<(), Problem> {
    let sql = sql!("UPDATE messages SET text = $2 WHERE id = $1");
    change(pools, sql, &[id.into(), text.into()], id).await
}

pub(crate) async fn delete(pools: &Pools, id: i64) -> Result<(), Problem> {
    let sql = sql!("DELETE FROM messages WHERE id = $1");
    change(pools, sql, &[id.into()], id).await
}

async fn change(pools: &Pools, sql: Sql, values: &[Value], id: i64) -> Result<(), Problem> {
    let mut transaction = pools.begin().await?;
    if transaction.execute(sql, values).await? == 0 {
        return Err(missing(id));
    }
    Ok(transaction.commit().await?)
}

fn missing(id: i64) -> Problem {
    Problem::Missing {
        what: "message",
        id,
    }
}

impl Record for Message {
    fn read(row: &Row) -> Result<Self, sqlx::Error> {
        Ok(Self {
            id: row.int("id")?,
            conversation_id: row.int("conversation_id")?,
            author: Person::read(row)?,
            text: row.text("text")?,
            created_at: row.text("created_at")?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_takes_every_character_literally() {
        assert_eq!(containing(r"50%_\"), r"%50\%\_\\%");
    }
}
