//! The tables of a database, for the commands that change and inspect them.

use std::time::Duration;

use super::{
    database::{Database, Place},
    error::DemoError,
    indexes::{self, IndexState},
    migrations::{self, StepState},
    pool::PoolSettings,
    pools::Pools,
    sql::Sql,
};

/// What one of the commands may take.
const LONGEST: Duration = Duration::from_secs(3600);

const CONNECTIONS: PoolSettings = PoolSettings {
    size: 1,
    overflow: 0,
    timeout: Duration::from_secs(10),
    recycle: None,
};

const ANALYZE: Sql = Sql {
    sqlite: "ANALYZE",
    postgres: "ANALYZE",
};
const VACUUM: Sql = Sql {
    sqlite: "VACUUM",
    postgres: "VACUUM",
};

/// The tables of a database that stays.
#[derive(Debug)]
pub struct Schema {
    pools: Pools,
}

impl Schema {
    /// Connects to `database`. A file that is not there is made only if `create` says so.
    ///
    /// # Errors
    /// [`DemoError::Missing`], also for a temporary database, of which nothing would stay, or [`DemoError::Open`].
    pub async fn open(database: &Database, create: bool) -> Result<Self, DemoError> {
        let missing = match database.place() {
            Place::Temporary => true,
            Place::File(path) => !create && !path.exists(),
            Place::Server(_) => false,
        };
        if missing {
            return Err(DemoError::Missing {
                database: database.to_string(),
            });
        }
        let (pools, _) = Pools::open(database, &CONNECTIONS, LONGEST).await?;
        Ok(Self { pools })
    }

    /// The number of the last step that there is.
    pub fn latest() -> i64 {
        migrations::LATEST
    }

    /// All steps in their order.
    ///
    /// # Errors
    /// [`DemoError::Inspect`].
    pub async fn steps(&self) -> Result<Vec<StepState>, DemoError> {
        let states = migrations::states(self.pools.writer()).await;
        states.map_err(DemoError::Inspect)
    }

    /// Takes every step to `target` that was not taken yet.
    ///
    /// # Errors
    /// [`DemoError::Migrate`]. Steps before the one that failed stay taken.
    pub async fn up(&self, target: i64) -> Result<(), DemoError> {
        let up = migrations::up(self.pools.writer(), target).await;
        up.map_err(DemoError::Migrate)
    }

    /// Takes every step after `target` back, 0: all. What only they had room for is gone.
    ///
    /// # Errors
    /// As [`up`](Self::up).
    pub async fn down(&self, target: i64) -> Result<(), DemoError> {
        let down = migrations::down(self.pools.writer(), target).await;
        down.map_err(DemoError::Migrate)
    }

    /// Refreshes the statistics that plans are made with, gives space back if `vacuum` says so, and tells of each index how it fares.
    ///
    /// # Errors
    /// [`DemoError::Inspect`].
    pub async fn analyze(&self, vacuum: bool) -> Result<Vec<IndexState>, DemoError> {
        let pool = self.pools.writer();
        let commands = [Some(ANALYZE), vacuum.then_some(VACUUM)];
        for command in commands.into_iter().flatten() {
            pool.rows(command, &[]).await.map_err(DemoError::Inspect)?;
        }
        indexes::states(pool).await.map_err(DemoError::Inspect)
    }

    /// Waits until every connection is closed.
    pub async fn close(self) {
        self.pools.close().await;
    }
}
