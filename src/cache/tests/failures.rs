//! An origin that does not answer: who shares that, and what is served in the place of an answer.

use super::support::{Reply, Scene, rule};
use crate::{
    cache::{Miss, Rule},
    origin::{FetchError, OriginError},
    semantics::{Policy, Reason},
};
use std::time::Duration;

const IF_ERROR: &str = "max-age=10, stale-if-error=60";

#[tokio::test(start_paused = true)]
async fn an_origin_that_cannot_be_reached_answers_no_follower_either() {
    for reply in [
        Reply::unreachable(),
        Reply::failed(OriginError::ConnectTimeout),
    ] {
        let scene = Scene::new().await;
        let (one, other) = (scene.request("/a"), scene.request("/a"));
        let (leader, follower, gate) = scene.together(one, other, reply, Reply::reset()).await;
        gate.open();
        let (leader, follower) = (leader.failed().await, follower.failed().await);
        assert_eq!(leader.error.cause(), follower.error.cause());
        assert_eq!((leader.collapsed, follower.collapsed), (false, true));
        assert_eq!((scene.origin.count(), scene.total("collapsed")), (1, 1));
    }
}

#[tokio::test(start_paused = true)]
async fn a_failure_that_may_be_about_one_request_is_not_shared() {
    for reply in [
        Reply::reset(),
        Reply::failed(FetchError::ClientBody),
        Reply::failed(FetchError::Abandoned),
    ] {
        let scene = Scene::new().await;
        let (one, other) = (scene.request("/a"), scene.request("/a"));
        let (leader, follower, gate) = scene.together(one, other, reply, Reply::ok("a")).await;
        gate.open();
        leader.failed().await;
        assert_eq!(follower.got().await.text().await, "a");
    }
}

/// The leader's client may have had its share; one of the others asks for all of them, and that is the end of it.
#[tokio::test(start_paused = true)]
async fn where_there_was_no_place_for_the_leader_one_follower_asks_for_the_others() {
    for (second, cause) in [
        (Reply::fresh("a", 60), None),
        (Reply::failed(FetchError::Overloaded), Some("upstream_busy")),
    ] {
        let scene = Scene::new().await;
        let (first, first_gate) = Reply::failed(FetchError::Overloaded).held();
        let (second, second_gate) = second.held();
        scene.origin.answers([first, second]);
        let leader = scene.request("/a").begin();
        scene.origin.asked(1).await;
        let followers = [1, 2].map(|_| scene.request("/a").begin());
        scene.followers(2).await;
        first_gate.open();
        assert_eq!(leader.failed().await.error.cause(), "upstream_busy");
        scene.origin.asked(2).await;
        scene.followers(1).await;
        second_gate.open();
        for follower in followers {
            match cause {
                None => assert_eq!(follower.got().await.text().await, "a"),
                Some(cause) => assert_eq!(follower.failed().await.error.cause(), cause),
            }
        }
        assert_eq!(scene.origin.count(), 2);
    }
}

#[tokio::test(start_paused = true)]
async fn an_origin_that_hangs_is_waited_for_a_second_time_and_no_more() {
    let scene = Scene::new().await;
    let (first, first_gate) = Reply::failed(OriginError::Timeout).held();
    let (second, second_gate) = Reply::failed(OriginError::Timeout).held();
    scene.origin.answers([first, second]);
    let leader = scene.request("/a").begin();
    scene.origin.asked(1).await;
    let followers = [1, 2].map(|_| scene.request("/a").begin());
    scene.followers(2).await;
    first_gate.open();
    assert_eq!(leader.failed().await.error.cause(), "upstream_timeout");
    scene.origin.asked(2).await; // one of the followers leads now
    scene.followers(1).await;
    second_gate.open();
    let [one, other] = followers.map(super::support::Client::failed);
    let (one, other) = (one.await.collapsed, other.await.collapsed);
    assert!(one != other, "the one that led fails by its own fetch");
    assert_eq!(scene.origin.count(), 2);
}

#[tokio::test(start_paused = true)]
async fn in_the_place_of_an_error_the_stale_response_is_served() {
    for (reply, says) in [
        (
            Reply::ok("").status(503),
            "fwd=stale; fwd-status=503; ttl=-10; detail=stale-if-error",
        ),
        (
            Reply::ok("").status(500),
            "fwd=stale; fwd-status=500; ttl=-10; detail=stale-if-error",
        ),
        (Reply::reset(), "fwd=stale; ttl=-10; detail=stale-if-error"),
    ] {
        let scene = Scene::new().await;
        scene.store("/a", Reply::controlled("old", IF_ERROR)).await;
        scene.pass(20);
        scene.origin.answer(reply);
        let got = scene.get("/a").await;
        assert_eq!((got.says.as_str(), got.field("age")), (says, Some("20")));
        assert_eq!(got.text().await, "old");
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_stale_for_too_long_is_not_served_in_the_place_of_an_error() {
    let scene = Scene::new().await;
    scene.store("/a", Reply::controlled("old", IF_ERROR)).await;
    scene.pass(71);
    scene.origin.answer(Reply::ok("").status(503));
    assert_eq!(scene.get("/a").await.status, 503);
    scene.origin.answer(Reply::reset());
    assert_eq!(
        scene.request("/a").failed().await.error.cause(),
        "upstream_broken"
    );
}

#[tokio::test(start_paused = true)]
async fn what_is_purged_while_the_origin_fails_is_not_served() {
    let scene = Scene::new().await;
    scene.store("/a", Reply::controlled("old", IF_ERROR)).await;
    scene.pass(20);
    let (reply, gate) = Reply::reset().held();
    scene.origin.answer(reply);
    let client = scene.request("/a").begin();
    scene.origin.asked(2).await;
    scene.purge("/a", true).await;
    gate.open();
    client.failed().await;
}

#[tokio::test(start_paused = true)]
async fn followers_share_what_is_served_in_the_place_of_an_error() {
    let scene = Scene::new().await;
    scene.store("/a", Reply::controlled("old", IF_ERROR)).await;
    scene.pass(20);
    let (one, other) = (scene.request("/a"), scene.request("/a"));
    let error = Reply::ok("").status(503);
    let (leader, follower, gate) = scene.together(one, other, error, Reply::reset()).await;
    gate.open();
    assert!(!leader.got().await.decision.collapsed);
    let follower = follower.got().await;
    assert_eq!(
        (follower.decision.reason, follower.decision.collapsed),
        (Reason::IfError, true)
    );
}

#[tokio::test(start_paused = true)]
async fn a_follower_whose_client_refuses_stale_answers_asks_for_itself() {
    let scene = super::clients::respecting().await;
    scene.store("/a", Reply::controlled("old", IF_ERROR)).await;
    scene.pass(20);
    let strict = scene.request("/a").with("cache-control", "no-cache");
    let error = Reply::ok("").status(503);
    let new = Reply::fresh("new", 60);
    let (leader, follower, gate) = scene
        .together(scene.request("/a"), strict, error, new)
        .await;
    gate.open();
    assert_eq!(leader.got().await.text().await, "old");
    assert_eq!(follower.got().await.text().await, "new");
}

#[tokio::test(start_paused = true)]
async fn an_origin_that_gives_no_answer_at_all_may_be_stood_in_for_longer() {
    let policy = Policy {
        stale_on_disconnect: Duration::from_secs(600),
        ..Policy::default()
    };
    let scene = Scene::by(Rule { policy, ..rule() }).await;
    scene.store("/a", Reply::fresh("old", 10)).await;
    scene.pass(20);
    scene.origin.answer(Reply::unreachable());
    let got = scene.get("/a").await;
    assert_eq!(got.says, "fwd=stale; ttl=-10; detail=stale-on-disconnect");
    scene.origin.answer(Reply::ok("").status(503));
    assert_eq!(scene.get("/a").await.status, 503, "that is an answer");
}

#[tokio::test(start_paused = true)]
async fn what_is_fresh_and_only_in_doubt_is_served_when_the_origin_fails() {
    for (reason, served) in [(Reason::PurgeGap, true), (Reason::Client, false)] {
        for reply in [Reply::ok("").status(503), Reply::unreachable()] {
            let scene = super::clients::respecting().await;
            scene.store("/a", Reply::fresh("old", 60)).await;
            scene.origin.answer(reply);
            let request = scene.request("/a").with("cache-control", "no-cache");
            let stored = request.miss().stored;
            let got = request.fetch(Miss { reason, stored }).await;
            let says = got.map(|got| got.says.contains("detail=purge-gap"));
            assert_eq!(says.unwrap_or(false), served, "{reason:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn what_was_in_doubt_and_has_expired_is_not_served_when_the_origin_fails() {
    let scene = Scene::new().await;
    scene.store("/a", Reply::fresh("old", 60)).await;
    scene.pass(60);
    scene.origin.answer(Reply::unreachable());
    let request = scene.request("/a");
    let (reason, stored) = (Reason::PurgeGap, request.miss().stored);
    assert!(request.fetch(Miss { reason, stored }).await.is_err());
}

#[tokio::test(start_paused = true)]
async fn a_part_is_not_served_in_the_place_of_the_whole() {
    let scene = Scene::new().await;
    let part = Reply::controlled("01", IF_ERROR).status(206);
    let part = part
        .with("content-range", "bytes 0-1/10")
        .with("etag", "\"1\"");
    let ranged = || scene.request("/a").with("range", "bytes=0-1");
    scene.origin.answer(part);
    ranged().get().await;
    scene.pass(20);
    scene.origin.answer(Reply::unreachable());
    scene.request("/a").failed().await;
    assert_eq!(
        ranged().get().await.says,
        "fwd=stale; ttl=-10; detail=stale-if-error"
    );
}
