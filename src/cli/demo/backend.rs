//! How the demo backend is set up, by arguments and environment.

use crate::{
    cli::{failure::Failure, output::complain},
    demo::{CacheControl, Database, PoolSettings, ProfileSettings, Settings},
};
use clap::{Args, value_parser};
use std::{net::SocketAddr, time::Duration};

/// The arguments of the backend itself.
#[derive(Debug, Args)]
pub(super) struct Backend {
    /// Where the demo backend listens
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:9000")]
    pub(super) backend: SocketAddr,
    /// How many messages an empty database is filled with: 100 to 1,000,000
    #[arg(long, value_name = "NUMBER", env = "DEMO_MESSAGES", default_value_t = 1200,
          value_parser = value_parser!(u32).range(100..=1_000_000))]
    messages: u32,
    /// How many connections to the database stay open while nobody uses them
    #[arg(long, value_name = "NUMBER", env = "DB_POOL_SIZE", default_value_t = 20,
          value_parser = value_parser!(u32).range(1..=1000))]
    pool_size: u32,
    /// How many more there may be while all of those are in use
    #[arg(long, value_name = "NUMBER", env = "DB_MAX_OVERFLOW", default_value_t = 10,
          value_parser = value_parser!(u32).range(0..=1000))]
    max_overflow: u32,
    /// How many seconds a request waits for a connection
    #[arg(long, value_name = "SECONDS", env = "DB_POOL_TIMEOUT", default_value_t = 30,
          value_parser = value_parser!(u64).range(1..=300))]
    pool_timeout: u64,
    /// After how many seconds a connection is replaced; 0: never
    #[arg(long, value_name = "SECONDS", env = "DB_POOL_RECYCLE", default_value_t = 1800,
          value_parser = value_parser!(u64).range(0..=86_400))]
    pool_recycle: u64,
    /// From how many milliseconds on a statement is logged as slow
    #[arg(long, value_name = "MILLISECONDS", env = "SLOW_QUERY_THRESHOLD_MS", default_value_t = 100,
          value_parser = value_parser!(u64).range(1..=60_000))]
    slow_query: u64,
    /// From how many repetitions on, within one request, a statement is logged as a suspected N+1
    #[arg(long, value_name = "NUMBER", env = "REPEATED_QUERY_THRESHOLD", default_value_t = 10,
          value_parser = value_parser!(u32).range(1..=100_000))]
    repeated_query: u32,
    /// Which answers say for how long they are fresh: most (all but those about conversations, whose routes in proxy.toml say it),
    /// all, or none
    #[arg(
        long,
        value_name = "WHICH",
        env = "DEMO_CACHE_CONTROL",
        default_value = "most"
    )]
    cache_control: CacheControl,
}

/// Which database, for all that has to do with the demo.
#[derive(Debug, Args)]
pub(super) struct Place {
    /// The database: sqlite:PATH, or postgres://USER:PASSWORD@HOST:PORT/NAME; without one a temporary file of SQLite
    // Not read by clap, which would repeat what is wrong with a password in it.
    #[arg(
        long,
        value_name = "URL",
        env = "DATABASE_URL",
        hide_env_values = true,
        global = true
    )]
    database: Option<String>,
}

impl Backend {
    pub(super) fn settings(&self, database: Database) -> Settings {
        Settings {
            listen: self.backend,
            database,
            pool: PoolSettings {
                size: self.pool_size,
                overflow: self.max_overflow,
                timeout: Duration::from_secs(self.pool_timeout),
                recycle: match self.pool_recycle {
                    0 => None,
                    seconds => Some(Duration::from_secs(seconds)),
                },
            },
            profile: ProfileSettings {
                slow: Duration::from_millis(self.slow_query),
                repeated: self.repeated_query,
            },
            cache_control: self.cache_control,
            messages: self.messages,
        }
    }
}

impl Place {
    /// One of which something stays.
    pub(super) fn lasting(&self) -> Result<Database, Failure> {
        if self.database.as_deref().is_none_or(str::is_empty) {
            return Err(Failure::Usage(
                "which database? --database sqlite:PATH, or DATABASE_URL=postgres://USER:PASSWORD@HOST:PORT/NAME",
            ));
        }
        self.database()
    }

    pub(super) fn database(&self) -> Result<Database, Failure> {
        let text = self.database.as_deref().unwrap_or_default();
        text.parse().map_err(|error| {
            complain(&format!("error: --database, or DATABASE_URL: {error}"));
            Failure::Told(2)
        })
    }
}
