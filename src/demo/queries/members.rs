//! Many to many: who takes part in a conversation, and which documents lie in it.

use serde::Serialize;

use super::{Person, missing, touch};
use crate::demo::{
    page::{Cursor, List, Page, Window},
    pools::Pools,
    problem::Problem,
    sql::{Record, Row, Sql, sql},
};

/// How many of each a conversation can have.
const MOST: u32 = 100;

/// Somebody who takes part in a conversation.
#[derive(Serialize)]
pub(crate) struct Participant {
    #[serde(flatten)]
    person: Person,
    joined_at: String,
}

/// What can be added to a conversation and taken out of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Member {
    Participant,
    Document,
}

/// How a membership has changed, if it has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    Made,
    WasSo,
}

impl Member {
    fn name(self) -> &'static str {
        match self {
            Self::Participant => "user",
            Self::Document => "document",
        }
    }

    /// Whether it exists, is in the conversation already, and how many are.
    fn state(self) -> Sql {
        match self {
            Self::Participant => sql!(
                "SELECT EXISTS (SELECT 1 FROM users WHERE id = $2 AND deleted_at IS NULL) AS found,
                        EXISTS (SELECT 1 FROM participants WHERE conversation_id = $1 AND user_id = $2) AS inside,
                        (SELECT count(*) FROM participants WHERE conversation_id = $1) AS others"
            ),
            Self::Document => sql!(
                "SELECT EXISTS (SELECT 1 FROM documents WHERE id = $2 AND deleted_at IS NULL) AS found,
                        EXISTS (SELECT 1 FROM conversation_documents WHERE conversation_id = $1 AND document_id = $2) AS inside,
                        (SELECT count(*) FROM conversation_documents WHERE conversation_id = $1) AS others"
            ),
        }
    }

    fn insert(self) -> Sql {
        match self {
            Self::Participant => sql!(
                "INSERT INTO participants (conversation_id, user_id, joined_at) VALUES ($1, $2, " NOW ")
                 ON CONFLICT DO NOTHING"
            ),
            Self::Document => sql!(
                "INSERT INTO conversation_documents (conversation_id, document_id, attached_at)
                 VALUES ($1, $2, " NOW ") ON CONFLICT DO NOTHING"
            ),
        }
    }

    /// The owner of a conversation stays in it.
    fn delete(self) -> Sql {
        match self {
            Self::Participant => sql!(
                "DELETE FROM participants WHERE conversation_id = $1 AND user_id = $2
                 AND NOT EXISTS (SELECT 1 FROM conversations WHERE id = $1 AND owner_id = $2)"
            ),
            Self::Document => sql!(
                "DELETE FROM conversation_documents WHERE conversation_id = $1 AND document_id = $2"
            ),
        }
    }
}

struct State {
    found: bool,
    inside: bool,
    others: i64,
}

/// By their ids.
pub(crate) async fn participants(
    pools: &Pools,
    conversation: i64,
    window: &Window,
) -> Result<Page<Participant>, Problem> {
    touch::must_exist(pools, conversation).await?;
    let sql = sql!(
        "SELECT u.id AS person_id, u.name AS person_name, p.joined_at
         FROM participants p JOIN users u ON u.id = p.user_id
         WHERE p.conversation_id = $1 AND p.user_id > $2 AND u.deleted_at IS NULL
         ORDER BY p.user_id LIMIT $3"
    );
    let values = [
        conversation.into(),
        window.after_id().into(),
        window.rows().into(),
    ];
    let rows: Vec<Participant> = pools.all(sql, &values).await?;
    Ok(Page::new(rows, window, List::Memberships, |row| {
        Cursor::id(row.person.id)
    }))
}

pub(crate) async fn add(
    pools: &Pools,
    member: Member,
    conversation: i64,
    id: i64,
) -> Result<Change, Problem> {
    let mut transaction = pools.begin().await?;
    // First, so that of two that add at once the second sees what the first has added.
    touch::touched(&mut transaction, conversation).await?;
    let values = [conversation.into(), id.into()];
    let state: Option<State> = transaction.first(member.state(), &values).await?;
    let state = state.ok_or(sqlx::Error::RowNotFound)?;
    if !state.found {
        return Err(missing(member.name(), id));
    }
    if state.inside {
        return Ok(Change::WasSo);
    }
    if state.others >= MOST.into() {
        return Err(Problem::Conflict("a conversation has at most 100 of these"));
    }
    transaction.execute(member.insert(), &values).await?;
    transaction.commit().await?;
    Ok(Change::Made)
}

pub(crate) async fn remove(
    pools: &Pools,
    member: Member,
    conversation: i64,
    id: i64,
) -> Result<(), Problem> {
    let mut transaction = pools.begin().await?;
    touch::touched(&mut transaction, conversation).await?;
    let values = [conversation.into(), id.into()];
    if transaction.execute(member.delete(), &values).await? == 0 {
        let state: Option<State> = transaction.first(member.state(), &values).await?;
        return Err(if state.is_some_and(|state| state.inside) {
            Problem::Conflict("the owner of a conversation stays in it")
        } else {
            missing(member.name(), id)
        });
    }
    Ok(transaction.commit().await?)
}

impl Record for Participant {
    fn read(row: &Row) -> Result<Self, sqlx::Error> {
        Ok(Self {
            person: Person::read(row)?,
            joined_at: row.text("joined_at")?,
        })
    }
}

impl Record for State {
    fn read(row: &Row) -> Result<Self, sqlx::Error> {
        Ok(Self {
            found: row.flag("found")?,
            inside: row.flag("inside")?,
            others: row.int("others")?,
        })
    }
}
