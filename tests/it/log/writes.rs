//! Writes without end, through a replica that is killed or drained at any moment. `SOAK` makes it long.

use super::{in_step, process, replica};
use crate::support::{Origin, Proxy, Reply, get, origin::Received, redis::Redis};
use parking_lot::Mutex;
use std::{
    collections::HashMap,
    io,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

const UPSTREAM: &str = "timeout = \"500ms\"\nconnect_timeout = \"300ms\"\n";

/// Until then a write of these limits is over, and a second more. Others wait a third of a second longer, and the machine may be busy.
const PROMISED: Duration = Duration::from_millis(500 + 300 + 1000 + 1000);
const BUSY: Duration = Duration::from_millis(1500);

const PATHS: usize = 12;

/// When each path had its effects.
#[derive(Default)]
struct Effects(Mutex<HashMap<String, Vec<Instant>>>);

impl Effects {
    /// The n-th effect makes version n.
    fn answer(&self, request: &Received) -> Reply {
        let mut words = request.line.split(' ');
        let (method, path) = (words.next().unwrap(), words.next().unwrap());
        let mut effects = self.0.lock();
        let of_path = effects.entry(path.to_owned()).or_default();
        if method == "PUT" {
            of_path.push(Instant::now());
            return Reply::ok("done");
        }
        Reply::fresh(of_path.len().to_string(), 3600)
    }

    /// Fails where `version`, which was asked for at `asked`, is older than it may be.
    fn check(&self, path: &str, version: usize, asked: Instant) {
        let effects = self.0.lock();
        let Some(of_path) = effects.get(path) else {
            return;
        };
        if let Some(missed) = of_path.get(version) {
            let age = asked.saturating_duration_since(*missed);
            assert!(
                age < PROMISED + BUSY,
                "{path} is {version} of {}, {age:?} after the next one",
                of_path.len()
            );
        }
    }
}

async fn put(address: SocketAddr, path: &str) -> io::Result<()> {
    let mut stream = TcpStream::connect(address).await?;
    let head = format!("PUT {path} HTTP/1.1\r\nHost: test.example\r\nConnection: close\r\n");
    let request = head + "Content-Length: 1\r\n\r\nx";
    stream.write_all(request.as_bytes()).await?;
    stream.read_to_end(&mut Vec::new()).await?;
    Ok(())
}

async fn look_at_all(effects: &Effects, proxy: &Proxy) {
    for n in 0..PATHS {
        let path = format!("/w{n}");
        let asked = Instant::now();
        let answer = proxy.get(&path).await;
        effects.check(&path, answer.text().parse().unwrap(), asked);
    }
}

#[tokio::test]
async fn no_write_is_lost_with_the_replica_that_carries_it() {
    let writes = crate::reliability::scale(100, 1000);
    let (origin, redis) = (Origin::start().await, Redis::start());
    let effects = Arc::new(Effects::default());
    let shared = Arc::clone(&effects);
    origin.answer_by(move |request| shared.answer(request));
    let watchers = [
        replica(&origin, &redis.url(), "").await,
        replica(&origin, &redis.url(), "").await,
    ];
    let (sent, mut ends) = (Arc::new(AtomicUsize::new(0)), 0);
    while sent.load(Relaxed) < writes {
        let mut carrier = process(&origin, UPSTREAM, &redis.url(), "").await;
        let stop = Arc::new(AtomicBool::new(false));
        let clients: Vec<_> = (0..4)
            .map(|_| {
                let (stop, sent) = (Arc::clone(&stop), Arc::clone(&sent));
                let address = carrier.address();
                tokio::spawn(async move {
                    while !stop.load(Relaxed) {
                        let path = format!("/w{}", fastrand::usize(..PATHS));
                        let _ = put(address, &path).await; // it may end in the middle
                        sent.fetch_add(1, Relaxed);
                    }
                })
            })
            .collect();
        let goal = sent.load(Relaxed) + 5 + fastrand::usize(..20);
        while sent.load(Relaxed) < goal {
            for watcher in &watchers {
                look_at_all(&effects, watcher).await;
            }
        }
        ends += 1;
        if ends % 2 == 0 {
            carrier.end().await;
        } else {
            carrier.kill();
        }
        stop.store(true, Relaxed);
        clients.iter().for_each(tokio::task::JoinHandle::abort);
    }
    let last = Instant::now();
    let later = replica(&origin, &redis.url(), "").await;
    while last.elapsed() < PROMISED + BUSY * 2 {
        for proxy in watchers.iter().chain([&later]) {
            look_at_all(&effects, proxy).await;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let latest = replica(&origin, &redis.url(), "").await;
    in_step(&latest).await;
    look_at_all(&effects, &latest).await;
    assert_eq!(get(latest.admin(), "/healthz", &[]).await.status, 200);
}
