//! Which database the demo uses, and how that is written.

use std::{fmt, path::PathBuf, str::FromStr};

use sqlx::postgres::PgConnectOptions;

use super::error::DemoError;

/// Which database the demo uses.
///
/// Neither `Display` nor `Debug` shows a password.
#[derive(Clone, Default)]
pub struct Database(Place);

/// Where a database is.
#[derive(Clone, Default)]
pub(super) enum Place {
    /// A new file, deleted when the demo ends.
    #[default]
    Temporary,
    /// A file that stays. Its folder must exist.
    File(PathBuf),
    /// A PostgreSQL server.
    Server(Box<PgConnectOptions>),
}

impl Database {
    pub(super) fn place(&self) -> &Place {
        &self.0
    }
}

impl FromStr for Database {
    type Err = DemoError;

    /// Reads `sqlite:PATH` or `sqlite://PATH`, or a URL of PostgreSQL, as in `postgres://user:password@host:5432/name`. Nothing
    /// at all is a temporary file.
    ///
    /// # Errors
    /// [`DemoError::Database`] for anything else, for options of SQLite (`?mode=ro`), and for `:memory:`,
    /// which would be another database in each connection.
    fn from_str(text: &str) -> Result<Self, DemoError> {
        if text.is_empty() {
            return Ok(Self::default());
        }
        let (scheme, rest) = text.split_once(':').ok_or_else(|| wrong("no scheme"))?;
        match scheme {
            "sqlite" => {
                let path = rest.strip_prefix("//").unwrap_or(rest);
                if path.is_empty() || path == ":memory:" || path.contains('?') {
                    return Err(wrong("of SQLite a path is wanted, without options"));
                }
                Ok(Self(Place::File(PathBuf::from(path))))
            }
            "postgres" | "postgresql" => match text.parse() {
                Ok(options) => Ok(Self(Place::Server(Box::new(options)))),
                // What the parser says may repeat a part of the password.
                Err(_) => Err(wrong("this is no URL of PostgreSQL")),
            },
            _ => Err(wrong("the scheme is neither sqlite nor postgres")),
        }
    }
}

fn wrong(why: &'static str) -> DemoError {
    DemoError::Database(why)
}

impl fmt::Display for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Place::Temporary => f.write_str("sqlite (temporary)"),
            Place::File(path) => write!(f, "sqlite:{}", path.display()),
            Place::Server(options) => {
                let name = options.get_database().unwrap_or_default();
                let (host, port) = (options.get_host(), options.get_port());
                write!(f, "postgres://{host}:{port}/{name}")
            }
        }
    }
}

impl fmt::Debug for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Database({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Option<String> {
        let database = text.parse::<Database>().ok();
        database.map(|database| database.to_string())
    }

    #[test]
    fn a_database_is_a_path_of_sqlite_or_a_url_of_postgresql() {
        let cases = [
            ("", Some("sqlite (temporary)")),
            ("sqlite:demo.db", Some("sqlite:demo.db")),
            ("sqlite:/data/demo.db", Some("sqlite:/data/demo.db")),
            ("sqlite:///data/demo.db", Some("sqlite:/data/demo.db")),
            ("sqlite:", None),
            ("sqlite::memory:", None),
            ("sqlite:demo.db?mode=ro", None),
            ("postgres://db/demo", Some("postgres://db:5432/demo")),
            ("postgresql://db:1/demo", Some("postgres://db:1/demo")),
            ("postgres://db:port/demo", None),
            ("mysql://localhost/demo", None),
            ("demo.db", None),
        ];
        for (text, expected) in cases {
            assert_eq!(read(text).as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn a_password_is_never_shown() {
        let good: Database = "postgres://ann:pass-word@db/demo".parse().unwrap();
        let bad = "postgres://ann:pass-word@db:port/demo".parse::<Database>();
        let bad = bad.unwrap_err();
        for shown in [format!("{good} {good:?}"), format!("{bad} {bad:?}")] {
            assert!(!shown.contains("pass-word"), "{shown}");
        }
    }
}
