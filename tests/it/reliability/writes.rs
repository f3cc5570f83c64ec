//! Writes of clients on more items than the index of purges remembers one by one.

use super::{is_soak, scale};
use crate::support::{Origin, Reply, client::Connection, get, process::Process};
use futures_util::future::join_all;
use parking_lot::Mutex;
use std::{collections::HashMap, ops::Range, sync::Arc, time::Instant};

/// What others have stored: the first half is read all the time, the second once at the end.
const OTHERS: usize = 200;

/// How often the origin was asked for the whole, and how often it confirmed.
type Asked = Arc<Mutex<HashMap<String, (usize, usize)>>>;

fn counted_by(origin: &Origin) -> Asked {
    let asked = Asked::default();
    let counts = Arc::clone(&asked);
    origin.answer_by(move |received| {
        let Some(rest) = received.line.strip_prefix("GET ") else {
            return Reply::ok("");
        };
        let path = rest.split(' ').next().unwrap_or_default().to_owned();
        let mut counts = counts.lock();
        let (whole, confirmed) = counts.entry(path).or_default();
        if received.header("if-none-match").is_some() {
            *confirmed += 1;
            return Reply::ok("").status(304);
        }
        *whole += 1;
        Reply::fresh("other", 36_000).header("etag", "\"1\"")
    });
    asked
}

/// PUTs of the items `from` to `to`, one after the other.
async fn write(proxy: &Process, from: usize, to: usize) {
    let mut connection = Connection::open(proxy.address()).await;
    for n in from..to {
        let put = format!("PUT /items/{n} HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n");
        connection.send(&put).await;
        let answered = |received: &[u8]| received.ends_with(b"\r\n\r\n");
        assert!(connection.read_until(answered).await);
        assert!(connection.received().starts_with(b"HTTP/1.1 200 "));
        connection.clear();
    }
}

async fn read(proxy: &Process, others: Range<usize>) {
    for n in others {
        let answer = get(proxy.address(), &format!("/others/{n}"), &[]).await;
        assert_eq!(answer.text(), "other");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn writes_on_distinct_items_lose_no_other_answer_and_confirm_each_once_at_most() {
    const WRITERS: usize = 8;
    const ROUNDS: usize = 10;
    let writes = scale(8_000, 1_000_000);
    let origin = Origin::start().await;
    let asked = counted_by(&origin);
    let proxy = Process::start(&origin, "").await;
    read(&proxy, 0..OTHERS).await;
    let began = Instant::now();
    for round in 0..ROUNDS {
        let part = writes / ROUNDS / WRITERS;
        let of = |writer: usize| (round * WRITERS + writer) * part;
        let writers = (0..WRITERS).map(|writer| write(&proxy, of(writer), of(writer) + part));
        join_all(writers).await;
        read(&proxy, 0..OTHERS / 2).await;
    }
    let took = began.elapsed();
    read(&proxy, OTHERS / 2..OTHERS).await;
    read(&proxy, OTHERS / 2..OTHERS).await;
    let asked = std::mem::take(&mut *asked.lock());
    let mut doubted = 0;
    for n in 0..OTHERS {
        let (whole, confirmed) = asked[&format!("/others/{n}")];
        assert_eq!(whole, 1, "{n} was lost");
        assert!(
            confirmed <= usize::from(n >= OTHERS / 2),
            "{n}: {confirmed}"
        );
        doubted += confirmed;
    }
    assert!(is_soak() || doubted == 0, "so few are all remembered");
    let index = proxy.metric("sidecache_purge_index_bytes").await;
    println!(
        "{writes} writes in {took:?}: {doubted} of {} unread answers were confirmed once, the index has {index} bytes, the process {:.0} MiB",
        OTHERS / 2,
        proxy.resident(),
    );
    assert!(index <= f64::from(16 << 20), "{index}");
}
