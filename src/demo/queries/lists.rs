//! The list of conversations with their last messages, in four forms that answer the same: with a statement for each row, and three
//! ways not to need them.

use futures_util::future::try_join_all;
use serde::Serialize;

use super::{
    Person,
    conversations::{self, Conversation},
    messages::{self, LATEST, Message},
};
use crate::demo::{
    loader::Loader,
    page::{Cursor, List, Page, Window},
    pools::Pools,
    problem::Problem,
    sql::{Record, Row, sql},
};

/// A row of the list: the conversation and its last messages, newest first.
#[derive(Serialize)]
pub(crate) struct Summary {
    #[serde(flatten)]
    conversation: Conversation,
    latest_messages: Vec<Message>,
}

/// As many programs make it: one statement, and one more for each of its rows.
pub(crate) async fn naive(pools: &Pools, window: &Window) -> Result<Page<Summary>, Problem> {
    let page = conversations::page(pools, window).await?;
    let mut latest = Vec::new();
    for conversation in page.items() {
        latest.push(messages::latest_of_one(pools, conversation.id).await?);
    }
    Ok(with(page, latest))
}

/// With two statements, however long: the messages of all rows by their ids.
pub(crate) async fn batched(pools: &Pools, window: &Window) -> Result<Page<Summary>, Problem> {
    let page = conversations::page(pools, window).await?;
    let ids: Vec<i64> = page.items().iter().map(|row| row.id).collect();
    let mut latest = messages::latest_of_each(pools, &ids).await?;
    let latest = ids.iter().map(|id| latest.remove(id).unwrap_or_default());
    Ok(with(page, latest.collect()))
}

/// With two statements too, though each row asks for its own: a loader makes one of them.
pub(crate) async fn loaded(pools: &Pools, window: &Window) -> Result<Page<Summary>, Problem> {
    let page = conversations::page(pools, window).await?;
    let messages =
        Loader::new(move |ids| async move { messages::latest_of_each(pools, &ids).await });
    let latest = page.items().iter().map(|row| messages.load(row.id));
    let latest = try_join_all(latest).await?;
    let latest = latest.into_iter().map(Option::unwrap_or_default);
    Ok(with(page, latest.collect()))
}

/// With one statement, in whose result each conversation stands as often as it has messages.
pub(crate) async fn joined(pools: &Pools, window: &Window) -> Result<Page<Summary>, Problem> {
    let sql = sql!(
        "WITH page AS (
             SELECT id, title, owner_id, updated_at FROM conversations
             WHERE deleted_at IS NULL AND (updated_at, id) < ($1, $2)
             ORDER BY updated_at DESC, id DESC LIMIT $3
         )
         SELECT p.id, p.title, p.updated_at, u.id AS person_id, u.name AS person_name,
                m.id AS message_id, m.text, m.created_at, a.id AS author_id, a.name AS author_name
         FROM page p JOIN users u ON u.id = p.owner_id
         LEFT JOIN (
             SELECT id, conversation_id, author_id, text, created_at,
                    row_number() OVER (PARTITION BY conversation_id ORDER BY id DESC) AS place
             FROM messages WHERE conversation_id IN (SELECT id FROM page) AND deleted_at IS NULL
         ) AS m ON m.conversation_id = p.id AND m.place <= $4
         LEFT JOIN users a ON a.id = m.author_id
         ORDER BY p.updated_at DESC, p.id DESC, m.id DESC"
    );
    let (time, id) = window.after_time();
    let values = [time.into(), id.into(), window.rows().into(), LATEST.into()];
    let rows: Vec<Joined> = pools.all(sql, &values).await?;
    let mut summaries = Vec::<Summary>::new();
    for Joined(conversation, message) in rows {
        match summaries.last_mut() {
            Some(last) if last.conversation.id == conversation.id => {
                last.latest_messages.extend(message);
            }
            _ => summaries.push(Summary {
                conversation,
                latest_messages: message.into_iter().collect(),
            }),
        }
    }
    Ok(Page::new(summaries, window, List::Conversations, |row| {
        Cursor {
            key: row.conversation.updated_at.clone(),
            id: row.conversation.id,
        }
    }))
}

/// Each row with its messages, which are in the order of the rows.
fn with(page: Page<Conversation>, latest: Vec<Vec<Message>>) -> Page<Summary> {
    let mut latest = latest.into_iter();
    page.map(|conversation| Summary {
        conversation,
        latest_messages: latest.next().unwrap_or_default(),
    })
}

/// A conversation, and one of its messages if it has any.
struct Joined(Conversation, Option<Message>);

impl Record for Joined {
    fn read(row: &Row) -> Result<Self, sqlx::Error> {
        let conversation = Conversation::read(row)?;
        let message = match row.maybe_int("message_id")? {
            None => None,
            Some(id) => Some(Message {
                id,
                conversation_id: conversation.id,
                author: Person {
                    id: row.int("author_id")?,
                    name: row.text("author_name")?,
                },
                text: row.text("text")?,
                created_at: row.text("created_at")?,
            }),
        };
        Ok(Self(conversation, message))
    }
}
