//! Bodies on their way into the store and to those who wait.

use super::support::{Reply, Scene};
use std::time::Duration;
use tokio::time::Instant;

#[tokio::test(start_paused = true)]
async fn a_small_body_is_waited_for_so_that_its_first_answer_has_a_tag() {
    let scene = Scene::new().await;
    let (reply, tap) = Reply::live(Some(2));
    scene.origin.answer(reply);
    let client = scene.request("/a").begin();
    scene.origin.asked(1).await;
    tap.send("a").await;
    tap.send("b").await;
    drop(tap);
    let got = client.got().await;
    assert!(!got.is_stream() && got.field("etag").is_some());
    assert_eq!(got.text().await, "ab");
}

#[tokio::test(start_paused = true)]
async fn a_small_body_that_takes_longer_than_50_ms_is_streamed() {
    let scene = Scene::new().await;
    let (reply, tap) = Reply::live(Some(2));
    scene.origin.answer(reply);
    let begun = Instant::now();
    let mut got = scene.get("/a").await;
    assert_eq!(begun.elapsed(), Duration::from_millis(50));
    assert_eq!(got.says, "fwd=uri-miss; stored");
    tap.send("ab").await;
    assert_eq!(got.next().await.unwrap().unwrap(), "ab");
    drop(tap);
    assert_eq!(got.text().await, "");
    assert_eq!(scene.get("/a").await.text().await, "ab");
}

#[tokio::test(start_paused = true)]
async fn a_body_of_more_than_64_kib_is_streamed_at_once() {
    let mut rule = super::support::rule();
    rule.settings = std::sync::Arc::default();
    let scene = Scene::by(rule).await;
    let (reply, tap) = Reply::live(Some((64 << 10) + 1));
    scene.origin.answer(reply);
    let begun = Instant::now();
    assert!(scene.get("/a").await.is_stream());
    assert_eq!(begun.elapsed(), Duration::ZERO);
    drop(tap);
}

#[tokio::test(start_paused = true)]
async fn followers_read_a_stream_as_it_arrives() {
    let scene = Scene::new().await;
    let (reply, tap) = Reply::live(None);
    let (one, other) = (scene.request("/a"), scene.request("/a"));
    let (leader, follower, gate) = scene.together(one, other, reply, Reply::reset()).await;
    gate.open();
    let (mut leader, mut follower) = (leader.got().await, follower.got().await);
    for piece in ["one", "two"] {
        tap.send(piece).await;
        assert_eq!(leader.next().await.unwrap().unwrap(), piece);
        assert_eq!(follower.next().await.unwrap().unwrap(), piece);
    }
    drop(tap);
    assert!(leader.next().await.is_none() && follower.next().await.is_none());
    assert_eq!(follower.says, "fwd=uri-miss; collapsed");
}

#[tokio::test(start_paused = true)]
async fn a_late_follower_gets_everything() {
    let scene = Scene::new().await;
    let (reply, tap) = Reply::live(None);
    scene.origin.answer(reply);
    let mut leader = scene.get("/a").await;
    tap.send("early, ").await;
    assert_eq!(leader.next().await.unwrap().unwrap(), "early, ");
    let late = scene.get("/a").await;
    assert!(late.decision.collapsed);
    tap.send("late").await;
    drop(tap);
    assert_eq!(late.text().await, "early, late");
}

#[tokio::test(start_paused = true)]
async fn a_streamed_body_is_stored_with_its_length_and_a_tag() {
    let scene = Scene::new().await;
    scene
        .store("/a", Reply::fresh("abc", 60).of_unknown_length())
        .await;
    let hit = scene.get("/a").await;
    assert_eq!(
        (hit.says.as_str(), hit.field("content-length")),
        ("hit; ttl=60", Some("3"))
    );
    assert!(hit.field("etag").is_some());
}

#[tokio::test(start_paused = true)]
async fn no_content_gets_no_length_and_an_error_no_tag() {
    let scene = Scene::new().await;
    scene
        .store("/empty", Reply::fresh("", 60).status(204))
        .await;
    assert_eq!(scene.get("/empty").await.field("content-length"), None);
    scene
        .store("/gone", Reply::fresh("gone", 60).status(410))
        .await;
    let gone = scene.get("/gone").await;
    assert_eq!(
        (gone.field("content-length"), gone.field("etag")),
        (Some("4"), None)
    );
}

#[tokio::test(start_paused = true)]
async fn what_has_just_come_is_as_old_as_the_origin_says() {
    for (said, age, later) in [(None, None, "10"), (Some("5"), Some("5"), "15")] {
        let scene = Scene::new().await;
        let reply = Reply::fresh("a", 60);
        let aged = said.map(|said| reply.clone().with("age", said));
        scene.origin.answer(aged.unwrap_or(reply));
        assert_eq!(scene.get("/a").await.field("age"), age);
        scene.pass(10);
        assert_eq!(scene.get("/a").await.field("age"), Some(later));
    }
}

#[tokio::test(start_paused = true)]
async fn trailers_are_not_stored() {
    let scene = Scene::new().await;
    let reply = Reply::fresh("a", 60)
        .with("trailer", "x-sum")
        .trailer("x-sum", "1");
    scene.store("/a", reply).await;
    let hit = scene.get("/a").await;
    assert_eq!((hit.field("trailer"), hit.field("x-sum")), (None, None));
    assert_eq!(hit.text().await, "a");
}

#[tokio::test(start_paused = true)]
async fn an_event_stream_passes_and_is_not_collected() {
    let scene = Scene::new().await;
    let (reply, tap) = Reply::live(None);
    scene
        .origin
        .answer(reply.with("content-type", "Text/Event-Stream; charset=utf-8"));
    let mut got = scene.get("/a").await;
    assert_eq!(got.says, "fwd=uri-miss; detail=endless");
    tap.send("data: 1\n\n").await;
    assert_eq!(got.next().await.unwrap().unwrap(), "data: 1\n\n");
    drop(got);
    tap.given_up().await;
}

#[tokio::test(start_paused = true)]
async fn the_fetch_of_a_stream_goes_on_when_its_client_leaves() {
    let scene = Scene::new().await;
    let (reply, tap) = Reply::live(None);
    scene.origin.answer(reply);
    drop(scene.get("/a").await);
    tap.send("kept").await;
    drop(tap);
    scene.landed().await;
    assert_eq!(scene.get("/a").await.text().await, "kept");
    assert_eq!(scene.origin.count(), 1);
}
