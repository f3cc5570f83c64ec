//! Clients that are slow: what they may hold, and who goes before them.

use crate::support::{Origin, Proxy, Reply, client::Connection, until};
use std::time::Duration;

const NOT_READING: &str = "sidecache_cut_off_total{reason=\"not_reading\"}";

/// Reads about 300 KB a second until the other side ends it, and says how much that was.
async fn read_slowly(mut connection: Connection) -> usize {
    let mut bytes = 0;
    while connection.read_piece(|piece| bytes += piece.len()).await {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    bytes
}

#[tokio::test]
async fn a_client_that_reads_below_the_least_rate_is_reset_and_counted() {
    const BODY: usize = 20_000_000;
    let origin = Origin::start().await;
    let large = Reply::ok("x".repeat(BODY)).header("cache-control", "no-store");
    origin.answer("/large", large);
    let server = "idle_timeout = \"2s\"\nmin_rate = \"1MiB\"\n";
    let proxy = Proxy::with_server(&origin, server, "").await;
    assert_eq!(proxy.get("/large").await.body.len(), BODY);
    assert_eq!(proxy.metric(NOT_READING), 0.0, "who keeps up");
    let mut slow = Connection::open_narrow(proxy.address()).await;
    slow.send("GET /large HTTP/1.1\r\nHost: a\r\n\r\n").await;
    let slow = tokio::spawn(read_slowly(slow));
    until("it is cut off", async || proxy.metric(NOT_READING) == 1.0).await;
    until("it is gone", async || {
        proxy.metric("sidecache_connections") == 0.0
    })
    .await;
    assert!(slow.await.unwrap() < BODY, "what was not sent is forgotten");
}
