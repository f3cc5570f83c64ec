//! All SQL of the request handlers.
//!
//! Conflicts that clients can cause are expressed in the statements (`ON CONFLICT`, `WHERE
//! EXISTS`) and seen in what they return: an error of the database always means a failing one. What is deleted stays where it is,
//! with the time of that; every statement here leaves it out.

pub(super) mod bulk;
pub(super) mod conversations;
pub(super) mod deletion;
pub(super) mod documents;
pub(super) mod lists;
pub(super) mod members;
pub(super) mod messages;
pub(super) mod search;
pub(super) mod threads;
pub(super) mod touch;
pub(super) mod users;

use serde::Serialize;

use super::{
    problem::Problem,
    sql::{Record, Row},
};

/// A user as named by a conversation, a message or a document.
#[derive(Clone, Serialize)]
pub(super) struct Person {
    id: i64,
    name: String,
}

fn missing(what: &'static str, id: i64) -> Problem {
    Problem::Missing { what, id }
}

impl Record for Person {
    fn read(row: &Row) -> Result<Self, sqlx::Error> {
        Ok(Self {
            id: row.int("person_id")?,
            name: row.text("person_name")?,
        })
    }
}
