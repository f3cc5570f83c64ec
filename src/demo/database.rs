//! Which database the demo uses, and how that is written.

use std::{path::PathBuf, str::FromStr};

use super::error::DemoError;

/// Which database the demo uses.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Database {
    /// A new file, deleted when the demo ends.
    #[default]
    Temporary,
    /// A file that stays. Its folder must exist.
    File(PathBuf),
}

impl FromStr for Database {
    type Err = DemoError;

    /// Reads `sqlite:PATH` or `sqlite://PATH`.
    ///
    /// # Errors
    /// [`DemoError::Database`] for anything else, for options (`?mode=ro`), and for `:memory:`,
    /// which would be another database in each connection.
    fn from_str(text: &str) -> Result<Self, DemoError> {
        let path = text
            .strip_prefix("sqlite:")
            .map(|rest| rest.strip_prefix("//").unwrap_or(rest));
        match path {
            Some(path) if !path.is_empty() && path != ":memory:" && !path.contains('?') => {
                Ok(Database::File(PathBuf::from(path)))
            }
            _ => Err(DemoError::Database(text.to_owned())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_database_is_a_sqlite_path() {
        let file = |path: &str| Some(Database::File(PathBuf::from(path)));
        let cases = [
            ("sqlite:demo.db", file("demo.db")),
            ("sqlite:/data/demo.db", file("/data/demo.db")),
            ("sqlite:///data/demo.db", file("/data/demo.db")),
            ("sqlite:", None),
            ("sqlite::memory:", None),
            ("sqlite:demo.db?mode=ro", None),
            ("postgres://localhost/demo", None),
        ];
        for (text, expected) in cases {
            assert_eq!(text.parse::<Database>().ok(), expected, "{text}");
        }
    }
}
