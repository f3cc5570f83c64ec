//! Messages: pages of them, the latest of one conversation or of several, and their changes.

use std::collections::HashMap;

use serde::Serialize;

use super::{Person, missing, touch};
use crate::demo::{
    page::{Cursor, List, Page, Window},
    pools::Pools,
    problem::Problem,
    receive::NewMessage,
    revision::{Revised, Revision},
    sql::{Record, Row, Sql, Value, sql},
};

/// How many messages the list shows of a conversation.
pub(super) const LATEST: u32 = 3;
/// How many messages a single conversation brings along.
pub(super) const LAST: u32 = 200;

#[derive(Clone, Serialize)]
pub(crate) struct Message {
    pub(super) id: i64,
    pub(super) conversation_id: i64,
    pub(super) author: Person,
    pub(super) text: String,
    pub(super) created_at: String,
}

/// The latest messages of every conversation in `ids` with one statement.
pub(super) async fn latest_of_each(
    pools: &Pools,
    ids: &[i64],
) -> Result<HashMap<i64, Vec<Message>>, sqlx::Error> {
    // The rows themselves are counted, not their ids to look the rows up by: for that PostgreSQL reads the whole table.
    let sql = sql!(
        "SELECT m.id, m.conversation_id, m.text, m.created_at, u.id AS person_id, u.name AS person_name
         FROM (
             SELECT id, conversation_id, author_id, text, created_at,
                    row_number() OVER (PARTITION BY conversation_id ORDER BY id DESC) AS place
             FROM messages WHERE conversation_id " IN_IDS " AND deleted_at IS NULL
         ) AS m JOIN users u ON u.id = m.author_id
         WHERE m.place <= $2
         ORDER BY m.conversation_id, m.id DESC"
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
pub(super) async fn latest_of_one(pools: &Pools, id: i64) -> Result<Vec<Message>, Problem> {
    newest(pools, id, LATEST).await
}

/// The messages of one conversation, oldest first; if it has very many, its last ones.
pub(super) async fn last_of(pools: &Pools, id: i64) -> Result<Vec<Message>, Problem> {
    let mut messages = newest(pools, id, LAST).await?;
    messages.reverse();
    Ok(messages)
}

async fn newest(pools: &Pools, conversation: i64, most: u32) -> Result<Vec<Message>, Problem> {
    let sql = sql!(
        MESSAGES
        " WHERE m.conversation_id = $1 AND m.deleted_at IS NULL ORDER BY m.id DESC LIMIT $2"
    );
    Ok(pools.all(sql, &[conversation.into(), most.into()]).await?)
}

pub(crate) const OF_CONVERSATION: Sql = sql!(
    MESSAGES
    " WHERE m.conversation_id = $1 AND m.id > $2 AND m.deleted_at IS NULL ORDER BY m.id LIMIT $3"
);

/// The messages of one conversation, oldest first.
pub(crate) async fn of_conversation(
    pools: &Pools,
    conversation: i64,
    window: &Window,
) -> Result<Page<Message>, Problem> {
    touch::must_exist(pools, conversation).await?;
    let values = [
        conversation.into(),
        window.after_id().into(),
        window.rows().into(),
    ];
    let rows: Vec<Message> = pools.all(OF_CONVERSATION, &values).await?;
    Ok(Page::new(rows, window, List::Messages, |message| {
        Cursor::id(message.id)
    }))
}

/// The conversation is asked for row by row.
pub(crate) const ALL: Sql = sql!(
    MESSAGES
    " WHERE m.id < $1 AND m.deleted_at IS NULL
            AND " IN_LIVE_CONVERSATION " ORDER BY m.id DESC LIMIT $2"
);

/// All messages, newest first: the database begins in the index where the last page has ended.
pub(crate) async fn all(pools: &Pools, window: &Window) -> Result<Page<Message>, Problem> {
    let values = [window.before_id().into(), window.rows().into()];
    newest_first(pools, ALL, &values, window).await
}

/// The same page by its number: the database reads all that stands before it and throws it away.
pub(crate) async fn all_by_offset(
    pools: &Pools,
    limit: u32,
    offset: u32,
) -> Result<Vec<Message>, Problem> {
    let sql = sql!(
        MESSAGES
        " JOIN conversations c ON c.id = m.conversation_id
          WHERE m.deleted_at IS NULL AND c.deleted_at IS NULL
          ORDER BY m.id DESC LIMIT $1 OFFSET $2"
    );
    Ok(pools.all(sql, &[limit.into(), offset.into()]).await?)
}

pub(crate) const OF_USER: Sql = sql!(
    MESSAGES
    " JOIN conversations c ON c.id = m.conversation_id
      WHERE m.author_id = $1 AND m.id < $2 AND m.deleted_at IS NULL AND c.deleted_at IS NULL
      ORDER BY m.id DESC LIMIT $3"
);

/// What a user has written, newest first.
pub(crate) async fn of_user(
    pools: &Pools,
    user: i64,
    window: &Window,
) -> Result<Page<Message>, Problem> {
    let values = [user.into(), window.before_id().into(), window.rows().into()];
    newest_first(pools, OF_USER, &values, window).await
}

async fn newest_first(
    pools: &Pools,
    sql: Sql,
    values: &[Value],
    window: &Window,
) -> Result<Page<Message>, Problem> {
    let rows: Vec<Message> = pools.all(sql, values).await?;
    Ok(Page::new(rows, window, List::NewestMessages, |message| {
        Cursor::id(message.id)
    }))
}

pub(crate) async fn one(pools: &Pools, id: i64) -> Result<Revised<Message>, Problem> {
    let sql = sql!(
        "SELECT m.id, m.conversation_id, m.text, m.created_at, u.id AS person_id, u.name AS person_name,
                m.version, m.changed_at, u.version || ' ' || u.changed_at AS people
         FROM messages m JOIN users u ON u.id = m.author_id JOIN conversations c ON c.id = m.conversation_id
         WHERE m.id = $1 AND m.deleted_at IS NULL AND c.deleted_at IS NULL"
    );
    let message = pools.first(sql, &[id.into()]).await?;
    message.ok_or(missing("message", id))
}

/// Returns the id of the new message, which also becomes the conversation's last update; its author takes part from now on.
pub(crate) async fn create(
    pools: &Pools,
    conversation: i64,
    body: &NewMessage,
) -> Result<i64, Problem> {
    let insert = sql!(
        "INSERT INTO messages (conversation_id, author_id, text, created_at, changed_at)
         SELECT $1, id, $3, " NOW ", " NOW " FROM users WHERE id = $2 AND deleted_at IS NULL
         RETURNING id AS value"
    );
    let join = sql!(
        "INSERT INTO participants (conversation_id, user_id, joined_at) VALUES ($1, $2, " NOW ")
         ON CONFLICT DO NOTHING"
    );
    let mut transaction = pools.begin().await?;
    touch::updated(&mut transaction, conversation).await?;
    let values = [
        conversation.into(),
        body.author_id.into(),
        body.text.as_str().into(),
    ];
    let id = transaction.first(insert, &values).await?;
    let id = id.ok_or(Problem::Field {
        name: "author_id".into(),
        allowed: "the id of a user",
    })?;
    transaction.execute(join, &values[..2]).await?;
    transaction.commit().await?;
    Ok(id)
}

pub(crate) async fn rewrite(pools: &Pools, id: i64, text: &str) -> Result<(), Problem> {
    let sql = sql!(
        "UPDATE messages SET text = $2, " TOUCHED "
         WHERE id = $1 AND deleted_at IS NULL RETURNING conversation_id AS value"
    );
    let mut transaction = pools.begin().await?;
    let conversation: Option<i64> = transaction.first(sql, &[id.into(), text.into()]).await?;
    let conversation = conversation.ok_or(missing("message", id))?;
    touch::touched(&mut transaction, conversation).await?;
    Ok(transaction.commit().await?)
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

impl Record for Revised<Message> {
    fn read(row: &Row) -> Result<Self, sqlx::Error> {
        Ok(Self {
            value: Message::read(row)?,
            revision: Revision::read(row)?.with(&row.text("people")?),
        })
    }
}
