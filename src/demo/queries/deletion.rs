//! Deletes rows so that they can be restored.

use super::missing;
use crate::demo::{
    pools::Pools,
    problem::Problem,
    sql::{Sql, sql},
    transaction::Transaction,
};

/// What can be deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    User,
    Conversation,
    Message,
    Document,
}

/// Only of one on whom nothing depends.
pub(crate) const DELETE_USER: Sql = sql!(
    "UPDATE users SET deleted_at = " NOW ", " TOUCHED " WHERE id = $1 AND deleted_at IS NULL
     AND NOT EXISTS (SELECT 1 FROM conversations WHERE owner_id = $1 AND deleted_at IS NULL)
     AND NOT EXISTS (SELECT 1 FROM messages WHERE author_id = $1 AND deleted_at IS NULL)
     AND NOT EXISTS (SELECT 1 FROM documents WHERE owner_id = $1 AND deleted_at IS NULL)"
);

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Conversation => "conversation",
            Self::Message => "message",
            Self::Document => "document",
        }
    }

    fn delete(self) -> Sql {
        match self {
            Self::User => DELETE_USER,
            Self::Conversation => sql!(
                "UPDATE conversations SET deleted_at = " NOW ", " TOUCHED "
                 WHERE id = $1 AND deleted_at IS NULL"
            ),
            Self::Message => sql!(
                "UPDATE messages SET deleted_at = " NOW ", " TOUCHED "
                 WHERE id = $1 AND deleted_at IS NULL
                 AND EXISTS (SELECT 1 FROM conversations c WHERE c.id = conversation_id AND c.deleted_at IS NULL)"
            ),
            Self::Document => sql!(
                "UPDATE documents SET deleted_at = " NOW ", " TOUCHED "
                 WHERE id = $1 AND deleted_at IS NULL"
            ),
        }
    }

    fn restore(self) -> Sql {
        match self {
            Self::User => {
                sql!("UPDATE users SET deleted_at = NULL, " TOUCHED " WHERE id = $1 AND deleted_at IS NOT NULL")
            }
            Self::Conversation => sql!(
                "UPDATE conversations SET deleted_at = NULL, " TOUCHED "
                 WHERE id = $1 AND deleted_at IS NOT NULL"
            ),
            Self::Message => sql!(
                "UPDATE messages SET deleted_at = NULL, " TOUCHED "
                 WHERE id = $1 AND deleted_at IS NOT NULL
                 AND EXISTS (SELECT 1 FROM conversations c WHERE c.id = conversation_id AND c.deleted_at IS NULL)"
            ),
            Self::Document => sql!(
                "UPDATE documents SET deleted_at = NULL, " TOUCHED "
                 WHERE id = $1 AND deleted_at IS NOT NULL"
            ),
        }
    }
}

pub(crate) async fn delete(pools: &Pools, kind: Kind, id: i64) -> Result<(), Problem> {
    let mut transaction = pools.begin().await?;
    if transaction.execute(kind.delete(), &[id.into()]).await? == 0 {
        return Err(refused(&mut transaction, kind, id).await?);
    }
    touch_conversation(&mut transaction, kind, id).await?;
    Ok(transaction.commit().await?)
}

/// # Errors
/// [`Problem::Missing`] if it is not deleted, or has never been there.
pub(crate) async fn restore(pools: &Pools, kind: Kind, id: i64) -> Result<(), Problem> {
    let mut transaction = pools.begin().await?;
    if transaction.execute(kind.restore(), &[id.into()]).await? == 0 {
        return Err(Problem::NotDeleted {
            what: kind.name(),
            id,
        });
    }
    touch_conversation(&mut transaction, kind, id).await?;
    Ok(transaction.commit().await?)
}

/// A conversation shows its messages: what happens to them happens to it.
async fn touch_conversation(
    transaction: &mut Transaction,
    kind: Kind,
    id: i64,
) -> Result<(), sqlx::Error> {
    let sql = sql!(
        "UPDATE conversations SET " TOUCHED "
         WHERE id = (SELECT conversation_id FROM messages WHERE id = $1)"
    );
    if kind == Kind::Message {
        transaction.execute(sql, &[id.into()]).await?;
    }
    Ok(())
}

/// Why nothing was deleted: it is not there, or else it is a user whom something depends on.
async fn refused(
    transaction: &mut Transaction,
    kind: Kind,
    id: i64,
) -> Result<Problem, sqlx::Error> {
    let sql = sql!("SELECT id AS value FROM users WHERE id = $1 AND deleted_at IS NULL");
    if kind == Kind::User {
        let found: Option<i64> = transaction.first(sql, &[id.into()]).await?;
        if found.is_some() {
            return Ok(Problem::Conflict(
                "the user still has conversations, messages or documents",
            ));
        }
    }
    Ok(missing(kind.name(), id))
}
