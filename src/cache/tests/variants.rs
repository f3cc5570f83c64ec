//! Concurrent misses of several variants of one key.

use super::support::{Client, Reply, Request, Scene};
use std::time::Duration;
use tokio::time::advance;

const LANGUAGES: [&str; 3] = ["de", "en", "fr"];

fn in_language(scene: &Scene, language: &str) -> Request {
    scene.request("/a").with("x-lang", language)
}

/// So many requests, in turn for each language.
fn begin(scene: &Scene, count: usize) -> Vec<Client> {
    let languages = LANGUAGES.iter().cycle().take(count);
    let requests = languages.map(|language| in_language(scene, language));
    requests.map(Request::begin).collect()
}

async fn all_have(clients: Vec<Client>, text: &str) {
    for client in clients {
        assert_eq!(client.got().await.text().await, text);
    }
}

fn varying(body: &str) -> Reply {
    Reply::fresh(body, 60).with("vary", "x-lang")
}

#[tokio::test(start_paused = true)]
async fn each_is_fetched_once() {
    for reply in [varying("a"), varying("a").of_unknown_length()] {
        let scene = Scene::new().await;
        let (first, gate) = reply.clone().held();
        let (others, other_gate) = reply.held();
        scene.origin.answers([first, others]);
        let clients = begin(&scene, 60);
        scene.origin.asked(1).await;
        scene.followers(59).await;
        gate.open();
        scene.origin.asked(3).await;
        scene.followers(38).await;
        other_gate.open();
        all_have(clients, "a").await;
        assert_eq!(scene.origin.count(), 3);
        scene.landed().await;
    }
}

#[tokio::test(start_paused = true)]
async fn once_it_is_known_what_selects_them_they_do_not_wait_for_each_other() {
    let scene = Scene::new().await;
    scene.origin.answer(varying("old"));
    in_language(&scene, "es").get().await;
    let (reply, gate) = varying("new").held();
    scene.origin.answer(reply);
    let clients = begin(&scene, 30);
    scene.origin.asked(4).await;
    scene.followers(27).await;
    gate.open();
    all_have(clients, "new").await;
    assert_eq!(scene.origin.count(), 4);
}

#[tokio::test(start_paused = true)]
async fn who_comes_when_the_others_board_again_joins_them() {
    let scene = Scene::new().await;
    let (first, gate) = varying("a").held();
    let (others, other_gate) = varying("a").held();
    scene.origin.answers([first, others]);
    let clients = begin(&scene, 6);
    scene.origin.asked(1).await;
    scene.followers(5).await;
    gate.open();
    scene.origin.asked(3).await;
    let late = in_language(&scene, "fr").begin();
    scene.followers(3).await;
    other_gate.open();
    all_have(clients, "a").await;
    assert!(late.got().await.decision.collapsed);
    assert_eq!(scene.origin.count(), 3);
}

/// Each answer is selected by a field of its own: nobody knows before whose it is.
#[tokio::test(start_paused = true)]
async fn what_selects_them_may_change_so_often_and_then_each_asks() {
    let scene = Scene::new().await;
    let fields = ["x-0", "x-1", "x-2", "x-3", "x-4", "x-5"];
    let (replies, gates): (Vec<_>, Vec<_>) = fields
        .iter()
        .map(|field| Reply::fresh("a", 60).with("vary", field).held())
        .unzip();
    scene.origin.answers(replies);
    let request = |n: usize| {
        let fields = fields.iter().copied();
        fields.fold(scene.request("/a"), |request, field| {
            request.with(field, &n.to_string())
        })
    };
    let leader = request(0).begin();
    scene.origin.asked(1).await;
    let others: Vec<_> = (1..10).map(|n| request(n).begin()).collect();
    scene.followers(9).await;
    for gate in &gates {
        gate.open();
    }
    leader.got().await;
    all_have(others, "a").await;
    assert_eq!(scene.origin.count(), 10, "no two of them select the same");
}

#[tokio::test(start_paused = true)]
async fn what_is_too_long_to_be_compared_is_waited_for_by_nobody_twice() {
    let scene = Scene::new().await;
    let (first, gate) = varying("a").held();
    scene.origin.answers([first, varying("a")]);
    let long = "x".repeat(5000);
    let clients: Vec<_> = (0..4).map(|_| in_language(&scene, &long).begin()).collect();
    scene.origin.asked(1).await;
    scene.followers(3).await;
    gate.open();
    all_have(clients, "a").await;
    scene.landed().await;
}

#[tokio::test(start_paused = true)]
async fn each_has_a_refresh_of_its_own() {
    let scene = Scene::new().await;
    let stale = "max-age=10, stale-while-revalidate=600";
    let old = Reply::controlled("old", stale).with("vary", "x-lang");
    scene.origin.answer(old);
    for language in LANGUAGES {
        in_language(&scene, language).get().await;
    }
    scene.pass(20);
    advance(Duration::from_secs(1)).await;
    let (new, gate) = varying("new").held();
    scene.origin.answer(new);
    for language in LANGUAGES.iter().cycle().take(9) {
        let got = in_language(&scene, language).get().await;
        assert_eq!(got.text().await, "old");
    }
    scene.origin.asked(6).await;
    gate.open();
    scene.landed().await;
    for language in LANGUAGES {
        assert_eq!(
            in_language(&scene, language).get().await.text().await,
            "new"
        );
    }
}
