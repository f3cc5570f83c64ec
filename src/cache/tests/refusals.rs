//! Responses that could be stored, and are not because of how they were asked for or what is stored already.

use super::support::{Reply, Request, Scene, rule};

#[tokio::test(start_paused = true)]
async fn an_error_for_a_range_says_nothing_of_the_whole() {
    let scene = Scene::new().await;
    scene.origin.answer(Reply::fresh("gone", 60).status(404));
    let ranged = scene.request("/a").with("range", "bytes=0-1").get().await;
    assert_eq!(ranged.says, "fwd=uri-miss; detail=range-answer");
    assert_eq!(scene.get("/a").await.says, "fwd=uri-miss; stored");
}

#[tokio::test(start_paused = true)]
async fn an_error_for_later_does_not_replace_what_may_still_be_served_stale() {
    for status in [429, 503] {
        let scene = Scene::new().await;
        let control = "max-age=10, stale-while-revalidate=600";
        scene.store("/a", Reply::controlled("old", control)).await;
        scene.pass(20);
        scene
            .origin
            .answer(Reply::fresh("later", 60).status(status));
        scene.get("/a").await;
        scene.origin.asked(2).await;
        scene.landed().await;
        assert_eq!(scene.get("/a").await.text().await, "old", "{status}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_error_for_later_is_passed_on_while_the_stale_response_may_still_serve() {
    let scene = Scene::new().await;
    let old = Reply::controlled("old", "max-age=10, stale-if-error=600");
    scene.store("/a", old).await;
    scene.pass(20);
    scene.origin.answer(Reply::fresh("later", 60).status(429));
    assert_eq!(scene.get("/a").await.says, "fwd=stale; detail=stale-serves");
}

#[tokio::test(start_paused = true)]
async fn an_error_for_later_is_stored_once_nothing_else_may_be_served() {
    let scene = Scene::new().await;
    scene.store("/a", Reply::fresh("old", 10)).await;
    scene.pass(20);
    scene.origin.answer(Reply::fresh("later", 60).status(503));
    assert_eq!(
        scene.get("/a").await.says,
        "fwd=stale; stored; detail=expired"
    );
    assert_eq!(scene.get("/a").await.status, 503);
}

/// The request for `/a` in a language.
fn in_language(scene: &Scene, language: &str) -> Request {
    scene.request("/a").with("x-lang", language)
}

/// With `hello` stored for `en` under this control, and `hallo` for `de` for long; and an origin that has neither any more.
async fn with_variants(control: &str) -> Scene {
    let scene = Scene::new().await;
    for (language, text, control) in [("en", "hello", control), ("de", "hallo", "max-age=600")] {
        let reply = Reply::controlled(text, control).with("vary", "x-lang");
        scene.origin.answer(reply);
        in_language(&scene, language).get().await;
    }
    scene.origin.answer(Reply::fresh("gone", 600).status(404));
    scene
}

/// Whether the German variant still serves.
async fn has_german(scene: &Scene) -> bool {
    in_language(scene, "de").get().await.text().await == "hallo"
}

#[tokio::test(start_paused = true)]
async fn an_error_without_vary_hides_no_variants_of_other_requests() {
    let scene = with_variants("max-age=10").await;
    let fr = in_language(&scene, "fr").get().await;
    assert_eq!(fr.says, "fwd=vary-miss; detail=hides-variants");
    assert!(has_german(&scene).await);
}

#[tokio::test(start_paused = true)]
async fn an_error_without_vary_hides_no_variants_when_the_own_one_has_expired() {
    let scene = with_variants("max-age=10").await;
    scene.pass(20);
    let en = in_language(&scene, "en").get().await;
    assert_eq!(en.says, "fwd=stale; detail=hides-variants");
    assert!(has_german(&scene).await);
}

#[tokio::test(start_paused = true)]
async fn an_error_without_vary_hides_no_variants_when_it_comes_to_a_refresh() {
    let scene = with_variants("max-age=10, stale-while-revalidate=60").await;
    scene.pass(20);
    let en = in_language(&scene, "en").get().await;
    assert_eq!(en.text().await, "hello");
    scene.origin.asked(3).await;
    scene.landed().await;
    assert!(has_german(&scene).await);
}

#[tokio::test(start_paused = true)]
async fn an_error_that_says_what_selects_it_is_a_variant() {
    let scene = with_variants("max-age=10").await;
    let gone = Reply::fresh("gone", 60).status(404).with("vary", "x-lang");
    scene.origin.answer(gone);
    for says in ["fwd=vary-miss; stored", "hit; ttl=60"] {
        assert_eq!(in_language(&scene, "fr").get().await.says, says);
    }
    assert!(has_german(&scene).await);
}

#[tokio::test(start_paused = true)]
async fn what_has_tags_that_cannot_be_kept_is_not_stored() {
    for tags in ["x".repeat(1025), "x ".repeat(1001)] {
        let scene = Scene::new().await;
        scene
            .origin
            .answer(Reply::fresh("a", 60).with("cache-tag", &tags));
        assert_eq!(scene.get("/a").await.says, "fwd=uri-miss; detail=tags");
    }
}

/// By a rule that listens to `No-Vary-Search`.
async fn searching() -> Scene {
    let mut searching = rule();
    searching.key.no_vary_search = true;
    Scene::by(searching).await
}

#[tokio::test(start_paused = true)]
async fn what_has_no_query_is_stored_where_some_parameters_do_not_count() {
    let scene = searching().await;
    let (name, value) = ANY_X;
    scene
        .store("/a", Reply::fresh("a", 60).with(name, value))
        .await;
    assert_eq!(scene.get("/a").await.says, "hit; ttl=60");
    assert_eq!(scene.get("/a?x=1").await.says, "hit; ttl=60");
}

const ANY_X: (&str, &str) = ("no-vary-search", "params=(\"x\")");

#[tokio::test(start_paused = true)]
async fn a_parameter_that_does_not_count_makes_no_other_response() {
    let scene = searching().await;
    let (name, value) = ANY_X;
    scene
        .store("/a?x=1", Reply::fresh("a", 60).with(name, value))
        .await;
    assert_eq!(
        scene.get("/a?x=2").await.says,
        "fwd=uri-miss; stored",
        "now it is known"
    );
    assert_eq!(scene.get("/a?x=3").await.says, "hit; ttl=60");
    assert!(scene.get("/a?y=1").await.says.starts_with("fwd=uri-miss"));
}

#[tokio::test(start_paused = true)]
async fn a_response_is_stored_only_under_the_key_that_it_makes_itself() {
    let scene = searching().await;
    let (name, value) = ANY_X;
    scene
        .store("/a?x=1", Reply::fresh("a", 60).with(name, value))
        .await;
    scene.origin.answer(Reply::fresh("b", 60));
    assert_eq!(
        scene.get("/a?x=2").await.says,
        "fwd=uri-miss; detail=no-vary-search"
    );
    assert_eq!(
        scene.get("/a?x=2").await.says,
        "fwd=uri-miss; stored",
        "silence took it back"
    );
}

#[tokio::test(start_paused = true)]
async fn an_error_teaches_nothing_about_queries() {
    let scene = searching().await;
    let (name, value) = ANY_X;
    scene
        .store("/a?x=1", Reply::fresh("a", 60).with(name, value))
        .await;
    scene.origin.answer(Reply::fresh("gone", 60).status(404));
    for x in [2, 3] {
        let got = scene.get(&format!("/a?x={x}")).await;
        assert_eq!(got.says, "fwd=uri-miss; detail=no-vary-search");
    }
}

#[tokio::test(start_paused = true)]
async fn what_the_origin_confirms_under_another_key_serves_once() {
    let scene = searching().await;
    let (name, value) = ANY_X;
    let reply = Reply::fresh("a", 10)
        .with("etag", "\"1\"")
        .with(name, value);
    scene.store("/a?x=1", reply.clone()).await;
    scene.store("/a?x=2", reply).await;
    scene.pass(20);
    scene
        .origin
        .answer(Reply::not_modified("\"1\"").with(name, "params=(\"y\")"));
    let got = scene.get("/a?x=3").await;
    assert_eq!(got.says, "fwd=stale; fwd-status=304; detail=expired");
}

#[tokio::test(start_paused = true)]
async fn a_response_without_vary_that_is_no_error_is_for_all() {
    let scene = with_variants("max-age=10").await;
    scene.origin.answer(Reply::fresh("bonjour", 60));
    let fr = in_language(&scene, "fr").get().await;
    assert_eq!(fr.says, "fwd=vary-miss; stored");
    assert!(!has_german(&scene).await);
}
