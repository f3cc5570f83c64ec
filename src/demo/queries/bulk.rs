//! Many messages at once, and the same one by one.

use serde_json::{Value as Json, json};

use super::{messages, touch};
use crate::demo::{pools::Pools, problem::Problem, receive::NewMessage, sql::sql};

/// Writes all of them with four statements, however many they are, or none. Returns their ids in order.
pub(crate) async fn insert(
    pools: &Pools,
    conversation: i64,
    messages: &[NewMessage],
) -> Result<Vec<i64>, Problem> {
    let stranger = sql!(
        "SELECT CAST(value->>'place' AS bigint) AS value FROM " EACH "
         WHERE NOT EXISTS (SELECT 1 FROM users WHERE id = CAST(value->>'author' AS bigint) AND deleted_at IS NULL)
         ORDER BY key LIMIT 1"
    );
    let insert = sql!(
        "INSERT INTO messages (conversation_id, author_id, text, created_at, changed_at)
         SELECT $2, CAST(value->>'author' AS bigint), value->>'text', " NOW ", " NOW "
         FROM " EACH " ORDER BY key RETURNING id AS value"
    );
    let join = sql!(
        "INSERT INTO participants (conversation_id, user_id, joined_at)
         SELECT DISTINCT $2, CAST(value->>'author' AS bigint), " NOW " FROM " EACH "
         WHERE true ON CONFLICT DO NOTHING"
    );
    let rows = rows(messages);
    let mut transaction = pools.begin().await?;
    touch::updated(&mut transaction, conversation).await?;
    let place: Option<i64> = transaction.first(stranger, &[rows.as_str().into()]).await?;
    if let Some(place) = place {
        return Err(Problem::Field {
            name: format!("messages[{place}].author_id").into(),
            allowed: "the id of a user",
        });
    }
    let values = [rows.into(), conversation.into()];
    let mut ids: Vec<i64> = transaction.all(insert, &values).await?;
    transaction.execute(join, &values).await?;
    transaction.commit().await?;
    ids.sort_unstable(); // the database returns them in any order
    Ok(ids)
}

fn rows(messages: &[NewMessage]) -> String {
    let row = |(place, message): (usize, &NewMessage)| json!({ "place": place, "author": message.author_id, "text": message.text });
    let rows: Json = messages.iter().enumerate().map(row).collect();
    rows.to_string()
}

/// Writes them as many programs do: each by itself, with three statements in a transaction of its own.
pub(crate) async fn one_by_one(
    pools: &Pools,
    conversation: i64,
    messages: &[NewMessage],
) -> Result<Vec<i64>, Problem> {
    let mut ids = Vec::with_capacity(messages.len());
    for message in messages {
        ids.push(messages::create(pools, conversation, message).await?);
    }
    Ok(ids)
}
