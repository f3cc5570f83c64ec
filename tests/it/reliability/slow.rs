//! Many clients that are slow in every way at once, and one that is not: it must not notice.

use super::{is_soak, scale};
use crate::support::{Origin, Reply, get, process::Process, request, until};
use std::{
    net::{IpAddr, SocketAddr},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpSocket, TcpStream},
    time::sleep,
};

/// Where they come from; the other one comes from 127.0.0.1.
const SLOW: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(127, 0, 0, 2));

/// How long the slow ones pause between two bytes, or two reads.
const PAUSE: Duration = Duration::from_secs(1);

/// How a client is slow.
#[derive(Clone, Copy, Debug)]
enum Slow {
    Head,
    /// Content, after so many bytes of it at once.
    Body(usize),
    Reader,
}

impl Slow {
    /// What it sends at once.
    fn begins(self) -> Vec<u8> {
        let text = match self {
            Self::Head => "GET /fast HTTP/1.1\r\nHost: test.example\r\nX-Slow: ",
            Self::Body(_) => {
                "POST /post HTTP/1.1\r\nHost: test.example\r\nContent-Length: 1000000\r\n\r\n"
            }
            Self::Reader => "GET /large HTTP/1.1\r\nHost: test.example\r\n\r\n",
        };
        let mut bytes = text.as_bytes().to_vec();
        if let Self::Body(at_once) = self {
            bytes.resize(bytes.len() + at_once, b'x');
        }
        bytes
    }

    /// One connection, from its beginning to its end.
    async fn connection(self, address: SocketAddr) -> std::io::Result<()> {
        let socket = TcpSocket::new_v4()?;
        socket.set_recv_buffer_size(16 << 10)?;
        socket.bind((SLOW, 0).into())?;
        let mut stream: TcpStream = socket.connect(address).await?;
        stream.write_all(&self.begins()).await?;
        let mut piece = [0; 4096];
        loop {
            sleep(PAUSE).await;
            match self {
                Self::Reader => {
                    if stream.read(&mut piece).await? == 0 {
                        return Ok(());
                    }
                }
                Self::Head | Self::Body(_) => {
                    stream.write_all(b"x").await?;
                    match stream.try_read(&mut piece) {
                        Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
                        ended => return ended.map(drop),
                    }
                }
            }
        }
    }

    /// One connection after the other. They do not all move at the same moment.
    async fn goes_on(self, address: SocketAddr, stop: Arc<AtomicBool>) {
        sleep(PAUSE.mul_f64(fastrand::f64())).await;
        while !stop.load(Relaxed) {
            let _ = self.connection(address).await; // whatever ended it
            sleep(PAUSE / 10).await;
        }
    }
}

/// What a client asks for that is not slow, in turn: a hit, misses, a pass and a write.
async fn ask(address: SocketAddr, number: usize) -> Duration {
    let begun = Instant::now();
    let answer = match number % 4 {
        0 => get(address, "/fast", &[]).await,
        1 => request(address, "POST", "/post", &[], b"content").await,
        2 => get(address, "/pass", &[]).await,
        _ => get(address, &format!("/fast/{number}"), &[]).await,
    };
    let took = begun.elapsed();
    assert_eq!(
        (answer.status, answer.complete),
        (200, true),
        "{number}: {answer:?}"
    );
    took
}

/// The time within which 99 of 100 are answered, of those that are asked for so long.
async fn p99(address: SocketAddr, first: usize, lasting: Duration) -> (Duration, usize) {
    let (begun, mut times) = (Instant::now(), Vec::new());
    while times.len() < 100 || begun.elapsed() < lasting {
        times.push(ask(address, first + times.len()).await);
    }
    times.sort();
    (times[times.len() * 99 / 100], times.len())
}

/// Runs them beside the other client, which would wait for their turns otherwise, until the sender is dropped.
fn on_a_thread_of_their_own(
    all: Vec<impl Future<Output = ()> + Send + 'static>,
) -> tokio::sync::oneshot::Sender<()> {
    let (stop, stopped) = tokio::sync::oneshot::channel();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    std::thread::spawn(move || {
        runtime.block_on(async {
            let all: Vec<_> = all.into_iter().map(tokio::spawn).collect();
            let _ = stopped.await;
            drop(all);
        });
    });
    stop
}

fn origin_answers(origin: &Origin) {
    let large = Reply::ok("x".repeat(1_000_000)).header("cache-control", "no-store");
    origin.answer_by(
        move |received| match received.line.split(' ').nth(1).unwrap_or_default() {
            "/large" => large.clone(),
            path if path.starts_with("/fast") => Reply::fresh("fast", 600),
            _ => Reply::ok("done").header("cache-control", "no-store"),
        },
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crowd_that_is_slow_in_every_way_slows_nobody_else() {
    let (heads, bodies, readers) = (scale(100, 1000), scale(60, 600), scale(60, 600));
    let (seats, places) = (scale(200, 2000), scale(32, 512));
    let lasting = Duration::from_secs(scale(0, 60) as u64);
    let origin = Origin::start().await;
    origin_answers(&origin);
    let server = format!("max_connections = {seats}\n");
    let toml = format!("max_connections = {places}\n");
    let proxy = Process::with_server(&origin, &server, &toml).await;
    let address = proxy.address();
    let (alone, _) = p99(address, 0, lasting / 3).await;
    let stop = Arc::new(AtomicBool::new(false));
    let begun_bodies = bodies / 2;
    let crowd = (0..heads)
        .map(|_| Slow::Head)
        .chain((0..bodies).map(|number| Slow::Body(usize::from(number < begun_bodies) * 100_000)))
        .chain((0..readers).map(|_| Slow::Reader));
    let crowd: Vec<_> = crowd
        .map(|slow| slow.goes_on(address, Arc::clone(&stop)))
        .collect();
    let crowd = on_a_thread_of_their_own(crowd);
    until("they have taken what they can", async || {
        proxy.metric("sidecache_connections").await >= seats as f64 * 0.9
            && proxy.metric("sidecache_places").await >= places as f64
    })
    .await;
    let (among_them, asked) = p99(address, 1 << 32, lasting).await;
    stop.store(true, Relaxed);
    drop(crowd);
    let cut_off = async |reason: &str| {
        let line = format!("sidecache_cut_off_total{{reason=\"{reason}\"}}");
        proxy.metric(&line).await
    };
    println!(
        "{heads} slow heads, {bodies} slow bodies and {readers} slow readers: p99 {among_them:?} of {asked} requests, \
         {alone:?} alone; cut off: {} crowded, {} slow_content, {} slow_reader, {} not_reading",
        cut_off("crowded").await,
        cut_off("slow_content").await,
        cut_off("slow_reader").await,
        cut_off("not_reading").await,
    );
    if is_soak() {
        let limit = alone.max(Duration::from_millis(1)) * 3;
        assert!(among_them < limit, "{among_them:?}, {alone:?} alone");
    }
}
