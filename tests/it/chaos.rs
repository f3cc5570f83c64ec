//! Four replicas with one Redis, to which everything happens that happens to one, under traffic with writes: no request fails, and
//! nothing is served as fresh that was replaced longer ago than purges may be missed. `SOAK=1`: for ten minutes.

#![expect(
    clippy::print_stdout,
    reason = "what the long form measured is read there"
)]

mod faults;
mod ledger;

use self::{faults::Faults, ledger::Ledger};
use crate::support::{
    Origin, Reply,
    client::request,
    get,
    origin::Received,
    process::Process,
    redis::Redis,
    relay::{Fault, Relay},
    until,
};
use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

const REPLICAS: usize = 4;
const ITEMS: usize = 40;

/// Of each replica. One request in [`WRITES`] is a write.
const CLIENTS: usize = 2;
const WRITES: u8 = 12;

/// `cache.purge_gap`.
const GAP: Duration = Duration::from_secs(1);

/// What is promised beyond that, for the way of a request through a busy machine.
const BEYOND: Duration = Duration::from_secs(1);

/// Answers with the version of the item that is there, confirms it, or makes the next one.
fn answers(origin: &Origin, ledger: Arc<Ledger>) {
    origin.answer_by(move |received: &Received| {
        let mut words = received.line.split(' ');
        let (method, path) = (words.next().unwrap(), words.next().unwrap());
        let item = path.trim_start_matches("/i/").parse().unwrap();
        if method == "PUT" {
            let by = received.header("x-by").unwrap().parse().unwrap();
            return Reply::ok(ledger.write(item, by).to_string());
        }
        let version = ledger.version(item).to_string();
        let tag = format!("\"{version}\"");
        let reply = if received.header("if-none-match") == Some(&tag) {
            Reply::fresh("", 3600).status(304)
        } else {
            Reply::fresh(version, 3600)
        };
        reply.header("etag", tag)
    });
}

/// What the clients of one replica have seen.
#[derive(Debug, Default)]
struct Seen {
    requests: AtomicUsize,
    hits: AtomicUsize,
    writes: AtomicUsize,
    worst_ms: AtomicUsize,
}

/// Asks and writes until `end`, and looks at every answer.
async fn client(
    proxy: std::net::SocketAddr,
    replica: usize,
    end: Instant,
    ledger: Arc<Ledger>,
    seen: Arc<Seen>,
) {
    while Instant::now() < end {
        // Some hundred requests a second in all, so that the machine is not what is tested.
        tokio::time::sleep(Duration::from_millis(fastrand::u64(0..30))).await;
        let item = fastrand::usize(..ITEMS);
        let path = format!("/i/{item}");
        seen.requests.fetch_add(1, Relaxed);
        if fastrand::u8(..WRITES) == 0 {
            let by = replica.to_string();
            let answer = request(proxy, "PUT", &path, &[("x-by", &by)], b"x").await;
            assert_eq!((answer.status, answer.complete), (200, true), "PUT {path}");
            seen.writes.fetch_add(1, Relaxed);
            continue;
        }
        let asked = Instant::now();
        let answer = get(proxy, &path, &[]).await;
        assert_eq!((answer.status, answer.complete), (200, true), "GET {path}");
        let overdue = ledger.overdue(item, answer.text().parse().unwrap(), asked);
        let ms = usize::try_from(overdue.as_millis()).unwrap();
        seen.worst_ms.fetch_max(ms, Relaxed);
        seen.hits.fetch_add(usize::from(answer.is_hit()), Relaxed);
        let status = answer.cache_status();
        assert!(
            overdue <= GAP + BEYOND,
            "replica {replica} served {path} of {overdue:?} ago: {status}"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_fails_and_nothing_old_is_served_whatever_happens_to_redis() {
    let is_soak = std::env::var_os("SOAK").is_some();
    let lasting = Duration::from_secs(if is_soak { 600 } else { 12 });
    let (origin, redis) = (Origin::start().await, Redis::start());
    let ledger = Arc::new(Ledger::new(ITEMS, REPLICAS));
    answers(&origin, Arc::clone(&ledger));
    // Each answer is on its way for a while, so that reads and writes overtake each other.
    let slowly = Relay::to(origin.address().port()).await;
    slowly.set(Fault::Delay(Duration::from_millis(8)));
    let (mut ways, mut replicas) = (Vec::new(), Vec::new());
    for _ in 0..REPLICAS {
        let way = Relay::to(redis.port()).await;
        let toml = format!(
            "[cache]\nprefix = \"t\"\npurge_gap = \"{}s\"\n[cache.redis]\nurl = \"{}\"\n",
            GAP.as_secs(),
            way.url()
        );
        replicas.push(Process::before(slowly.address(), &toml).await);
        ways.push(way);
    }
    let end = Instant::now() + lasting;
    let seen = Arc::new(Seen::default());
    let mut clients = tokio::task::JoinSet::new();
    for (number, replica) in replicas.iter().enumerate() {
        for _ in 0..CLIENTS {
            let (ledger, seen) = (Arc::clone(&ledger), Arc::clone(&seen));
            clients.spawn(client(replica.address(), number, end, ledger, seen));
        }
    }
    let seed = fastrand::u64(..);
    println!("seed {seed}");
    let random = fastrand::Rng::with_seed(seed);
    let mut faults = Faults {
        redis,
        ways: &ways,
        ledger: &ledger,
        random,
    };
    let count = faults.go_on(end).await;
    while let Some(client) = clients.join_next().await {
        client.expect("every answer was right");
    }
    for replica in &replicas {
        for item in 0..ITEMS {
            until("all is right in the end", async || {
                let answer = get(replica.address(), &format!("/i/{item}"), &[]).await;
                answer.text() == ledger.version(item).to_string()
            })
            .await;
        }
    }
    let read = |count: &AtomicUsize| count.load(Relaxed);
    println!(
        "{count} faults, {} requests, {} of them writes, {} hits; the oldest answer was replaced {} ms before it was asked for",
        read(&seen.requests),
        read(&seen.writes),
        read(&seen.hits),
        read(&seen.worst_ms)
    );
    assert!(read(&seen.hits) > 0 && read(&seen.writes) > 0 && count > 0);
}
