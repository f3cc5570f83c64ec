//! Nothing is used longer than `max_lifetime`: the log of purges does not go back so far.

use super::support::{Reply, Scene, rule};
use crate::{
    cache::Rule,
    semantics::{Policy, policy::ClientDirectives},
};
use std::time::Duration;

/// With `old` stored under `control`, that long ago, where nothing is kept for longer than 100 s.
async fn stored(control: &str, seconds_ago: u64) -> Scene {
    let policy = Policy {
        client_directives: ClientDirectives::Respect,
        stale_on_disconnect: Duration::from_secs(6000),
        ..Policy::default()
    };
    let scene = Scene::kept_for(Rule { policy, ..rule() }, Duration::from_secs(100)).await;
    let old = Reply::controlled("old", control).with("etag", "\"1\"");
    scene.store("/a", old).await;
    scene.pass(seconds_ago);
    scene
}

#[tokio::test(start_paused = true)]
async fn no_stale_window_is_longer_than_anything_may_be_used() {
    let respond = || Reply::ok("").status(503);
    for (control, field, origin) in [
        ("max-age=10, stale-while-revalidate=6000", None, respond()),
        ("max-age=10, stale-if-error=6000", None, respond()),
        ("max-age=10", None, Reply::unreachable()),
        ("max-age=10", Some("max-stale=6000"), respond()),
    ] {
        for (age, is_used) in [(99, true), (100, false)] {
            let scene = stored(control, age).await;
            scene.origin.answer(origin.clone());
            let request = scene.request("/a");
            let request = match field {
                Some(field) => request.with("cache-control", field),
                None => request,
            };
            let got = request.outcome().await;
            let text = match got {
                Ok(got) => got.text().await,
                Err(_) => String::new(),
            };
            assert_eq!(text == "old", is_used, "{control} after {age} s");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_older_than_anything_may_be_is_not_confirmed_either() {
    for (age, tag) in [(99, Some("\"1\"")), (100, None)] {
        let scene = stored("max-age=10", age).await;
        scene.origin.answer(Reply::fresh("new", 60));
        assert_eq!(scene.get("/a").await.text().await, "new");
        assert_eq!(scene.origin.last().field("if-none-match"), tag, "{age} s");
    }
}

#[tokio::test(start_paused = true)]
async fn a_confirmation_begins_the_time_anew() {
    let control = "max-age=10, stale-while-revalidate=6000";
    let scene = stored(control, 90).await;
    let confirmed = Reply::controlled("", control).status(304);
    scene.origin.answer(confirmed.with("etag", "\"1\""));
    scene.get("/a").await;
    scene.origin.asked(2).await;
    scene.landed().await;
    scene.pass(90);
    assert_eq!(
        scene.get("/a").await.says,
        "hit; ttl=-80; detail=stale-while-revalidate"
    );
}

#[tokio::test(start_paused = true)]
async fn what_grows_too_old_while_the_origin_is_asked_does_not_stand_in_for_it() {
    let scene = stored("max-age=10, stale-if-error=6000", 99).await;
    let (failed, gate) = Reply::ok("").status(503).held();
    scene.origin.answer(failed);
    let client = scene.request("/a").begin();
    scene.origin.asked(2).await;
    scene.pass(1);
    gate.open();
    assert_eq!(client.got().await.status, 503);
}
