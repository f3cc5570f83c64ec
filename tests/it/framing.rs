//! Messages that are not what they seem, on both sides.

use crate::support::{
    Origin, Proxy, Reply,
    client::{Connection, exchange, parse},
};
use std::io::ErrorKind;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

async fn status(proxy: &Proxy, raw: &str) -> u16 {
    parse(&exchange(proxy.address(), raw.as_bytes()).await, false).status
}

#[tokio::test]
async fn ambiguous_requests_are_refused_before_they_reach_the_origin() {
    let origin = Origin::start().await;
    let proxy = Proxy::to(&origin, "").await;
    for raw in [
        "GET /a HTTP/1.1\r\n\r\n",
        "GET /a HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        "GET /a HTTP/1.1\r\nHost: a/b\r\n\r\n",
        "GET /a HTTP/1.1\r\nHost: a:b\r\n\r\n",
        "GET /a HTTP/1.1\r\nHost: a:80:80\r\n\r\n",
        "GET /a HTTP/1.1\r\nHost: a:65536\r\n\r\n",
        "GET /a HTTP/1.1\r\nHost: :80\r\n\r\n",
        "GET /a HTTP/1.1\r\nHost: [::1\r\n\r\n",
        "GET /a HTTP/1.1\r\nHost: [zz]\r\n\r\n",
        "GET /a HTTP/1.1\r\nHost: %zz\r\n\r\n",
        "GET /a HTTP/1.1\r\nHost: a,b\r\n\r\n",
        "GET /a HTTP/1.1\r\nHost: u@a\r\n\r\n",
        "GET /a HTTP/1.1\r\nHost: u:p@a\r\n\r\n",
        "GET /a HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n",
        "GET http://a:b/a HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET http://u@a/a HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET http://[zz]/a HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET http://a/a HTTP/1.1\r\nHost: a:b\r\n\r\n",
        "GET http://a/a HTTP/1.1\r\n\r\n",
        "POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: +5\r\n\r\nhello",
        "POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 5, 6\r\n\r\nhello",
        "GET /a HTTP/1.1\r\nHost: a\r\nBad Header: 1\r\n\r\n",
        "GET /a b HTTP/1.1\r\nHost: a\r\n\r\n",
        "POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
        "POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n",
        "POST /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
        "POST /a HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    ] {
        assert_eq!(status(&proxy, raw).await, 400, "{raw:?}");
    }
    assert_eq!(
        status(&proxy, "CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n").await,
        405
    );
    assert_eq!(origin.count("/a"), 0);
}

#[tokio::test]
async fn a_host_goes_on_in_its_one_spelling() {
    let origin = Origin::start().await;
    let proxy = Proxy::to(&origin, "").await;
    for (host, expected) in [
        ("API.Example", "api.example"),
        ("a:", "a"),
        ("a:0080", "a:80"),
        ("[::1]:8080", "[::1]:8080"),
        ("[2001:DB8::1]", "[2001:db8::1]"),
        ("127.0.0.1:80", "127.0.0.1:80"),
    ] {
        proxy.get_with("/a", &[("Host", host)]).await;
        assert_eq!(origin.last("/a").header("host"), Some(expected), "{host}");
    }
    let raw = "GET http://B.example:/a HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
    exchange(proxy.address(), raw.as_bytes()).await;
    assert_eq!(
        origin.last("/a").header("host"),
        Some("b.example"),
        "the target wins"
    );
}

#[tokio::test]
async fn a_length_of_a_request_leaves_as_one_canonical_number_or_is_refused() {
    let origin = Origin::start().await;
    origin.answer("/a", Reply::ok("got it"));
    let proxy = Proxy::to(&origin, "").await;
    for length in [
        "Content-Length: 5",
        "Content-Length: 005",
        "Content-Length: 00000000000000000000005",
        "Content-Length: 5\r\nContent-Length: 5",
        "Content-Length: 5\r\nContent-Length: 05",
        "Content-Length: 5, 5",
    ] {
        let before = origin.count("/a");
        let raw =
            format!("POST /a HTTP/1.1\r\nHost: a\r\nConnection: close\r\n{length}\r\n\r\nhello");
        let status = status(&proxy, &raw).await;
        if origin.count("/a") == before {
            assert_eq!(status, 400, "{length}");
            continue;
        }
        let seen = origin.last("/a");
        assert_eq!(seen.header("content-length"), Some("5"), "{length}");
        assert_eq!(
            (seen.lines("content-length"), &seen.body[..]),
            (1, &b"hello"[..])
        );
    }
}

#[tokio::test]
async fn a_length_of_a_response_leaves_as_one_canonical_number_or_is_refused() {
    let origin = Origin::start().await;
    let proxy = Proxy::to(&origin, "").await;
    for (number, (lengths, sound)) in [
        ("Content-Length: 5", true),
        ("Content-Length: 05", true),
        ("Content-Length: 5, 5", true),
        ("Content-Length: 5\r\nContent-Length: 5", true),
        ("Content-Length: 5\r\nContent-Length: 05", true),
        ("Content-Length: 5, 6", false),
        ("Content-Length: 5\r\nContent-Length: 6", false),
        ("Content-Length: +5", false),
        ("Content-Length: x", false),
    ]
    .into_iter()
    .enumerate()
    {
        for (method, store) in [
            ("GET", "max-age=60"),
            ("GET", "no-store"),
            ("HEAD", "max-age=60"),
            ("HEAD", "no-store"),
            ("POST", "no-store"),
        ] {
            let path = format!("/{number}{method}{store}");
            let body = if method == "HEAD" { "" } else { "hello" };
            let head =
                format!("HTTP/1.1 200 OK\r\nCache-Control: {store}\r\n{lengths}\r\n\r\n{body}");
            origin.answer(&path, Reply::raw(head));
            for _ in 0..2 {
                let raw =
                    format!("{method} {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
                let raw = exchange(proxy.address(), raw.as_bytes()).await;
                let answer = parse(&raw, method == "HEAD");
                let told = (answer.status, answer.header("content-length"));
                let text = String::from_utf8_lossy(&raw);
                if sound {
                    assert_eq!(told, (200, Some("5")), "{method} {store} {lengths}: {text}");
                } else {
                    assert_eq!(told.0, 502, "{method} {store} {lengths}: {text}");
                }
            }
        }
    }
}

#[tokio::test]
async fn a_head_that_is_too_large_is_refused() {
    let origin = Origin::start().await;
    let proxy = Proxy::to(&origin, "").await;
    let raw = format!(
        "GET /a HTTP/1.1\r\nHost: a\r\nX: {}\r\n\r\n",
        "x".repeat(40_000)
    );
    assert_eq!(status(&proxy, &raw).await, 431);
    let many: String = (0..200).map(|n| format!("X-{n}: 1\r\n")).collect();
    assert_eq!(
        status(&proxy, &format!("GET /a HTTP/1.1\r\nHost: a\r\n{many}\r\n")).await,
        431
    );
}

#[tokio::test]
async fn both_lengths_do_not_smuggle_a_second_request() {
    let origin = Origin::start().await;
    origin.answer("/a", Reply::ok("a"));
    let proxy = Proxy::to(&origin, "").await;
    let raw = "POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 40\r\nTransfer-Encoding: chunked\r\n\r\n\
               0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n";
    exchange(proxy.address(), raw.as_bytes()).await;
    assert_eq!(origin.count("/smuggled"), 0);
}

#[tokio::test]
async fn pipelined_requests_are_answered_in_order() {
    let origin = Origin::start().await;
    origin.answer("/a", Reply::fresh("first", 60));
    origin.answer("/b", Reply::fresh("second", 60));
    let proxy = Proxy::to(&origin, "").await;
    proxy.get("/b").await;
    let raw = "GET /a HTTP/1.1\r\nHost: test.example\r\n\r\nGET /b HTTP/1.1\r\nHost: test.example\r\nConnection: close\r\n\r\n";
    let text = String::from_utf8(exchange(proxy.address(), raw.as_bytes()).await).unwrap();
    let (first, second) = (text.find("first").unwrap(), text.find("second").unwrap());
    assert!(first < second, "a hit does not overtake a miss");
}

#[tokio::test]
async fn a_connection_serves_many_requests() {
    let origin = Origin::start().await;
    origin.answer("/a", Reply::fresh("hello", 60));
    let proxy = Proxy::to(&origin, "").await;
    let mut connection = Connection::open(proxy.address()).await;
    for count in 1..=5 {
        connection.send("GET /a HTTP/1.1\r\nHost: a\r\n\r\n").await;
        let seen = |bytes: &[u8]| bytes.windows(5).filter(|w| w == b"hello").count() == count;
        assert!(connection.read_until(seen).await);
    }
}

#[tokio::test]
async fn rubbish_from_the_origin_is_502_and_is_not_stored() {
    let origin = Origin::start().await;
    let proxy = Proxy::to(&origin, "").await;
    for (number, rubbish) in [
        &b"rubbish\r\n\r\n"[..],
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
        b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nBad Name: 1\r\n\r\n",
        b"HTTP/1.1 99 OK\r\n\r\n",
        b"\0\0\0\0",
        b"",
    ]
    .iter()
    .enumerate()
    {
        let path = format!("/{number}");
        origin.answer(&path, Reply::raw(rubbish));
        let answer = proxy.get(&path).await;
        assert_eq!(
            (answer.status, &answer.json()["cause"]),
            (502, &"upstream_broken".into()),
            "{number}"
        );
        origin.answer(&path, Reply::ok("fine"));
        assert_eq!(
            proxy.get(&path).await.text(),
            "fine",
            "{number}: nothing is left behind"
        );
    }
}

#[tokio::test]
async fn an_answer_in_another_transfer_coding_than_chunked_is_502_and_is_not_stored() {
    let origin = Origin::start().await;
    let proxy = Proxy::to(&origin, "").await;
    for (number, (field, sound)) in [
        ("Transfer-Encoding: chunked", true),
        ("Transfer-Encoding:  Chunked ", true),
        ("Transfer-Encoding: xchunked", false),
        ("Transfer-Encoding: \"chunked\"", false),
        ("Transfer-Encoding: chunked;a=b", false),
        ("Transfer-Encoding: chunked, identity", false),
        ("Transfer-Encoding: br", false),
        ("Transfer-Encoding: foobar, chunked", false),
        ("Transfer-Encoding: gzip, chunked", false),
        ("Transfer-Encoding: chunked, chunked", false),
        (
            "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
            false,
        ),
        (
            "Transfer-Encoding: foobar\r\nTransfer-Encoding: chunked",
            false,
        ),
        ("Transfer-Encoding: chunked,", false),
        ("Transfer-Encoding:", false),
    ]
    .into_iter()
    .enumerate()
    {
        for store in ["max-age=60", "no-store"] {
            let path = format!("/{number}{store}");
            let head = format!("HTTP/1.1 200 OK\r\nCache-Control: {store}\r\n{field}\r\n\r\n");
            origin.answer(&path, Reply::raw(format!("{head}2\r\nok\r\n0\r\n\r\n")));
            let answer = proxy.get(&path).await;
            if sound {
                assert_eq!(answer.text(), "ok", "{field}");
                continue;
            }
            assert_eq!(answer.status, 502, "{field}");
            origin.answer(&path, Reply::ok("fine"));
            assert_eq!(proxy.get(&path).await.text(), "fine", "{field}");
        }
    }
}

/// A word that names no coding is taken out and nothing else: nothing was coded.
#[tokio::test]
async fn a_word_that_names_no_transfer_coding_is_taken_out() {
    let origin = Origin::start().await;
    let proxy = Proxy::to(&origin, "").await;
    for word in ["foobar", "identity"] {
        let path = format!("/{word}");
        let head = format!(
            "HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\nTransfer-Encoding: {word}\r\n\r\n"
        );
        origin.answer(&path, Reply::raw(format!("{head}content")));
        for _ in 0..2 {
            let answer = proxy.get(&path).await;
            assert_eq!((answer.status, answer.text()), (200, "content"), "{word}");
            assert_ne!(answer.header("transfer-encoding"), Some(word));
        }
    }
}

/// Nothing has been sent to the client yet, so it can be told, or be given what is stale.
#[tokio::test]
async fn a_body_that_breaks_before_its_first_byte_is_502_or_stale() {
    let origin = Origin::start().await;
    let proxy = Proxy::to(&origin, "").await;
    for (number, broken) in [
        "Transfer-Encoding: chunked\r\n\r\nzz\r\n",
        "Transfer-Encoding: chunked\r\n\r\n",
        "Transfer-Encoding: chunked\r\n\r\n5\r\n",
        "Content-Length: 5\r\n\r\n",
        "Content-Length: 500000\r\n\r\n",
    ]
    .into_iter()
    .enumerate()
    {
        for store in ["max-age=60", "no-store"] {
            let path = format!("/{number}{store}");
            let raw = format!("HTTP/1.1 200 OK\r\nCache-Control: {store}\r\n{broken}");
            let raw = Reply::raw(raw);
            origin.answer(&path, raw.clone());
            let answer = proxy.get(&path).await;
            assert_eq!(answer.status, 502, "{store} {broken:?}");
            assert_eq!(answer.json()["cause"], "upstream_broken");
            let kept = Reply::ok("kept").header("cache-control", "max-age=1, stale-if-error=600");
            origin.answer(&path, kept);
            proxy.advance(600); // the failure is forgotten
            proxy.get(&path).await;
            proxy.advance(10);
            origin.answer(&path, raw);
            assert_eq!(proxy.get(&path).await.text(), "kept", "{store} {broken:?}");
        }
    }
}

/// Those that begin late are not waited for.
#[tokio::test]
async fn the_head_of_a_body_that_begins_late_goes_on_at_once() {
    let origin = Origin::start().await;
    for kind in ["text/event-stream", "text/plain"] {
        let late = Reply::ok("late").header("content-type", kind).chunked();
        origin.answer(
            "/a",
            late.header("cache-control", "no-store").hold_body_only(),
        );
        origin.hold();
        let proxy = Proxy::to(&origin, "").await;
        let mut client = Connection::open(proxy.address()).await;
        client.send("GET /a HTTP/1.1\r\nHost: a\r\n\r\n").await;
        let head = |bytes: &[u8]| bytes.ends_with(b"\r\n\r\n");
        assert!(client.read_until(head).await);
        origin.release();
        let end = |bytes: &[u8]| bytes.ends_with(b"late\r\n0\r\n\r\n");
        assert!(client.read_until(end).await);
    }
}

#[tokio::test]
async fn a_kept_connection_that_the_origin_closes_is_replaced() {
    let origin = Origin::start().await;
    // Each answer says nothing of closing and is followed by the end of the connection.
    let reply = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncache-control: no-store\r\n\r\nok";
    origin.answer("/a", Reply::raw(reply));
    let proxy = Proxy::to(&origin, "").await;
    for _ in 0..50 {
        assert_eq!(proxy.get("/a").await.text(), "ok");
    }
}

/// To a client of HTTP/1.0 the end of an answer without a length is the end of its connection, so a body that breaks off must
/// end it in another way.
#[tokio::test]
async fn a_client_of_http_1_0_sees_a_cut_body_as_cut() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let proxy = Proxy::to_address(listener.local_addr().unwrap(), "").await;
    for (is_whole, control) in [
        (true, "no-store"),
        (false, "no-store"),
        (false, "max-age=60"),
    ] {
        let mut client = TcpStream::connect(proxy.address()).await.unwrap();
        let request = format!("GET /{is_whole} HTTP/1.0\r\nHost: a\r\n\r\n");
        client.write_all(request.as_bytes()).await.unwrap();
        let (mut upstream, _) = listener.accept().await.unwrap();
        let head = format!(
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nCache-Control: {control}\r\n\r\n"
        );
        let begun = format!("{head}5\r\nhello\r\n");
        upstream.write_all(begun.as_bytes()).await.unwrap();
        let mut received = Vec::new();
        while !received.ends_with(b"hello") {
            assert_ne!(client.read_buf(&mut received).await.unwrap(), 0);
        }
        let head = String::from_utf8_lossy(&received).to_ascii_lowercase();
        assert!(!head.contains("content-length") && !head.contains("transfer-encoding"));
        if is_whole {
            upstream.write_all(b"0\r\n\r\n").await.unwrap();
        }
        drop(upstream);
        let end = client.read_to_end(&mut received).await;
        let is_reset = end.is_err_and(|error| error.kind() == ErrorKind::ConnectionReset);
        assert_eq!(is_reset, !is_whole, "{control}");
    }
}
