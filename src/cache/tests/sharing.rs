//! Responses that are for one client alone: nobody waits for them, and nobody else sees them.

use super::support::{Reply, Scene, rule, settle};
use crate::{
    semantics::{Policy, SetCookie},
    store::Selector,
};
use std::time::Duration;
use tokio::time::advance;

/// Whether two requests for `/a` that are answered so wait for each other.
async fn queue(scene: &Scene, reply: Reply) -> bool {
    let (held, gate) = reply.held();
    scene.origin.answer(held);
    let before = scene.origin.count();
    let clients = [1, 2].map(|_| scene.request("/a").begin());
    settle().await;
    let queued = scene.origin.count() == before + 1;
    gate.open();
    for client in clients {
        client.got().await.text().await;
    }
    queued
}

fn private(body: &str) -> Reply {
    Reply::controlled(body, "private")
}

#[tokio::test(start_paused = true)]
async fn what_is_for_one_client_wakes_its_followers_to_ask_for_themselves() {
    for (detail, name, value) in [
        ("private", "cache-control", "private"),
        ("no-store", "cache-control", "no-store"),
        ("set-cookie", "set-cookie", "session=1"),
    ] {
        let scene = Scene::new().await;
        let (one, other) = (scene.request("/a"), scene.request("/a"));
        let (mine, yours) = (Reply::ok("mine"), Reply::ok("yours"));
        let (mine, yours) = (mine.with(name, value), yours.with(name, value));
        let (leader, follower, gate) = scene.together(one, other, mine, yours).await;
        gate.open();
        for (client, body) in [(leader, "mine"), (follower, "yours")] {
            let got = client.got().await;
            assert_eq!(got.says, format!("fwd=uri-miss; detail={detail}"));
            assert_eq!(got.text().await, body);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn for_five_seconds_nobody_waits_for_what_was_for_one_client() {
    let scene = Scene::new().await;
    assert!(queue(&scene, private("a")).await);
    assert!(!queue(&scene, private("a")).await);
    advance(Duration::from_secs(4)).await;
    assert!(!queue(&scene, private("a")).await, "each one says so anew");
    advance(Duration::from_millis(4999)).await;
    assert!(!queue(&scene, private("a")).await);
    advance(Duration::from_secs(5)).await;
    assert!(queue(&scene, private("a")).await);
}

#[tokio::test(start_paused = true)]
async fn a_fetch_for_one_client_alone_is_no_flight() {
    let scene = Scene::new().await;
    scene.origin.answer(private("a"));
    scene.get("/a").await;
    let (held, gate) = private("b").held();
    scene.origin.answer(held);
    let client = scene.request("/a").begin();
    scene.origin.asked(2).await;
    assert_eq!(scene.metrics.flights.get(), 0);
    gate.open();
    assert_eq!(client.got().await.text().await, "b");
}

#[tokio::test(start_paused = true)]
async fn a_client_that_leaves_gives_a_fetch_for_it_alone_up() {
    let scene = Scene::new().await;
    scene.origin.answer(private("a"));
    scene.get("/a").await;
    let (reply, tap) = Reply::live(None);
    let (held, _gate) = reply.held();
    scene.origin.answer(held);
    let client = scene.request("/a").begin();
    scene.origin.asked(2).await;
    client.leaves().await;
    scene.origin.answer(private("b")); // the script forgets its own copy
    tap.given_up().await;
}

#[tokio::test(start_paused = true)]
async fn what_turns_out_to_be_for_all_is_stored_again() {
    let scene = Scene::new().await;
    scene.origin.answer(private("mine"));
    scene.get("/a").await;
    let for_all = Reply::fresh("for all", 60).with("cache-tag", "t");
    scene.store("/a", for_all).await;
    let hit = scene.get("/a").await;
    assert_eq!(
        (hit.says.as_str(), hit.field("cache-tag")),
        ("hit; ttl=60", None)
    );
    let named = scene.cache.store().matching(&[Selector::tag("t")]);
    assert_eq!(named.entries, 1);
}

#[tokio::test(start_paused = true)]
async fn a_fetch_for_one_client_alone_fails_alone() {
    let scene = Scene::new().await;
    scene.origin.answer(private("mine"));
    scene.get("/a").await;
    scene.origin.answer(Reply::unreachable());
    let failed = scene.request("/a").failed().await;
    assert_eq!(
        (failed.error.cause(), failed.collapsed),
        ("upstream_connect", false)
    );
}

#[tokio::test(start_paused = true)]
async fn what_each_has_to_ask_about_is_asked_about_by_each_at_once() {
    let scene = Scene::new().await;
    let reply = Reply::controlled("a", "no-cache").with("etag", "\"1\"");
    scene.store("/a", reply).await;
    let confirmed = Reply::not_modified("\"1\"").with("cache-control", "no-cache");
    assert!(!queue(&scene, confirmed).await);
    assert_eq!(scene.origin.last().field("if-none-match"), Some("\"1\""));
}

#[tokio::test(start_paused = true)]
async fn an_answer_about_one_request_says_nothing_of_the_next_ones() {
    for status in [401, 403, 429] {
        let scene = Scene::new().await;
        scene.origin.answer(Reply::ok("").status(status));
        scene.get("/a").await;
        assert!(queue(&scene, Reply::fresh("a", 60)).await, "{status}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_replaces_a_stored_response_and_may_not_be_stored_takes_it_away() {
    let scene = Scene::new().await;
    scene
        .store(
            "/a",
            Reply::controlled("old", "max-age=10, stale-if-error=60"),
        )
        .await;
    scene.pass(20);
    scene.origin.answer(private("mine"));
    assert_eq!(scene.get("/a").await.says, "fwd=stale; detail=private");
    assert_eq!(scene.counted("memory_removed", "superseded"), 1);
    scene.origin.answer(Reply::unreachable());
    scene.request("/a").failed().await;
}

#[tokio::test(start_paused = true)]
async fn an_error_for_later_that_may_not_be_stored_leaves_the_stored_response() {
    let scene = Scene::new().await;
    scene
        .store("/a", Reply::fresh("old", 10).with("etag", "\"1\""))
        .await;
    scene.pass(20);
    scene.origin.answer(Reply::ok("").status(503));
    assert_eq!(scene.get("/a").await.status, 503);
    scene.origin.answer(Reply::not_modified("\"1\""));
    assert_eq!(scene.get("/a").await.text().await, "old");
}

#[tokio::test(start_paused = true)]
async fn what_a_caller_with_credentials_gets_leaves_the_stored_response_to_others() {
    let scene = Scene::new().await;
    let control = "max-age=10, stale-while-revalidate=60, stale-if-error=600";
    scene
        .store("/a", Reply::controlled("for all", control))
        .await;
    scene.pass(100);
    scene.origin.answer(private("alice's"));
    let alice = scene.request("/a").with("cookie", "alice").get().await;
    assert_eq!(alice.text().await, "alice's");
    scene.origin.answer(Reply::unreachable());
    let stale = scene.get("/a").await;
    assert_eq!(stale.text().await, "for all", "it is still there");
}

#[tokio::test(start_paused = true)]
async fn after_its_own_answer_a_caller_with_credentials_refreshes_nothing_for_a_while() {
    let scene = Scene::new().await;
    let control = "max-age=10, stale-while-revalidate=60";
    scene
        .store("/a", Reply::controlled("for all", control))
        .await;
    scene.pass(20);
    scene.origin.answer(private("alice's"));
    let alice = || scene.request("/a").with("cookie", "alice").get();
    assert_eq!(alice().await.text().await, "for all");
    scene.landed().await;
    for _ in 0..3 {
        assert_eq!(alice().await.text().await, "for all");
        settle().await;
    }
    assert_eq!(scene.origin.count(), 2);
}

/// By a rule that stores without `Set-Cookie`.
async fn stripping() -> Scene {
    let policy = Policy {
        set_cookie: SetCookie::Strip,
        ..Policy::default()
    };
    Scene::by(crate::cache::Rule { policy, ..rule() }).await
}

#[tokio::test(start_paused = true)]
async fn only_the_leader_gets_the_fields_that_were_made_for_it() {
    for length_is_known in [true, false] {
        let scene = stripping().await;
        let reply = Reply::fresh("a", 60)
            .with("set-cookie", "a=1")
            .with("set-cookie", "b=2");
        let reply = if length_is_known {
            reply
        } else {
            reply.of_unknown_length()
        };
        let (one, other) = (scene.request("/a"), scene.request("/a"));
        let (leader, follower, gate) = scene.together(one, other, reply, Reply::reset()).await;
        gate.open();
        let cookies: Vec<_> = leader
            .got()
            .await
            .fields
            .get_all("set-cookie")
            .iter()
            .cloned()
            .collect();
        assert_eq!(cookies, ["a=1", "b=2"]);
        assert_eq!(follower.got().await.field("set-cookie"), None);
        assert_eq!(scene.get("/a").await.field("set-cookie"), None);
    }
}

#[tokio::test(start_paused = true)]
async fn a_field_that_the_origin_calls_private_is_not_stored() {
    let scene = Scene::new().await;
    let reply = Reply::controlled("a", "max-age=60, private=\"x-user\"").with("x-user", "alice");
    scene.origin.answer(reply);
    assert_eq!(scene.get("/a").await.field("x-user"), Some("alice"));
    let hit = scene.get("/a").await;
    assert_eq!(
        (hit.says.as_str(), hit.field("x-user")),
        ("hit; ttl=60", None)
    );
}

#[tokio::test(start_paused = true)]
async fn followers_that_ask_for_themselves_do_not_wait_for_each_other() {
    let scene = Scene::new().await;
    let (first, first_gate) = private("mine").held();
    let (later, later_gate) = private("yours").held();
    scene.origin.answers([first, later]);
    let leader = scene.request("/a").begin();
    scene.origin.asked(1).await;
    let followers = [1, 2, 3].map(|_| scene.request("/a").begin());
    scene.followers(3).await;
    first_gate.open();
    scene.origin.asked(4).await; // all of them, before one has its answer
    later_gate.open();
    leader.got().await;
    for follower in followers {
        assert_eq!(follower.got().await.text().await, "yours");
    }
}

#[tokio::test(start_paused = true)]
async fn a_part_that_is_for_one_client_says_nothing_of_the_whole() {
    let scene = Scene::new().await;
    let part = private("01")
        .status(206)
        .with("content-range", "bytes 0-1/10");
    scene.origin.answer(part);
    scene.request("/a").with("range", "bytes=0-1").get().await;
    assert!(queue(&scene, Reply::fresh("a", 60)).await);
}

#[tokio::test(start_paused = true)]
async fn a_fetch_for_one_client_alone_that_fails_spares_the_origin_a_refresh() {
    for failure in [Reply::unreachable(), Reply::ok("").status(503)] {
        let scene = Scene::new().await;
        let en = || scene.request("/a").with("x-lang", "en").get();
        let control = "max-age=10, stale-while-revalidate=60";
        scene
            .origin
            .answer(Reply::controlled("hello", control).with("vary", "x-lang"));
        en().await;
        scene.pass(20);
        let de = || scene.request("/a").with("x-lang", "de").outcome();
        scene.origin.answers([private("hallo"), failure]);
        drop((de().await, de().await));
        assert_eq!(en().await.text().await, "hello");
        settle().await;
        assert_eq!(scene.origin.count(), 3);
    }
}

#[tokio::test(start_paused = true)]
async fn a_caller_from_whom_a_response_is_withheld_does_not_confirm_it() {
    let policy = Policy {
        ttl: Some(Duration::from_secs(60)),
        ..Policy::default()
    };
    let scene = Scene::by(crate::cache::Rule { policy, ..rule() }).await;
    scene
        .store("/a", Reply::ok("for all").with("etag", "\"1\""))
        .await;
    scene.origin.answer(Reply::ok("alice's"));
    let alice = scene.request("/a").with("cookie", "alice").get().await;
    assert_eq!(alice.says, "fwd=bypass; detail=cookie");
    assert_eq!(scene.origin.last().field("if-none-match"), None);
    assert_eq!(scene.get("/a").await.text().await, "for all");
}
