//! One scenario for each reason: the proxy, and what it says of its last answer.

use super::Scene;
use crate::support::{Origin, Proxy, Reply, redis::Redis, until};

type Said = (Scene, &'static str);

fn controlled(control: &str) -> Reply {
    Reply::ok("a").header("cache-control", control)
}

pub(super) async fn fresh() -> Said {
    let scene = Scene::of("", Reply::fresh("a", 60)).await;
    (scene.get("/a").await.get("/a").await, "hit; ttl=60")
}

pub(super) async fn while_revalidate() -> Said {
    let reply = controlled("max-age=10, stale-while-revalidate=60");
    let scene = Scene::of("", reply).await.get("/a").await;
    let says = "hit; ttl=-10; detail=stale-while-revalidate";
    (scene.pass(20).get("/a").await, says)
}

pub(super) async fn if_error() -> Said {
    let reply = controlled("max-age=10, stale-if-error=60");
    let scene = Scene::of("", reply).await.get("/a").await;
    let scene = scene.pass(20).then(Reply::ok("").status(503));
    let says = "fwd=stale; fwd-status=503; ttl=-10; detail=stale-if-error";
    (scene.get("/a").await, says)
}

pub(super) async fn on_disconnect() -> Said {
    let toml = "[cache]\nstale_on_disconnect = \"10m\"\n";
    let scene = Scene::of(toml, Reply::fresh("a", 10)).await.get("/a").await;
    let scene = scene.pass(20).then(Reply::closing()).get("/a").await;
    (scene, "fwd=stale; ttl=-10; detail=stale-on-disconnect")
}

pub(super) async fn uri_miss() -> Said {
    let scene = Scene::of("", Reply::fresh("a", 60)).await;
    (scene.get("/a").await, "fwd=uri-miss; stored")
}

pub(super) async fn vary_miss() -> Said {
    let reply = Reply::fresh("a", 60).header("vary", "x-lang");
    let scene = Scene::of("", reply).await;
    let scene = scene.with("/a", &[("X-Lang", "en")]).await;
    let scene = scene.with("/a", &[("X-Lang", "de")]).await;
    (scene, "fwd=vary-miss; stored")
}

pub(super) async fn expired() -> Said {
    let scene = Scene::of("", Reply::fresh("a", 10)).await.get("/a").await;
    let scene = scene.pass(20).get("/a").await;
    (scene, "fwd=stale; stored; detail=expired")
}

pub(super) async fn purged() -> Said {
    let routes = "[[route]]\nname = \"read\"\npath = \"/a\"\ntags = [\"a\"]\n\
                  [[route]]\nname = \"write\"\npath = \"/b\"\nmethods = [\"PUT\"]\npurge = [\"tag:a\"]\n";
    let scene = Scene::of(routes, Reply::fresh("a", 60)).await;
    let scene = scene.get("/a").await.send("PUT", "/b", &[]).await;
    (scene.get("/a").await, "fwd=stale; stored; detail=purged")
}

pub(super) async fn no_cache() -> Said {
    let reply = controlled("no-cache").header("etag", "\"1\"");
    let scene = Scene::of("", reply).await.get("/a").await;
    (scene.get("/a").await, "fwd=stale; stored; detail=no-cache")
}

/// The last answer is the first that notices the gap.
pub(super) async fn purge_gap() -> Said {
    let (origin, mut redis) = (Origin::start().await, Redis::start());
    origin.answer("/a", Reply::fresh("a", 3600));
    let url = redis.url();
    let toml =
        format!("[cache]\nprefix = \"t\"\npurge_gap = \"300ms\"\n[cache.redis]\nurl = \"{url}\"\n");
    let proxy = Proxy::to(&origin, &toml).await;
    proxy.get("/a").await;
    redis.kill();
    proxy.advance(1);
    let mut last = None;
    until("the gap is noticed", async || {
        let answer = last.insert(proxy.get("/a").await);
        !answer.is_hit()
    })
    .await;
    (
        Scene {
            origin,
            proxy,
            last,
        },
        "fwd=stale; stored; detail=purge-gap",
    )
}

const RESPECTING: &str = "[cache]\nclient_directives = \"respect\"\n";

pub(super) async fn client() -> Said {
    let scene = Scene::of(RESPECTING, Reply::fresh("a", 60)).await;
    let reload = [("Cache-Control", "no-cache")];
    let scene = scene.get("/a").await.with("/a", &reload).await;
    (scene, "fwd=request; stored; detail=client")
}

pub(super) async fn credentials() -> Said {
    let toml = "[[route]]\nname = \"a\"\npath = \"/a\"\nttl = 300\n";
    let scene = Scene::of(toml, Reply::ok("a")).await.get("/a").await;
    let scene = scene.with("/a", &[("Cookie", "alice")]).await;
    (scene, "fwd=bypass; detail=cookie")
}

pub(super) async fn method() -> Said {
    let scene = Scene::of("", Reply::ok("a")).await;
    (scene.send("POST", "/a", &[]).await, "fwd=method")
}

pub(super) async fn disabled() -> Said {
    let scene = Scene::of("[cache]\nenabled = false\n", Reply::fresh("a", 60)).await;
    (scene.get("/a").await, "fwd=bypass; detail=disabled")
}

pub(super) async fn route() -> Said {
    let toml = "[[route]]\nname = \"a\"\npath = \"/a\"\ncache = false\n";
    let scene = Scene::of(toml, Reply::fresh("a", 60)).await;
    (scene.get("/a").await, "fwd=bypass; detail=route")
}

pub(super) async fn token() -> Said {
    let toml = "[cache]\nbypass_token = \"0123456789abcdef\"\n";
    let scene = Scene::of(toml, Reply::fresh("a", 60)).await;
    let token = [("X-Sidecache-Bypass", "0123456789abcdef")];
    let scene = scene.with("/a", &token).await;
    (scene, "fwd=bypass; detail=token")
}

pub(super) async fn range() -> Said {
    let part = Reply::fresh("01", 60).status(206);
    let scene = Scene::of("", part.header("content-range", "bytes 0-1/10")).await;
    let scene = scene.with("/a", &[("Range", "bytes=0-1")]).await;
    let scene = scene.then(Reply::fresh("0123456789", 60)).get("/a").await;
    (scene, "fwd=partial; stored; detail=range")
}

pub(super) async fn precondition() -> Said {
    let scene = Scene::of("", Reply::fresh("a", 60)).await;
    let scene = scene.with("/a", &[("If-Match", "\"1\"")]).await;
    (scene, "fwd=bypass; detail=precondition")
}

pub(super) async fn path() -> Said {
    let scene = Scene::of("", Reply::fresh("a", 60)).await;
    (scene.get("/b/../a").await, "fwd=bypass; detail=path")
}

pub(super) async fn too_long() -> Said {
    let toml = "[[route]]\nname = \"a\"\npath = \"/a\"\nkey = { headers = [\"x-tenant\"] }\n";
    let scene = Scene::of(toml, Reply::fresh("a", 60)).await;
    let scene = scene.with("/a", &[("X-Tenant", &"x".repeat(4097))]).await;
    (scene, "fwd=bypass; detail=too-long")
}

pub(super) async fn content() -> Said {
    let scene = Scene::of("", Reply::fresh("a", 60)).await;
    let scene = scene.with_content("GET", "/a", "{}").await;
    (scene, "fwd=bypass; detail=content")
}

pub(super) async fn not_a_read() -> Said {
    let toml =
        "[[route]]\nname = \"a\"\npath = \"/a\"\nmethods = [\"POST\"]\nkey = { body = true }\n";
    let scene = Scene::of(toml, Reply::fresh("a", 60)).await;
    let mutation = "{\"query\": \"mutation { a }\"}";
    let scene = scene.with_content("POST", "/a", mutation).await;
    (scene, "fwd=method; detail=not-a-read")
}

pub(super) async fn only_if_cached() -> Said {
    let scene = Scene::of(RESPECTING, Reply::fresh("a", 60)).await;
    let cached = [("Cache-Control", "only-if-cached")];
    (scene.with("/a", &cached).await, "detail=only-if-cached")
}

pub(super) async fn upstream() -> Said {
    let scene = Scene::of("", Reply::closing()).await;
    (scene.get("/a").await, "fwd=miss; detail=upstream")
}

pub(super) async fn request() -> Said {
    let scene = Scene::of("", Reply::fresh("a", 60)).await;
    let hosts = [("Host", "one.example"), ("Host", "two.example")];
    (scene.with("/a", &hosts).await, "detail=malformed")
}

pub(super) async fn upgrade() -> Said {
    let asking = [("Connection", "Upgrade"), ("Upgrade", "websocket")];
    let scene = Scene::of("", Reply::fresh("a", 60)).await;
    let scene = scene.with("/a", &asking).await;
    (scene, "fwd=bypass; detail=upgrade")
}
