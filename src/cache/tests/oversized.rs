//! Bodies that are larger than what may be stored.

use super::support::{Reply, Scene, settle, until};
use crate::{
    cache::{fill::UNREAD_TIMEOUT, flight::STANDSTILL},
    semantics::Refusal,
};

/// As much as may be stored.
const MOST: usize = 1000;

/// Passes through a reader's window at once.
const LARGE: usize = 256 << 10;

fn bytes(count: usize) -> Vec<u8> {
    vec![b'x'; count]
}

#[tokio::test(start_paused = true)]
async fn what_is_exactly_as_large_as_may_be_is_stored() {
    let scene = Scene::new().await;
    for (path, reply) in [
        ("/long", Reply::fresh("", 60).piece(bytes(MOST))),
        (
            "/chunked",
            Reply::fresh("", 60).piece(bytes(MOST)).of_unknown_length(),
        ),
    ] {
        scene.store(path, reply).await;
        assert_eq!(scene.get(path).await.says, "hit; ttl=60", "{path}");
    }
}

/// Nobody can take back what the head has said.
#[tokio::test(start_paused = true)]
async fn what_may_turn_out_too_large_is_not_said_to_be_stored() {
    let scene = Scene::new().await;
    for length in [Some(9), None] {
        let (reply, tap) = Reply::live(length);
        scene.origin.answer(reply);
        let path = format!("/{length:?}");
        let got = scene.get(&path).await;
        let says = if length.is_some() {
            "stored"
        } else {
            "detail=arriving"
        };
        assert_eq!(got.says, format!("fwd=uri-miss; {says}"));
        tap.send("123456789").await;
        drop(tap);
        assert_eq!(got.text().await, "123456789");
        assert!(scene.get(&path).await.says.starts_with("hit"));
    }
}

#[tokio::test(start_paused = true)]
async fn what_says_that_it_is_too_large_passes_as_it_comes() {
    let scene = Scene::new().await;
    scene
        .origin
        .answer(Reply::fresh("", 60).piece(bytes(MOST + 1)));
    for _ in 0..2 {
        let got = scene.get("/a").await;
        assert_eq!(got.says, "fwd=uri-miss; detail=too-large");
        assert_eq!(got.text().await.len(), MOST + 1);
    }
    assert_eq!(scene.origin.count(), 2);
}

#[tokio::test(start_paused = true)]
async fn what_turns_out_too_large_reaches_all_readers_and_is_not_stored() {
    let scene = Scene::new().await;
    let reply = Reply::fresh("", 60)
        .piece(bytes(MOST))
        .piece("rest")
        .of_unknown_length();
    let reply = reply.trailer("x-sum", "1");
    let (one, other) = (scene.request("/a"), scene.request("/a"));
    let (leader, follower, gate) = scene
        .together(one, other, reply, Reply::fresh("", 60))
        .await;
    gate.open();
    for client in [leader, follower] {
        let text = client.got().await.text().await;
        assert!(text.len() == MOST + 4 && text.ends_with("rest"));
    }
    assert_eq!(
        (scene.origin.count(), scene.refused(Refusal::TooLarge)),
        (1, 1)
    );
    assert_eq!(scene.get("/a").await.says, "fwd=uri-miss; stored");
}

#[tokio::test(start_paused = true)]
async fn past_the_limit_the_origin_waits_for_the_reader() {
    let scene = Scene::new().await;
    let (reply, tap) = Reply::live(None);
    scene.origin.answer(reply);
    let mut got = scene.get("/a").await;
    tap.send(bytes(LARGE)).await; // the window is full
    tap.send("waits").await;
    settle().await;
    assert!(!tap.has_room(), "nothing is read while nobody reads");
    assert_eq!(got.next().await.unwrap().unwrap().len(), LARGE);
    until("the origin may go on", || tap.has_room()).await;
    assert_eq!(got.next().await.unwrap().unwrap(), "waits");
}

#[tokio::test(start_paused = true)]
async fn past_the_limit_a_fetch_ends_when_nobody_reads() {
    let scene = Scene::new().await;
    let (reply, tap) = Reply::live(None);
    scene.origin.answer(reply);
    let client = scene.get("/a").await;
    drop(client);
    tap.send(bytes(MOST + 1)).await;
    tap.given_up().await;
    scene.landed().await;
}

#[tokio::test(start_paused = true)]
async fn the_beginning_is_kept_for_a_follower_that_has_not_woken() {
    let scene = Scene::new().await;
    let reply = Reply::fresh("", 60)
        .piece(bytes(MOST + 1))
        .of_unknown_length();
    let (one, other) = (scene.request("/a"), scene.request("/a"));
    let (leader, follower, gate) = scene
        .together(one, other, reply, Reply::fresh("b", 60))
        .await;
    leader.leaves().await; // nobody reads before the follower wakes
    gate.open();
    let got = follower.got().await;
    assert_eq!(got.says, "fwd=uri-miss; collapsed");
    assert_eq!(got.text().await.len(), MOST + 1);
}

#[tokio::test(start_paused = true)]
async fn a_body_that_breaks_past_the_limit_is_broken_for_its_readers() {
    let scene = Scene::new().await;
    let reply = Reply::fresh("", 60)
        .piece(bytes(MOST + 1))
        .of_unknown_length();
    scene.origin.answer(reply.cut());
    let mut got = scene.get("/a").await;
    assert_eq!(got.next().await.unwrap().unwrap().len(), MOST + 1);
    assert!(got.next().await.unwrap().is_err());
    assert_eq!(
        scene.refused(Refusal::Incomplete),
        0,
        "it was refused for its size"
    );
}

#[tokio::test(start_paused = true)]
async fn for_what_is_too_large_nobody_waits_a_second_time() {
    let scene = Scene::new().await;
    let large = Reply::fresh("", 60)
        .piece(bytes(MOST + 1))
        .of_unknown_length();
    scene.origin.answer(large.clone());
    scene.get("/a").await.text().await;
    let (reply, gate) = large.held();
    scene.origin.answer(reply);
    let clients = [1, 2].map(|_| scene.request("/a").begin());
    scene.origin.asked(3).await;
    gate.open();
    for client in clients {
        assert_eq!(client.got().await.text().await.len(), MOST + 1);
    }
}

/// 512 such requests used to take all places of the upstream for good.
#[tokio::test(start_paused = true)]
async fn a_leader_that_leaves_before_the_head_leaves_no_seat_behind() {
    for followers in 0..2 {
        let scene = Scene::new().await;
        let (reply, tap) = Reply::live(None);
        let (reply, gate) = reply.held();
        scene.origin.answers([reply, Reply::fresh("b", 60)]);
        let leader = scene.request("/a").begin();
        scene.origin.asked(1).await;
        let waiting = (0..followers).map(|_| scene.request("/a").begin());
        let waiting: Vec<_> = waiting.collect();
        scene.followers(followers).await;
        leader.leaves().await;
        for follower in waiting {
            follower.leaves().await;
        }
        gate.open();
        tap.send(bytes(MOST + 1)).await;
        tap.given_up().await;
        scene.landed().await;
        assert_eq!(scene.get("/a").await.text().await, "b");
    }
}

#[tokio::test(start_paused = true)]
async fn a_fetch_ends_when_its_readers_do_not_move() {
    let scene = Scene::new().await;
    let (reply, tap) = Reply::live(None);
    scene.origin.answer(reply);
    let mut got = scene.get("/a").await; // and is not asked for more
    tap.send(bytes(LARGE)).await;
    tap.send("waits").await;
    settle().await;
    assert!(!tap.has_room(), "there is no room while nobody reads");
    tokio::time::sleep(STANDSTILL * 2).await;
    scene.landed().await;
    assert!(got.next().await.unwrap().is_err(), "it was cut off");
}

#[tokio::test(start_paused = true)]
async fn a_fetch_that_nobody_reads_ends_in_bounded_time() {
    let scene = Scene::new().await;
    let (reply, tap) = Reply::live(None);
    scene.origin.answer(reply);
    drop(scene.get("/a").await);
    let trickling = async {
        while tap.try_send("x").await {
            tokio::time::sleep(UNREAD_TIMEOUT / 10).await;
        }
    };
    tokio::time::timeout(UNREAD_TIMEOUT * 2, trickling)
        .await
        .expect("the fetch is given up");
    scene.landed().await;
}
