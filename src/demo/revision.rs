//! Which state of a row an answer shows, for its `ETag` and `Last-Modified`.

use super::sql::{Record, Row};

/// The version of a row and of all else that an answer shows of others, and when the last of them changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Revision {
    /// Another one for every state.
    pub(super) state: String,
    pub(super) changed_at: String,
}

/// A value and its revision.
pub(crate) struct Revised<T> {
    pub(crate) value: T,
    pub(crate) revision: Revision,
}

// === impl Revision ===

impl Revision {
    /// With the state of others: a number that rises with each of their changes, a blank, and the time of the last one.
    pub(super) fn with(self, others: &str) -> Self {
        let changed_at = others.split_once(' ').map_or("", |(_, time)| time);
        Self {
            state: format!("{} {others}", self.state),
            changed_at: self.changed_at.max(changed_at.to_owned()),
        }
    }
}

/// Of the columns `version` and `changed_at`. The time is part of the state, because a database that was made anew begins to count
/// anew.
impl Record for Revision {
    fn read(row: &Row) -> Result<Self, sqlx::Error> {
        let (version, changed_at) = (row.int("version")?, row.text("changed_at")?);
        Ok(Self {
            state: format!("{version} {changed_at}"),
            changed_at,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_state_of_others_is_a_part_of_it() {
        let revision = |changed_at: &str| Revision {
            state: format!("3 {changed_at}"),
            changed_at: changed_at.to_owned(),
        };
        let people = "7 2026-02-01T00:00:00Z";
        let earlier = revision("2026-01-01T00:00:00Z").with(people);
        assert_eq!(earlier.changed_at, "2026-02-01T00:00:00Z");
        assert!(earlier.state.ends_with(people));
        let later = revision("2026-03-01T00:00:00Z").with(people);
        assert_eq!(later.changed_at, "2026-03-01T00:00:00Z");
    }
}
