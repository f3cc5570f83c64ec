//! What a HEAD that was passed on says of the stored response.

use super::support::{Reply, Request, Scene};
use crate::{
    cache::{Cache, HeadUpdate},
    semantics::Reason,
};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use std::sync::Arc;

/// What the origin says to a HEAD.
fn head(fields: &[(&'static str, &'static str)]) -> HeaderMap {
    let field = |(name, value): &(&'static str, &'static str)| {
        (
            HeaderName::from_static(name),
            HeaderValue::from_static(value),
        )
    };
    fields.iter().map(field).collect()
}

/// As the proxy passes a HEAD on: `status` and `fields` are what the origin says.
fn pass(cache: &Cache, request: Request, status: u16, fields: &[(&'static str, &'static str)]) {
    let request = request.method(Method::HEAD);
    let (ask, stored) = (Arc::new(request.ask()), request.miss().stored);
    let update = HeadUpdate::new(&ask, stored, cache.start());
    cache.freshen(update, StatusCode::from_u16(status).unwrap(), &head(fields));
}

/// With `a` stored under `"1"`, and expired.
async fn expired() -> Scene {
    let scene = Scene::new().await;
    scene
        .store("/a", Reply::fresh("a", 10).with("etag", "\"1\""))
        .await;
    scene.pass(20);
    scene
}

const SAME: [(&str, &str); 2] = [("etag", "\"1\""), ("cache-control", "max-age=60")];

#[tokio::test(start_paused = true)]
async fn a_head_that_agrees_freshens_what_is_stored() {
    let scene = expired().await;
    pass(&scene.cache, scene.request("/a"), 200, &SAME);
    let hit = scene.get("/a").await;
    assert_eq!(
        (hit.says.as_str(), hit.field("cache-control")),
        ("hit; ttl=60", Some("max-age=60"))
    );
}

#[tokio::test(start_paused = true)]
async fn a_head_that_disagrees_takes_away_what_is_stored() {
    for other in [("etag", "\"2\""), ("content-length", "2")] {
        let scene = expired().await;
        pass(&scene.cache, scene.request("/a"), 200, &[other]);
        scene.origin.answer(Reply::fresh("b", 60));
        assert_eq!(
            scene.get("/a").await.says,
            "fwd=uri-miss; stored",
            "{other:?}"
        );
    }
}

/// Nothing has changed: what is stored is there, and expired.
async fn is_as_it_was(scene: &Scene) -> bool {
    scene.origin.answer(Reply::not_modified("\"1\""));
    scene.get("/a").await.says == "fwd=stale; fwd-status=304; stored; detail=expired"
}

#[tokio::test(start_paused = true)]
async fn a_head_that_says_nothing_changes_nothing() {
    for (status, fields) in [
        (200, &[("content-length", "1")][..]),
        (404, &SAME),
        (304, &SAME),
    ] {
        let scene = expired().await;
        pass(&scene.cache, scene.request("/a"), status, fields);
        assert!(is_as_it_was(&scene).await, "{status}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_a_caller_with_credentials_hears_changes_nothing() {
    for fields in [&SAME[..], &[("etag", "\"2\"")]] {
        let scene = expired().await;
        pass(
            &scene.cache,
            scene.request("/a").with("cookie", "alice"),
            200,
            fields,
        );
        assert!(is_as_it_was(&scene).await);
    }
}

#[tokio::test(start_paused = true)]
async fn a_head_neither_makes_a_whole_of_a_part_nor_freshens_it() {
    let scene = Scene::new().await;
    let part = Reply::fresh("01", 10).status(206).with("etag", "\"1\"");
    scene
        .origin
        .answer(part.with("content-range", "bytes 0-1/10"));
    let ranged = || scene.request("/a").with("range", "bytes=0-1");
    ranged().get().await;
    scene.pass(20);
    pass(&scene.cache, scene.request("/a"), 200, &SAME);
    assert_eq!(ranged().miss().reason, Reason::Expired);
}

#[tokio::test(start_paused = true)]
async fn a_head_about_what_was_purged_since_or_never_stored_changes_nothing() {
    let scene = expired().await;
    let request = scene.request("/a").method(Method::HEAD);
    let (ask, stored) = (Arc::new(request.ask()), request.miss().stored);
    let update = HeadUpdate::new(&ask, stored, scene.cache.start());
    scene.purge("/a", true).await;
    scene.cache.freshen(update, StatusCode::OK, &head(&SAME));
    pass(&scene.cache, scene.request("/a"), 200, &SAME);
    assert_eq!(request.miss().reason, Reason::UriMiss);
}

#[tokio::test(start_paused = true)]
async fn what_is_purged_before_a_head_leaves_is_not_brought_back_by_it() {
    let scene = expired().await;
    let request = scene.request("/a").method(Method::HEAD);
    let stored = request.miss().stored;
    scene.purge("/a", true).await;
    let update = HeadUpdate::new(&Arc::new(request.ask()), stored, scene.cache.start());
    scene.cache.freshen(update, StatusCode::OK, &head(&SAME));
    assert_eq!(request.miss().reason, Reason::UriMiss);
}

#[tokio::test(start_paused = true)]
async fn a_head_that_is_late_does_not_undo_what_came_meanwhile() {
    let scene = expired().await;
    let request = scene.request("/a").method(Method::HEAD);
    let (ask, stored) = (Arc::new(request.ask()), request.miss().stored);
    let update = HeadUpdate::new(&ask, stored, scene.cache.start());
    scene.pass(1);
    let new = Reply::fresh("b", 60).with("etag", "\"2\"");
    scene.store("/a", new).await;
    scene.cache.freshen(update, StatusCode::OK, &head(&SAME));
    assert_eq!(scene.get("/a").await.text().await, "b");
}

#[tokio::test(start_paused = true)]
async fn a_part_answers_no_head() {
    let scene = Scene::new().await;
    let part = Reply::fresh("01", 60).status(206);
    scene
        .origin
        .answer(part.with("content-range", "bytes 0-1/10"));
    let ranged = || scene.request("/a").with("range", "bytes=0-1");
    ranged().get().await;
    assert_eq!(ranged().method(Method::HEAD).miss().reason, Reason::Range);
}

#[tokio::test(start_paused = true)]
async fn a_head_agrees_with_the_length_of_what_was_put_together() {
    let scene = Scene::new().await;
    for (body, range) in [("01", "0-1"), ("23", "2-3")] {
        let part = Reply::fresh(body, 10).status(206).with("etag", "\"1\"");
        let said = format!("bytes {range}/4");
        scene.origin.answer(
            part.with("content-range", &said)
                .with("content-length", "2"),
        );
        let ranged = scene.request("/a").with("range", &format!("bytes={range}"));
        ranged.get().await;
    }
    scene.pass(20);
    let same = [SAME[0], SAME[1], ("content-length", "4")];
    pass(&scene.cache, scene.request("/a"), 200, &same);
    assert_eq!(scene.get("/a").await.says, "hit; ttl=60");
}
