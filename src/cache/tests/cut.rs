//! Bodies that end early: nobody takes them for whole, and nothing of them is stored.

use super::support::{Reply, Scene};
use crate::semantics::Refusal;

#[tokio::test(start_paused = true)]
async fn a_small_body_that_is_cut_is_a_failure_of_the_origin() {
    let scene = Scene::new().await;
    scene.origin.answer(Reply::fresh("half", 60).cut());
    let failed = scene.request("/a").failed().await;
    assert_eq!(failed.error.cause(), "upstream_broken");
    assert_eq!(scene.refused(Refusal::Incomplete), 1);
    scene.origin.answer(Reply::fresh("whole", 60));
    assert_eq!(scene.get("/a").await.text().await, "whole");
}

#[tokio::test(start_paused = true)]
async fn in_the_place_of_a_small_body_that_is_cut_the_stale_one_is_served() {
    let scene = Scene::new().await;
    let control = "max-age=10, stale-if-error=60";
    scene.store("/a", Reply::controlled("old", control)).await;
    scene.pass(20);
    scene.origin.answer(Reply::fresh("half", 60).cut());
    let got = scene.get("/a").await;
    assert_eq!(got.says, "fwd=stale; ttl=-10; detail=stale-if-error");
    assert_eq!(got.text().await, "old");
}

#[tokio::test(start_paused = true)]
async fn a_follower_of_a_small_body_that_is_cut_asks_for_itself() {
    let scene = Scene::new().await;
    let (one, other) = (scene.request("/a"), scene.request("/a"));
    let (cut, whole) = (Reply::fresh("half", 60).cut(), Reply::fresh("whole", 60));
    let (leader, follower, gate) = scene.together(one, other, cut, whole).await;
    gate.open();
    assert_eq!(leader.failed().await.error.cause(), "upstream_broken");
    assert_eq!(follower.got().await.text().await, "whole");
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_is_cut_is_broken_for_all_who_read_it() {
    let scene = Scene::new().await;
    let (reply, tap) = Reply::live(None);
    let (one, other) = (scene.request("/a"), scene.request("/a"));
    let (leader, follower, gate) = scene
        .together(one, other, reply, Reply::fresh("", 60))
        .await;
    gate.open();
    let readers = [leader.got().await, follower.got().await];
    tap.send("half").await;
    tap.breaks().await;
    for mut reader in readers {
        assert_eq!(reader.next().await.unwrap().unwrap(), "half");
        assert!(reader.next().await.unwrap().is_err());
    }
    assert_eq!(scene.refused(Refusal::Incomplete), 1);
    assert_eq!(
        scene.get("/a").await.says,
        "fwd=uri-miss; stored",
        "nothing was"
    );
}

#[tokio::test(start_paused = true)]
async fn a_fetch_that_panics_in_the_middle_of_a_body_breaks_it() {
    let scene = Scene::new().await;
    let (reply, tap) = Reply::live(None);
    scene.origin.answer(reply);
    let mut reader = scene.get("/a").await;
    tap.send("half").await;
    assert_eq!(reader.next().await.unwrap().unwrap(), "half");
    tap.panics().await;
    assert!(reader.next().await.unwrap().is_err());
    scene.landed().await;
    scene.origin.answer(Reply::fresh("whole", 60));
    assert_eq!(scene.get("/a").await.text().await, "whole");
}
