//! Start, seed and shutdown.

use std::path::Path;

use bytes::Bytes;
use http_body_util::BodyExt as _;
use hyper::Method;
use serde_json::json;
use sidecache::demo::{Database, Demo, DemoError, Settings};
use tokio_util::sync::CancellationToken;

use super::{Messenger, soon};

fn file(folder: &Path) -> Database {
    format!("sqlite:{}", folder.join("demo.db").display())
        .parse()
        .unwrap()
}

#[tokio::test]
async fn a_shutdown_ends_the_server_and_its_open_streams() {
    let demo = Messenger::start().await;
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

#[tokio::test]
async fn a_second_start_finds_what_the_first_left() {
    let folder = tempfile::tempdir().unwrap();
    let first = Messenger::on(file(folder.path())).await;
    let renamed = json!({ "title": "Changed" });
    let before = first
        .json(Method::PUT, "/api/conversations/1", &renamed)
        .await;
    first.stop().await;

    let second = Messenger::on(file(folder.path())).await;
    assert_eq!(second.get("/api/conversations/1").await.body, before.body);
    assert_eq!(second.walk("/api/users?limit=100").await.len(), 50);
    assert_eq!(second.walk("/api/conversations?limit=100").await.len(), 120);
}

#[tokio::test]
async fn two_seeds_are_the_same() {
    let (one, other) = (Messenger::start().await, Messenger::start().await);
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
    let demo = Messenger::start().await;
    let start =
        |listen, database| Demo::start(Settings { listen, database }, CancellationToken::new());
    let taken = start(demo.demo.address(), Database::Temporary)
        .await
        .unwrap_err();
    assert!(matches!(taken, DemoError::Bind { .. }), "{taken}");
    let nowhere = file(Path::new("/nonexistent"));
    let missing = start(([127, 0, 0, 1], 0).into(), nowhere)
        .await
        .unwrap_err();
    assert_eq!(
        missing.to_string(),
        "cannot open the database /nonexistent/demo.db"
    );
}
