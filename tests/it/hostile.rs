//! What was tried to make the proxy hand out a wrong answer, once each.

use crate::support::{
    Origin, Proxy, Reply,
    client::{Connection, exchange},
    get,
    redis::{Redis, free_port},
    relay::Relay,
    until,
};
use futures_util::future::join_all;
use sidecache::config::Config;

const TTL: &str = "[[route]]\nname = \"all\"\npath = \"/{*rest}\"\nttl = 300\n";

#[tokio::test]
async fn a_field_that_connection_takes_away_selects_nothing() {
    let origin = Origin::start().await;
    origin.answer("/a", Reply::fresh("default", 60).header("vary", "X-Lang"));
    let proxy = Proxy::to(&origin, "").await;
    proxy
        .get_with("/a", &[("Connection", "close, x-lang"), ("X-Lang", "de")])
        .await;
    assert_eq!(origin.last("/a").header("x-lang"), None);
    assert!(
        !proxy.get_with("/a", &[("X-Lang", "de")]).await.is_hit(),
        "it is not the German one"
    );
}

#[tokio::test]
async fn fields_that_say_how_it_was_reached_are_part_of_the_key() {
    let origin = Origin::start().await;
    origin.answer("/a", Reply::fresh("poison", 60));
    for (poison, clean) in [
        (&[("Forwarded", "host=evil.example")][..], &[][..]),
        (
            &[("X-Forwarded-Proto", "http"), ("X-Forwarded-Proto", "evil")],
            &[("X-Forwarded-Proto", "http")],
        ),
        (&[("X-Forwarded-Port", "1")], &[]),
        (&[("X-Original-URL", "/admin")], &[]),
        (&[("X-Forwarded-Host", "\u{e9}")], &[]),
    ] {
        let proxy = Proxy::to(&origin, "").await;
        proxy.get_with("/a", poison).await;
        assert!(!proxy.get_with("/a", clean).await.is_hit(), "{poison:?}");
        assert!(proxy.get_with("/a", clean).await.is_hit(), "{poison:?}");
    }
}

#[tokio::test]
async fn a_host_is_passed_on_as_it_is_keyed() {
    let origin = Origin::start().await;
    let proxy = Proxy::to(&origin, "").await;
    proxy.get_with("/a", &[("Host", "API.Example")]).await;
    assert_eq!(origin.last("/a").header("host"), Some("api.example"));
}

#[tokio::test]
async fn who_comes_after_a_purge_does_not_join_a_fetch_from_before_it() {
    let origin = Origin::start().await;
    origin.answer("/a", Reply::fresh("old", 60));
    origin.hold();
    let proxy = Proxy::to(&origin, "").await;
    let before = tokio::spawn(get(proxy.address(), "/a", &[]));
    until("a read is under way", async || origin.count("/a") == 1).await;
    origin.answer("/a", Reply::ok("").early());
    assert_eq!(proxy.send("PUT", "/a", &[], "x").await.status, 200);
    origin.answer("/a", Reply::fresh("new", 60).early());
    assert_eq!(proxy.get("/a").await.text(), "new");
    origin.release();
    assert_eq!(before.await.unwrap().text(), "old");
    assert_eq!(
        proxy.get("/a").await.text(),
        "new",
        "and the old one was not stored over it"
    );
}

#[tokio::test]
async fn a_write_whose_client_left_or_that_broke_off_invalidates() {
    let origin = Origin::start().await;
    let proxy = Proxy::to(&origin, "").await;
    let stored = async || {
        origin.answer("/a", Reply::fresh("old", 60));
        proxy.get("/a").await;
        assert!(proxy.get("/a").await.is_hit());
    };
    stored().await;
    origin.answer("/a", Reply::ok(""));
    origin.hold();
    let mut writer = Connection::open(proxy.address()).await;
    writer
        .send("DELETE /a HTTP/1.1\r\nHost: test.example\r\n\r\n")
        .await;
    until("the write is under way", async || origin.count("/a") == 2).await;
    drop(writer);
    until("its client has left", async || {
        proxy.metric("sidecache_connections") == 0.0
    })
    .await;
    origin.release();
    until("it has invalidated", async || {
        !proxy.get("/a").await.is_hit()
    })
    .await;
    stored().await;
    origin.answer("/a", Reply::closing());
    assert_eq!(proxy.send("DELETE", "/a", &[], "").await.status, 502);
    origin.answer("/a", Reply::fresh("new", 60));
    assert_eq!(
        proxy.get("/a").await.text(),
        "new",
        "nobody knows whether it was deleted"
    );
}

/// What never was a request has changed nothing, and else anybody could purge.
#[tokio::test]
async fn a_write_that_its_client_broke_off_invalidates_nothing() {
    let origin = Origin::start().await;
    let toml =
        "[[route]]\nname = \"w\"\npath = \"/a\"\nmethods = [\"PUT\"]\npurge = [\"path:/b\"]\n";
    let proxy = Proxy::to(&origin, toml).await;
    for path in ["/a", "/b"] {
        origin.answer(path, Reply::fresh("old", 60));
        proxy.get(path).await;
    }
    // Of the last one the origin has a part.
    let a_part = format!("Content-Length: 200000\r\n\r\n{}", "x".repeat(80_000));
    for framing in [
        "Content-Length: 5\r\n\r\nhalf",
        "Transfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n",
        &a_part,
    ] {
        let failed = proxy.metric("sidecache_requests_total{route=\"w\",outcome=\"failed\"}");
        let mut writer = Connection::open(proxy.address()).await;
        let head = "PUT /a HTTP/1.1\r\nHost: test.example\r\n";
        writer.send(&format!("{head}{framing}")).await;
        drop(writer);
        until("it was given up", async || {
            proxy.metric("sidecache_connections") == 0.0
                || proxy.metric("sidecache_requests_total{route=\"w\",outcome=\"failed\"}") > failed
        })
        .await;
    }
    for path in ["/a", "/b"] {
        assert!(proxy.get(path).await.is_hit(), "{path}");
    }
}

/// A proxy whose upstream leads back to it would answer nobody (RFC 9110 §7.6.3).
#[tokio::test]
async fn a_request_that_goes_in_a_circle_ends() {
    let (origin, port) = (Origin::start().await, free_port());
    let address = std::net::SocketAddr::from(([127, 0, 0, 1], port));
    let second = Proxy::to_address(address, "").await;
    let server = format!("[server]\nlisten = \"{address}\"\n[admin]\nlisten = \"127.0.0.1:0\"\n");
    let toml = format!(
        "{server}[upstream]\nurl = \"http://{}\"\n",
        second.address()
    );
    let config = Config::parse("test.toml", &toml, &[], &|_| None).unwrap();
    let first = Proxy::with(config).await;
    let answer = first.send("POST", "/a", &[], "").await;
    assert_eq!(
        (answer.status, &answer.json()["cause"]),
        (508, &"loop".into())
    );
    origin.answer("/a", Reply::ok("behind some others"));
    let behind = Proxy::to(&origin, "").await;
    let chain = [
        "1.1 sidecache",
        "1.1 sidecache, 1.0 other, 1.1 sidecache (comment)",
    ];
    let fields = chain.map(|via| ("Via", via));
    assert_eq!(behind.get_with("/a", &fields).await.status, 200);
}

/// A proxy that listens on `port`, before `upstream`.
async fn listening(port: u16, upstream: std::net::SocketAddr, toml: &str) -> Proxy {
    let toml = format!(
        "[server]\nlisten = \"127.0.0.1:{port}\"\n[admin]\nlisten = \"127.0.0.1:0\"\n\
         [upstream]\nurl = \"http://{upstream}\"\ntimeout = \"10s\"\n{toml}"
    );
    Proxy::with(Config::parse("test.toml", &toml, &[], &|_| None).unwrap()).await
}

/// As the follower of its own fetch it would wait for itself, until `upstream.timeout`.
#[tokio::test]
async fn a_request_that_comes_back_does_not_wait_for_itself() {
    let redis = Redis::start();
    let cluster = format!(
        "[[route]]\nname = \"a\"\npath = \"/{{*rest}}\"\nttl = 60\ncollapse = \"cluster\"\n\
         [cache]\nprefix = \"t\"\n[cache.redis]\nurl = \"{}\"\n",
        redis.url()
    );
    let local = "[[route]]\nname = \"a\"\npath = \"/{*rest}\"\nttl = 60\n";
    for toml in [local, &cluster] {
        let port = free_port();
        let back = Relay::to(port).await;
        let proxy = listening(port, back.address(), toml).await;
        let answers = join_all((0..3).map(|_| proxy.get("/a"))).await;
        for answer in answers {
            assert_eq!(
                (answer.status, &answer.json()["cause"]),
                (508, &"loop".into())
            );
        }
    }
    let (one, other) = (free_port(), free_port());
    let to = |port| std::net::SocketAddr::from(([127, 0, 0, 1], port));
    let one_leads_on = listening(one, to(other), local).await;
    let _other_leads_back = listening(other, to(one), local).await;
    assert_eq!(one_leads_on.get("/a").await.status, 508);
}

/// Two replicas share a name: what has come through one of them waits for the fetches of the other as anybody does.
#[tokio::test]
async fn only_what_has_come_through_this_very_process_goes_on_alone() {
    let origin = Origin::start().await;
    let proxy = Proxy::to(&origin, "").await;
    proxy.get("/a").await;
    let own = origin.last("/a").header("via").unwrap().to_owned();
    let others = "1.1 sidecache (0123456789abcdef)".to_owned();
    assert!(own.starts_with("1.1 sidecache (") && own.len() == others.len());
    for (path, via, asked) in [("/b", &own, 3), ("/c", &others, 1)] {
        origin.answer(path, Reply::fresh("a", 60));
        origin.hold();
        let address = proxy.address();
        let ask = || {
            let via = via.clone();
            tokio::spawn(async move { get(address, path, &[("Via", &via)]).await })
        };
        let clients = [ask(), ask(), ask()];
        until("all are on their way", async || {
            let waiting = proxy.metric("sidecache_followers");
            origin.count(path) as f64 + waiting == 3.0
        })
        .await;
        assert_eq!(origin.count(path), asked, "{via}");
        origin.release();
        for client in clients {
            assert_eq!(client.await.unwrap().text(), "a");
        }
        assert!(proxy.get_with(path, &[("Via", via)]).await.is_hit());
    }
    assert_eq!(proxy.get("/a").await.header("via"), Some("1.1 sidecache"));
}

/// RFC 9110 §7.6.2, §9.3.7, §9.3.8.
#[tokio::test]
async fn options_and_trace_go_as_far_as_they_may() {
    let origin = Origin::start().await;
    origin.answer("/a", Reply::ok("of the origin"));
    let proxy = Proxy::to(&origin, "").await;
    let asked = b"OPTIONS * HTTP/1.1\r\nHost: test.example\r\nConnection: close\r\n\r\n";
    let itself = exchange(proxy.address(), asked).await;
    let itself = String::from_utf8(itself).unwrap().to_lowercase();
    assert!(
        itself.starts_with("http/1.1 204 ") && itself.contains("\r\nallow: get, "),
        "{itself}"
    );
    let last = proxy
        .send("OPTIONS", "/a", &[("Max-Forwards", "0")], "")
        .await;
    assert_eq!((last.status, origin.count("/a")), (204, 0));
    let on = proxy
        .send("OPTIONS", "/a", &[("Max-Forwards", "3")], "")
        .await;
    assert_eq!(on.text(), "of the origin");
    assert_eq!(origin.last("/a").header("max-forwards"), Some("2"));
    let cookies = [("Cookie", "sid=1")];
    let trace = proxy.send("TRACE", "/a", &cookies, "").await;
    assert_eq!(
        (trace.status, &trace.json()["cause"]),
        (405, &"trace_method".into())
    );
    assert_eq!(origin.count("/a"), 1);
    let open = Proxy::with_server(&origin, "trace = true\n", "").await;
    assert_eq!(
        open.send("TRACE", "/a", &[], "").await.text(),
        "of the origin"
    );
}

#[tokio::test]
async fn stale_on_error_does_not_bring_back_what_was_purged() {
    let origin = Origin::start().await;
    let proxy = Proxy::to(&origin, "").await;
    origin.answer(
        "/a",
        Reply::ok("old").header("cache-control", "max-age=1, stale-if-error=600"),
    );
    proxy.get("/a").await;
    proxy.advance(5);
    origin.answer("/a", Reply::ok("down").status(503));
    origin.hold();
    let reader = tokio::spawn(get(proxy.address(), "/a", &[]));
    until("the read is under way", async || origin.count("/a") == 2).await;
    origin.answer("/a", Reply::ok("").early());
    proxy.send("PUT", "/a", &[], "x").await;
    origin.release();
    assert_eq!(reader.await.unwrap().status, 503);
}

#[tokio::test]
async fn a_strangers_answer_does_not_drop_what_is_stored_for_all() {
    let origin = Origin::start().await;
    let proxy = Proxy::to(&origin, "").await;
    origin.answer(
        "/a",
        Reply::ok("public").header("cache-control", "max-age=10, stale-if-error=600"),
    );
    proxy.get("/a").await;
    proxy.advance(20);
    origin.answer(
        "/a",
        Reply::ok("who are you?")
            .status(401)
            .header("cache-control", "private"),
    );
    assert_eq!(
        proxy
            .get_with("/a", &[("Authorization", "wrong")])
            .await
            .status,
        401
    );
    origin.answer("/a", Reply::ok("down").status(503));
    assert_eq!(proxy.get("/a").await.text(), "public");
}

#[tokio::test]
async fn the_first_caller_keeps_the_fields_that_are_not_stored() {
    let origin = Origin::start().await;
    let toml = "[[route]]\nname = \"a\"\npath = \"/a\"\nset_cookie = \"strip\"\n";
    let proxy = Proxy::to(&origin, toml).await;
    let reply = Reply::ok("a").header("cache-control", "max-age=60, private=\"x-user\"");
    origin.answer(
        "/a",
        reply
            .header("set-cookie", "login=1")
            .header("x-user", "alice"),
    );
    let first = proxy.get("/a").await;
    assert_eq!(
        (first.header("set-cookie"), first.header("x-user")),
        (Some("login=1"), Some("alice"))
    );
    let second = proxy.get("/a").await;
    assert!(second.is_hit());
    assert_eq!(
        (second.header("set-cookie"), second.header("x-user")),
        (None, None)
    );
}

#[tokio::test]
async fn an_answer_that_contradicts_itself_is_not_passed_on_so() {
    let origin = Origin::start().await;
    let proxy = Proxy::to(&origin, "").await;
    let both = "HTTP/1.1 200 OK\r\ncontent-length: 3\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n";
    origin.answer("/both", Reply::raw(both));
    let answer = proxy.get("/both").await;
    assert_eq!((answer.text(), answer.complete), ("hello", true));
    for (path, raw) in [
        (
            "/coded",
            "HTTP/1.1 200 OK\r\ntransfer-encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        ),
        (
            "/switch",
            "HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n",
        ),
    ] {
        origin.answer(path, Reply::raw(raw));
        assert_eq!(proxy.get(path).await.status, 502, "{path}");
    }
    let coded = [("Transfer-Encoding", "gzip, chunked")];
    assert_eq!(proxy.send("POST", "/a", &coded, "").await.status, 501);
}

#[tokio::test]
async fn connection_cannot_take_away_what_keeps_an_answer_private() {
    let origin = Origin::start().await;
    let proxy = Proxy::to(&origin, TTL).await;
    origin.answer(
        "/a",
        Reply::ok("mine")
            .header("connection", "cache-control")
            .header("cache-control", "private"),
    );
    proxy.get("/a").await;
    assert!(!proxy.get("/a").await.is_hit());
}

#[tokio::test]
async fn tags_that_we_gave_out_are_understood_where_the_origin_judges() {
    let origin = Origin::start().await;
    let proxy = Proxy::to(&origin, "").await;
    origin.answer("/a", Reply::ok("done"));
    proxy
        .send("PUT", "/a", &[("If-Match", "\"v1-gzip\", \"v2\"")], "x")
        .await;
    // The tag as it came stays: an origin may add the same suffix itself, as Apache's mod_deflate does.
    assert_eq!(
        origin.last("/a").header("if-match"),
        Some("\"v1-gzip\", \"v2\", \"v1\"")
    );
    origin.answer(
        "/p",
        Reply::ok("mine")
            .header("cache-control", "private")
            .header("etag", "\"v1\""),
    );
    assert_eq!(
        proxy
            .get_with("/p", &[("If-None-Match", "\"v1\"")])
            .await
            .status,
        304
    );
}

#[tokio::test]
async fn a_stream_without_end_is_not_collected() {
    let origin = Origin::start().await;
    let events = Reply::ok("data: 1\n\n")
        .header("content-type", "text/event-stream")
        .chunked()
        .endless();
    origin.answer("/events", events);
    let proxy = Proxy::to(&origin, TTL).await;
    let mut client = Connection::open(proxy.address()).await;
    client.send("GET /events HTTP/1.1\r\nHost: a\r\n\r\n").await;
    assert!(
        client
            .read_until(|bytes| bytes.windows(7).any(|w| w == b"data: 1"))
            .await
    );
    drop(client);
    until("nobody listens", async || origin.open_connections() == 0).await;
    assert_eq!(proxy.metric("sidecache_flights"), 0.0);
}

#[tokio::test]
async fn an_upload_may_take_longer_than_an_answer() {
    let origin = Origin::start().await;
    origin.answer("/a", Reply::ok("thanks"));
    let proxy = Proxy::to(&origin, "timeout = \"300ms\"\nbody_timeout = \"5s\"\n").await;
    let mut client = Connection::open(proxy.address()).await;
    client
        .send("POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 8\r\n\r\n")
        .await;
    for _ in 0..8 {
        tokio::time::sleep(std::time::Duration::from_millis(100)).await; // a steady, slow sender
        client.send("x").await;
    }
    assert!(client.read_until(|bytes| bytes.ends_with(b"thanks")).await);
}
