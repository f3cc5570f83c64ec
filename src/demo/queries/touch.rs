//! A conversation as the rows that belong to it see it: it must be there, and what happens to them happens to it.

use super::missing;
use crate::demo::{
    pools::Pools,
    problem::Problem,
    sql::{Sql, sql},
    transaction::Transaction,
};

/// # Errors
/// [`Problem::Missing`] if there is no such conversation.
pub(crate) async fn must_exist(pools: &Pools, conversation: i64) -> Result<(), Problem> {
    let sql = sql!(
        "SELECT EXISTS (SELECT 1 FROM conversations WHERE id = $1 AND deleted_at IS NULL) AS value"
    );
    if pools.one::<bool>(sql, &[conversation.into()]).await? {
        Ok(())
    } else {
        Err(missing("conversation", conversation))
    }
}

/// Something new is in it, which moves it to the top of the list.
///
/// # Errors
/// As [`must_exist`].
pub(super) async fn updated(
    transaction: &mut Transaction,
    conversation: i64,
) -> Result<(), Problem> {
    let sql = sql!(
        "UPDATE conversations SET updated_at = " NOW ", " TOUCHED "
         WHERE id = $1 AND deleted_at IS NULL"
    );
    change(transaction, sql, conversation).await
}

/// Something in it is another one now.
///
/// # Errors
/// As [`must_exist`].
pub(super) async fn touched(
    transaction: &mut Transaction,
    conversation: i64,
) -> Result<(), Problem> {
    let sql = sql!("UPDATE conversations SET " TOUCHED " WHERE id = $1 AND deleted_at IS NULL");
    change(transaction, sql, conversation).await
}

async fn change(transaction: &mut Transaction, sql: Sql, conversation: i64) -> Result<(), Problem> {
    match transaction.execute(sql, &[conversation.into()]).await? {
        0 => Err(missing("conversation", conversation)),
        _ => Ok(()),
    }
}
