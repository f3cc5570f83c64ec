//! What is measured, one database after the other.

mod codings;
mod depth;
mod forms;
mod indexes;
mod load;
mod reads;
mod writes;

use crate::{
    Failure, Settings,
    database::Database,
    error,
    figures::{Figures, OfDatabase},
    machine,
    sample::{Patience, Times},
    say,
    servers::{Postgres, Redis},
    stack::{Backend, Place, Proxy},
};
use sidecache::demo::{IndexState, Schema};
use std::time::Duration;
use tokio::time::{Instant, timeout};

/// What `Schema` may take with a million rows.
const ANALYZING: Duration = Duration::from_secs(600);

/// Everything that runs while one database is measured. It ends from the top down.
struct Rig<'a> {
    /// Two replicas, which share what is in Redis.
    one: Proxy,
    other: Proxy,
    backend: Backend,
    redis: &'a Redis,
    place: &'a Place,
    database: &'a Database,
    settings: &'a Settings,
    indexes: Vec<IndexState>,
    filled_in: Duration,
}

/// Measures everything.
pub(crate) async fn all(place: &Place, settings: &Settings) -> Result<Figures, Failure> {
    let redis = Redis::start(&place.folder).await?;
    let sqlite = place.folder.join("demo.db");
    let sqlite = Database::Sqlite(format!("sqlite:{}", sqlite.display()));
    let mut databases = Vec::new();
    let rig = Rig::start(place, &redis, &sqlite, settings).await?;
    let codings = codings::measure(&rig).await?;
    databases.push(rig.measure(None).await?);
    let sqlite_version = sqlite.version().await?;

    let server = Postgres::start(&place.folder, !settings.short).await?;
    let postgres = Database::Postgres(server.url.clone());
    let rig = Rig::start(place, &redis, &postgres, settings).await?;
    databases.push(rig.measure(Some(&server)).await?);
    let versions = [
        ("Redis", redis.version().await?),
        ("PostgreSQL", postgres.version().await?),
        ("SQLite", sqlite_version),
    ];
    Ok(Figures {
        run: machine::run(settings, versions),
        codings,
        databases,
    })
}

impl<'a> Rig<'a> {
    async fn start(
        place: &'a Place,
        redis: &'a Redis,
        database: &'a Database,
        settings: &'a Settings,
    ) -> Result<Self, Failure> {
        let name = database.name();
        say(&format!(
            "{name}: fills it with {} messages",
            settings.rows()
        ));
        let began = Instant::now();
        let backend = place.backend(database.url(), settings.rows()).await?;
        let filled_in = began.elapsed();
        say(&format!(
            "{name}: filled in {:.1} s; makes statistics",
            filled_in.as_secs_f64()
        ));
        let indexes = analyze(database).await?;
        redis.empty().await?;
        Ok(Self {
            one: place.proxy(&backend, redis).await?,
            other: place.proxy(&backend, redis).await?,
            backend,
            redis,
            place,
            database,
            settings,
            indexes,
            filled_in,
        })
    }

    /// The load comes last: it begins with processes of its own.
    async fn measure(self, server: Option<&Postgres>) -> Result<OfDatabase, Failure> {
        let name = self.database.name();
        let step = |what: &str| say(&format!("{name}: {what}"));
        step("lists in their forms");
        let forms = forms::measure(&self).await?;
        step("reads, from the backend, Redis and memory");
        let reads = reads::measure(&self).await?;
        let repeated = reads::ten(&self).await?;
        step("pages behind many messages");
        let depths = depth::measure(&self).await?;
        step("writes");
        let writes = writes::measure(&self).await?;
        step("indexes");
        let indexes = indexes::measure(&self).await?;
        let filled_in_seconds = self.filled_in.as_secs_f64();
        step("load");
        let load = load::measure(self, server).await?;
        Ok(OfDatabase {
            name,
            filled_in_seconds,
            reads,
            forms,
            repeated,
            depths,
            writes,
            indexes,
            load,
        })
    }

    fn patience(&self) -> Patience {
        self.settings.patience()
    }
}

/// Statistics as an administrator makes them after much has been written; what they say of each index.
async fn analyze(database: &Database) -> Result<Vec<IndexState>, Failure> {
    let analyze = async {
        let schema = Schema::open(&database.url().parse()?, false).await?;
        let states = schema.analyze(true).await?;
        schema.close().await;
        Ok(states)
    };
    let states = timeout(ANALYZING, analyze).await;
    states.map_err(|_| error(format!("no statistics within {ANALYZING:?}")))?
}

/// Repeats `measure` until that is enough.
async fn repeat(
    patience: Patience,
    mut measure: impl AsyncFnMut(usize) -> Result<Duration, Failure>,
) -> Result<Times, Failure> {
    let began = Instant::now();
    let mut samples = Vec::new();
    while patience.wants(samples.len(), began) {
        samples.push(measure(samples.len()).await?);
    }
    Ok(Times::of(samples))
}
