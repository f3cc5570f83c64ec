//! Bringing up to date in the background what was served.

use super::support::{Reply, Scene, rule, settle};
use crate::cache::{Rule, rule::REFRESHES};
use std::{sync::Arc, time::Duration};

const STALE: &str = "max-age=10, stale-while-revalidate=600";

/// With `old` stored under so many paths and stale, and an origin that waits.
async fn stale(paths: usize) -> Scene {
    let scene = Scene::new().await;
    for n in 0..paths {
        scene
            .store(&format!("/{n}"), Reply::controlled("old", STALE))
            .await;
    }
    scene.pass(20);
    scene
}

#[tokio::test(start_paused = true)]
async fn what_is_stale_is_served_and_refreshed() {
    let scene = stale(1).await;
    scene.origin.answer(Reply::fresh("new", 60));
    let got = scene.get("/0").await;
    assert_eq!(got.says, "hit; ttl=-10; detail=stale-while-revalidate");
    assert_eq!(got.text().await, "old");
    scene.origin.asked(2).await;
    scene.landed().await;
    assert_eq!(scene.get("/0").await.text().await, "new");
}

#[tokio::test(start_paused = true)]
async fn a_refresh_validates_what_is_stored() {
    let scene = Scene::new().await;
    scene
        .store("/a", Reply::controlled("a", STALE).with("etag", "\"1\""))
        .await;
    scene.pass(20);
    scene.origin.answer(Reply::not_modified("\"1\""));
    scene.get("/a").await;
    scene.origin.asked(2).await;
    scene.landed().await;
    assert_eq!(scene.get("/a").await.says, "hit; ttl=60");
}

#[tokio::test(start_paused = true)]
async fn one_key_has_one_refresh() {
    let scene = stale(1).await;
    let (reply, gate) = Reply::fresh("new", 60).held();
    scene.origin.answer(reply);
    for _ in 0..5 {
        assert_eq!(scene.get("/0").await.text().await, "old");
    }
    settle().await;
    scene.origin.asked(2).await;
    gate.open();
    scene.landed().await;
    assert_eq!(scene.total("refresh_skipped"), 0, "it was under way");
}

#[tokio::test(start_paused = true)]
async fn a_miss_follows_a_refresh_that_is_under_way() {
    let scene = stale(1).await;
    let (reply, gate) = Reply::fresh("new", 6000).held();
    scene.origin.answer(reply);
    scene.get("/0").await;
    scene.origin.asked(2).await;
    scene.pass(600);
    let client = scene.request("/0").begin();
    scene.followers(1).await;
    gate.open();
    assert_eq!(client.got().await.text().await, "new");
    assert_eq!(scene.origin.count(), 2);
}

/// Asks for the paths by this rule; each is stale.
async fn ask_for(scene: &Scene, rule: &Arc<Rule>, paths: std::ops::Range<usize>) {
    for n in paths {
        let request = scene.request(&format!("/{n}"));
        assert_eq!(request.by(rule).get().await.text().await, "old");
    }
    settle().await;
}

#[tokio::test(start_paused = true)]
async fn a_rule_has_half_of_the_slots_for_refreshes() {
    let scene = stale(REFRESHES + 2).await;
    let before = scene.origin.count();
    let (reply, gate) = Reply::fresh("new", 60).held();
    scene.origin.answer(reply);
    ask_for(&scene, &scene.rule, 0..REFRESHES + 2).await;
    scene.origin.asked(before + 32).await;
    assert_eq!(scene.total("refresh_skipped"), 2);
    gate.open();
    scene.landed().await;
    ask_for(&scene, &scene.rule, REFRESHES..REFRESHES + 2).await;
    scene.origin.asked(before + 34).await; // the slots are free again
}

#[tokio::test(start_paused = true)]
async fn all_rules_together_have_64_slots_for_refreshes() {
    let scene = stale(70).await;
    let before = scene.origin.count();
    let (reply, gate) = Reply::fresh("new", 60).held();
    scene.origin.answer(reply);
    for (n, rule) in [rule(), rule(), rule()].map(Arc::new).iter().enumerate() {
        ask_for(&scene, rule, n * 30..(n * 30 + 30).min(70)).await;
    }
    scene.origin.asked(before + 64).await;
    assert_eq!(scene.total("refresh_skipped"), 6);
    gate.open();
    scene.landed().await;
}

#[tokio::test(start_paused = true)]
async fn a_refresh_that_panics_gives_its_slots_back() {
    let scene = stale(REFRESHES + 1).await;
    scene.origin.answer(Reply::panic());
    ask_for(&scene, &scene.rule, 0..REFRESHES).await;
    scene.landed().await;
    scene.origin.answer(Reply::fresh("new", 60));
    ask_for(&scene, &scene.rule, REFRESHES..REFRESHES + 1).await;
    assert_eq!(scene.total("refresh_skipped"), 0);
    assert_eq!(
        scene.get(&format!("/{REFRESHES}")).await.text().await,
        "new"
    );
}

/// By a rule that refreshes in the last quarter of a lifetime of 100 seconds.
async fn ahead() -> Scene {
    let mut ahead = rule();
    ahead.refresh_ahead = Some(Duration::from_secs(3600));
    let scene = Scene::by(ahead).await;
    scene.store("/a", Reply::fresh("old", 100)).await;
    scene.origin.answer(Reply::fresh("new", 100));
    scene
}

#[tokio::test(start_paused = true)]
async fn what_soon_expires_is_refreshed_ahead() {
    let scene = ahead().await;
    scene.pass(99);
    // At this moment about four hits in five begin a refresh.
    for _ in 0..100 {
        assert!(scene.get("/a").await.says.starts_with("hit"));
        settle().await;
    }
    assert_eq!(scene.get("/a").await.text().await, "new");
    assert_eq!(scene.origin.count(), 2);
}

#[tokio::test(start_paused = true)]
async fn what_is_fresh_for_long_is_not_refreshed_ahead() {
    let scene = ahead().await;
    scene.pass(75);
    for _ in 0..100 {
        assert_eq!(scene.get("/a").await.text().await, "old");
        settle().await;
    }
    assert_eq!(scene.origin.count(), 1);
}

#[tokio::test(start_paused = true)]
async fn what_is_coded_first_is_refreshed_too() {
    let scene = Scene::new().await;
    let text = Reply::controlled(&"text ".repeat(200), STALE);
    scene
        .store("/a", text.with("content-type", "text/plain"))
        .await;
    scene.pass(20);
    let coded = scene
        .request("/a")
        .with("accept-encoding", "gzip")
        .get()
        .await;
    assert_eq!(coded.field("content-encoding"), Some("gzip"));
    scene.origin.asked(2).await;
}
