//! Interim responses reach the client between messages, and only there.

use crate::support::{Origin, Proxy, Reply, client::Connection, client::exchange, until};

const HINTS: &str = "HTTP/1.1 103 Early Hints\r\nlink: </a.css>\r\ncontent-length: 5\r\nconnection: x-hop\r\nx-hop: 1\r\n\r\n";

fn with_hints(body: &str) -> Reply {
    let last = format!(
        "HTTP/1.1 200 OK\r\ncache-control: max-age=60\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    Reply::raw(format!("HTTP/1.1 102 Processing\r\n\r\n{HINTS}{last}"))
}

async fn raw(proxy: &Proxy, request: &str) -> String {
    String::from_utf8(exchange(proxy.address(), request.as_bytes()).await).unwrap()
}

#[tokio::test]
async fn they_come_before_the_final_response_and_are_not_stored() {
    let origin = Origin::start().await;
    origin.answer("/a", with_hints("body"));
    let proxy = Proxy::to(&origin, "").await;
    let request = "GET /a HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
    let first = raw(&proxy, request).await;
    let hints = "HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: </a.css>\r\n\r\nHTTP/1.1 200 OK\r\n";
    assert!(first.starts_with(hints), "{first}");
    assert_eq!(
        first.matches("link:").count(),
        1,
        "its fields are not those of the final response"
    );
    let hit = raw(&proxy, request).await;
    assert!(
        hit.starts_with("HTTP/1.1 200 OK\r\n") && !hit.contains("link:"),
        "{hit}"
    );
    let old = raw(&proxy, "GET /a?1 HTTP/1.0\r\nHost: a\r\n\r\n").await;
    assert!(
        old.contains("200 OK") && !old.contains(" 103 "),
        "an older client gets none: {old}"
    );
}

#[tokio::test]
async fn what_is_passed_through_brings_its_own() {
    let origin = Origin::start().await;
    origin.answer("/a", with_hints("done"));
    let proxy = Proxy::to(&origin, "").await;
    let request = "POST /a HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 1\r\n\r\nx";
    assert!(raw(&proxy, request).await.contains("103 Early Hints"));
}

#[tokio::test]
async fn pipelined_responses_stay_whole() {
    let origin = Origin::start().await;
    let large = "#".repeat(2_000_000);
    origin.answer(
        "/large",
        Reply::ok(&large).header("cache-control", "no-store"),
    );
    origin.answer("/hints", with_hints("after"));
    let proxy = Proxy::to(&origin, "").await;
    let mut client = Connection::open(proxy.address()).await;
    let ask = |path: &str| format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n");
    client
        .send(
            &[
                ask("/large"),
                ask("/hints?1"),
                ask("/large"),
                ask("/hints?2"),
            ]
            .concat(),
        )
        .await;
    until("both are asked for", async || origin.count("/large") >= 1).await;
    assert!(
        client
            .read_until(|bytes| bytes.ends_with(b"after") && bytes.len() > 4_000_000)
            .await
    );
    let text = String::from_utf8_lossy(client.received()).into_owned();
    assert_eq!(
        text.matches(&large).count(),
        2,
        "nothing landed inside a body"
    );
    assert_eq!(
        text.matches("103 Early Hints\r\nlink: </a.css>\r\n\r\nHTTP/1.1 200 OK")
            .count(),
        2
    );
}

#[tokio::test]
async fn they_do_not_wait_for_the_final_response() {
    let origin = Origin::start().await;
    origin.answer("/a", Reply::raw(HINTS).then_never());
    let proxy = Proxy::to(&origin, "").await;
    let mut client = Connection::open(proxy.address()).await;
    client.send("GET /a HTTP/1.1\r\nHost: a\r\n\r\n").await;
    assert!(
        client
            .read_until(|bytes| bytes.windows(4).any(|w| w == b"\r\n\r\n"))
            .await
    );
    assert!(client.received().starts_with(b"HTTP/1.1 103"));
}
