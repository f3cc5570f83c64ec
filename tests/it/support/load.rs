//! A steady load whose every answer is checked, and the origin that it asks.

use super::{Origin, Proxy, Reply, get, until};
use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

/// Different URLs that the load asks for.
const URLS: usize = 20;

/// What one request may take: the budget of Redis, and a machine that is busy with other tests. Whoever waits for a
/// connection, a retry or a failover waits longer.
const LIMIT: Duration = Duration::from_millis(800);

/// See the module docs.
pub(crate) struct Load {
    stop: Arc<AtomicBool>,
    served: Arc<AtomicUsize>,
    slowest_ms: Arc<AtomicU64>,
    clients: Vec<tokio::task::JoinHandle<()>>,
}

impl Load {
    pub(crate) fn on(address: SocketAddr) -> Self {
        let mut load = Self {
            stop: Arc::default(),
            served: Arc::default(),
            slowest_ms: Arc::default(),
            clients: Vec::new(),
        };
        load.clients = (0..4)
            .map(|client| {
                let (stop, served) = (Arc::clone(&load.stop), Arc::clone(&load.served));
                let slowest_ms = Arc::clone(&load.slowest_ms);
                tokio::spawn(async move {
                    for number in 0.. {
                        if stop.load(Relaxed) {
                            return;
                        }
                        let path = format!("/{}", (number + client) % URLS);
                        let begun = Instant::now();
                        let answer = get(address, &path, &[]).await;
                        let took = u64::try_from(begun.elapsed().as_millis()).unwrap();
                        slowest_ms.fetch_max(took, Relaxed);
                        assert_eq!(
                            (answer.status, answer.text(), answer.complete),
                            (200, &*path, true)
                        );
                        served.fetch_add(1, Relaxed);
                    }
                })
            })
            .collect();
        load
    }

    /// Until so many more requests were served.
    pub(crate) async fn goes_on(&self) {
        let before = self.served.load(Relaxed);
        until("the load goes on", async || {
            self.served.load(Relaxed) >= before + 100
        })
        .await;
    }

    /// Every answer was right, and none took longer than it may.
    pub(crate) async fn end(self) {
        self.stop.store(true, Relaxed);
        for client in self.clients {
            client.await.expect("every answer was right");
        }
        let slowest = Duration::from_millis(self.slowest_ms.load(Relaxed));
        assert!(slowest < LIMIT, "one request took {slowest:?}");
    }
}

/// Answers every URL that the load asks for with its own path, fresh for an hour.
pub(crate) async fn origin() -> Origin {
    let origin = Origin::start().await;
    for number in 0..URLS {
        let path = format!("/{number}");
        origin.answer(&path, Reply::fresh(&path, 3600));
    }
    origin
}

/// Until every URL of the load is a hit.
pub(crate) async fn hits_again(proxy: &Proxy) {
    for number in 0..URLS {
        let path = format!("/{number}");
        until("redis is used again", async || {
            proxy.get(&path).await.is_hit()
        })
        .await;
    }
}
