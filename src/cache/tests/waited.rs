//! What answers those who have waited for it, although it may not be used later ([RFC 9111 §4]).
//!
//! [RFC 9111 §4]: https://www.rfc-editor.org/rfc/rfc9111#section-4

use super::support::{Client, Reply, Request, Scene, rule};
use crate::{cache::hit_for_miss::MEMORY, semantics::ClientDirectives};

/// The answer takes so many seconds more than it is fresh.
const LATE: u64 = 2;

/// Five who wait for one of them, whose request is answered by `reply` after two seconds.
async fn five(scene: &Scene, request: impl Fn(usize) -> Request, reply: Reply) -> Vec<Client> {
    let (reply, gate) = reply.held();
    scene.origin.answer(reply);
    let asked = scene.origin.count() + 1;
    let leader = request(0).begin();
    scene.origin.asked(asked).await;
    let followers: Vec<_> = (1..5).map(|n| request(n).begin()).collect();
    scene.followers(4).await;
    scene.pass(LATE);
    gate.open();
    [leader].into_iter().chain(followers).collect()
}

/// How many requests of the origin that costs where each is by `request`.
async fn cost(scene: &Scene, request: impl Fn(usize) -> Request, reply: Reply) -> usize {
    let before = scene.origin.count();
    for client in five(scene, request, reply).await {
        assert_eq!(client.got().await.text().await, "a");
    }
    scene.landed().await;
    scene.origin.count() - before
}

const PAST: &str = "Thu, 01 Jan 1970 00:00:00 GMT";

#[tokio::test(start_paused = true)]
async fn what_was_too_old_when_it_came_answers_all_who_have_waited() {
    let short = [
        Reply::fresh("a", 1),
        Reply::fresh("a", 0),
        Reply::controlled("a", "public, max-age=0, must-revalidate"),
        Reply::ok("a").with("expires", PAST),
        Reply::fresh("a", 60).with("age", "60"),
        Reply::fresh("a", 0).status(404),
    ];
    for reply in short {
        let tagged = reply.clone().with("etag", "\"1\"");
        for reply in [tagged.clone().of_unknown_length(), tagged, reply] {
            let scene = Scene::new().await;
            let request = |_| scene.request("/a");
            assert_eq!(cost(&scene, request, reply.clone()).await, 1);
            let again = cost(&scene, request, reply).await;
            assert_eq!(again, 1, "and those of the next round");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn it_says_why_it_is_not_stored_and_that_it_is_shared() {
    let scene = Scene::new().await;
    for (reply, says) in [
        (Reply::fresh("a", 1), "fwd=uri-miss; detail=aged"),
        (Reply::fresh("a", 0), "fwd=uri-miss; detail=no-lifetime"),
    ] {
        let clients = five(&scene, |_| scene.request("/a"), reply).await;
        for (at, client) in clients.into_iter().enumerate() {
            let expected = if at == 0 {
                says
            } else {
                "fwd=uri-miss; collapsed"
            };
            assert_eq!(client.got().await.says, expected);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn who_comes_after_its_head_asks_anew() {
    for tag in [None, Some("\"1\"")] {
        let scene = Scene::new().await;
        let (reply, tap) = Reply::live(None);
        let reply = tag.into_iter().fold(reply, |r, tag| r.with("etag", tag));
        let reply = reply.with("age", "60").held();
        scene.origin.answers([reply.0, Reply::fresh("b", 60)]);
        let (leader, follower) = (scene.request("/a").begin(), scene.request("/a"));
        scene.origin.asked(1).await;
        let follower = follower.begin();
        scene.followers(1).await;
        reply.1.open();
        let follower = follower.got().await;
        assert!(follower.is_stream() && follower.decision.collapsed);
        assert_eq!(scene.get("/a").await.text().await, "b");
        tap.send("a").await;
        drop(tap);
        assert_eq!(leader.got().await.text().await, "a");
        assert_eq!(follower.text().await, "a");
    }
}

#[tokio::test(start_paused = true)]
async fn who_comes_when_it_has_grown_old_meanwhile_asks_anew() {
    let scene = Scene::new().await;
    let (reply, tap) = Reply::live(None);
    scene.origin.answers([reply, Reply::fresh("b", 60)]);
    let slow = scene.get("/a").await;
    scene.pass(61);
    assert_eq!(scene.get("/a").await.text().await, "b");
    tap.send("a").await;
    drop(tap);
    assert_eq!(slow.text().await, "a");
}

/// What was for one caller a short time ago need not be so for ever.
#[tokio::test(start_paused = true)]
async fn what_might_be_shared_ends_the_time_in_which_nobody_waits() {
    let scene = Scene::new().await;
    scene.origin.answer(Reply::controlled("a", "private"));
    scene.get("/a").await;
    tokio::time::advance(MEMORY / 2).await;
    scene.origin.answer(Reply::fresh("a", 0));
    assert_eq!(
        scene.get("/a").await.says,
        "fwd=uri-miss; detail=no-lifetime"
    );
    tokio::time::advance(MEMORY / 2).await;
    let request = |_| scene.request("/a");
    assert_eq!(cost(&scene, request, Reply::fresh("a", 0)).await, 1);
}

#[tokio::test(start_paused = true)]
async fn what_others_may_not_share_is_for_its_own_client_however_long_they_waited() {
    for reply in [
        Reply::controlled("a", "no-cache, max-age=0").with("etag", "\"1\""),
        Reply::controlled("a", "max-age=0, no-store"),
        Reply::controlled("a", "private, max-age=0"),
        Reply::controlled("a", "max-age=0, private=\"x-user"),
        Reply::fresh("a", 0).with("vary", "*"),
        Reply::fresh("a", 0).with("set-cookie", "sid=1"),
        Reply::fresh("a", 0).status(403),
        Reply::fresh("a", 0).with("content-type", "text/event-stream"),
    ] {
        let scene = Scene::new().await;
        let cost = cost(&scene, |_| scene.request("/a"), reply.clone()).await;
        assert_eq!(cost, 5, "{reply:?}");
    }
}

/// Nobody has said that it may be stored at all: it may be made for an address, or hold a token.
#[tokio::test(start_paused = true)]
async fn what_says_nothing_of_its_lifetime_is_for_its_own_client() {
    for reply in [Reply::ok("a"), Reply::ok("a").with("etag", "\"1\"")] {
        let scene = Scene::new().await;
        assert_eq!(cost(&scene, |_| scene.request("/a"), reply).await, 5);
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_stale_at_once_is_not_for_others_with_credentials() {
    for name in ["cookie", "authorization", "x-api-key"] {
        for control in ["max-age=0", "public, max-age=0", "s-maxage=0"] {
            let scene = Scene::new().await;
            let caller = |n: usize| scene.request("/a").with(name, &format!("user={n}"));
            for tag in [None, Some("\"1\"")] {
                let reply = Reply::controlled("a", control);
                let reply = tag.into_iter().fold(reply, |r, tag| r.with("etag", tag));
                let cost = cost(&scene, caller, reply).await;
                assert_eq!(cost, 5, "{name} {control}");
                tokio::time::advance(MEMORY).await;
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn what_was_to_last_is_for_callers_as_if_it_had_come_in_time() {
    for (name, control, expected) in [
        ("cookie", "max-age=1", 1),
        ("authorization", "max-age=1", 5),
        ("authorization", "public, max-age=1", 1),
    ] {
        let scene = Scene::new().await;
        let caller = |n: usize| scene.request("/a").with(name, &format!("user={n}"));
        let cost = cost(&scene, caller, Reply::controlled("a", control)).await;
        assert_eq!(cost, expected, "{name} {control}");
    }
}

#[tokio::test(start_paused = true)]
async fn of_each_variant_one_asks() {
    for seconds in [0, 1] {
        let scene = Scene::new().await;
        let request = |n: usize| scene.request("/a").with("x-lang", ["de", "en"][n % 2]);
        let reply = Reply::fresh("a", seconds).with("vary", "x-lang");
        assert_eq!(
            cost(&scene, request, reply).await,
            2,
            "three want one of them and two the other"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_client_that_wants_the_origins_word_gets_its_own() {
    for (control, expected) in [
        ("no-cache", 5),
        ("max-age=0", 5),
        ("min-fresh=9", 5),
        ("max-age=9", 1),
    ] {
        let mut respect = rule();
        respect.policy.client_directives = ClientDirectives::Respect;
        let scene = Scene::by(respect).await;
        let request = |n: usize| match n {
            0 => scene.request("/a"),
            _ => scene.request("/a").with("cache-control", control),
        };
        let cost = cost(&scene, request, Reply::fresh("a", 1)).await;
        assert_eq!(cost, expected, "{control}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_confirmation_answers_all_who_have_waited() {
    let scene = Scene::new().await;
    let reply = Reply::fresh("a", 1).with("etag", "\"1\"");
    scene.store("/a", reply).await;
    scene.pass(10);
    let confirmed = Reply::fresh("", 1).status(304).with("etag", "\"1\"");
    assert_eq!(cost(&scene, |_| scene.request("/a"), confirmed).await, 1);
}

#[tokio::test(start_paused = true)]
async fn what_it_takes_the_place_of_is_not_served_any_more() {
    let scene = Scene::new().await;
    let old = Reply::controlled("old", "max-age=1, stale-if-error=600");
    scene.store("/a", old).await;
    scene.pass(10);
    let request = |_| scene.request("/a");
    assert_eq!(cost(&scene, request, Reply::fresh("a", 0)).await, 1);
    scene.origin.answer(Reply::unreachable());
    scene.request("/a").failed().await;
}
