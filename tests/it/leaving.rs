//! Clients that leave, or close one half of their connection: nothing of theirs stays behind.

use crate::support::{Origin, Proxy, Reply, client::Connection, until};

/// Everything that a request may hold is given back.
async fn nothing_is_held(proxy: &Proxy, origin: &Origin) {
    for gauge in ["flights", "followers", "connections"] {
        until(gauge, async || {
            proxy.metric(&format!("sidecache_{gauge}")) == 0.0
        })
        .await;
    }
    until("no connection carries an answer", async || {
        origin.open_connections() <= PLACES
    })
    .await;
}

/// Places in the upstream.
const PLACES: usize = 8;

/// A body that does not say how long it is, is larger than what is stored, and may be stored by its fields: the fetch does not
/// end with its client.
#[tokio::test]
async fn clients_that_send_and_leave_take_no_places() {
    let origin = Origin::start().await;
    let large = Reply::fresh("x".repeat(4 << 20), 60).chunked();
    origin.answer_below("/large/", large);
    origin.answer("/small", Reply::fresh("small", 60));
    let toml = format!("max_connections = {PLACES}\n");
    let proxy = Proxy::to(&origin, &toml).await;
    for number in 0..100 {
        let mut client = Connection::open(proxy.address()).await;
        let path = format!("/large/{}", number / 2);
        client
            .send(&format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n"))
            .await;
        if number % 3 == 0 {
            client.read_piece(|_| ()).await; // it leaves in the middle of the answer
        }
    }
    nothing_is_held(&proxy, &origin).await;
    for number in 0..2 * PLACES {
        let answer = proxy.get(&format!("/large/new{number}")).await;
        assert_eq!((answer.status, answer.body.len()), (200, 4 << 20));
    }
    assert_eq!(proxy.get("/small").await.text(), "small");
}

#[tokio::test]
async fn a_client_that_sends_no_more_gets_its_answer() {
    let origin = Origin::start().await;
    origin.answer("/hit", Reply::fresh("hit", 60));
    origin.answer(
        "/pass",
        Reply::ok("pass").header("cache-control", "no-store"),
    );
    origin.answer("/miss", Reply::fresh("miss", 60).chunked().piece("body"));
    let proxy = Proxy::to(&origin, "").await;
    proxy.get_with("/hit", &[("Host", "a")]).await;
    for (method, path, end) in [
        ("GET", "/hit", "hit"),
        ("GET", "/pass", "pass"),
        ("GET", "/miss", "body"),
        ("POST", "/pass", "pass"),
    ] {
        for _ in 0..20 {
            let mut client = Connection::open(proxy.address()).await;
            client
                .send(&format!(
                    "{method} {path} HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n"
                ))
                .await;
            client.half_close().await;
            let closed = !client.read_until(|_| false).await;
            let text = String::from_utf8_lossy(client.received()).into_owned();
            assert!(closed && text.contains(end), "{method} {path}: {text}");
        }
    }
}

#[tokio::test]
async fn a_client_that_sends_no_more_gets_an_answer_that_takes_a_while() {
    let origin = Origin::start().await;
    origin.answer(
        "/head",
        Reply::ok("late").header("cache-control", "no-store"),
    );
    let body = Reply::ok("late").header("cache-control", "no-store");
    origin.answer("/body", body.hold_body_only());
    let proxy = Proxy::to(&origin, "").await;
    for path in ["/head", "/body"] {
        origin.hold();
        let mut client = Connection::open(proxy.address()).await;
        client
            .send(&format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n"))
            .await;
        client.half_close().await;
        until("the origin is asked", async || origin.count(path) == 1).await;
        origin.release();
        assert!(client.read_until(|bytes| bytes.ends_with(b"late")).await);
    }
}

/// The places of the upstream are for those who wait.
#[tokio::test]
async fn a_client_that_leaves_ends_its_pass() {
    let origin = Origin::start().await;
    origin.answer("/head", Reply::never());
    let body = Reply::ok("late").header("cache-control", "no-store");
    origin.answer("/body", body.piece("more").hold_body_only());
    let proxy = Proxy::to(&origin, "").await;
    origin.hold();
    for (method, path) in [("OPTIONS", "/head"), ("GET", "/body")] {
        for resets in [false, true] {
            let mut client = Connection::open(proxy.address()).await;
            let asked = origin.count(path);
            client
                .send(&format!("{method} {path} HTTP/1.1\r\nHost: a\r\n\r\n"))
                .await;
            until("it is asked", async || origin.count(path) > asked).await;
            if resets {
                client.reset();
            } else {
                drop(client);
            }
            until("it is gone", async || {
                proxy.metric("sidecache_connections") == 0.0
            })
            .await;
        }
    }
}
