//! What the origin was really sent selects a response: not what another request would have been sent.

use crate::support::{Origin, Proxy, Reply};

const BR: [(&str, &str); 1] = [("Accept-Encoding", "br")];

/// An answer to a POST that a GET can be given, in the coding that its client accepts.
async fn posted(vary: bool) -> (Origin, Proxy) {
    let origin = Origin::start().await;
    let proxy = Proxy::to(&origin, "").await;
    let reply = Reply::fresh("coded", 60)
        .header("content-location", "/a")
        .header("content-encoding", "br")
        .header("etag", "\"1-br\"");
    let reply = if vary {
        reply.header("vary", "Accept-Encoding")
    } else {
        reply
    };
    origin.answer("/a", reply);
    proxy.send("POST", "/a", &BR, "x").await;
    let sent = origin.last("/a");
    assert_eq!(sent.header("accept-encoding"), Some("br"));
    origin.answer("/a", Reply::fresh("plain", 60).header("etag", "\"1\""));
    (origin, proxy)
}

#[tokio::test]
async fn a_coded_answer_to_a_post_is_for_those_who_accept_the_coding() {
    for vary in [true, false] {
        let (_origin, proxy) = posted(vary).await;
        let coded = proxy.get_with("/a", &BR).await;
        assert!(coded.is_hit(), "{}", coded.cache_status());
        assert_eq!(coded.header("content-encoding"), Some("br"));
        assert_eq!(coded.header("vary"), Some("Accept-Encoding"));
        for fields in [&[][..], &[("Accept-Encoding", "identity")]] {
            let plain = proxy.get_with("/a", fields).await;
            assert_eq!(plain.header("content-encoding"), None);
            assert_eq!(plain.text(), "plain");
        }
    }
}

/// The cache asks for identity, so a confirmation would not be of what the POST was answered with.
#[tokio::test]
async fn a_coded_answer_to_a_post_is_not_confirmed_by_what_asks_for_identity() {
    for method in ["GET", "HEAD"] {
        let (origin, proxy) = posted(false).await;
        proxy.advance(61);
        let confirmed = Reply::ok("").status(304).header("etag", "\"1-br\"");
        let confirmed = confirmed.header("cache-control", "max-age=60");
        origin.answer_when("/a", "if-none-match", confirmed);
        proxy.send(method, "/a", &BR, "").await;
        let plain = proxy.get("/a").await;
        assert_eq!((plain.status, plain.text()), (200, "plain"), "{method}");
        assert_eq!(plain.header("content-encoding"), None, "{method}");
    }
}

/// An origin that codes has a tag for each coding; a HEAD for one of them does not say that the other is out of date.
#[tokio::test]
async fn a_head_asks_for_what_is_stored() {
    let origin = Origin::start().await;
    let route = "[[route]]\nname = \"a\"\npath = \"/{*rest}\"\nstale_if_error = \"1h\"\n";
    let proxy = Proxy::to(&origin, route).await;
    let text = "a".repeat(2000);
    let reply = Reply::fresh(&text, 10)
        .header("content-type", "text/plain")
        .header("etag", "\"1\"");
    origin.answer("/a", reply);
    proxy.get("/a").await;
    proxy.advance(20);
    let gzip = [("Accept-Encoding", "gzip")];
    let head = proxy.send("HEAD", "/a", &gzip, "").await;
    let sent = origin.last("/a");
    assert_eq!(sent.header("accept-encoding"), Some("identity"));
    assert_eq!(head.header("content-encoding"), Some("gzip"));
    assert_eq!(head.header("etag"), Some("W/\"1-gzip\""));
    assert_eq!(head.header("vary"), Some("Accept-Encoding"));
    assert_eq!(head.header("content-length"), None);
    proxy.advance(20);
    origin.answer("/a", Reply::ok("").status(503));
    let stale = proxy.get("/a").await;
    assert_eq!((stale.status, stale.text()), (200, &text[..]));
}

/// Where nothing is coded here, the client's own wish goes to the origin and selects.
#[tokio::test]
async fn a_head_asks_as_its_client_where_the_cache_codes_nothing() {
    let origin = Origin::start().await;
    let proxy = Proxy::to(&origin, "[compress]\nenabled = false\n").await;
    origin.answer("/a", Reply::fresh("x", 60).header("content-encoding", "br"));
    proxy.send("HEAD", "/a", &BR, "").await;
    let sent = origin.last("/a");
    assert_eq!(sent.header("accept-encoding"), Some("br"));
    proxy.get_with("/a", &BR).await;
    assert!(proxy.get_with("/a", &BR).await.is_hit());
    assert!(!proxy.get("/a").await.is_hit(), "though `Vary` is missing");
}

/// What another client's coding is called does not put an end to what is stored.
#[tokio::test]
async fn a_coded_head_says_nothing_of_what_is_not_coded() {
    let origin = Origin::start().await;
    let toml = "[compress]\nenabled = false\n[[route]]\nname = \"a\"\npath = \"/{*rest}\"\nstale_if_error = \"1h\"\n";
    let proxy = Proxy::to(&origin, toml).await;
    origin.answer("/a", Reply::fresh("plain", 10).header("etag", "\"1\""));
    proxy.get("/a").await;
    proxy.advance(20);
    let coded = Reply::fresh("", 10).header("content-encoding", "br");
    origin.answer("/a", coded.header("etag", "\"1-br\""));
    proxy.send("HEAD", "/a", &BR, "").await;
    origin.answer("/a", Reply::ok("").status(503));
    assert_eq!(proxy.get("/a").await.text(), "plain");
}
