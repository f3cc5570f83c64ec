//! Corners of the way to the upstream: places in its limit, parts, refreshes of what came from Redis, spellings of a path.

use crate::support::{
    Origin, Proxy, Reply, client::Connection, proxy::synchronised, redis::Redis, until,
};
use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);

/// The first response is still held (with its place in the limit) while the second is waited for.
#[tokio::test]
async fn to_ask_again_needs_no_second_place() {
    let origin = Origin::start().await;
    let proxy = Proxy::to(
        &origin,
        "max_connections = 1\nconnect_timeout = \"300ms\"\n",
    )
    .await;
    origin.answer("/a", Reply::fresh("old", 1).header("etag", "\"1\""));
    proxy.get("/a").await;
    proxy.advance(10);
    origin.answer("/a", Reply::fresh("new", 60).header("etag", "\"2\""));
    let another = Reply::ok("").status(304).header("etag", "\"2\"");
    origin.answer_when("/a", "if-none-match", another);
    let answer = proxy.get("/a").await;
    assert_eq!((answer.status, answer.text()), (200, "new"));
}

#[tokio::test]
async fn to_ask_again_after_a_part_needs_no_second_place() {
    let origin = Origin::start().await;
    let proxy = Proxy::to(
        &origin,
        "max_connections = 1\nconnect_timeout = \"300ms\"\n",
    )
    .await;
    let part = Reply::fresh("01234", 60)
        .status(206)
        .header("content-range", "bytes 0-4/10")
        .header("etag", "\"1\"");
    origin.answer("/a", part);
    proxy.get_with("/a", &[("Range", "bytes=0-4")]).await;
    origin.answer("/a", Reply::fresh("9876543210", 60).header("etag", "\"2\""));
    let other = Reply::fresh("43210", 60)
        .status(206)
        .header("content-range", "bytes 5-9/10")
        .header("etag", "\"2\"");
    origin.answer_when("/a", "range", other);
    let answer = proxy.get("/a").await;
    assert_eq!((answer.status, answer.text()), (200, "9876543210"));
}

/// The client that completes what is stored gets the fields that were sent to it.
#[tokio::test]
async fn a_cookie_that_comes_with_the_rest_reaches_its_client() {
    let origin = Origin::start().await;
    let toml = "[[route]]\nname = \"a\"\npath = \"/{*rest}\"\nset_cookie = \"strip\"\n";
    let proxy = Proxy::to(&origin, toml).await;
    let part = |body, range| {
        Reply::fresh(body, 60)
            .status(206)
            .header("content-range", range)
            .header("etag", "\"1\"")
    };
    origin.answer("/a", part("01234", "bytes 0-4/10"));
    proxy.get_with("/a", &[("Range", "bytes=0-4")]).await;
    let rest = part("56789", "bytes 5-9/10").header("set-cookie", "session=1");
    origin.answer_when("/a", "range", rest);
    let answer = proxy.get("/a").await;
    assert_eq!((answer.status, answer.text()), (200, "0123456789"));
    assert_eq!(answer.header("set-cookie"), Some("session=1"));
}

const FROM_REDIS: &str = "[cache.memory]\nmax = 0\n[[route]]\nname = \"a\"\npath = \"/{*rest}\"\nstale_while_revalidate = \"1h\"\n";

fn with_redis(url: &str) -> String {
    format!("[cache]\nprefix = \"t\"\n[cache.redis]\nurl = \"{url}\"\n{FROM_REDIS}")
}

async fn stale_in_redis(origin: &Origin, redis: &Redis) -> Proxy {
    let proxy = Proxy::to(origin, &with_redis(&redis.url())).await;
    synchronised(&proxy).await;
    origin.answer("/a", Reply::fresh("old", 1));
    proxy.get("/a").await;
    until("it is in redis", async || {
        proxy.metric("sidecache_redis_calls_total{result=\"written\"}") >= 1.0
    })
    .await;
    proxy.advance(10);
    proxy
}

/// As of a hit in memory: nobody waits for it, and it is not the client's own request.
#[tokio::test]
async fn a_refresh_after_a_hit_in_redis_has_an_id_of_its_own() {
    let (origin, redis) = (Origin::start().await, Redis::start());
    let proxy = stale_in_redis(&origin, &redis).await;
    origin.answer("/a", Reply::fresh("new", 60));
    let stale = proxy.get_with("/a", &[("X-Request-Id", "mine")]).await;
    assert_eq!(stale.text(), "old", "{}", stale.cache_status());
    until("it is refreshed", async || origin.count("/a") == 2).await;
    assert_eq!(origin.last("/a").header("x-request-id"), Some("refresh"));
}

/// A hint of one resource must not come before the response of another one.
#[tokio::test]
async fn hints_of_a_refresh_come_before_no_later_response() {
    let (origin, redis) = (Origin::start().await, Redis::start());
    let proxy = stale_in_redis(&origin, &redis).await;
    origin.hold();
    let hints = "HTTP/1.1 103 Early Hints\r\nlink: </secret-of-a.css>\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";
    origin.answer("/a", Reply::raw(hints));
    origin.answer("/b", Reply::never());
    let mut client = Connection::open(proxy.address()).await;
    client
        .send("GET /a HTTP/1.1\r\nHost: test.example\r\n\r\n")
        .await;
    assert!(client.read_until(|bytes| bytes.ends_with(b"old")).await);
    until("it is refreshed", async || origin.count("/a") == 2).await;
    client.clear();
    client
        .send("GET /b HTTP/1.1\r\nHost: test.example\r\n\r\n")
        .await;
    until("the next is asked for", async || origin.count("/b") == 1).await;
    origin.release();
    let mut seen = Vec::new();
    let _ = tokio::time::timeout(
        2 * SECOND,
        client.read_piece(|piece| seen.extend_from_slice(piece)),
    )
    .await;
    let seen = String::from_utf8_lossy(&seen).into_owned();
    assert!(!seen.contains("secret-of-a"), "{seen}");
}

/// A route whose pattern is spelt as its paths arrive goes on matching.
#[tokio::test]
async fn a_pattern_with_escapes_matches_what_is_spelt_so() {
    for (pattern, path) in [("/caf%c3%a9", "/caf%c3%a9"), ("/%7Eme", "/%7Eme")] {
        let origin = Origin::start().await;
        let toml = format!("[[route]]\nname = \"a\"\npath = \"{pattern}\"\nttl = \"1m\"\n");
        let proxy = Proxy::to(&origin, &toml).await;
        origin.answer(path, Reply::ok("x"));
        proxy.get(path).await;
        assert!(proxy.get(path).await.is_hit(), "{pattern}");
    }
}

/// Nothing is kept under a spelling that a purge by the other one would miss.
#[tokio::test]
async fn a_path_that_servers_read_in_several_ways_is_not_stored() {
    let origin = Origin::start().await;
    let toml = "[[route]]\nname = \"p\"\npath = \"/private/{*rest}\"\ncache = false\n\
                [[route]]\nname = \"s\"\npath = \"/{*rest}\"\nttl = \"1m\"\nshare = \"all\"\n";
    let proxy = Proxy::to(&origin, toml).await;
    for path in [
        "/private//../static/x",
        "/users//7",
        "/users/./7",
        "/users/x/%2e%2e/7",
    ] {
        origin.answer(path, Reply::ok("for Alice"));
        proxy.get_with(path, &[("Cookie", "alice")]).await;
        origin.answer(path, Reply::ok("for nobody"));
        assert_eq!(proxy.get(path).await.text(), "for nobody", "{path}");
    }
}

/// Escapes that change nothing hide nothing from a route, its tags and its purges.
#[tokio::test]
async fn a_needless_escape_is_the_same_route() {
    let origin = Origin::start().await;
    let toml = "[[route]]\nname = \"a\"\npath = \"/users/{id}\"\nttl = \"1m\"\ntags = [\"user:{id}\"]\n\
                [[route]]\nname = \"w\"\npath = \"/users/{id}\"\nmethods = [\"PUT\"]\npurge = [\"hard:tag:user:{id}\"]\n";
    let proxy = Proxy::to(&origin, toml).await;
    for path in ["/users/7", "/users/%37", "/%75sers/7"] {
        origin.answer(path, Reply::ok("old"));
        proxy.get(path).await;
        assert!(proxy.get(path).await.is_hit(), "{path}");
    }
    proxy.send("PUT", "/users/7", &[], "x").await;
    for path in ["/users/7", "/users/%37", "/%75sers/7"] {
        origin.answer(path, Reply::ok("new"));
        assert_eq!(proxy.get(path).await.text(), "new", "{path}");
    }
}

/// A 304 that forbids transformations takes the coding away that was made before (RFC 9111 §5.2.2.6).
#[tokio::test]
async fn no_transform_of_a_confirmation_is_obeyed() {
    let origin = Origin::start().await;
    let proxy = Proxy::to(&origin, "").await;
    let gzip = [("Accept-Encoding", "gzip")];
    let text = Reply::ok("a".repeat(5000))
        .header("content-type", "text/plain")
        .header("etag", "\"1\"");
    origin.answer("/a", text.header("cache-control", "max-age=1"));
    proxy.get_with("/a", &gzip).await;
    let coded = proxy.get_with("/a", &gzip).await;
    assert_eq!(coded.header("content-encoding"), Some("gzip"));
    proxy.advance(10);
    let confirmed = Reply::ok("").status(304).header("etag", "\"1\"");
    let confirmed = confirmed.header("cache-control", "max-age=60, no-transform");
    origin.answer_when("/a", "if-none-match", confirmed);
    proxy.get_with("/a", &gzip).await;
    let after = proxy.get_with("/a", &gzip).await;
    assert_eq!(after.header("content-encoding"), None);
}

/// The client that completes what is stored gets the fields that were sent to it alone.
#[tokio::test]
async fn a_private_field_that_comes_with_the_rest_reaches_its_client() {
    let origin = Origin::start().await;
    let proxy = Proxy::to(&origin, "").await;
    let part = |body, range| {
        Reply::ok(body)
            .status(206)
            .header("content-range", range)
            .header("etag", "\"1\"")
    };
    let first = part("01234", "bytes 0-4/10").header("cache-control", "max-age=60");
    origin.answer("/a", first);
    proxy.get_with("/a", &[("Range", "bytes=0-4")]).await;
    let rest = part("56789", "bytes 5-9/10")
        .header("cache-control", "max-age=60, private=\"x-user\"")
        .header("x-user", "alice");
    origin.answer_when("/a", "range", rest);
    let answer = proxy.get("/a").await;
    assert_eq!((answer.status, answer.text()), (200, "0123456789"));
    assert_eq!(answer.header("x-user"), Some("alice"));
    assert_eq!(
        proxy.get("/a").await.header("x-user"),
        None,
        "nobody else does"
    );
}
