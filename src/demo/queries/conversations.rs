//! Conversations: a page of them, one with its messages, and their changes.

use serde::Serialize;

use super::{
    Person,
    messages::{self, Message},
    missing,
};
use crate::demo::{
    page::{Cursor, List, Page, Window},
    pools::Pools,
    problem::Problem,
    receive::NewConversation,
    revision::{Revised, Revision},
    sql::{Record, Row, Sql, sql},
};

#[derive(Serialize)]
pub(crate) struct Conversation {
    pub(super) id: i64,
    title: String,
    pub(super) owner: Person,
    pub(super) updated_at: String,
}

/// The conversation and its messages, oldest first; of very many the last ones.
#[derive(Serialize)]
pub(crate) struct Whole {
    #[serde(flatten)]
    conversation: Conversation,
    messages: Vec<Message>,
}

pub(crate) const PAGE: Sql = sql!(
    CONVERSATIONS
    " WHERE c.deleted_at IS NULL AND (c.updated_at, c.id) < ($1, $2)
      ORDER BY c.updated_at DESC, c.id DESC LIMIT $3"
);

/// The most recently updated first. Where there is no cursor the first page begins after what is later than any time: a
/// condition that may be NULL would keep the database from beginning in the middle of the index.
pub(super) async fn page(pools: &Pools, window: &Window) -> Result<Page<Conversation>, Problem> {
    let (time, id) = window.after_time();
    let values = [time.into(), id.into(), window.rows().into()];
    let rows: Vec<Conversation> = pools.all(PAGE, &values).await?;
    Ok(Page::new(rows, window, List::Conversations, |row| Cursor {
        key: row.updated_at.clone(),
        id: row.id,
    }))
}

pub(crate) const OF_USER: Sql = sql!(
    CONVERSATIONS
    " JOIN participants p ON p.conversation_id = c.id
      WHERE p.user_id = $1 AND p.conversation_id > $2 AND c.deleted_at IS NULL
      ORDER BY p.conversation_id LIMIT $3"
);

/// Those that a user takes part in, by their ids.
pub(crate) async fn of_user(
    pools: &Pools,
    user: i64,
    window: &Window,
) -> Result<Page<Conversation>, Problem> {
    by_id(pools, OF_USER, user, window).await
}

pub(crate) const OF_DOCUMENT: Sql = sql!(
    CONVERSATIONS
    " JOIN conversation_documents a ON a.conversation_id = c.id
      WHERE a.document_id = $1 AND a.conversation_id > $2 AND c.deleted_at IS NULL
      ORDER BY a.conversation_id LIMIT $3"
);

/// Those in which a document lies, by their ids.
pub(crate) async fn of_document(
    pools: &Pools,
    document: i64,
    window: &Window,
) -> Result<Page<Conversation>, Problem> {
    by_id(pools, OF_DOCUMENT, document, window).await
}

async fn by_id(
    pools: &Pools,
    sql: Sql,
    of: i64,
    window: &Window,
) -> Result<Page<Conversation>, Problem> {
    let values = [of.into(), window.after_id().into(), window.rows().into()];
    let rows: Vec<Conversation> = pools.all(sql, &values).await?;
    Ok(Page::new(rows, window, List::Memberships, |row| {
        Cursor::id(row.id)
    }))
}

/// A conversation without its messages. Its revision is that of all that [`whole`] shows: a message that changes is a change
/// of its conversation, and so are the names of those who wrote the ones that are shown.
pub(crate) async fn one(pools: &Pools, id: i64) -> Result<Revised<Conversation>, Problem> {
    let sql = sql!(
        "SELECT c.id, c.title, c.updated_at, u.id AS person_id, u.name AS person_name, c.version, c.changed_at,
                (SELECT sum(w.version) || ' ' || max(w.changed_at) FROM users w
                 WHERE w.id IN (SELECT c.owner_id UNION SELECT author_id FROM (
                     SELECT author_id FROM messages m WHERE m.conversation_id = c.id AND m.deleted_at IS NULL
                     ORDER BY m.id DESC LIMIT $2) AS shown)) AS people
         FROM conversations c JOIN users u ON u.id = c.owner_id
         WHERE c.id = $1 AND c.deleted_at IS NULL"
    );
    let conversation = pools
        .first(sql, &[id.into(), messages::LAST.into()])
        .await?;
    conversation.ok_or(missing("conversation", id))
}

/// The conversation with its messages.
pub(crate) async fn whole(pools: &Pools, conversation: Conversation) -> Result<Whole, Problem> {
    let messages = messages::last_of(pools, conversation.id).await?;
    Ok(Whole {
        conversation,
        messages,
    })
}

/// Returns the id of the new conversation. Its owner takes part in it.
pub(crate) async fn create(pools: &Pools, body: &NewConversation) -> Result<i64, Problem> {
    let insert = sql!(
        "INSERT INTO conversations (title, owner_id, updated_at, changed_at)
         SELECT $1, id, " NOW ", " NOW " FROM users WHERE id = $2 AND deleted_at IS NULL
         RETURNING id AS value"
    );
    let join = sql!(
        "INSERT INTO participants (conversation_id, user_id, joined_at) VALUES ($1, $2, " NOW ")"
    );
    let mut transaction = pools.begin().await?;
    let values = [body.title.as_str().into(), body.owner_id.into()];
    let id: Option<i64> = transaction.first(insert, &values).await?;
    let id = id.ok_or(Problem::Field {
        name: "owner_id".into(),
        allowed: "the id of a user",
    })?;
    transaction
        .execute(join, &[id.into(), body.owner_id.into()])
        .await?;
    transaction.commit().await?;
    Ok(id)
}

pub(crate) async fn rename(pools: &Pools, id: i64, title: &str) -> Result<(), Problem> {
    let sql = sql!(
        "UPDATE conversations SET title = $2, updated_at = " NOW ", " TOUCHED "
         WHERE id = $1 AND deleted_at IS NULL"
    );
    let mut transaction = pools.begin().await?;
    if transaction.execute(sql, &[id.into(), title.into()]).await? == 0 {
        return Err(missing("conversation", id));
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

impl Record for Revised<Conversation> {
    fn read(row: &Row) -> Result<Self, sqlx::Error> {
        let conversation = Conversation::read(row)?;
        let revision = Revision::read(row)?.with(&row.text("people")?);
        Ok(Self {
            value: conversation,
            revision,
        })
    }
}
