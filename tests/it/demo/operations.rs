//! What operators see, and connections to the database: how many, for how long, and none in time.

use std::time::Duration;

use hyper::Method;
use serde_json::json;
use sidecache::demo::{PoolSettings, Settings};
use sqlx::{Connection as _, PgConnection, SqliteConnection};
use tempfile::TempDir;

use super::{Messenger, On, server};
use crate::support::until;

on_both!(
    what_runs_says_its_name_and_its_database,
    requests_statements_and_connections_are_counted,
    a_request_that_gets_no_connection_in_time_is_503,
);

async fn what_runs_says_its_name_and_its_database(on: On) {
    let demo = on.demo().await;
    let version = demo.get("/__version__").await.value();
    let database = match on {
        On::Sqlite => "sqlite",
        On::Postgres => "postgresql",
    };
    assert_eq!(version["name"], "sidecache demo");
    assert_eq!(version["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(version["database"], database);
    assert!(version["schema"].as_i64().unwrap() >= 1);
    assert_eq!(
        demo.get("/healthz").await.value(),
        json!({ "status": "ok" })
    );
}

async fn requests_statements_and_connections_are_counted(on: On) {
    let demo = on.demo().await;
    demo.get("/api/naive/conversations?limit=100").await;
    demo.get("/api/users/1").await;
    demo.get("/nothing").await;
    let metrics = demo.get("/metrics").await;
    let kind = metrics.field("content-type").to_owned();
    assert!(kind.starts_with("application/openmetrics-text"), "{kind}");
    let naive = "route=\"/api/naive/conversations\"";
    for line in [
        &format!("http_requests_total{{method=\"GET\",{naive},status=\"200\"}} 1"),
        &format!("http_request_duration_seconds_count{{method=\"GET\",{naive}}} 1"),
        &format!("db_queries_per_request_sum{{{naive}}} 101.0"),
        &format!("db_repeated_queries_total{{{naive}}} 1"),
        "http_requests_total{method=\"GET\",route=\"none\",status=\"404\"} 1",
        "db_queries_per_request_sum{route=\"/api/users/{id}\"} 1.0",
        "db_query_duration_seconds_count{verb=\"select\"} 102",
        "db_slow_queries_total 0",
    ] {
        let text = str::from_utf8(&metrics.body).unwrap();
        assert!(
            text.contains(&format!("{line}\n")),
            "{line} lacks in {text}"
        );
    }
    let pool = match on {
        On::Sqlite => "readers",
        On::Postgres => "all",
    };
    let most = format!("db_pool_max_connections{{pool=\"{pool}\"}}");
    assert_eq!(demo.metric(&most).await, Some(30.0));
    let idle = format!("db_pool_connections{{pool=\"{pool}\",state=\"idle\"}}");
    until("a connection is back", async || {
        demo.metric(&idle).await >= Some(1.0)
    })
    .await;
}

/// A demo whose writes wait for a lock that somebody else holds.
struct Blocked {
    demo: Messenger,
    lock: Lock,
    _folder: TempDir,
}

enum Lock {
    Sqlite(SqliteConnection),
    Postgres(PgConnection),
}

impl Blocked {
    async fn start(on: On, pool: PoolSettings) -> Self {
        let folder = TempDir::new().unwrap();
        let url = match on {
            On::Sqlite => format!("sqlite://{}/demo.db", folder.path().display()),
            On::Postgres => server::database().await,
        };
        let demo = Messenger::start(Settings {
            database: url.parse().unwrap(),
            pool,
            ..Settings::default()
        })
        .await;
        let lock = match on {
            On::Sqlite => {
                let mut lock = SqliteConnection::connect(&url).await.unwrap();
                let begin = sqlx::query("BEGIN IMMEDIATE");
                begin.execute(&mut lock).await.unwrap();
                Lock::Sqlite(lock)
            }
            On::Postgres => {
                let mut lock = PgConnection::connect(&url).await.unwrap();
                for begin in ["BEGIN", "LOCK TABLE conversations, messages"] {
                    sqlx::query(begin).execute(&mut lock).await.unwrap();
                }
                Lock::Postgres(lock)
            }
        };
        Self {
            demo,
            lock,
            _folder: folder,
        }
    }

    /// What `requests` are answered, whose connections are given free once `condition` holds.
    async fn until<T>(
        &mut self,
        what: &str,
        requests: impl AsyncFnOnce(&Messenger) -> T,
        condition: impl AsyncFn(&Messenger) -> bool,
    ) -> T {
        let release = async {
            until(what, async || condition(&self.demo).await).await;
            match &mut self.lock {
                Lock::Sqlite(lock) => {
                    sqlx::query("ROLLBACK").execute(lock).await.unwrap();
                }
                Lock::Postgres(lock) => {
                    sqlx::query("ROLLBACK").execute(lock).await.unwrap();
                }
            }
        };
        tokio::join!(requests(&self.demo), release).0
    }
}

async fn a_request_that_gets_no_connection_in_time_is_503(on: On) {
    let one = PoolSettings {
        size: 1,
        overflow: 0,
        timeout: Duration::from_secs(1),
        recycle: None,
    };
    let mut blocked = Blocked::start(on, one).await;
    let pool = match on {
        On::Sqlite => "writer",
        On::Postgres => "all",
    };
    let timeouts = format!("db_pool_timeouts_total{{pool=\"{pool}\"}}");
    let title = json!({ "title": "Changed" });
    let answers = blocked.until(
        "one has waited in vain",
        async |demo| {
            let write = || demo.json(Method::PUT, "/api/conversations/1", &title);
            tokio::join!(write(), write())
        },
        async |demo| demo.metric(&timeouts).await == Some(1.0),
    );
    let (first, second) = answers.await;
    let (done, refused) = if first.status == 200 {
        (first, second)
    } else {
        (second, first)
    };
    assert_eq!(done.status, 200);
    refused.assert_problem(503, "did not answer");
}

#[tokio::test]
async fn connections_over_the_size_are_closed_when_they_come_back() {
    let two = PoolSettings {
        size: 2,
        overflow: 3,
        ..PoolSettings::default()
    };
    let mut blocked = Blocked::start(On::Postgres, two).await;
    let connections =
        |state: &str| format!("db_pool_connections{{pool=\"all\",state=\"{state}\"}}");
    let (used, idle) = (connections("used"), connections("idle"));
    let answers = blocked.until(
        "five are in use",
        async |demo| {
            let read = || demo.get("/api/conversations/1");
            tokio::join!(read(), read(), read(), read(), read())
        },
        async |demo| demo.metric(&used).await == Some(5.0),
    );
    let answers = answers.await;
    assert_eq!(answers.0.status, 200);
    let demo = &blocked.demo;
    until("two are left", async || {
        (demo.metric(&used).await, demo.metric(&idle).await) == (Some(0.0), Some(2.0))
    })
    .await;
}

#[tokio::test]
async fn a_connection_is_replaced_when_its_time_is_up() {
    let url = server::database().await;
    let demo = Messenger::start(Settings {
        database: url.parse().unwrap(),
        pool: PoolSettings {
            size: 1,
            overflow: 0,
            recycle: Some(Duration::from_millis(200)),
            ..PoolSettings::default()
        },
        ..Settings::default()
    })
    .await;
    let mut own = PgConnection::connect(&url).await.unwrap();
    let mut process = async || -> Option<i32> {
        demo.get("/api/users/1").await;
        let sql = "SELECT max(pid) FROM pg_stat_activity
                   WHERE datname = current_database() AND application_name = 'sidecache-demo'";
        sqlx::query_scalar(sql).fetch_one(&mut own).await.unwrap()
    };
    let first = process().await;
    until("another process of the server answers", async || {
        let now = process().await;
        now.is_some() && now != first
    })
    .await;
}
