//! The tables, up and down, and the indexes that plans use.

use sidecache::demo::{Database, IndexState, Schema, Settings};
use sqlx::{Connection as _, PgConnection, SqliteConnection};
use tempfile::TempDir;

use super::{Messenger, On, server};

on_both!(
    every_step_goes_up_down_and_up_again,
    a_step_back_and_forth_loses_nothing_of_what_was_there_before,
    a_database_of_the_first_version_is_brought_up_to_date,
    each_index_is_used_by_the_statement_that_it_is_for,
);

/// A database that stays, with its URL.
struct Lasting {
    on: On,
    url: String,
    _folder: TempDir,
}

impl Lasting {
    async fn new(on: On) -> Self {
        let folder = TempDir::new().unwrap();
        let url = match on {
            On::Sqlite => format!("sqlite://{}/demo.db", folder.path().display()),
            On::Postgres => server::database().await,
        };
        Self {
            on,
            url,
            _folder: folder,
        }
    }

    fn database(&self) -> Database {
        self.url.parse().unwrap()
    }

    async fn schema(&self) -> Schema {
        Schema::open(&self.database(), true).await.unwrap()
    }

    async fn demo(&self, messages: u32) -> Messenger {
        Messenger::start(Settings {
            database: self.database(),
            messages,
            ..Settings::default()
        })
        .await
    }

    /// Runs statements past the demo.
    async fn run(&self, sqlite: &'static str, postgres: &'static str) {
        match self.on {
            On::Sqlite => {
                let mut own = SqliteConnection::connect(&self.url).await.unwrap();
                sqlx::raw_sql(sqlite).execute(&mut own).await.unwrap();
                own.close().await.unwrap();
            }
            On::Postgres => {
                let mut own = PgConnection::connect(&self.url).await.unwrap();
                sqlx::raw_sql(postgres).execute(&mut own).await.unwrap();
                own.close().await.unwrap();
            }
        }
    }
}

async fn taken(schema: &Schema) -> Vec<i64> {
    let steps = schema.steps().await.unwrap();
    let taken = steps.iter().filter(|step| step.taken);
    taken.map(|step| step.number).collect()
}

async fn every_step_goes_up_down_and_up_again(on: On) {
    let lasting = Lasting::new(on).await;
    let schema = lasting.schema().await;
    assert!(taken(&schema).await.is_empty());
    schema.up(2).await.unwrap();
    assert_eq!(taken(&schema).await, [1, 2]);
    let all: Vec<i64> = (1..=Schema::latest()).collect();
    for _ in 0..2 {
        schema.up(Schema::latest()).await.unwrap();
        assert_eq!(taken(&schema).await, all);
        schema.down(0).await.unwrap();
        assert!(taken(&schema).await.is_empty());
    }
    schema.close().await;
    let demo = lasting.demo(100).await;
    assert_eq!(demo.walk("/api/users?limit=100").await.len(), 50);
}

async fn a_step_back_and_forth_loses_nothing_of_what_was_there_before(on: On) {
    let lasting = Lasting::new(on).await;
    let first = lasting.demo(1200).await;
    let paths = [
        "/api/users?limit=100",
        "/api/conversations?limit=100",
        "/api/documents?limit=100",
        "/api/conversations/1",
        "/api/search?q=lighthouse&limit=100",
    ];
    let mut before = Vec::new();
    for path in paths {
        before.push(first.get(path).await.body);
    }
    first.stop().await;
    let schema = lasting.schema().await;
    schema.down(2).await.unwrap();
    schema.close().await;

    let second = lasting.demo(1200).await; // takes the steps again
    for (path, before) in paths.iter().zip(before) {
        assert_eq!(second.get(path).await.body, before, "{path}");
    }
}

async fn a_database_of_the_first_version_is_brought_up_to_date(on: On) {
    const ROWS: &str = "
        INSERT INTO users (id, name, email, created_at) VALUES
            (1, 'Ann', 'ann@example.com', '2026-01-01T00:00:00Z'), (2, 'Bob', 'bob@example.com', '2026-01-02T00:00:00Z');
        INSERT INTO profiles (user_id, bio, city) VALUES (1, '', 'Ulm'), (2, '', 'Bern');
        INSERT INTO conversations (id, title, owner_id, updated_at) VALUES (1, 'Old', 1, '2026-01-04T00:00:00Z');
        INSERT INTO messages (id, conversation_id, author_id, text, created_at) VALUES
            (1, 1, 2, 'Hello there', '2026-01-04T00:00:00Z');";
    let lasting = Lasting::new(on).await;
    let schema = lasting.schema().await;
    schema.up(1).await.unwrap();
    schema.close().await;
    lasting.run(ROWS, ROWS).await;

    let demo = lasting.demo(1200).await;
    assert_eq!(demo.walk("/api/users?limit=100").await.len(), 2);
    let people = demo.walk("/api/conversations/1/participants?limit=1").await;
    let names: Vec<_> = people.iter().map(|person| &person["name"]).collect();
    assert_eq!(names, ["Ann", "Bob"]);
    let found = demo.get("/api/search?q=HELLO").await.value();
    assert_eq!(found["items"][0]["id"], 1);
    let old = demo.get("/api/conversations/1").await;
    assert_eq!(old.field("last-modified"), "Sun, 04 Jan 2026 00:00:00 GMT");
}

/// On as many rows as make an index worth its while, and with fresh statistics.
async fn each_index_is_used_by_the_statement_that_it_is_for(on: On) {
    const MANY_USERS: &str = "
        INSERT INTO users (name, email, created_at, changed_at)
            SELECT 'Name ' || n, n || '@example.org', '2026-01-01T00:00:00Z', '2026-01-01T00:00:00Z' FROM numbers;
        INSERT INTO profiles (user_id, bio, city)
            SELECT id, '', 'City ' || (id % 500) FROM users WHERE id > 50;
        DROP TABLE numbers;";
    let lasting = Lasting::new(on).await;
    lasting.demo(20_000).await.stop().await;
    lasting
        .run(
            "CREATE TABLE numbers AS WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 20000)
             SELECT n FROM n",
            "CREATE TABLE numbers AS SELECT n FROM generate_series(1, 20000) AS n",
        )
        .await;
    lasting.run(MANY_USERS, MANY_USERS).await;

    let schema = lasting.schema().await;
    schema.down(2).await.unwrap();
    let before = schema.analyze(false).await.unwrap();
    schema.up(Schema::latest()).await.unwrap();
    let after = schema.analyze(true).await.unwrap();
    assert_eq!((before.len(), after.len()), (10, 10));
    for (before, after) in before.iter().zip(&after) {
        let is = |state: &IndexState| (state.size.is_some(), state.is_used());
        assert_eq!(is(before), (false, false), "{before:#?}");
        assert_eq!(is(after), (true, true), "{after:#?}");
        assert!(!before.plan.is_empty(), "{before:#?}");
    }
    schema.close().await;
}
