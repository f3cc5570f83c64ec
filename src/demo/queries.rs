//! All SQL of the request handlers.
//!
//! Conflicts that clients can cause are expressed in the statements (`ON CONFLICT`, `WHERE
//! EXISTS`) and seen in what they return: an error of SQLite always means a failing database.

pub(super) mod conversations;
pub(super) mod messages;
pub(super) mod users;

use serde::Serialize;
use sqlx::FromRow;

use super::problem::Problem;

/// A user as named by a conversation or a message.
#[derive(Serialize, FromRow)]
pub(super) struct Person {
    #[sqlx(rename = "person_id")]
    id: i64,
    #[sqlx(rename = "person_name")]
    name: String,
}

fn no_conversation(id: i64) -> Problem {
    Problem::Missing {
        what: "conversation",
        id,
    }
}
