//! The steps that make the tables, up and down.

use sqlx::{
    SqlSafeStr,
    migrate::{MigrateError, Migration, MigrationType, Migrator},
};

use super::pool::{Connections, Pool};

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

const STEPS: [Step; 1] = [step!(1, "0001_messenger", "messenger")];

/// The number of the last step.
pub(super) const LATEST: i64 = STEPS[STEPS.len() - 1].number;

/// Takes every step that was not taken yet, or none.
pub(super) async fn up(pool: &Pool) -> Result<(), MigrateError> {
    match pool.connections() {
        Connections::Sqlite(pool) => migrator(|step| step.sqlite).run(pool).await,
        Connections::Postgres(pool) => migrator(|step| step.postgres).run(pool).await,
    }
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
        assert_eq!(done, [(1, 0xb876_9a32)]);
        let done = marks(&migrator(|step| step.postgres));
        assert_eq!(done, [(1, 0x295a_43a5)]);
    }
}
