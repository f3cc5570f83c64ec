//! All SQL of the request handlers.
//!
//! Conflicts that clients can cause are expressed in the statements (`ON CONFLICT`, `WHERE
//! EXISTS`) and seen in what they return: an error of the database always means a failing one.

pub(super) mod conversations;
pub(super) mod messages;
pub(super) mod users;

use serde::Serialize;

use super::{
    problem::Problem,
    sql::{Record, Row},
};

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

impl Record for Person {
    fn read(row: &Row) -> Result<Self, sqlx::Error> {
        Ok(Self {
            id: row.int("person_id")?,
            name: row.text("person_name")?,
        })
    }
}
