//! What goes on to the origin, what does not, and what says who passed it on.

use crate::support::{
    Origin, Proxy, Reply,
    client::{exchange, unchunk},
};

#[tokio::test]
async fn fields_of_this_hop_end_here_in_both_directions() {
    let origin = Origin::start().await;
    let reply = Reply::fresh("a", 60)
        .header("connection", "x-hop")
        .header("x-hop", "1")
        .header("keep-alive", "timeout=5")
        .header("x-kept", "1");
    origin.answer("/a", reply);
    let proxy = Proxy::to(&origin, "").await;
    let fields = [
        ("Connection", "x-mine"),
        ("X-Mine", "1"),
        ("TE", "gzip"),
        ("X-Other", "1"),
        ("Upgrade", "h2c"),
    ];
    for _ in 0..2 {
        let answer = proxy.get_with("/a", &fields).await;
        assert_eq!(
            (answer.header("x-hop"), answer.header("keep-alive")),
            (None, None)
        );
        assert_eq!(answer.header("x-kept"), Some("1"));
    }
    let seen = origin.last("/a");
    for gone in ["x-mine", "te", "upgrade", "connection"] {
        assert_eq!(seen.header(gone), None, "{gone}");
    }
    assert_eq!(seen.header("x-other"), Some("1"));
}

#[tokio::test]
async fn the_origin_learns_who_asked_and_how() {
    let origin = Origin::start().await;
    let proxy = Proxy::to(&origin, "").await;
    proxy
        .get_with(
            "/a",
            &[
                ("Host", "api.example"),
                ("X-Forwarded-For", "10.0.0.1"),
                ("Via", "1.0 edge"),
            ],
        )
        .await;
    let seen = origin.last("/a");
    assert_eq!(seen.header("host"), Some("api.example"));
    assert_eq!(seen.header("x-forwarded-host"), Some("api.example"));
    assert_eq!(seen.header("x-forwarded-proto"), Some("http"));
    assert_eq!(seen.header("x-forwarded-for"), Some("10.0.0.1, 127.0.0.1"));
    let via = seen.header("via").unwrap();
    assert!(via.starts_with("1.0 edge, 1.1 sidecache ("), "{via}");
}

#[tokio::test]
async fn the_client_learns_who_answered() {
    let origin = Origin::start().await;
    origin.answer("/a", Reply::fresh("a", 60));
    let proxy = Proxy::to(&origin, "").await;
    for _ in 0..2 {
        let answer = proxy.get("/a").await;
        assert_eq!(answer.header("via"), Some("1.1 sidecache"));
        assert!(
            answer.header("date").is_some(),
            "added where the origin sends none"
        );
    }
}

#[tokio::test]
async fn a_request_id_is_made_or_passed_on() {
    let origin = Origin::start().await;
    origin.answer(
        "/a",
        Reply::fresh("a", 60).header("x-request-id", "the origin's own"),
    );
    let proxy = Proxy::to(&origin, "").await;
    let given = proxy.get_with("/a", &[("X-Request-Id", "mine-1")]).await;
    assert_eq!(given.header("x-request-id"), Some("mine-1"));
    assert_eq!(origin.last("/a").header("x-request-id"), Some("mine-1"));
    let first = proxy.get("/a").await;
    let second = proxy.get("/a").await;
    assert!(first.is_hit());
    assert_eq!(first.header("x-request-id").unwrap().len(), 32);
    assert_ne!(
        first.header("x-request-id"),
        second.header("x-request-id"),
        "a hit does not repeat the first one's"
    );
}

#[tokio::test]
async fn bodies_stream_upwards() {
    let origin = Origin::start().await;
    origin.answer("/a", Reply::ok("got it").status(201));
    let proxy = Proxy::to(&origin, "").await;
    let body = "x".repeat(300_000);
    assert_eq!(proxy.send("POST", "/a", &[], &body).await.status, 201);
    assert_eq!(origin.last("/a").body.len(), 300_000);
}

#[tokio::test]
async fn a_path_is_passed_on_as_it_was_received() {
    let origin = Origin::start().await;
    let proxy = Proxy::to(&origin, "").await;
    for path in ["/a%2Fb", "/a/../b", "/a//b", "/%E4?x=%20&y", "/?"] {
        proxy.get(path).await;
        assert_eq!(origin.count(path), 1, "{path}");
    }
}

#[tokio::test]
async fn the_bypass_token_skips_the_cache_and_is_not_passed_on() {
    let origin = Origin::start().await;
    origin.answer("/a", Reply::fresh("old", 60));
    let proxy = Proxy::to(&origin, "[cache]\nbypass_token = \"0123456789abcdef\"").await;
    proxy.get("/a").await;
    origin.answer("/a", Reply::fresh("new", 60));
    let bypassed = proxy
        .get_with("/a", &[("X-Sidecache-Bypass", "0123456789abcdef")])
        .await;
    assert_eq!(
        (bypassed.text(), bypassed.cache_status()),
        ("new", "fwd=bypass; detail=token")
    );
    assert_eq!(origin.last("/a").header("x-sidecache-bypass"), None);
    for wrong in ["", "0123456789abcdeX", "0123456789abcde"] {
        assert!(
            proxy
                .get_with("/a", &[("X-Sidecache-Bypass", wrong)])
                .await
                .is_hit(),
            "{wrong:?}"
        );
    }
}

#[tokio::test]
async fn without_a_token_in_the_configuration_there_is_no_bypass() {
    let origin = Origin::start().await;
    origin.answer("/a", Reply::fresh("a", 60));
    let proxy = Proxy::to(&origin, "").await;
    proxy.get("/a").await;
    assert!(
        proxy
            .get_with("/a", &[("X-Sidecache-Bypass", "")])
            .await
            .is_hit()
    );
}

#[tokio::test]
async fn switched_off_the_cache_is_a_plain_proxy() {
    let origin = Origin::start().await;
    origin.answer("/a", Reply::fresh("a", 60));
    let proxy = Proxy::to(&origin, "[cache]\nenabled = false").await;
    for count in 1..=2 {
        let answer = proxy.get("/a").await;
        assert_eq!(
            (answer.text(), answer.cache_status()),
            ("a", "fwd=bypass; detail=disabled")
        );
        assert_eq!(origin.count("/a"), count);
    }
}

#[tokio::test]
async fn a_route_with_cache_false_streams_and_stores_nothing() {
    let origin = Origin::start().await;
    origin.answer("/events/1", Reply::fresh("a", 60));
    let proxy = Proxy::to(
        &origin,
        "[[route]]\nname = \"e\"\npath = \"/events/{*rest}\"\ncache = false\n",
    )
    .await;
    for _ in 0..2 {
        assert_eq!(
            proxy.get("/events/1").await.cache_status(),
            "fwd=bypass; detail=route"
        );
    }
}

#[tokio::test]
async fn trailers_pass_to_those_who_take_them() {
    let origin = Origin::start().await;
    let raw = "HTTP/1.1 200 OK\r\ncache-control: no-store\r\ntrailer: x-sum\r\ntransfer-encoding: chunked\r\n\r\n\
               4\r\nbody\r\n0\r\nx-sum: 7\r\n\r\n";
    origin.answer("/a", Reply::raw(raw));
    let proxy = Proxy::to(&origin, "").await;
    let ask = |fields: &str| format!("GET /a HTTP/1.1\r\nHost: a\r\n{fields}\r\n");
    let taken = exchange(
        proxy.address(),
        ask("TE: trailers\r\nConnection: te, close\r\n").as_bytes(),
    )
    .await;
    let text = String::from_utf8(taken).unwrap();
    assert!(
        text.ends_with("4\r\nbody\r\n0\r\nx-sum: 7\r\n\r\n"),
        "{text}"
    );
    assert_eq!(origin.last("/a").header("te"), Some("trailers"));
    let plain = exchange(proxy.address(), ask("Connection: close\r\n").as_bytes()).await;
    assert!(
        String::from_utf8(plain)
            .unwrap()
            .ends_with("4\r\nbody\r\n0\r\n\r\n")
    );
    assert_eq!(origin.last("/a").header("te"), None);
}

/// The library sends none with a GET unless it is told so.
#[tokio::test]
async fn content_of_a_get_goes_on_whether_its_length_is_known_or_not() {
    let origin = Origin::start().await;
    let toml = "[[route]]\nname = \"a\"\npath = \"/a\"\ncache = false\n";
    let proxy = Proxy::to(&origin, toml).await;
    for path in ["/a", "/b"] {
        for method in ["GET", "POST"] {
            origin.answer(path, Reply::ok("a"));
            let begin = format!("{method} {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n");
            for content in [
                "Content-Length: 5\r\n\r\nhello",
                "Transfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n",
            ] {
                let request = format!("{begin}{content}");
                exchange(proxy.address(), request.as_bytes()).await;
                let received = origin.last(path);
                let body = match received.header("transfer-encoding") {
                    Some(_) => unchunk(&received.body).0,
                    None => received.body,
                };
                assert_eq!(body, b"hello", "{method} {content:?}");
            }
        }
    }
}

/// Of what is listed in several lines nothing is lost where the tag of the origin goes in beside one of ours.
#[tokio::test]
async fn every_line_of_a_precondition_goes_on() {
    let origin = Origin::start().await;
    let proxy = Proxy::to(&origin, "").await;
    for name in ["If-Match", "If-None-Match"] {
        let fields = [
            (name, "\"1\""),
            (name, "\"2-gzip\", \"3\""),
            (name, "\"2\""),
        ];
        proxy.send("PUT", "/a", &fields, "x").await;
        let received = origin.last("/a");
        let name = name.to_lowercase();
        assert_eq!(
            received.header(&name),
            Some("\"1\", \"2-gzip\", \"3\", \"2\"")
        );
        assert_eq!(received.lines(&name), 1);
    }
}
