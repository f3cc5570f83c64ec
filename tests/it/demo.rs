//! The demo backend through a real socket, each test on SQLite and on PostgreSQL.

/// Makes a test for each database out of a function that takes an [`On`].
macro_rules! on_both {
    ($($name:ident),+ $(,)?) => {
        mod sqlite {
            $(#[tokio::test]
            async fn $name() {
                super::$name(crate::demo::On::Sqlite).await;
            })+
        }
        mod postgres {
            $(#[tokio::test]
            async fn $name() {
                super::$name(crate::demo::On::Postgres).await;
            })+
        }
    };
}

mod caching;
mod life;
mod migrations;
mod operations;
mod problems;
mod reading;
mod relations;
mod resources;
mod server;
mod statements;

use std::{io, sync::OnceLock, time::Duration};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::{Method, Request, Response, StatusCode, body::Incoming};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use serde_json::{Value, json};
use sidecache::demo::{Database, Demo, Settings, profiler};
use tokio_util::sync::CancellationToken;
use tracing::subscriber::set_global_default;
use tracing_subscriber::{filter::LevelFilter, fmt, prelude::*, registry};

/// Lets the demo count statements in this process, beside a log of level info as in the program.
pub(crate) fn profiled() {
    static INSTALLED: OnceLock<()> = OnceLock::new();
    INSTALLED.get_or_init(|| {
        let log = fmt::layer()
            .with_writer(io::sink)
            .with_filter(LevelFilter::INFO);
        // Whoever was first has installed the same layer.
        set_global_default(registry().with(log).with(profiler::layer())).ok();
    });
}

/// Which database a test is about.
#[derive(Clone, Copy, Debug)]
enum On {
    Sqlite,
    Postgres,
}

impl On {
    /// A new and empty one.
    async fn database(self) -> Database {
        match self {
            Self::Sqlite => Database::default(),
            Self::Postgres => server::database().await.parse().unwrap(),
        }
    }

    /// The smallest demo on a database of its own.
    async fn demo(self) -> Messenger {
        let database = self.database().await;
        Messenger::start(Settings {
            database,
            ..Settings::default()
        })
        .await
    }
}

/// A running demo and a client for it.
struct Messenger {
    demo: Demo,
    shutdown: CancellationToken,
    client: Client<HttpConnector, Full<Bytes>>,
}

struct Answer {
    status: StatusCode,
    headers: hyper::HeaderMap,
    body: Bytes,
}

impl Messenger {
    async fn start(settings: Settings) -> Self {
        profiled();
        let shutdown = CancellationToken::new();
        let demo = Demo::start(settings, shutdown.clone()).await.unwrap();
        let client = Client::builder(TokioExecutor::new()).build_http();
        Self {
            demo,
            shutdown,
            client,
        }
    }

    async fn send(&self, request: http::request::Builder, body: Bytes) -> Response<Incoming> {
        self.client
            .request(request.body(Full::new(body)).unwrap())
            .await
            .unwrap()
    }

    fn request(&self, method: Method, path: &str) -> http::request::Builder {
        let uri = format!("http://{}{path}", self.demo.address());
        Request::builder().method(method).uri(uri)
    }

    async fn get(&self, path: &str) -> Answer {
        Answer::of(
            self.send(self.request(Method::GET, path), Bytes::new())
                .await,
        )
        .await
    }

    async fn json(&self, method: Method, path: &str, body: &Value) -> Answer {
        let request = self
            .request(method, path)
            .header("content-type", "application/json");
        Answer::of(self.send(request, body.to_string().into()).await).await
    }

    async fn delete(&self, path: &str) -> Answer {
        Answer::of(
            self.send(self.request(Method::DELETE, path), Bytes::new())
                .await,
        )
        .await
    }

    /// What `/metrics` says of one metric with its labels.
    async fn metric(&self, name: &str) -> Option<f64> {
        let metrics = self.get("/metrics").await;
        let mut lines = str::from_utf8(&metrics.body).unwrap().lines();
        lines.find_map(|line| line.strip_prefix(name)?.trim().parse().ok())
    }

    /// All items of a list, page by page.
    async fn walk(&self, path: &str) -> Vec<Value> {
        let (mut items, mut after) = (Vec::new(), String::new());
        loop {
            let page = self.get(&format!("{path}{after}")).await.value();
            items.extend(page["items"].as_array().unwrap().iter().cloned());
            let Some(next) = page["next"].as_str() else {
                return items;
            };
            after = format!("&after={next}");
        }
    }

    async fn stop(self) {
        self.shutdown.cancel();
        soon(self.demo.finished()).await;
    }
}

impl Answer {
    async fn of(response: Response<Incoming>) -> Self {
        let (parts, body) = response.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        Self {
            status: parts.status,
            headers: parts.headers,
            body,
        }
    }

    fn value(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    fn field(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .map_or("", |value| value.to_str().unwrap())
    }

    /// The number in `Server-Timing`.
    fn statements(&self) -> u64 {
        let timing = self.field("server-timing");
        let (dur, n) = timing
            .strip_prefix("db;dur=")
            .unwrap()
            .split_once(";desc=\"n=")
            .unwrap();
        assert!(
            dur.parse::<f64>().is_ok() && dur.split_once('.').unwrap().1.len() == 2,
            "{dur}"
        );
        n.strip_suffix('"').unwrap().parse().unwrap()
    }

    fn assert_problem(&self, status: u16, says: &str) {
        let text = str::from_utf8(&self.body).unwrap();
        assert_eq!(
            self.field("content-type"),
            "application/problem+json",
            "{text}"
        );
        let problem = self.value();
        assert_eq!(
            (self.status.as_u16(), &problem["status"]),
            (status, &json!(status)),
            "{text}"
        );
        assert_eq!(
            (&problem["type"], problem["title"].is_string()),
            (&json!("about:blank"), true)
        );
        assert!(
            problem["detail"].as_str().unwrap().contains(says),
            "{text} lacks {says}"
        );
        self.statements(); // every response says its number
    }
}

/// A limit for what would otherwise hang forever.
async fn soon<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(10), future)
        .await
        .expect("it ends long before this")
}
