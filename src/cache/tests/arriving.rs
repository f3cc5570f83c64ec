//! Bodies on their way: what they cost in work and memory, however many wait.

use super::support::{Client, Reply, Scene, rule, settle, until};
use crate::cache::{Rule, Settings};
use bytes::Bytes;
use futures_util::future::join_all;
use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering::Relaxed},
};
use tokio_util::task::TaskTracker;

const MIB: usize = 1 << 20;

/// By which bodies of up to 16 MiB are stored, while all on their way hold no more than `collecting`.
fn roomy(collecting: u64) -> Rule {
    let mut rule = rule();
    rule.settings = Arc::new(Settings {
        max_object: 16 << 20,
        collecting,
        ..Settings::default()
    });
    rule
}

fn text(size: usize) -> Bytes {
    let words = (0..).flat_map(|n: u32| format!("{{\"id\":{n}}},").into_bytes());
    words.take(size).collect()
}

fn json(body: &Bytes) -> Reply {
    let reply = Reply::fresh("", 60).with("content-type", "application/json");
    reply.piece(body.clone())
}

/// So many clients that accept `codings` and wait for what `reply` brings.
async fn waiting(scene: &Scene, count: i64, codings: &str, reply: Reply) -> Vec<Client> {
    let (reply, gate) = reply.held();
    scene.origin.answer(reply);
    let begin = || scene.request("/a").with("accept-encoding", codings).begin();
    let clients = (0..count).map(|_| begin()).collect();
    scene.followers(count - 1).await;
    gate.open();
    clients
}

/// A hundred encoders once took 2.5 s of the worker.
#[tokio::test(start_paused = true)]
async fn a_hundred_who_wait_for_gzip_cost_one_gzip() {
    let (scene, body) = (Scene::by(roomy(64 << 20)).await, text(MIB));
    let (reply, tap) = Reply::live(None);
    let reply = reply.with("content-type", "application/json");
    let mut reading = Vec::new();
    for client in waiting(&scene, 100, "gzip", reply).await {
        let got = client.got().await;
        assert_eq!(got.field("content-encoding"), Some("gzip"));
        reading.push(TaskTracker::new().spawn(got.rest()));
    }
    for piece in body.chunks(MIB / 8) {
        tap.send(Bytes::copy_from_slice(piece)).await;
    }
    drop(tap);
    let mut first = None;
    for reading in reading {
        let coded = reading.await.unwrap().unwrap();
        assert!(coded.len() < MIB / 2);
        assert!(*first.get_or_insert_with(|| coded.clone()) == coded);
    }
    assert_eq!((scene.coded("gzip"), scene.origin.count()), (1, 1));
    scene.landed().await;
    until("nothing is held", || scene.collecting() == 0).await;
}

/// They find it stored when they wake.
#[tokio::test(start_paused = true)]
async fn who_wakes_late_has_the_coding_of_what_is_stored() {
    let (scene, body) = (Scene::by(roomy(64 << 20)).await, text(MIB));
    let reply = json(&body).of_unknown_length().with("etag", "\"1\""); // which nobody has to make
    for client in waiting(&scene, 100, "gzip", reply).await {
        let got = client.got().await;
        assert_eq!(got.field("etag"), Some("\"1-gzip\""), "it is no stream");
        assert!(got.rest().await.unwrap().len() < MIB / 2);
    }
    assert_eq!(scene.coded("gzip"), 1);
}

#[tokio::test(start_paused = true)]
async fn each_coding_is_made_once_and_identity_is_none() {
    let (scene, body) = (Scene::by(roomy(64 << 20)).await, text(MIB));
    let (reply, tap) = Reply::live(None);
    scene
        .origin
        .answer(reply.with("content-type", "application/json"));
    let mut clients = Vec::new();
    for codings in ["gzip", "br", "zstd", "identity"].repeat(5) {
        let request = scene.request("/a").with("accept-encoding", codings);
        let got = request.get().await;
        let coding = got.field("content-encoding").unwrap_or("identity");
        assert_eq!(coding, codings);
        clients.push(TaskTracker::new().spawn(got.rest()));
    }
    tap.send(body).await;
    drop(tap);
    for client in clients {
        assert!(client.await.unwrap().is_ok());
    }
    assert_eq!(["gzip", "br", "zstd"].map(|c| scene.coded(c)), [1, 1, 1]);
}

#[tokio::test(start_paused = true)]
async fn a_coding_breaks_with_its_body_for_all_who_read_it() {
    let scene = Scene::by(roomy(64 << 20)).await;
    let clients = waiting(&scene, 3, "gzip", json(&text(MIB)).cut()).await;
    for client in clients {
        assert!(client.got().await.rest().await.is_err());
    }
    scene.landed().await;
    assert_eq!(scene.coded("gzip"), 1);
}

/// Its pieces once stayed beside the stored body for as long as it read.
#[tokio::test(start_paused = true)]
async fn who_reads_slowly_what_is_stored_by_now_holds_no_copy_of_it() {
    let (scene, body) = (Scene::by(roomy(64 << 20)).await, text(MIB));
    let (reply, tap) = Reply::live(None);
    scene.origin.answer(reply);
    let mut slow = scene.get("/a").await;
    for piece in body.chunks(MIB / 4) {
        tap.send(Bytes::copy_from_slice(piece)).await;
    }
    assert_eq!(slow.next().await.unwrap().unwrap(), body[..MIB / 4]);
    until("it is collected", || scene.collecting() > MIB as i64).await;
    drop(tap);
    scene.landed().await;
    assert_eq!(scene.collecting(), 0);
    let stored = scene.get("/a").await.rest().await.unwrap();
    let rest = slow.next().await.unwrap().unwrap();
    assert_eq!(rest, body[MIB / 4..]);
    assert_eq!(rest.as_ptr(), stored[MIB / 4..].as_ptr());
    assert!(slow.next().await.is_none());
}

/// On one thread a task that does not give way is the only one that runs.
#[tokio::test(start_paused = true)]
async fn others_have_their_turn_while_much_is_hashed_and_stored() {
    let scene = Scene::by(roomy(64 << 20)).await;
    let body = Bytes::from(vec![b'x'; 16 * MIB]);
    scene.origin.answer(Reply::fresh("", 60).piece(body));
    let turns = Arc::new(AtomicUsize::new(0));
    let other = TaskTracker::new().spawn({
        let turns = Arc::clone(&turns);
        async move {
            loop {
                turns.fetch_add(1, Relaxed);
                tokio::task::yield_now().await;
            }
        }
    });
    let got = scene.get("/a").await;
    let before = turns.load(Relaxed);
    scene.landed().await;
    let turns = turns.load(Relaxed) - before;
    other.abort();
    assert_eq!(got.rest().await.unwrap().len(), 16 * MIB);
    assert!(scene.get("/a").await.field("etag").is_some());
    assert!(turns >= 60, "{turns} turns for 64 slices");
}

#[tokio::test(start_paused = true)]
async fn what_has_no_room_passes_to_all_who_wait_and_is_not_stored() {
    for length_is_known in [true, false] {
        let scene = Scene::by(roomy(2 << 20)).await;
        let (reply, tap) = Reply::live(Some(2 << 20));
        scene.origin.answer(reply);
        let begun = scene.get("/begun").await;
        assert_eq!(scene.collecting(), 2 << 20);
        let body = text(MIB);
        let reply = json(&body);
        let reply = if length_is_known {
            reply
        } else {
            reply.of_unknown_length()
        };
        let clients = waiting(&scene, 5, "identity", reply).await;
        let read = |client: Client| async {
            let got = client.got().await;
            (got.says.clone(), got.rest().await.unwrap())
        };
        let all = join_all(clients.into_iter().map(read)).await;
        for (at, (says, read)) in all.into_iter().enumerate() {
            let expected = match (at, length_is_known) {
                (0, true) => "fwd=uri-miss; detail=no-room",
                (0, false) => "fwd=uri-miss; detail=arriving", // it turned out later
                _ => "fwd=uri-miss; collapsed",
            };
            assert_eq!(says, expected);
            assert!(read == body);
        }
        assert_eq!(scene.origin.count(), 2);
        drop((tap, begun));
        until("there is room again", || scene.collecting() == 0).await;
        let stored = if length_is_known {
            "stored"
        } else {
            "detail=arriving"
        };
        let says = scene.get("/a").await.says;
        assert_eq!(says, format!("fwd=uri-miss; {stored}"));
    }
}

/// Slow readers of what is not stored leave half of the room to what is.
#[tokio::test(start_paused = true)]
async fn what_is_not_kept_takes_no_more_than_half_of_the_room() {
    let scene = Scene::by(roomy(2 << 20)).await;
    let unkept = Reply::controlled("", "max-age=0").piece(text(MIB / 4 * 3));
    let mut slow = Vec::new();
    for path in ["/a", "/b"] {
        let (leader, follower) = (scene.request(path), scene.request(path));
        let (reply, later) = (unkept.clone(), Reply::reset());
        let (leader, follower, gate) = scene.together(leader, follower, reply, later).await;
        gate.open();
        slow.extend([leader.got().await, follower.got().await]);
    }
    let held = scene.collecting();
    assert!((1..=MIB as i64).contains(&held), "{held}");
    let reply = Reply::fresh("", 60).piece(text(MIB));
    scene.store("/c", reply).await;
    drop(slow);
    scene.landed().await;
    assert_eq!(scene.collecting(), 0);
}

#[tokio::test(start_paused = true)]
async fn what_has_no_room_and_nobody_else_waits_for_passes_as_it_comes() {
    let scene = Scene::by(roomy(2 << 20)).await;
    let (reply, _tap) = Reply::live(Some(2 << 20));
    scene.origin.answer(reply);
    let _begun = scene.get("/begun").await;
    let (reply, tap) = Reply::live(Some(1000));
    scene.origin.answer(reply);
    let mut got = scene.get("/a").await;
    assert_eq!(got.says, "fwd=uri-miss; detail=no-room");
    scene.landed_but(1).await;
    tap.send("one").await;
    assert_eq!(got.next().await.unwrap().unwrap(), "one");
    settle().await;
    assert_eq!(scene.collecting(), 2 << 20);
}
