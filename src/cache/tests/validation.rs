//! The origin confirms what is stored, or does not.

use super::support::{Reply, Scene};
use crate::{
    semantics::Outcome,
    store::{Purge, Selector},
};

/// With `a` stored under `"1"`, and expired.
async fn expired() -> Scene {
    let scene = Scene::new().await;
    let reply = Reply::fresh("a", 10).with("etag", "\"1\"");
    scene.store("/a", reply.with("x-version", "old")).await;
    scene.pass(20);
    scene
}

#[tokio::test(start_paused = true)]
async fn a_304_confirms_what_is_stored_and_updates_its_fields() {
    let scene = expired().await;
    scene
        .origin
        .answer(Reply::not_modified("\"1\"").with("x-version", "new"));
    let got = scene.get("/a").await;
    assert_eq!(
        got.says,
        "fwd=stale; fwd-status=304; stored; detail=expired"
    );
    assert_eq!(got.field("x-version"), Some("new"));
    assert_eq!(scene.origin.last().field("if-none-match"), Some("\"1\""));
    let hit = scene.get("/a").await;
    assert_eq!(
        (hit.says.as_str(), hit.field("x-version")),
        ("hit; ttl=60", Some("new"))
    );
    assert_eq!(hit.text().await, "a");
}

#[tokio::test(start_paused = true)]
async fn followers_share_a_confirmation() {
    let scene = expired().await;
    let (one, other) = (scene.request("/a"), scene.request("/a"));
    let confirmed = Reply::not_modified("\"1\"");
    let (leader, follower, gate) = scene.together(one, other, confirmed, Reply::reset()).await;
    gate.open();
    for (client, collapsed) in [(leader, false), (follower, true)] {
        let decision = client.got().await.decision;
        assert_eq!(
            (decision.outcome, decision.collapsed),
            (Outcome::Revalidated, collapsed)
        );
    }
}

#[tokio::test(start_paused = true)]
async fn last_modified_is_a_validator_and_a_tag_of_ours_is_none() {
    let scene = Scene::new().await;
    let date = "Sun, 06 Nov 1994 08:49:37 GMT";
    for (path, modified) in [("/a", Some(date)), ("/b", None)] {
        let reply = Reply::fresh("a", 10);
        let dated = modified.map(|date| reply.clone().with("last-modified", date));
        scene.store(path, dated.unwrap_or(reply)).await;
        scene.pass(20);
        scene.get(path).await;
        let sent = scene.origin.last();
        assert_eq!(sent.field("if-modified-since"), modified, "{path}");
        assert_eq!(
            sent.field("if-none-match"),
            None,
            "the origin does not know it"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_304_about_another_response_is_asked_again_without_conditions() {
    let scene = expired().await;
    let other = Reply::not_modified("\"2\"");
    scene.origin.answers([
        other,
        Reply::fresh("b", 60)
            .with("etag", "\"2\"")
            .with("cache-tag", "t"),
    ]);
    let got = scene.get("/a").await;
    assert_eq!(got.says, "fwd=stale; stored; detail=expired");
    assert_eq!(got.text().await, "b");
    assert_eq!(scene.origin.last().field("if-none-match"), None);
    assert_eq!(scene.origin.count(), 3);
    let named = scene.cache.store().matching(&[Selector::tag("t")]);
    assert_eq!(named.entries, 1);
}

#[tokio::test(start_paused = true)]
async fn an_origin_that_fails_when_it_is_asked_again_has_failed() {
    let scene = expired().await;
    let other = Reply::not_modified("\"2\"");
    scene.origin.answers([other, Reply::unreachable()]);
    assert_eq!(
        scene.request("/a").failed().await.error.cause(),
        "upstream_connect"
    );
}

#[tokio::test(start_paused = true)]
async fn an_origin_that_confirms_nothing_again_is_passed_on() {
    let scene = expired().await;
    scene.origin.answer(Reply::not_modified("\"2\""));
    let got = scene.get("/a").await;
    assert_eq!(got.says, "fwd=stale; detail=status");
    assert_eq!(
        got.status, 304,
        "nobody asked it whether anything has changed"
    );
}

#[tokio::test(start_paused = true)]
async fn a_304_that_forbids_storing_serves_once_and_only_its_own_client() {
    let scene = expired().await;
    let (one, other) = (scene.request("/a"), scene.request("/a"));
    let once = Reply::ok("").status(304).with("cache-control", "no-store");
    let once = once.with("x-version", "new");
    let (leader, follower, gate) = scene
        .together(one, other, once, Reply::fresh("b", 60))
        .await;
    gate.open();
    let leader = leader.got().await;
    assert_eq!(leader.says, "fwd=stale; fwd-status=304; detail=expired");
    assert_eq!(leader.field("x-version"), Some("new"));
    assert_eq!(leader.text().await, "a");
    let follower = follower.got().await;
    assert_eq!(
        (follower.decision.collapsed, follower.text().await.as_str()),
        (false, "b")
    );
}

#[tokio::test(start_paused = true)]
async fn what_a_304_forbids_to_store_is_gone() {
    let scene = expired().await;
    let once = Reply::ok("").status(304).with("cache-control", "no-store");
    scene.origin.answer(once);
    scene.get("/a").await;
    scene.origin.answer(Reply::fresh("b", 60));
    assert_eq!(scene.get("/a").await.says, "fwd=uri-miss; stored");
}

#[tokio::test(start_paused = true)]
async fn what_a_304_forbids_one_caller_stays_for_others() {
    let scene = expired().await;
    let once = Reply::ok("").status(304).with("cache-control", "private");
    scene.origin.answer(once);
    let alice = scene.request("/a").with("cookie", "alice").get().await;
    assert_eq!(alice.text().await, "a");
    scene.origin.answer(Reply::not_modified("\"1\""));
    assert_eq!(
        scene.get("/a").await.says,
        "fwd=stale; fwd-status=304; stored; detail=expired"
    );
}

/// Whether a purge of `tag` concerns what is stored for `/a`.
async fn is_named(scene: &Scene, tag: &str) -> bool {
    let selector = Selector::tag(tag);
    scene
        .cache
        .purge(vec![Purge {
            selector,
            hard: true,
        }])
        .await;
    scene.get("/a").await.says.starts_with("fwd=uri-miss")
}

#[tokio::test(start_paused = true)]
async fn a_304_without_tags_keeps_those_that_are_stored() {
    for (tags, kept) in [(None, true), (Some("new"), false)] {
        let scene = Scene::new().await;
        let reply = Reply::fresh("a", 10).with("etag", "\"1\"");
        scene.store("/a", reply.with("cache-tag", "old")).await;
        scene.pass(20);
        let confirmed = Reply::not_modified("\"1\"");
        let named = tags.map(|tags| confirmed.clone().with("cache-tag", tags));
        scene.origin.answer(named.unwrap_or(confirmed));
        scene.get("/a").await;
        assert_eq!(is_named(&scene, "old").await, kept, "{tags:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_304_names_what_is_stored_by_its_tags() {
    let scene = expired().await;
    scene
        .origin
        .answer(Reply::not_modified("\"1\"").with("cache-tag", "new"));
    scene.get("/a").await;
    assert!(is_named(&scene, "new").await);
}

#[tokio::test(start_paused = true)]
async fn a_304_with_tags_that_cannot_be_kept_serves_once() {
    let scene = expired().await;
    let tags = "x".repeat(2000);
    scene
        .origin
        .answer(Reply::not_modified("\"1\"").with("cache-tag", &tags));
    assert_eq!(
        scene.get("/a").await.says,
        "fwd=stale; fwd-status=304; detail=expired"
    );
    scene.origin.answer(Reply::fresh("b", 60));
    assert_eq!(scene.get("/a").await.says, "fwd=uri-miss; stored");
}

#[tokio::test(start_paused = true)]
async fn what_is_purged_before_the_origin_is_asked_is_not_confirmed() {
    let scene = expired().await;
    let request = scene.request("/a");
    let miss = request.miss();
    scene.purge("/a", true).await;
    scene.origin.answer(Reply::fresh("b", 60));
    assert_eq!(request.fetch(miss).await.unwrap().text().await, "b");
    assert_eq!(scene.origin.last().field("if-none-match"), None);
}

#[tokio::test(start_paused = true)]
async fn what_is_purged_softly_is_confirmed() {
    let scene = Scene::new().await;
    scene
        .store("/a", Reply::fresh("a", 60).with("etag", "\"1\""))
        .await;
    scene.purge("/a", false).await;
    scene.origin.answer(Reply::not_modified("\"1\""));
    assert_eq!(
        scene.get("/a").await.says,
        "fwd=stale; fwd-status=304; stored; detail=purged"
    );
    assert_eq!(scene.get("/a").await.says, "hit; ttl=60");
}

#[tokio::test(start_paused = true)]
async fn what_was_purged_while_it_was_confirmed_is_not_served_later() {
    let scene = expired().await;
    let (confirmed, gate) = Reply::not_modified("\"1\"").held();
    scene.origin.answer(confirmed);
    let client = scene.request("/a").begin();
    scene.origin.asked(2).await;
    scene.purge("/a", true).await;
    gate.open();
    assert_eq!(client.got().await.text().await, "a");
    scene.origin.answer(Reply::fresh("b", 60));
    assert_eq!(scene.get("/a").await.says, "fwd=uri-miss; stored");
}

#[tokio::test(start_paused = true)]
async fn another_response_takes_the_place_of_the_stored_one() {
    let scene = expired().await;
    scene
        .store("/a", Reply::fresh("b", 60).with("etag", "\"2\""))
        .await;
    assert_eq!(scene.get("/a").await.text().await, "b");
}

#[tokio::test(start_paused = true)]
async fn a_tag_of_ours_is_still_ours_after_a_confirmation() {
    let scene = Scene::new().await;
    let date = "Sun, 06 Nov 1994 08:49:37 GMT";
    scene
        .store("/a", Reply::fresh("a", 10).with("last-modified", date))
        .await;
    for _ in 0..2 {
        scene.pass(100);
        scene.origin.answer(Reply::fresh("", 60).status(304));
        let got = scene.get("/a").await;
        assert_eq!(
            got.says,
            "fwd=stale; fwd-status=304; stored; detail=expired"
        );
        assert_eq!(scene.origin.last().field("if-none-match"), None);
    }
}

#[tokio::test(start_paused = true)]
async fn what_each_has_to_ask_about_is_not_shared_with_followers() {
    for reply in [Reply::ok("a"), Reply::ok("a").of_unknown_length()] {
        let scene = Scene::new().await;
        let reply = reply
            .with("cache-control", "no-cache")
            .with("etag", "\"1\"");
        let (one, other) = (scene.request("/a"), scene.request("/a"));
        let (leader, follower, gate) = scene.together(one, other, reply.clone(), reply).await;
        gate.open();
        for client in [leader, follower] {
            let says = client.got().await.says;
            let kept = ["fwd=uri-miss; stored", "fwd=uri-miss; detail=arriving"];
            assert!(kept.contains(&&*says), "{says}");
        }
        assert_eq!(scene.origin.count(), 2);
    }
}

#[tokio::test(start_paused = true)]
async fn a_field_that_a_304_calls_private_is_for_its_own_client() {
    let scene = expired().await;
    let control = "max-age=60, private=\"x-user\"";
    let confirmed = Reply::ok("").status(304).with("cache-control", control);
    scene.origin.answer(confirmed.with("x-user", "alice"));
    assert_eq!(scene.get("/a").await.field("x-user"), Some("alice"));
    let hit = scene.get("/a").await;
    assert_eq!(
        (hit.says.as_str(), hit.field("x-user")),
        ("hit; ttl=60", None)
    );
}
