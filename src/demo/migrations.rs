//! The steps that make the tables, up and down.

use sqlx::{
    SqlSafeStr,
    migrate::{MigrateError, Migration, MigrationType, Migrator},
};

use super::{
    pool::{Connections, Pool},
    sql::{Record as _, Sql, sql},
};

/// One step, in the words of each database. What was done to a database that stays is never changed afterwards.
struct Step {
    number: i64,
    name: &'static str,
    sqlite: Ways,
    postgres: Ways,
}

/// There and back.
#[derive(Clone, Copy)]
struct Ways {
    up: &'static str,
    down: &'static str,
}

/// The files of a step in the folders of both databases.
macro_rules! step {
    ($number:literal, $file:literal, $name:literal) => {
        Step {
            number: $number,
            name: $name,
            sqlite: Ways {
                up: include_str!(concat!("migrations/sqlite/", $file, ".sql")),
                down: include_str!(concat!("migrations/sqlite/", $file, ".down.sql")),
            },
            postgres: Ways {
                up: include_str!(concat!("migrations/postgres/", $file, ".sql")),
                down: include_str!(concat!("migrations/postgres/", $file, ".down.sql")),
            },
        }
    };
}

const STEPS: [Step; 4] = [
    step!(1, "0001_messenger", "messenger"),
    step!(2, "0002_relations", "relations"),
    step!(3, "0003_indexes", "indexes"),
    step!(4, "0004_search", "search"),
];

/// The number of the last step.
pub(super) const LATEST: i64 = STEPS[STEPS.len() - 1].number;

/// A step, and whether it was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StepState {
    /// Steps are taken in the order of their numbers.
    pub number: i64,
    /// What it is about.
    pub name: &'static str,
    /// Whether the database has it.
    pub taken: bool,
}

/// Whether the table is there in which steps are noted: asking for them would make it.
const NOTED: Sql = Sql {
    sqlite: "SELECT EXISTS (SELECT 1 FROM sqlite_master WHERE name = '_sqlx_migrations') AS value",
    postgres: "SELECT EXISTS (SELECT 1 FROM pg_tables
               WHERE tablename = '_sqlx_migrations' AND schemaname = current_schema()) AS value",
};

/// Takes every step to `target` that was not taken yet.
pub(super) async fn up(pool: &Pool, target: i64) -> Result<(), MigrateError> {
    match pool.connections() {
        Connections::Sqlite(pool) => migrator(|step| step.sqlite).run_to(target, pool).await,
        Connections::Postgres(pool) => migrator(|step| step.postgres).run_to(target, pool).await,
    }
}

/// Takes every step after `target` back.
pub(super) async fn down(pool: &Pool, target: i64) -> Result<(), MigrateError> {
    match pool.connections() {
        Connections::Sqlite(pool) => migrator(|step| step.sqlite).undo(pool, target).await,
        Connections::Postgres(pool) => migrator(|step| step.postgres).undo(pool, target).await,
    }
}

/// All steps in their order.
pub(super) async fn states(pool: &Pool) -> Result<Vec<StepState>, sqlx::Error> {
    let noted = pool.rows(NOTED, &[]).await?;
    let noted = noted.first().map(bool::read).transpose()?;
    let taken = if noted == Some(true) {
        let sql = sql!("SELECT version AS value FROM _sqlx_migrations WHERE success");
        let rows = pool.rows(sql, &[]).await?;
        rows.iter().map(i64::read).collect::<Result<_, _>>()?
    } else {
        Vec::new()
    };
    let state = |step: &Step| StepState {
        number: step.number,
        name: step.name,
        taken: taken.contains(&step.number),
    };
    Ok(STEPS.iter().map(state).collect())
}

/// Not by the macro: for its sake SQLite would be built twice, once for the compiler.
fn migrator(ways: impl Fn(&Step) -> Ways) -> Migrator {
    let migrations = STEPS.iter().flat_map(|step| {
        let Ways { up, down } = ways(step);
        let kinds = [
            (MigrationType::ReversibleUp, up),
            (MigrationType::ReversibleDown, down),
        ];
        kinds.map(|(kind, sql)| {
            Migration::new(
                step.number,
                step.name.into(),
                kind,
                sql.into_sql_str(),
                false,
            )
        })
    });
    Migrator::with_migrations(migrations.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The first digits of the checksums, by which a database knows what was done to it.
    fn marks(migrator: &Migrator) -> Vec<(i64, u32)> {
        let ups = migrator
            .iter()
            .filter(|migration| migration.migration_type.is_up_migration());
        ups.map(|migration| {
            let mark = migration.checksum.first_chunk().copied();
            (migration.version, u32::from_be_bytes(mark.unwrap()))
        })
        .collect()
    }

    #[test]
    fn what_was_done_to_a_file_that_stays_is_never_changed_afterwards() {
        // Later ones are added, these stay as they are.
        let done = marks(&migrator(|step| step.sqlite));
        assert_eq!(
            done,
            [
                (1, 0xb876_9a32),
                (2, 0x95c6_0850),
                (3, 0x3d07_dd2d),
                (4, 0x558a_b17e)
            ]
        );
        let done = marks(&migrator(|step| step.postgres));
        assert_eq!(
            done,
            [
                (1, 0x295a_43a5),
                (2, 0xdcdd_acff),
                (3, 0x3d07_dd2d),
                (4, 0x9ea5_f8d5)
            ]
        );
    }
}
