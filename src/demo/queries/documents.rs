//! Documents: pages of them, one with its content, and their changes.

use serde::Serialize;

use super::{Person, missing};
use crate::demo::{
    page::{Cursor, List, Page, Window},
    pools::Pools,
    problem::Problem,
    receive::{DocumentBody, NewDocument},
    revision::{Revised, Revision},
    sql::{Record, Row, Sql, Value, sql},
};

#[derive(Serialize)]
pub(crate) struct Document {
    id: i64,
    title: String,
    owner: Person,
    created_at: String,
    changed_at: String,
}

#[derive(Serialize)]
pub(crate) struct WholeDocument {
    #[serde(flatten)]
    document: Document,
    content: String,
}

pub(crate) const LIST: Sql = sql!(
    DOCUMENTS
    " WHERE d.deleted_at IS NULL AND (d.changed_at, d.id) < ($1, $2)
      ORDER BY d.changed_at DESC, d.id DESC LIMIT $3"
);

/// The most recently changed first.
pub(crate) async fn list(pools: &Pools, window: &Window) -> Result<Page<Document>, Problem> {
    let (time, id) = window.after_time();
    let values = [time.into(), id.into(), window.rows().into()];
    let rows: Vec<Document> = pools.all(LIST, &values).await?;
    Ok(Page::new(rows, window, List::Documents, |row| Cursor {
        key: row.changed_at.clone(),
        id: row.id,
    }))
}

pub(crate) const OF_USER: Sql = sql!(
    DOCUMENTS
    " WHERE d.owner_id = $1 AND d.id > $2 AND d.deleted_at IS NULL ORDER BY d.id LIMIT $3"
);

/// Those of one owner, by their ids.
pub(crate) async fn of_user(
    pools: &Pools,
    user: i64,
    window: &Window,
) -> Result<Page<Document>, Problem> {
    by_id(pools, OF_USER, user, window).await
}

/// Those that lie in a conversation, by their ids.
pub(crate) async fn of_conversation(
    pools: &Pools,
    conversation: i64,
    window: &Window,
) -> Result<Page<Document>, Problem> {
    let sql = sql!(
        DOCUMENTS
        " JOIN conversation_documents a ON a.document_id = d.id
          WHERE a.conversation_id = $1 AND a.document_id > $2 AND d.deleted_at IS NULL
          ORDER BY a.document_id LIMIT $3"
    );
    by_id(pools, sql, conversation, window).await
}

async fn by_id(
    pools: &Pools,
    sql: Sql,
    of: i64,
    window: &Window,
) -> Result<Page<Document>, Problem> {
    let values = [of.into(), window.after_id().into(), window.rows().into()];
    let rows: Vec<Document> = pools.all(sql, &values).await?;
    Ok(Page::new(rows, window, List::Memberships, |row| {
        Cursor::id(row.id)
    }))
}

pub(crate) async fn one(pools: &Pools, id: i64) -> Result<Revised<WholeDocument>, Problem> {
    let sql = sql!(
        "SELECT d.id, d.title, d.content, d.created_at, d.changed_at, d.version,
                u.id AS person_id, u.name AS person_name, u.version || ' ' || u.changed_at AS people
         FROM documents d JOIN users u ON u.id = d.owner_id
         WHERE d.id = $1 AND d.deleted_at IS NULL"
    );
    let document = pools.first(sql, &[id.into()]).await?;
    document.ok_or(missing("document", id))
}

/// # Errors
/// [`Problem::Missing`] if there is no such document.
pub(crate) async fn must_exist(pools: &Pools, id: i64) -> Result<(), Problem> {
    let sql = sql!(
        "SELECT EXISTS (SELECT 1 FROM documents WHERE id = $1 AND deleted_at IS NULL) AS value"
    );
    if pools.one::<bool>(sql, &[id.into()]).await? {
        Ok(())
    } else {
        Err(missing("document", id))
    }
}

/// Returns the id of the new document.
pub(crate) async fn create(pools: &Pools, body: &NewDocument) -> Result<i64, Problem> {
    let sql = sql!(
        "INSERT INTO documents (owner_id, title, content, created_at, changed_at)
         SELECT id, $2, $3, " NOW ", " NOW " FROM users WHERE id = $1 AND deleted_at IS NULL
         RETURNING id AS value"
    );
    let values = [
        body.owner_id.into(),
        body.title.as_str().into(),
        body.content.as_str().into(),
    ];
    let mut transaction = pools.begin().await?;
    let id = transaction.first(sql, &values).await?;
    let id = id.ok_or(Problem::Field {
        name: "owner_id".into(),
        allowed: "the id of a user",
    })?;
    transaction.commit().await?;
    Ok(id)
}

pub(crate) async fn rewrite(pools: &Pools, id: i64, body: &DocumentBody) -> Result<(), Problem> {
    let sql = sql!(
        "UPDATE documents SET title = $2, content = $3, " TOUCHED "
         WHERE id = $1 AND deleted_at IS NULL"
    );
    let values: [Value; 3] = [
        id.into(),
        body.title.as_str().into(),
        body.content.as_str().into(),
    ];
    let mut transaction = pools.begin().await?;
    if transaction.execute(sql, &values).await? == 0 {
        return Err(missing("document", id));
    }
    Ok(transaction.commit().await?)
}

impl Record for Document {
    fn read(row: &Row) -> Result<Self, sqlx::Error> {
        Ok(Self {
            id: row.int("id")?,
            title: row.text("title")?,
            owner: Person::read(row)?,
            created_at: row.text("created_at")?,
            changed_at: row.text("changed_at")?,
        })
    }
}

impl Record for Revised<WholeDocument> {
    fn read(row: &Row) -> Result<Self, sqlx::Error> {
        let document = WholeDocument {
            document: Document::read(row)?,
            content: row.text("content")?,
        };
        Ok(Self {
            value: document,
            revision: Revision::read(row)?.with(&row.text("people")?),
        })
    }
}
