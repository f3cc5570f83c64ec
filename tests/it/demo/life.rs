//! Start, seed and shutdown.

use bytes::Bytes;
use http_body_util::BodyExt as _;
use hyper::Method;
use serde_json::json;
use sidecache::demo::{Database, Demo, DemoError, Settings};
use tokio_util::sync::CancellationToken;

use super::{Messenger, On, server, soon};

on_both!(
    a_shutdown_ends_the_server_and_its_open_streams,
    a_second_start_finds_what_the_first_left,
    two_seeds_are_the_same,
);

async fn start(database: &Database) -> Messenger {
    let database = database.clone();
    Messenger::start(Settings {
        database,
        ..Settings::default()
    })
    .await
}

async fn a_shutdown_ends_the_server_and_its_open_streams(on: On) {
    let demo = on.demo().await;
    let mut events = demo
        .send(demo.request(Method::GET, "/api/events"), Bytes::new())
        .await;
    assert_eq!(events.headers()["content-type"], "text/event-stream");
    assert!(!events.headers().contains_key("cache-control"));
    let first = events
        .body_mut()
        .frame()
        .await
        .unwrap()
        .unwrap()
        .into_data()
        .unwrap();
    assert_eq!(first, "id: 1\nevent: tick\ndata: {\"number\":1}\n\n");

    let address = demo.demo.address();
    demo.stop().await;
    let rest = soon(events.into_body().collect()).await;
    assert!(rest.is_ok(), "the stream ends in good order");
    assert!(tokio::net::TcpStream::connect(address).await.is_err());
}

async fn a_second_start_finds_what_the_first_left(on: On) {
    let folder = tempfile::tempdir().unwrap();
    let database = match on {
        On::Sqlite => format!("sqlite:{}/demo.db", folder.path().display()),
        On::Postgres => server::database().await,
    };
    let database = database.parse().unwrap();
    let first = start(&database).await;
    let renamed = json!({ "title": "Changed" });
    let before = first
        .json(Method::PUT, "/api/conversations/1", &renamed)
        .await;
    first.stop().await;

    let second = start(&database).await;
    assert_eq!(second.get("/api/conversations/1").await.body, before.body);
    assert_eq!(second.walk("/api/users?limit=100").await.len(), 50);
    assert_eq!(second.walk("/api/conversations?limit=100").await.len(), 120);
}

async fn two_seeds_are_the_same(on: On) {
    let (one, other) = (on.demo().await, On::Sqlite.demo().await);
    for path in [
        "/api/conversations?limit=100",
        "/api/conversations/1",
        "/api/users/50",
    ] {
        assert_eq!(
            one.get(path).await.body,
            other.get(path).await.body,
            "{path}"
        );
    }
}

#[tokio::test]
async fn what_cannot_be_used_is_an_error_of_its_own() {
    let demo = On::Sqlite.demo().await;
    let start = async |listen, database: &str| {
        let settings = Settings {
            listen,
            database: database.parse().unwrap(),
            ..Settings::default()
        };
        let started = Demo::start(settings, CancellationToken::new());
        started.await.unwrap_err()
    };
    let free = ([127, 0, 0, 1], 0).into();
    let taken = start(demo.demo.address(), "").await;
    assert!(matches!(taken, DemoError::Bind { .. }), "{taken}");
    let missing = start(free, "sqlite:/nonexistent/demo.db").await;
    assert_eq!(
        missing.to_string(),
        "cannot open the database sqlite:/nonexistent/demo.db"
    );
    let nobody = start(free, "postgres://ann:pass-word@127.0.0.1:1/demo").await;
    let cause = std::error::Error::source(&nobody).unwrap().to_string();
    assert_eq!(
        nobody.to_string(),
        "cannot open the database postgres://127.0.0.1:1/demo"
    );
    assert!(cause.contains("refused"), "{cause}");
}
