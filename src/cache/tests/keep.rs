//! Storing a response that has already come: the answer to a write that a later GET can be given.

use super::support::{Reply, Request, Scene};
use crate::cache::FetchStart;
use std::sync::Arc;

/// Keeps `reply` as the answer to `request` that was begun at `start`; what its client is told, and its body.
async fn keep(
    scene: &Scene,
    request: &Request,
    start: FetchStart,
    reply: Reply,
) -> (String, String) {
    let response = reply.give().await.unwrap();
    let answered = scene
        .cache
        .keep(&Arc::new(request.ask()), start, response)
        .await;
    let got = super::support::Got::of(answered.unwrap());
    (got.says.clone(), got.text().await)
}

#[tokio::test(start_paused = true)]
async fn what_a_write_brought_answers_the_next_read() {
    let scene = Scene::new().await;
    let request = scene.request("/a");
    let start = scene.cache.start();
    let (says, body) = keep(&scene, &request, start, Reply::fresh("a", 60)).await;
    assert_eq!((says.as_str(), body.as_str()), ("fwd=method; stored", "a"));
    assert_eq!(scene.get("/a").await.says, "hit; ttl=60");
    assert_eq!(scene.origin.count(), 0);
}

#[tokio::test(start_paused = true)]
async fn what_a_write_brought_and_may_not_be_stored_passes() {
    let scene = Scene::new().await;
    let reply = Reply::controlled("a", "no-store");
    let (says, _) = keep(&scene, &scene.request("/a"), scene.cache.start(), reply).await;
    assert_eq!(says, "fwd=method; detail=no-store");
}

#[tokio::test(start_paused = true)]
async fn what_was_purged_after_a_write_began_is_not_served_later() {
    let scene = Scene::new().await;
    let start = scene.cache.start();
    scene.purge("/a", true).await;
    keep(&scene, &scene.request("/a"), start, Reply::fresh("old", 60)).await;
    scene.origin.answer(Reply::fresh("new", 60));
    assert_eq!(scene.get("/a").await.text().await, "new");
}

#[tokio::test(start_paused = true)]
async fn the_purges_that_a_write_causes_itself_do_not_concern_what_it_brought() {
    let scene = Scene::new().await;
    let start = scene.cache.start();
    scene.purge("/a", true).await;
    let start = scene.cache.start_after_own(start, 1).await.unwrap();
    keep(&scene, &scene.request("/a"), start, Reply::fresh("a", 60)).await;
    assert_eq!(scene.get("/a").await.says, "hit; ttl=60");
}

#[tokio::test(start_paused = true)]
async fn a_write_beside_which_others_purged_cannot_tell() {
    let scene = Scene::new().await;
    let start = scene.cache.start();
    for path in ["/a", "/b"] {
        scene.purge(path, true).await;
    }
    assert!(scene.cache.start_after_own(start, 1).await.is_none());
}
