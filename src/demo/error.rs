//! Why the demo could not start.

use std::{io, net::SocketAddr};

use thiserror::Error;

/// Why the demo could not start.
#[derive(Debug, Error)]
pub enum DemoError {
    /// The text does not name a database. It is not repeated: there may be a password in it.
    #[error("no database: {0}; write sqlite:PATH or postgres://USER:PASSWORD@HOST:PORT/NAME")]
    Database(&'static str),
    /// The address could not be bound.
    #[error("cannot listen on {address}")]
    Bind {
        /// The address asked for.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// The folder of a temporary database could not be made.
    #[error("cannot create a temporary folder for the database")]
    Temporary(#[source] io::Error),
    /// There is no such file, and only a start or `migrate up` makes one.
    #[error(
        "there is no file {database}: `sidecache demo migrate up` makes one, `sidecache demo --backend-only` makes and fills one"
    )]
    Missing {
        /// The database that was looked for.
        database: String,
    },
    /// The database could not be opened.
    #[error("cannot open the database {database}")]
    Open {
        /// The database, without a password.
        database: String,
        /// What it said.
        source: sqlx::Error,
    },
    /// The tables could not be brought up to date.
    #[error("cannot migrate the database")]
    Migrate(#[source] sqlx::migrate::MigrateError),
    /// The database could not be asked about itself.
    #[error("cannot inspect the database")]
    Inspect(#[source] sqlx::Error),
    /// The first data could not be written.
    #[error("cannot seed the database")]
    Seed(#[source] sqlx::Error),
}
