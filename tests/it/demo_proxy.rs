//! The demo backend behind the proxy: what the README shows.

use crate::{
    demo,
    support::{Proxy, proxy},
};
use sidecache::demo::{CacheControl, Demo, Settings};
use tokio_util::sync::CancellationToken;

/// The routes of the repository's own configuration.
fn routes() -> String {
    let text = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/proxy.toml")).unwrap();
    let from = text.find("[ttl]").unwrap();
    text[from..].to_owned()
}

async fn start() -> (Demo, Proxy) {
    start_with(Settings::default(), &routes()).await
}

async fn start_with(settings: Settings, routes: &str) -> (Demo, Proxy) {
    demo::profiled();
    let backend = Demo::start(settings, CancellationToken::new())
        .await
        .unwrap();
    let proxy = Proxy::to_address(backend.address(), routes).await;
    (backend, proxy)
}

#[tokio::test]
async fn a_hit_does_not_touch_the_database_at_all() {
    let (backend, proxy) = start().await;
    for path in [
        "/api/conversations?limit=100",
        "/api/conversations/1",
        "/api/users/1",
        "/api/search?q=lunch",
    ] {
        assert_eq!(proxy.get(path).await.status, 200, "{path}");
        let before = backend.statements_total();
        assert!(before > 0, "statements are counted");
        assert!(proxy.get(path).await.is_hit(), "{path}");
        assert_eq!(backend.statements_total(), before, "{path}");
    }
}

#[tokio::test]
async fn the_problem_and_its_fix_are_seen_through_the_proxy() {
    let (_backend, proxy) = start().await;
    let naive = proxy.get("/api/naive/conversations?limit=100").await;
    let fixed = proxy.get("/api/conversations?limit=100").await;
    assert!(naive.header("server-timing").unwrap().contains("n=101"));
    assert!(fixed.header("server-timing").unwrap().contains("n=2"));
    assert_eq!(naive.text(), fixed.text());
}

/// The backend says for how long: `--cache-control all`.
#[tokio::test]
async fn without_a_ttl_answers_are_kept_for_as_long_as_the_backend_says() {
    let routes: String = routes()
        .lines()
        .filter(|line| !line.starts_with("ttl = "))
        .flat_map(|line| [line, "\n"])
        .collect();
    for (cache_control, conversation, user) in [
        (CacheControl::All, Some(30), Some(60)),
        (CacheControl::Most, None, Some(60)),
        (CacheControl::None, None, None),
    ] {
        let settings = Settings {
            cache_control,
            ..Settings::default()
        };
        let (_backend, proxy) = start_with(settings, &routes).await;
        for (path, lifetime) in [
            ("/api/conversations", conversation),
            ("/api/conversations/1", conversation),
            ("/api/users/1", user),
        ] {
            assert!(!proxy.get(path).await.is_hit(), "{path}");
            let again = proxy.get(path).await;
            assert_eq!(
                again.is_hit(),
                lifetime.is_some(),
                "{cache_control:?} {path}"
            );
            if let Some(lifetime) = lifetime {
                let control = again.header("cache-control").unwrap().to_owned();
                let named = format!("max-age={lifetime}");
                assert!(control.starts_with(&named), "{path}: {control}");
            }
        }
    }
}

#[tokio::test]
async fn a_write_makes_the_next_read_a_miss() {
    let (_backend, proxy) = start().await;
    for path in [
        "/api/conversations/1",
        "/api/conversations",
        "/api/conversations/2",
    ] {
        proxy.get(path).await;
        assert!(proxy.get(path).await.is_hit(), "{path}");
    }
    let json = [("Content-Type", "application/json")];
    let written = proxy
        .send(
            "PUT",
            "/api/conversations/1",
            &json,
            "{\"title\":\"Changed\"}",
        )
        .await;
    assert_eq!(written.status, 200);
    for path in ["/api/conversations/1", "/api/conversations"] {
        let read = proxy.get(path).await;
        assert!(!read.is_hit() && read.text().contains("Changed"), "{path}");
    }
    assert!(proxy.get("/api/conversations/2").await.is_hit());
}

#[tokio::test]
async fn what_is_private_stays_so_and_events_stream() {
    let (_backend, proxy) = start().await;
    let alice = proxy
        .get_with("/api/me", &[("Authorization", "alice")])
        .await;
    let bob = proxy.get_with("/api/me", &[("Authorization", "bob")]).await;
    assert_ne!(alice.text(), bob.text());
    let mut events = crate::support::client::Connection::open(proxy.address()).await;
    events
        .send("GET /api/events HTTP/1.1\r\nHost: a\r\nAccept-Encoding: gzip\r\n\r\n")
        .await;
    assert!(
        events
            .read_until(|bytes| bytes.windows(5).any(|w| w == b"data:"))
            .await,
        "the first arrives at once"
    );
}

#[test]
fn the_routes_of_the_repository_are_those_that_are_tested() {
    assert_eq!(
        proxy::config("127.0.0.1:1".parse().unwrap(), &routes())
            .routes
            .len(),
        20
    );
}
