//! What was purged softly is stale, as if it had expired by its age.

use super::support::{Reply, Scene};
use std::time::Duration;
use tokio::time::advance;

/// With `old` stored under `control`, and purged softly a second ago.
async fn purged(control: &str) -> Scene {
    let scene = Scene::new().await;
    scene.store("/a", Reply::controlled("old", control)).await;
    scene.purge("/a", false).await;
    both(&scene, 1).await;
    scene
}

/// Lets so many seconds pass, by both clocks: that of windows, and that of ages.
async fn both(scene: &Scene, seconds: u64) {
    scene.pass(seconds);
    advance(Duration::from_secs(seconds)).await;
}

const IF_ERROR: &str = "max-age=600, stale-if-error=60";

fn failures() -> [Reply; 2] {
    [Reply::ok("").status(503), Reply::unreachable()]
}

#[tokio::test(start_paused = true)]
async fn an_origin_that_fails_is_asked_once_by_all_who_wait() {
    for failure in failures() {
        let scene = purged(IF_ERROR).await;
        let (failure, gate) = failure.held();
        scene.origin.answer(failure);
        let clients: Vec<_> = (0..50).map(|_| scene.request("/a").begin()).collect();
        scene.origin.asked(2).await;
        scene.followers(49).await;
        gate.open();
        for client in clients {
            assert_eq!(client.got().await.text().await, "old");
        }
        assert_eq!(scene.origin.count(), 2);
    }
}

#[tokio::test(start_paused = true)]
async fn an_origin_that_has_failed_since_is_left_alone_for_a_while() {
    for failure in failures() {
        let scene = purged(IF_ERROR).await;
        scene.origin.answer(failure);
        scene.get("/a").await;
        for _ in 0..5 {
            let got = scene.get("/a").await;
            assert_eq!(got.says, "hit; ttl=-1; detail=stale-if-error");
        }
        assert_eq!(scene.origin.count(), 2);
        advance(Duration::from_millis(1251)).await;
        scene.get("/a").await;
        assert_eq!(scene.origin.count(), 3, "the pause is over");
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_purged_hard_meanwhile_is_for_nobody_who_waits() {
    let scene = purged(IF_ERROR).await;
    let (failure, gate) = Reply::ok("").status(503).held();
    scene.origin.answers([failure, Reply::fresh("new", 60)]);
    let clients = [scene.request("/a").begin(), scene.request("/a").begin()];
    scene.origin.asked(2).await;
    scene.followers(1).await;
    scene.purge("/a", true).await;
    gate.open();
    let [leader, follower] = clients;
    assert_eq!(leader.got().await.status, 503);
    assert_eq!(follower.got().await.text().await, "new");
}

#[tokio::test(start_paused = true)]
async fn its_window_begins_with_the_purge_and_its_lifetime_ends_there() {
    let control = "max-age=600, stale-while-revalidate=60";
    for (since, says) in [
        (0, "hit; ttl=-1; detail=stale-while-revalidate"),
        (58, "hit; ttl=-59; detail=stale-while-revalidate"),
        (60, "fwd=stale; stored; detail=purged"),
    ] {
        let scene = purged(control).await;
        both(&scene, since).await;
        scene.origin.answer(Reply::fresh("new", 60));
        assert_eq!(scene.get("/a").await.says, says);
    }
}
