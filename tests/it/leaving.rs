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
