//! What the origin is asked, and under which names the answer is stored.

use super::support::{Reply, Scene, rule};
use crate::{
    cache::{KeySpec, Rule, Settings, coding},
    semantics::Policy,
    store::Selector,
};
use http::Method;
use std::{sync::Arc, time::Duration};

#[tokio::test(start_paused = true)]
async fn the_cache_asks_without_the_conditions_and_codings_of_its_client() {
    let scene = Scene::new().await;
    scene.origin.answer(Reply::fresh("a", 60));
    let request = scene.request("/a").with("if-none-match", "\"0\"");
    let request = request
        .with("content-length", "1")
        .with("content-type", "text/plain");
    request.with("accept-encoding", "br").get().await;
    let sent = scene.origin.last();
    assert_eq!(sent.field("accept-encoding"), Some("identity"));
    for name in ["if-none-match", "content-length", "content-type"] {
        assert_eq!(sent.field(name), None, "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn where_nothing_is_coded_here_the_codings_of_the_client_are_asked_for() {
    let coding = coding::Settings {
        enabled: false,
        ..coding::Settings::default()
    };
    let settings = Settings {
        coding,
        ..Settings::default()
    };
    let scene = Scene::by(Rule::new(
        Policy::default(),
        KeySpec::default(),
        Arc::new(settings),
    ))
    .await;
    scene
        .origin
        .answer(Reply::fresh("a", 60).with("vary", "accept-encoding"));
    let coded = |coding| scene.request("/a").with("accept-encoding", coding).get();
    coded("br").await;
    assert_eq!(scene.origin.last().field("accept-encoding"), Some("br"));
    assert_eq!(coded("br").await.says, "hit; ttl=60");
    assert_eq!(coded("zstd").await.says, "fwd=vary-miss; stored");
}

#[tokio::test(start_paused = true)]
async fn where_codings_are_made_here_they_select_nothing() {
    let scene = Scene::new().await;
    scene
        .origin
        .answer(Reply::fresh("a", 60).with("vary", "accept-encoding"));
    let coded = |coding| scene.request("/a").with("accept-encoding", coding).get();
    coded("br").await;
    assert_eq!(coded("zstd").await.says, "hit; ttl=60");
}

#[tokio::test(start_paused = true)]
async fn what_must_not_be_transformed_is_not_coded() {
    for (control, coding) in [
        ("max-age=60", Some("gzip")),
        ("max-age=60, no-transform", None),
    ] {
        let scene = Scene::new().await;
        let text = Reply::controlled(&"text ".repeat(200), control);
        scene
            .store("/a", text.with("content-type", "text/plain"))
            .await;
        let got = scene
            .request("/a")
            .with("accept-encoding", "gzip")
            .get()
            .await;
        assert_eq!(got.field("content-encoding"), coding);
    }
}

#[tokio::test(start_paused = true)]
async fn a_query_is_asked_with_its_content_again_and_again() {
    let scene = Scene::new().await;
    let query = || {
        let request = scene
            .request("/a")
            .method(Method::from_bytes(b"QUERY").unwrap());
        request.with("content-type", "text/plain").content("what?")
    };
    let stored = Reply::fresh("a", 10).with("etag", "\"1\"");
    scene
        .origin
        .answers([stored, Reply::not_modified("\"2\""), Reply::fresh("b", 60)]);
    assert_eq!(query().get().await.text().await, "a");
    scene.pass(20);
    assert_eq!(query().get().await.text().await, "b");
    let sent = scene.origin.last();
    assert_eq!(
        (sent.method.as_str(), &sent.content[..]),
        ("QUERY", &b"what?"[..])
    );
    assert_eq!(
        (sent.field("content-length"), sent.field("content-type")),
        (Some("5"), Some("text/plain"))
    );
}

#[tokio::test(start_paused = true)]
async fn a_stored_response_is_named_by_its_route_its_groups_and_its_origin() {
    let scene = Scene::new().await;
    let reply = Reply::fresh("a", 60).with("cache-tag", "given");
    scene.origin.answer(reply.with("cache-groups", "\"group\""));
    let got = scene.request("/a").tagged("declared").get().await;
    assert_eq!(got.field("cache-tag"), None, "it is for this cache");
    let group = crate::semantics::invalidation::group_tag(b"test.example", "group");
    for tag in ["declared", "given", &group] {
        let matching = scene.cache.store().matching(&[Selector::tag(tag)]);
        assert_eq!(matching.entries, 1, "{tag}");
    }
}

/// The lifetimes that 50 responses get which are said to be fresh for so long.
async fn lifetimes(control: Option<&str>) -> Vec<i64> {
    let policy = Policy {
        ttl: Some(Duration::from_secs(1000)),
        ..Policy::default()
    };
    let mut jittered = Rule { policy, ..rule() };
    jittered.ttl_jitter = 20;
    let scene = Scene::by(jittered).await;
    let mut lifetimes = Vec::new();
    for n in 0..50 {
        let path = format!("/{n}");
        let reply = Reply::ok("a");
        let said = control.map(|control| reply.clone().with("cache-control", control));
        scene.store(&path, said.unwrap_or(reply)).await;
        lifetimes.push(scene.get(&path).await.decision.ttl.unwrap());
    }
    lifetimes
}

#[tokio::test(start_paused = true)]
async fn a_lifetime_of_the_route_is_shortened_at_random_within_its_bounds() {
    let lifetimes = lifetimes(None).await;
    assert!(
        lifetimes.iter().all(|ttl| (800..=1000).contains(ttl)),
        "{lifetimes:?}"
    );
    assert!(
        lifetimes.iter().any(|ttl| *ttl != lifetimes[0]),
        "{lifetimes:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_lifetime_of_the_origin_is_left_alone() {
    assert!(
        lifetimes(Some("max-age=500"))
            .await
            .iter()
            .all(|ttl| *ttl == 500)
    );
}
