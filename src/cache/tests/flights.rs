//! One fetch for all who wait, which belongs to the key and not to the client that began it.

use super::support::{Reply, Scene, rule};
use crate::cache::Collapse;

#[tokio::test(start_paused = true)]
async fn concurrent_misses_share_one_fetch() {
    let scene = Scene::new().await;
    let (reply, gate) = Reply::fresh("a", 60).held();
    scene.origin.answer(reply);
    let leader = scene.request("/a").begin();
    scene.origin.asked(1).await;
    let followers = [1, 2, 3].map(|_| scene.request("/a").begin());
    scene.followers(3).await;
    gate.open();
    assert_eq!(leader.got().await.says, "fwd=uri-miss; stored");
    for follower in followers {
        let got = follower.got().await;
        assert_eq!(got.says, "fwd=uri-miss; stored; collapsed");
        assert_eq!(got.text().await, "a");
    }
    assert_eq!((scene.origin.count(), scene.total("collapsed")), (1, 3));
}

#[tokio::test(start_paused = true)]
async fn when_the_leader_panics_its_followers_go_on_alone() {
    let scene = Scene::new().await;
    let (one, other) = (scene.request("/a"), scene.request("/a"));
    let (panic, later) = (Reply::panic(), Reply::fresh("a", 60));
    let (leader, follower, gate) = scene.together(one, other, panic, later).await;
    gate.open();
    assert_eq!(leader.failed().await.error.cause(), "abandoned");
    let got = follower.got().await;
    assert_eq!(
        (got.says.as_str(), scene.origin.count()),
        ("fwd=uri-miss; stored", 2)
    );
    scene.landed().await;
}

#[tokio::test(start_paused = true)]
async fn after_a_panic_the_next_requests_share_a_fetch() {
    let scene = Scene::new().await;
    scene.origin.answer(Reply::panic());
    scene.request("/a").failed().await;
    let (one, other) = (scene.request("/a"), scene.request("/a"));
    let reply = Reply::fresh("a", 60);
    let (leader, follower, gate) = scene.together(one, other, reply, Reply::reset()).await;
    gate.open();
    assert_eq!(leader.got().await.text().await, "a");
    assert_eq!(follower.got().await.text().await, "a");
}

#[tokio::test(start_paused = true)]
async fn the_fetch_goes_on_when_the_client_that_began_it_leaves() {
    let scene = Scene::new().await;
    let (one, other) = (scene.request("/a"), scene.request("/a"));
    let reply = Reply::fresh("a", 60);
    let (leader, follower, gate) = scene.together(one, other, reply.clone(), reply).await;
    leader.leaves().await;
    gate.open();
    assert_eq!(follower.got().await.text().await, "a");
    assert_eq!(scene.get("/a").await.says, "hit; ttl=60");
    assert_eq!(scene.origin.count(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_follower_that_leaves_waits_no_more_and_harms_nobody() {
    let scene = Scene::new().await;
    let (one, other) = (scene.request("/a"), scene.request("/a"));
    let reply = Reply::fresh("a", 60);
    let (leader, follower, gate) = scene.together(one, other, reply.clone(), reply).await;
    follower.leaves().await;
    scene.followers(0).await;
    gate.open();
    assert_eq!(leader.got().await.text().await, "a");
    assert_eq!(scene.total("collapsed"), 0);
}

#[tokio::test(start_paused = true)]
async fn a_fetch_that_began_before_a_purge_is_not_joined() {
    let scene = Scene::new().await;
    let (old, gate) = Reply::fresh("old", 60).held();
    scene.origin.answers([old, Reply::fresh("new", 60)]);
    let before = scene.request("/a").begin();
    scene.origin.asked(1).await;
    scene.purge("/a", true).await;
    assert_eq!(scene.get("/a").await.text().await, "new");
    gate.open();
    assert_eq!(before.got().await.text().await, "old");
}

#[tokio::test(start_paused = true)]
async fn the_end_of_an_overtaken_fetch_leaves_the_newer_one_open() {
    let scene = Scene::new().await;
    let (old, old_gate) = Reply::fresh("old", 60).held();
    let (new, new_gate) = Reply::fresh("new", 60).held();
    scene.origin.answers([old, new]);
    let before = scene.request("/a").begin();
    scene.origin.asked(1).await;
    scene.purge("/a", true).await;
    let after = scene.request("/a").begin();
    scene.origin.asked(2).await;
    old_gate.open();
    before.got().await;
    let follower = scene.request("/a").begin();
    scene.followers(1).await;
    new_gate.open();
    assert_eq!(after.got().await.text().await, "new");
    assert_eq!(follower.got().await.text().await, "new");
    assert_eq!(scene.origin.count(), 2);
}

#[tokio::test(start_paused = true)]
async fn what_was_purged_while_it_was_fetched_is_not_served_later() {
    let scene = Scene::new().await;
    let (reply, gate) = Reply::fresh("old", 60).held();
    scene.origin.answers([reply, Reply::fresh("new", 60)]);
    let client = scene.request("/a").begin();
    scene.origin.asked(1).await;
    scene.purge("/a", true).await;
    gate.open();
    assert_eq!(client.got().await.text().await, "old");
    assert_eq!(scene.get("/a").await.text().await, "new");
}

#[tokio::test(start_paused = true)]
async fn callers_with_credentials_fly_apart_from_those_without() {
    let scene = Scene::new().await;
    let (public, gate) = Reply::fresh("public", 60).held();
    let own = Reply::controlled("own", "private");
    scene.origin.answers([public, own]);
    let anonymous = scene.request("/a").begin();
    scene.origin.asked(1).await;
    let alice = scene.request("/a").with("cookie", "alice").get().await;
    assert_eq!(alice.text().await, "own");
    gate.open();
    assert_eq!(anonymous.got().await.text().await, "public");
}

#[tokio::test(start_paused = true)]
async fn callers_with_credentials_share_what_the_origin_lets_them_share() {
    let scene = Scene::new().await;
    let alice = scene.request("/a").with("cookie", "alice");
    let bob = scene.request("/a").with("cookie", "bob");
    let reply = Reply::fresh("for all", 60);
    let (alice, bob, gate) = scene.together(alice, bob, reply.clone(), reply).await;
    gate.open();
    assert_eq!(alice.got().await.text().await, "for all");
    assert_eq!(bob.got().await.text().await, "for all");
    assert_eq!(scene.origin.count(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_follower_that_selects_another_variant_has_it_fetched() {
    let hello = Reply::fresh("hello", 60).with("vary", "x-lang");
    for hello in [hello.clone(), hello.of_unknown_length()] {
        let scene = Scene::new().await;
        let en = scene.request("/a").with("x-lang", "en");
        let de = scene.request("/a").with("x-lang", "de");
        let hallo = Reply::fresh("hallo", 60).with("vary", "x-lang");
        let (en, de, gate) = scene.together(en, de, hello, hallo).await;
        gate.open();
        assert_eq!(en.got().await.text().await, "hello");
        let de = de.got().await;
        assert_eq!(de.says, "fwd=uri-miss; stored");
        assert_eq!(de.text().await, "hallo");
    }
}

#[tokio::test(start_paused = true)]
async fn switched_off_every_miss_asks_the_origin() {
    let mut off = rule();
    off.collapse = Collapse::Off;
    let scene = Scene::by(off).await;
    let (reply, gate) = Reply::fresh("a", 60).held();
    scene.origin.answer(reply);
    let clients = [1, 2].map(|_| scene.request("/a").begin());
    scene.origin.asked(2).await;
    gate.open();
    for client in clients {
        assert_eq!(client.got().await.says, "fwd=uri-miss; stored");
    }
}

#[tokio::test(start_paused = true)]
async fn without_redis_a_fetch_for_all_replicas_is_one_of_this_one() {
    let mut cluster = rule();
    cluster.collapse = Collapse::Cluster;
    let scene = Scene::by(cluster).await;
    let (one, other) = (scene.request("/a"), scene.request("/a"));
    let reply = Reply::fresh("a", 60);
    let (leader, follower, gate) = scene.together(one, other, reply.clone(), reply).await;
    gate.open();
    assert_eq!(leader.got().await.says, "fwd=uri-miss; stored");
    assert_eq!(follower.got().await.text().await, "a");
}

#[tokio::test(start_paused = true)]
async fn a_part_is_asked_for_alone() {
    let scene = Scene::new().await;
    let (whole, gate) = Reply::fresh("0123456789", 60).held();
    let part = Reply::fresh("01", 60).status(206);
    scene
        .origin
        .answers([whole, part.with("content-range", "bytes 0-1/10")]);
    let client = scene.request("/a").begin();
    scene.origin.asked(1).await;
    let part = scene.request("/a").with("range", "bytes=0-1").get().await;
    assert_eq!(part.text().await, "01");
    gate.open();
    assert_eq!(client.got().await.text().await, "0123456789");
}

#[tokio::test(start_paused = true)]
async fn after_every_kind_of_end_nobody_waits_and_nothing_flies() {
    let ends = [
        Reply::fresh("a", 60),
        Reply::fresh("a", 60).of_unknown_length(),
        Reply::fresh("a", 60).cut(),
        Reply::fresh("a", 60).of_unknown_length().cut(),
        Reply::fresh("a", 60).piece(vec![b'x'; 2000]),
        Reply::fresh("a", 60)
            .piece(vec![b'x'; 2000])
            .of_unknown_length(),
        Reply::controlled("a", "no-store"),
        Reply::ok("").status(304),
        Reply::ok("").status(403),
        Reply::ok("").status(503),
        Reply::unreachable(),
        Reply::reset(),
        Reply::panic(),
    ];
    for end in ends {
        let scene = Scene::new().await;
        let (one, other) = (scene.request("/a"), scene.request("/a"));
        let (leader, follower, gate) = scene.together(one, other, end.clone(), end).await;
        gate.open();
        for client in [leader, follower] {
            if let Ok(got) = client.outcome().await {
                drop(got.rest().await);
            }
        }
        scene.landed().await;
    }
}
