//! Clients that leave at any moment of a request and its answer: nothing of theirs stays behind.

use super::{is_soak, scale};
use crate::support::{Origin, Reply, origin::Received, process::Process, until};
use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::{sleep, timeout},
};

/// How many leave at the same time.
const AT_ONCE: usize = 50;

/// What memory may have grown by between two rests, in MiB: the allocator keeps some of what was freed, and with luck a little
/// more each time. A leak of 4 KiB a client would be 40.
const TOLERANCE: f64 = 32.0;

const TOML: &str = "timeout = \"2s\"\nidle_timeout = \"100ms\"\nmax_connections = 64\n\
    [cache]\npurge_token = \"a-token-for-purges\"\nmax_object = \"256KiB\"\n\
    [cache.memory]\nmax = \"8MiB\"\n\
    [[route]]\nname = \"write\"\npath = \"/miss/{*rest}\"\nmethods = [\"PUT\"]\npurge = [\"path:/miss*\"]\n";

/// The kinds of requests that are broken off.
const KINDS: [&str; 11] = [
    "hit", "miss", "large", "pass", "upload", "chunked", "tunnel", "range", "query", "purge",
    "write",
];

/// The whole request of a client.
fn request(kind: &str, random: &mut fastrand::Rng) -> Vec<u8> {
    let number = random.usize(..200);
    let content = "x".repeat(random.usize(..100_000));
    let fields = "Host: test.example\r\n";
    let length = format!("Content-Length: {}\r\n\r\n{content}", content.len());
    let text = match kind {
        "hit" => format!("GET /hit HTTP/1.1\r\n{fields}\r\n"),
        "miss" => format!("GET /miss/{number} HTTP/1.1\r\n{fields}\r\n"),
        "large" => format!("GET /large/{number} HTTP/1.1\r\n{fields}\r\n"),
        "pass" => format!("GET /pass/{number} HTTP/1.1\r\n{fields}\r\n"),
        "upload" => format!("POST /pass/{number} HTTP/1.1\r\n{fields}{length}"),
        "chunked" => format!(
            "POST /pass/{number} HTTP/1.1\r\n{fields}Transfer-Encoding: chunked\r\n\r\n{:x}\r\n{content}\r\n0\r\n\r\n",
            content.len().max(1)
        ),
        "tunnel" => format!(
            "GET /tunnel HTTP/1.1\r\n{fields}Connection: Upgrade\r\nUpgrade: websocket\r\n\r\nframe"
        ),
        "range" => {
            format!("GET /miss/{number} HTTP/1.1\r\n{fields}Range: bytes=10-{number}0\r\n\r\n")
        }
        "query" => {
            format!("QUERY /miss/{number} HTTP/1.1\r\n{fields}Content-Type: text/plain\r\n{length}")
        }
        "purge" => format!(
            "PURGE /miss/{number} HTTP/1.1\r\n{fields}X-Sidecache-Purge: a-token-for-purges\r\n\r\n"
        ),
        _ => format!("PUT /miss/{number} HTTP/1.1\r\n{fields}{length}"),
    };
    text.into_bytes()
}

/// What the origin says; sizes and framing differ by path, always in the same way.
fn answer(received: &Received) -> Reply {
    let path = received.line.split(' ').nth(1).unwrap_or_default();
    let number: usize = path
        .rsplit('/')
        .next()
        .and_then(|n| n.parse().ok())
        .unwrap_or(0);
    let body = |size: usize| "y".repeat(size);
    match path.split('/').nth(1).unwrap_or_default() {
        "tunnel" => Reply::raw(
            "HTTP/1.1 101 Fine\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\nhello",
        )
        .then_never(),
        "hit" => Reply::fresh(body(20_000), 3600),
        "miss" if number.is_multiple_of(7) => Reply::fresh(body(number * 100), 60).chunked(),
        "miss" => Reply::fresh(body(number * 100), 60).hold_body(),
        // Larger than what is stored, and it does not say so.
        "large" => Reply::fresh(body(400_000), 60)
            .piece(body(400_000))
            .chunked()
            .hold_body(),
        _ if number.is_multiple_of(50) => Reply::never(),
        _ => Reply::ok(body(number * 2000))
            .header("cache-control", "no-store")
            .hold_body_only(),
    }
}

/// Asks, and leaves somewhere on the way.
async fn leave(address: SocketAddr, seed: u64) -> std::io::Result<()> {
    let mut random = fastrand::Rng::with_seed(seed);
    let kind = KINDS[random.usize(..KINDS.len())];
    let request = request(kind, &mut random);
    let sent = if random.bool() {
        request.len()
    } else {
        random.usize(..=request.len())
    };
    let reads = if random.bool() {
        random.usize(..200_000)
    } else {
        0
    };
    let mut stream = TcpStream::connect(address).await?;
    stream.write_all(&request[..sent]).await?;
    sleep(Duration::from_millis(random.u64(..20))).await;
    let (mut seen, mut piece) = (0, vec![0; 16_384]);
    while seen < reads {
        let read = timeout(
            Duration::from_millis(random.u64(1..50)),
            stream.read(&mut piece),
        );
        match read.await {
            Ok(Ok(count)) if count > 0 => seen += count,
            Ok(_) | Err(_) => break,
        }
    }
    match random.u8(..3) {
        0 => stream.set_zero_linger()?,
        1 => stream.shutdown().await?,
        _ => {}
    }
    Ok(())
}

/// `count` clients, of which each leaves.
async fn all_leave(address: SocketAddr, first: usize, count: usize) {
    let next = Arc::new(AtomicUsize::new(first));
    let clients: Vec<_> = (0..AT_ONCE)
        .map(|_| {
            let next = Arc::clone(&next);
            tokio::spawn(async move {
                loop {
                    let number = next.fetch_add(1, Relaxed);
                    if number >= first + count {
                        return;
                    }
                    let _ = leave(address, number as u64).await; // it may have been closed before
                }
            })
        })
        .collect();
    for client in clients {
        client.await.unwrap();
    }
}

/// Everything that a request may hold is given back.
async fn nothing_is_held(proxy: &Process, origin: &Origin) {
    for gauge in ["flights", "followers", "places", "tunnels", "connections"] {
        until(gauge, async || {
            proxy.metric(&format!("sidecache_{gauge}")).await == 0.0
        })
        .await;
    }
    until("no connection to the origin", async || {
        origin.open_connections() == 0
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clients_that_leave_at_any_moment_leave_nothing_behind() {
    let origin = Arc::new(Origin::start().await);
    origin.answer_by(answer);
    let proxy = Process::start(&origin, TOML).await;
    let stop = Arc::new(AtomicBool::new(false));
    // What is held waits now and then, so that clients leave in the middle of it.
    let (gate, ends) = (Arc::clone(&origin), Arc::clone(&stop));
    let gate = tokio::spawn(async move {
        while !ends.load(Relaxed) {
            gate.hold();
            sleep(Duration::from_millis(10)).await;
            gate.release();
            sleep(Duration::from_millis(10)).await;
        }
    });
    let warm = scale(100, 20_000);
    all_leave(proxy.address(), 0, warm).await;
    nothing_is_held(&proxy, &origin).await;
    let (before, files) = (proxy.resident(), proxy.open_files());
    let count = scale(500, 10_000);
    all_leave(proxy.address(), warm, count).await;
    nothing_is_held(&proxy, &origin).await;
    let after = proxy.resident();
    stop.store(true, Relaxed);
    gate.await.unwrap();
    let kept = proxy.metric("sidecache_memory_bytes").await;
    println!(
        "{count} clients left: {before:.0} MiB before, {after:.0} MiB after, {kept} bytes stored"
    );
    assert!(kept <= f64::from(8 << 20));
    until("no socket is left open", async || {
        proxy.open_files() <= files
    })
    .await;
    assert!(
        !is_soak() || after - before < TOLERANCE,
        "{before}, {after}"
    );
}
