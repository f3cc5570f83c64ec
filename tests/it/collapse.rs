//! Concurrent misses share one fetch, which belongs to the key.

use crate::support::{Origin, PATIENCE, Proxy, Reply, client::Connection, get, until};
use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering::Relaxed},
};
use tokio::time::timeout;

#[tokio::test]
async fn concurrent_misses_share_one_fetch() {
    let origin = Origin::start().await;
    origin.answer("/a", Reply::fresh("shared", 60));
    origin.hold();
    let proxy = Proxy::to(&origin, "").await;
    let address = proxy.address();
    let clients: Vec<_> = (0..50)
        .map(|_| tokio::spawn(get(address, "/a", &[])))
        .collect();
    until("all have arrived", async || {
        proxy.metric("sidecache_connections") == 50.0
    })
    .await;
    until("the fetch is under way", async || origin.count("/a") == 1).await;
    origin.release();
    let mut collapsed = 0;
    for client in clients {
        let answer = client.await.unwrap();
        assert_eq!(answer.text(), "shared");
        collapsed += usize::from(answer.cache_status().contains("collapsed"));
    }
    assert_eq!(origin.count("/a"), 1);
    assert!(collapsed > 0);
    assert_eq!(proxy.metric("sidecache_collapsed_total"), collapsed as f64);
    assert_eq!(proxy.metric("sidecache_flights"), 0.0);
}

#[tokio::test]
async fn followers_read_the_body_as_it_arrives() {
    let origin = Origin::start().await;
    let piece = "#".repeat(100_000);
    origin.answer(
        "/a",
        Reply::fresh("", 60)
            .piece(&piece)
            .piece(&piece)
            .chunked()
            .hold_body(),
    );
    origin.hold();
    let proxy = Proxy::to(&origin, "").await;
    let mut readers = Vec::new();
    for _ in 0..5 {
        let mut reader = Connection::open(proxy.address()).await;
        reader.send("GET /a HTTP/1.1\r\nHost: a\r\n\r\n").await;
        readers.push(reader);
    }
    until("the fetch is under way", async || origin.count("/a") == 1).await;
    origin.release();
    for reader in &mut readers {
        assert!(
            reader
                .read_until(|bytes| bytes.ends_with(b"0\r\n\r\n"))
                .await
        );
        assert_eq!(
            reader.received().iter().filter(|b| **b == b'#').count(),
            200_000
        );
    }
    assert_eq!(origin.count("/a"), 1);
}

#[tokio::test]
async fn the_fetch_outlives_the_client_that_began_it() {
    let origin = Origin::start().await;
    origin.answer("/a", Reply::fresh("kept", 60));
    origin.hold();
    let proxy = Proxy::to(&origin, "").await;
    let mut client = Connection::open(proxy.address()).await;
    client
        .send("GET /a HTTP/1.1\r\nHost: test.example\r\n\r\n")
        .await;
    until("the fetch is under way", async || origin.count("/a") == 1).await;
    drop(client);
    until("the client has left", async || {
        proxy.metric("sidecache_connections") == 0.0
    })
    .await;
    origin.release();
    until("the fetch has ended", async || {
        proxy.metric("sidecache_flights") == 0.0
    })
    .await;
    assert!(proxy.get("/a").await.is_hit());
    assert_eq!(origin.count("/a"), 1);
}

#[tokio::test]
async fn those_who_wait_get_the_failure_too() {
    let origin = Origin::start().await;
    origin.answer("/a", Reply::closing());
    origin.hold();
    let proxy = Proxy::to(&origin, "").await;
    let address = proxy.address();
    let clients: Vec<_> = (0..5)
        .map(|_| tokio::spawn(get(address, "/a", &[])))
        .collect();
    until("the fetch is under way", async || origin.count("/a") >= 1).await;
    origin.release();
    for client in clients {
        assert_eq!(
            timeout(PATIENCE, client).await.unwrap().unwrap().status,
            502
        );
    }
}

#[tokio::test]
async fn a_caller_with_credentials_does_not_wait_for_anyone() {
    let origin = Origin::start().await;
    origin.answer("/a", Reply::ok("a"));
    origin.hold();
    let proxy = Proxy::to(
        &origin,
        "[[route]]\nname = \"a\"\npath = \"/a\"\nttl = 60\n",
    )
    .await;
    let address = proxy.address();
    let anonymous = tokio::spawn(get(address, "/a", &[]));
    until("the first fetch is under way", async || {
        origin.count("/a") == 1
    })
    .await;
    let alice = tokio::spawn(get(address, "/a", &[("Authorization", "alice")]));
    until("the second is too", async || origin.count("/a") == 2).await;
    origin.release();
    assert!(!alice.await.unwrap().cache_status().contains("stored"));
    assert!(anonymous.await.unwrap().cache_status().contains("stored"));
}

#[tokio::test]
async fn a_cut_body_is_broken_for_all_and_not_stored() {
    let origin = Origin::start().await;
    let proxy = Proxy::to(&origin, "").await;
    let large = "x".repeat(100_000);
    for (path, reply) in [
        ("/small", Reply::fresh("half", 60).cut()),
        ("/large", Reply::fresh(&large, 60).cut()),
        (
            "/chunked",
            Reply::raw(
                "HTTP/1.1 200 OK\r\ncache-control: max-age=60\r\ntransfer-encoding: chunked\r\n\r\n4\r\nhalf\r\n",
            ),
        ),
    ] {
        origin.answer(path, reply);
        let broken = proxy.get(path).await;
        assert!(
            broken.status == 502 || !broken.complete,
            "{path}: the client sees that it is not whole"
        );
        origin.answer(path, Reply::fresh("whole", 60));
        let next = proxy.get(path).await;
        assert_eq!((next.text(), next.is_hit()), ("whole", false), "{path}");
    }
    assert_eq!(
        proxy.metric("sidecache_refusals_total{reason=\"incomplete\"}"),
        3.0
    );
}

#[tokio::test]
async fn callers_with_cookies_share_what_the_origin_lets_them_share() {
    let origin = Origin::start().await;
    origin.answer("/a", Reply::fresh("public", 60));
    origin.hold();
    let proxy = Proxy::to(&origin, "").await;
    let address = proxy.address();
    let clients: Vec<_> = (0..20)
        .map(|n| {
            let cookie = format!("session={n}");
            tokio::spawn(async move { get(address, "/a", &[("Cookie", &cookie)]).await })
        })
        .collect();
    until("all have arrived", async || {
        proxy.metric("sidecache_connections") == 20.0 && origin.count("/a") == 1
    })
    .await;
    origin.release();
    for client in clients {
        assert_eq!(client.await.unwrap().text(), "public");
    }
    assert_eq!(origin.count("/a"), 1);
}

/// It took longer than it is fresh, and there is nothing to confirm it by: thirty callers once cost thirty requests.
#[tokio::test]
async fn an_answer_that_is_stale_when_it_comes_is_for_all_who_have_waited() {
    let origin = Origin::start().await;
    let proxy = Proxy::to(&origin, "").await;
    let address = proxy.address();
    for round in 1..3 {
        origin.answer("/a", Reply::fresh("a", 1));
        origin.hold();
        let clients: Vec<_> = (0..30)
            .map(|_| tokio::spawn(get(address, "/a", &[])))
            .collect();
        until("all wait for one", async || {
            proxy.metric("sidecache_followers") == 29.0 && origin.count("/a") == round
        })
        .await;
        proxy.advance(2);
        origin.release();
        for client in clients {
            let answer = client.await.unwrap();
            assert_eq!(answer.text(), "a");
            assert!(!answer.is_hit() && !answer.cache_status().contains("stored"));
        }
        assert_eq!(origin.count("/a"), round);
    }
}

#[tokio::test]
async fn switched_off_every_miss_asks_the_origin() {
    let origin = Origin::start().await;
    origin.answer("/a", Reply::fresh("a", 60));
    origin.hold();
    let route = "[[route]]\nname = \"a\"\npath = \"/a\"\ncollapse = \"off\"\n";
    let proxy = Proxy::to(&origin, route).await;
    let address = proxy.address();
    let clients: Vec<_> = (0..5)
        .map(|_| tokio::spawn(get(address, "/a", &[])))
        .collect();
    until("each asks", async || origin.count("/a") == 5).await;
    origin.release();
    for client in clients {
        assert_eq!(client.await.unwrap().text(), "a");
    }
}

#[tokio::test]
async fn an_origin_that_never_answers_is_waited_for_twice_at_most() {
    let origin = Origin::start().await;
    origin.answer("/a", Reply::never());
    let proxy = Proxy::to(&origin, "timeout = \"500ms\"\n").await;
    let address = proxy.address();
    let clients: Vec<_> = (0..10)
        .map(|_| tokio::spawn(get(address, "/a", &[])))
        .collect();
    for client in clients {
        assert_eq!(client.await.unwrap().status, 504);
    }
    assert!(
        origin.count("/a") <= 2,
        "a second one finds out whether it was the first one's fault"
    );
}

/// Two hundred cold requests in two languages once cost a hundred and one fetches.
#[tokio::test]
async fn of_several_variants_each_is_fetched_once() {
    let origin = Origin::start().await;
    let proxy = Proxy::to(&origin, "").await;
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    origin.answer_by(move |request| {
        count.fetch_add(1, Relaxed);
        let language = request.header("x-lang").unwrap_or("none").to_owned();
        Reply::fresh(language, 60).header("vary", "X-Lang")
    });
    origin.hold();
    let address = proxy.address();
    let client = |language: &'static str| async move {
        let answer = get(address, "/a", &[("X-Lang", language)]).await;
        assert_eq!(answer.text(), language);
    };
    let clients: Vec<_> = (0..60)
        .map(|n| tokio::spawn(client(["de", "en", "fr"][n % 3])))
        .collect();
    until("all wait for the first", async || {
        proxy.metric("sidecache_followers") == 59.0 && asked.load(Relaxed) == 1
    })
    .await;
    origin.release();
    for client in clients {
        client.await.unwrap();
    }
    assert_eq!(asked.load(Relaxed), 3);
}
