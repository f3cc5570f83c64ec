//! An origin that failed is left alone for a while: stale answers do not wait for it.

use super::support::{Reply, Scene, settle};
use crate::origin::FetchError;
use std::time::Duration;
use tokio::time::advance;

const IF_ERROR: &str = "max-age=10, stale-if-error=600";

/// With `old` stored and expired, and an origin that has answered so since.
async fn after(reply: Reply) -> Scene {
    let scene = Scene::new().await;
    let old = Reply::controlled("old", IF_ERROR).with("etag", "\"1\"");
    scene.store("/a", old).await;
    scene.pass(20);
    scene.origin.answers([reply, Reply::fresh("new", 60)]);
    drop(scene.request("/a").outcome().await);
    assert_eq!(scene.origin.count(), 2);
    scene
}

#[tokio::test(start_paused = true)]
async fn while_the_origin_fails_the_stale_response_is_served_without_waiting() {
    let scene = after(Reply::unreachable()).await;
    let got = scene.get("/a").await;
    assert_eq!(
        got.says, "hit; ttl=-10; detail=stale-if-error",
        "nothing was forwarded"
    );
    assert_eq!(
        (got.text().await.as_str(), scene.origin.count()),
        ("old", 2)
    );
    advance(Duration::from_millis(1251)).await;
    assert_eq!(
        scene.get("/a").await.text().await,
        "new",
        "the pause is over"
    );
}

#[tokio::test(start_paused = true)]
async fn what_is_stale_for_too_long_waits_for_an_origin_that_fails() {
    let scene = after(Reply::unreachable()).await;
    scene.pass(600);
    assert_eq!(scene.get("/a").await.text().await, "new");
}

#[tokio::test(start_paused = true)]
async fn what_is_purged_waits_for_an_origin_that_fails() {
    for hard in [true, false] {
        let scene = after(Reply::unreachable()).await;
        let request = scene.request("/a");
        let miss = request.miss();
        if hard {
            scene.purge("/a", hard).await; // between the lookup and the fetch
            assert_eq!(request.fetch(miss).await.unwrap().text().await, "new");
        } else {
            scene.purge("/a", hard).await;
            assert_eq!(
                scene.get("/a").await.says,
                "fwd=stale; stored; detail=purged"
            );
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_part_waits_for_an_origin_that_fails() {
    let scene = Scene::new().await;
    let part = Reply::controlled("01", IF_ERROR).status(206);
    scene
        .origin
        .answer(part.with("content-range", "bytes 0-1/10"));
    let ranged = || scene.request("/a").with("range", "bytes=0-1").get();
    ranged().await;
    scene.pass(20);
    scene
        .origin
        .answers([Reply::unreachable(), Reply::fresh("0123456789", 60)]);
    ranged().await;
    assert_eq!(ranged().await.says, "fwd=stale; stored; detail=expired");
}

#[tokio::test(start_paused = true)]
async fn retry_after_is_honoured() {
    let scene = after(Reply::ok("").status(503).with("retry-after", "100")).await;
    advance(Duration::from_secs(99)).await;
    assert_eq!(scene.get("/a").await.text().await, "old");
    advance(Duration::from_secs(1)).await;
    assert_eq!(scene.get("/a").await.text().await, "new");
}

#[tokio::test(start_paused = true)]
async fn an_origin_that_only_declined_is_asked_by_those_who_wait() {
    for declined in [
        Reply::ok("").status(429).with("retry-after", "100"),
        Reply::failed(FetchError::Overloaded),
        Reply::failed(FetchError::ClientBody),
    ] {
        let scene = after(declined).await;
        assert_eq!(scene.get("/a").await.text().await, "new");
    }
}

#[tokio::test(start_paused = true)]
async fn an_answer_ends_the_pause() {
    let scene = after(Reply::ok("").status(503).with("retry-after", "100")).await;
    scene.pass(600); // too old to be served, so that the origin is asked
    scene.origin.answer(Reply::controlled("new", IF_ERROR));
    assert_eq!(scene.get("/a").await.text().await, "new");
    scene.pass(20);
    scene.origin.answer(Reply::fresh("newer", 60));
    assert_eq!(scene.get("/a").await.text().await, "newer");
}

#[tokio::test(start_paused = true)]
async fn a_refresh_that_fails_is_not_tried_again_at_once() {
    let scene = Scene::new().await;
    scene
        .store(
            "/a",
            Reply::controlled("old", "max-age=10, stale-while-revalidate=600"),
        )
        .await;
    scene.pass(20);
    scene.origin.answer(Reply::unreachable());
    for _ in 0..3 {
        assert_eq!(
            scene.get("/a").await.says,
            "hit; ttl=-10; detail=stale-while-revalidate"
        );
        settle().await;
    }
    assert_eq!(scene.origin.count(), 2);
    advance(Duration::from_millis(1251)).await;
    scene.get("/a").await;
    scene.origin.asked(3).await;
}

#[tokio::test(start_paused = true)]
async fn a_refresh_that_was_declined_is_not_tried_again_before_its_time() {
    let scene = Scene::new().await;
    scene
        .store(
            "/a",
            Reply::controlled("old", "max-age=10, stale-while-revalidate=600"),
        )
        .await;
    scene.pass(20);
    scene
        .origin
        .answer(Reply::ok("").status(429).with("retry-after", "50"));
    for pause in [0, 49] {
        advance(Duration::from_secs(pause)).await;
        scene.get("/a").await;
        settle().await;
        assert_eq!(scene.origin.count(), 2);
    }
    advance(Duration::from_secs(1)).await;
    scene.get("/a").await;
    scene.origin.asked(3).await;
}

#[tokio::test(start_paused = true)]
async fn what_is_purged_softly_after_a_failure_is_asked_for_at_once() {
    let scene = Scene::new().await;
    scene
        .store(
            "/a",
            Reply::controlled("old", "max-age=10, stale-while-revalidate=600"),
        )
        .await;
    scene.pass(20);
    scene
        .origin
        .answer(Reply::ok("").status(503).with("retry-after", "500"));
    scene.get("/a").await;
    scene.origin.asked(2).await;
    scene.landed().await;
    advance(Duration::from_secs(1)).await;
    scene.purge("/a", false).await;
    assert_eq!(scene.get("/a").await.text().await, "old");
    scene.origin.asked(3).await;
}

#[tokio::test(start_paused = true)]
async fn what_was_purged_softly_before_a_failure_is_not_asked_for_again_at_once() {
    let scene = Scene::new().await;
    let control = "max-age=10, stale-while-revalidate=600";
    scene.store("/a", Reply::controlled("old", control)).await;
    scene.purge("/a", false).await;
    advance(Duration::from_secs(1)).await;
    scene
        .origin
        .answer(Reply::ok("").status(503).with("retry-after", "500"));
    for _ in 0..3 {
        assert_eq!(scene.get("/a").await.text().await, "old");
        settle().await;
    }
    assert_eq!(scene.origin.count(), 2);
}
