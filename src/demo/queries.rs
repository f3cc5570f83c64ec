//! All SQL of the request handlers.
//!
//! Conflicts that clients can cause are expressed in the statements (`ON CONFLICT`, `WHERE
//! EXISTS`) and seen in what they return: an error of SQLite always means a failing database.

pub(super) mod conversations;
pub(super) mod messages;
pub(super) mod users;

use serde::Serialize;
use sqlx::{FromRow, Row, sqlite::SqliteRow};

use super::problem::Problem;

/// A user as named by a conversation or a message.
#[derive(Serialize)]
pub(super) struct Person {
    id: i64,
    name: String,
}

fn no_conversation(id: i64) -> Problem {
    Problem::Missing {
        what: "conversation",
        id,
    }
}

impl FromRow<'_, SqliteRow> for Person {
    fn from_row(row: &SqliteRow) -> Result<Self, sqlx::Error> {
        Ok(Self {
            id: row.try_get("person_id")?,
            name: row.try_get("person_name")?,
        })
    }
}
