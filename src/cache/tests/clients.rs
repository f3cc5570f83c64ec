//! Clients that ask for more, or for less, than what is stored, where they are respected.

use super::support::{Reply, Scene, rule, settle};
use crate::{
    cache::Rule,
    semantics::{ClientDirectives, Policy},
};
use std::{sync::Arc, time::Duration};

/// By a rule that lets clients ask for more than what is stored.
pub(super) async fn respecting() -> Scene {
    let policy = Policy {
        client_directives: ClientDirectives::Respect,
        ..Policy::default()
    };
    Scene::by(Rule { policy, ..rule() }).await
}

#[tokio::test(start_paused = true)]
async fn nothing_but_what_is_stored_is_wanted_and_nothing_is_stored() {
    let scene = respecting().await;
    let only = || scene.request("/a").with("cache-control", "only-if-cached");
    assert_eq!(only().failed().await.error.cause(), "only_if_cached");
    assert_eq!(scene.origin.count(), 0);
    scene.store("/a", Reply::fresh("a", 60)).await;
    assert_eq!(only().get().await.says, "hit; ttl=60");
    scene.pass(100);
    let ignoring = Arc::new(rule());
    assert_eq!(
        only().by(&ignoring).get().await.says,
        "fwd=stale; stored; detail=expired"
    );
}

#[tokio::test(start_paused = true)]
async fn a_client_that_accepts_stale_answers_gets_one_and_nothing_is_refreshed() {
    let scene = respecting().await;
    scene.store("/a", Reply::fresh("old", 10)).await;
    scene.pass(20);
    let accepting = |seconds| scene.request("/a").with("cache-control", seconds).get();
    let got = accepting("max-stale=10").await;
    assert_eq!(got.says, "hit; ttl=-10; detail=client");
    settle().await;
    assert_eq!(scene.origin.count(), 1);
    scene.origin.answer(Reply::fresh("new", 60));
    assert_eq!(accepting("max-stale=9").await.text().await, "new");
}

#[tokio::test(start_paused = true)]
async fn a_client_that_wants_something_newer_gets_it_confirmed() {
    let scene = respecting().await;
    scene
        .store("/a", Reply::fresh("a", 60).with("etag", "\"1\""))
        .await;
    scene.pass(20);
    scene.origin.answer(Reply::not_modified("\"1\""));
    let got = scene
        .request("/a")
        .with("cache-control", "max-age=10")
        .get()
        .await;
    assert_eq!(
        got.says,
        "fwd=request; fwd-status=304; stored; detail=client"
    );
}

#[tokio::test(start_paused = true)]
async fn a_client_that_has_it_is_told_so_also_by_the_fetch_that_it_waited_for() {
    for reply in [
        Reply::fresh("a", 60),
        Reply::fresh("a", 60).of_unknown_length(),
    ] {
        let scene = Scene::new().await;
        scene.origin.answer(reply.with("etag", "\"1\""));
        let got = scene
            .request("/a")
            .with("if-none-match", "\"1\"")
            .get()
            .await;
        assert_eq!((got.status.as_u16(), got.text().await.as_str()), (304, ""));
        assert_eq!(scene.get("/a").await.text().await, "a");
    }
}

#[tokio::test(start_paused = true)]
async fn the_origin_hears_what_a_client_has_however_long_ago_nothing_was_kept() {
    let scene = Scene::new().await;
    scene.origin.answer(Reply::ok("a").with("etag", "\"1\""));
    assert_eq!(
        scene.get("/a").await.says,
        "fwd=uri-miss; detail=no-lifetime"
    );
    let not_modified = Reply::ok("").status(304).with("etag", "\"1\"");
    scene.origin.answer(not_modified);
    for wait in [0, 6, 100_000] {
        tokio::time::sleep(Duration::from_secs(wait)).await;
        let asked = scene.request("/a").with("if-none-match", "\"1\"");
        let got = asked.get().await;
        assert_eq!(
            (got.status.as_u16(), got.says.as_str()),
            (304, "fwd=uri-miss; detail=no-lifetime")
        );
        assert_eq!(scene.origin.last().field("if-none-match"), Some("\"1\""));
    }
}
