//! One scenario for each refusal: the proxy, and what it says of its last answer.

use super::Scene;
use crate::support::{Reply, client::Connection, until};

type Said = (Scene, &'static str);

const TTL: &str = "[[route]]\nname = \"a\"\npath = \"/a\"\nttl = 300\n";

async fn first(toml: &str, reply: Reply, fields: &[(&str, &str)], says: &'static str) -> Said {
    (Scene::of(toml, reply).await.with("/a", fields).await, says)
}

pub(super) async fn status() -> Said {
    let reply = Reply::ok("").status(404);
    first(TTL, reply, &[], "fwd=uri-miss; detail=status").await
}

pub(super) async fn one_request() -> Said {
    let reply = Reply::fresh("", 60).status(400);
    first(TTL, reply, &[], "fwd=uri-miss; detail=one-request").await
}

pub(super) async fn no_store() -> Said {
    let reply = Reply::ok("a").header("cache-control", "no-store");
    first("", reply, &[], "fwd=uri-miss; detail=no-store").await
}

pub(super) async fn private() -> Said {
    let reply = Reply::ok("a").header("cache-control", "private");
    first("", reply, &[], "fwd=uri-miss; detail=private").await
}

pub(super) async fn authorization() -> Said {
    let (reply, alice) = (Reply::fresh("a", 60), [("Authorization", "alice")]);
    first("", reply, &alice, "fwd=uri-miss; detail=authorization").await
}

pub(super) async fn credential() -> Said {
    let (reply, alice) = (Reply::fresh("a", 60), [("X-Api-Key", "alice")]);
    first("", reply, &alice, "fwd=uri-miss; detail=credential").await
}

pub(super) async fn cookie() -> Said {
    let (reply, alice) = (Reply::ok("a"), [("Cookie", "alice")]);
    first(TTL, reply, &alice, "fwd=uri-miss; detail=cookie").await
}

pub(super) async fn set_cookie() -> Said {
    let reply = Reply::fresh("a", 60).header("set-cookie", "session=1");
    first("", reply, &[], "fwd=uri-miss; detail=set-cookie").await
}

pub(super) async fn vary_star() -> Said {
    let reply = Reply::fresh("a", 60).header("vary", "*");
    first("", reply, &[], "fwd=uri-miss; detail=vary-star").await
}

pub(super) async fn no_lifetime() -> Said {
    let says = "fwd=uri-miss; detail=no-lifetime";
    first("", Reply::ok("a"), &[], says).await
}

pub(super) async fn aged() -> Said {
    let reply = Reply::fresh("a", 60).header("age", "60");
    first("", reply, &[], "fwd=uri-miss; detail=aged").await
}

pub(super) async fn too_large() -> Said {
    let toml = "[cache]\nmax_object = \"1KiB\"\n";
    let reply = Reply::fresh("x".repeat(1025), 60);
    first(toml, reply, &[], "fwd=uri-miss; detail=too-large").await
}

pub(super) async fn no_room() -> Said {
    let toml = "[cache]\nmax_object = \"1KiB\"\nmemory.collecting = \"1KiB\"\n";
    let scene = Scene::of(toml, Reply::fresh("a", 60)).await;
    let begun = "HTTP/1.1 200 OK\r\ncache-control: max-age=60\r\ncontent-length: 1024\r\n\r\nx";
    scene
        .origin
        .answer("/begun", Reply::raw(begun).then_never());
    let mut waiting = Connection::open(scene.proxy.address()).await;
    waiting.send("GET /begun HTTP/1.1\r\nHost: a\r\n\r\n").await;
    until("all the room is taken", async || {
        scene.proxy.metric("sidecache_collecting_bytes") == 1024.0
    })
    .await;
    (scene.get("/a").await, "fwd=uri-miss; detail=no-room")
}

/// Of the request it says that the upstream failed.
pub(super) async fn incomplete() -> Said {
    let reply = Reply::fresh("a", 60).cut();
    first("", reply, &[], "fwd=miss; detail=upstream").await
}

pub(super) async fn endless() -> Said {
    let reply = Reply::fresh("a", 60).header("content-type", "text/event-stream");
    first("", reply, &[], "fwd=uri-miss; detail=endless").await
}

pub(super) async fn no_vary_search() -> Said {
    let toml = "[[route]]\nname = \"a\"\npath = \"/a\"\nkey = { no_vary_search = true }\n";
    let reply = Reply::fresh("a", 60).header("no-vary-search", "params=(\"x\")");
    let scene = Scene::of(toml, reply).await.get("/a?x=1").await;
    let scene = scene.then(Reply::fresh("a", 60)).get("/a?x=2").await;
    (scene, "fwd=uri-miss; detail=no-vary-search")
}

pub(super) async fn tags() -> Said {
    let reply = Reply::fresh("a", 60).header("cache-tag", "x".repeat(1025));
    first("", reply, &[], "fwd=uri-miss; detail=tags").await
}

pub(super) async fn range_answer() -> Said {
    let (reply, range) = (Reply::fresh("", 60).status(404), [("Range", "bytes=0-1")]);
    first("", reply, &range, "fwd=uri-miss; detail=range-answer").await
}

pub(super) async fn unasked_part() -> Said {
    let part = Reply::fresh("01", 60).status(206);
    let part = part.header("content-range", "bytes 0-1/10");
    first("", part, &[], "fwd=uri-miss; detail=unasked-part").await
}

pub(super) async fn stale_serves() -> Said {
    let reply = Reply::ok("a").header("cache-control", "max-age=10, stale-if-error=60");
    let scene = Scene::of("", reply).await.get("/a").await;
    let scene = scene.pass(20).then(Reply::fresh("", 60).status(429));
    (scene.get("/a").await, "fwd=stale; detail=stale-serves")
}

pub(super) async fn hides_variants() -> Said {
    let reply = Reply::fresh("a", 60).header("vary", "x-lang");
    let scene = Scene::of("", reply).await;
    let scene = scene.with("/a", &[("X-Lang", "en")]).await;
    let scene = scene.then(Reply::fresh("", 60).status(404));
    let scene = scene.with("/a", &[("X-Lang", "de")]).await;
    (scene, "fwd=vary-miss; detail=hides-variants")
}
