//! Whatever bytes arrive at the connection, and whatever bytes a scripted upstream answers: no panic, no hang, never two
//! upstream requests for one, nothing malformed on either side, and nobody's answer for somebody else.
//!
//! `make fuzz` sends a million streams; `STREAM=7` sends the one that failed, and shows it.

#![expect(clippy::print_stdout, reason = "what the long form did is read there")]

mod answers;
mod met;
mod mutation;
mod requests;
mod strict;

use self::met::Met;
use crate::support::PATIENCE;
use std::{
    net::SocketAddr,
    panic,
    sync::{
        LazyLock,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::Instant,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

/// Streams of each of the two tests in the short form.
const SHORT: u64 = 1_500;

/// Threads that send, each with a proxy and an upstream of its own.
const LANES: usize = 4;

/// Panics in the code of the project, which does not name its own tests so.
static PANICS: LazyLock<AtomicUsize> = LazyLock::new(|| {
    let before = panic::take_hook();
    panic::set_hook(Box::new(move |info| {
        if info
            .location()
            .is_some_and(|at| at.file().starts_with("src/"))
        {
            PANICS.fetch_add(1, Relaxed);
        }
        before(info);
    }));
    AtomicUsize::new(0)
});

/// Sends as many streams as are asked for: `lane` gets the numbers of those that it is to send.
fn send<L: Future<Output = Met>>(
    what: &str,
    share: u64,
    lane: impl Fn(Box<dyn Iterator<Item = u64> + Send>) -> L + Sync,
) -> Met {
    let number = |name: &str| std::env::var(name).ok().map(|n| n.parse::<u64>().unwrap());
    let (one, long) = (number("STREAM"), number("STREAMS"));
    let count = long.map_or(SHORT, |streams| streams * share / 100);
    let before = PANICS.load(Relaxed);
    let begun = Instant::now();
    let mut met = Met::default();
    std::thread::scope(|scope| {
        let lanes: Vec<_> = (0..LANES)
            .map(|first| {
                let numbers: Box<dyn Iterator<Item = u64> + Send> = match one {
                    Some(one) => Box::new((one..=one).filter(move |_| first == 0)),
                    None => Box::new((first as u64..count).step_by(LANES)),
                };
                let lane = &lane;
                scope.spawn(move || {
                    let runtime = tokio::runtime::Builder::new_current_thread()
                        .enable_all()
                        .build()
                        .unwrap();
                    runtime.block_on(lane(numbers))
                })
            })
            .collect();
        for lane in lanes {
            met.add(&lane.join().expect("every stream of the lane went well"));
        }
    });
    assert_eq!(PANICS.load(Relaxed), before, "no panic");
    if long.is_some() {
        println!("{count} {what} in {:?}: {met:?}", begun.elapsed());
    }
    if one.is_none() {
        met.enough();
    }
    met
}

/// Sends `bytes` in some pieces, says that this is all, and reads until the other side closes.
async fn exchange(address: SocketAddr, bytes: &[u8], random: &mut fastrand::Rng) -> Vec<u8> {
    let stream = TcpStream::connect(address).await.unwrap();
    stream.set_nodelay(true).unwrap();
    let (mut from, mut to) = stream.into_split();
    let mut received = Vec::new();
    let write = async {
        for piece in mutation::pieces(bytes, random) {
            // The other side may have refused what came before.
            if to.write_all(piece).await.is_err() {
                return;
            }
            tokio::task::yield_now().await;
        }
        let _ = to.shutdown().await;
    };
    let read = timeout(PATIENCE, from.read_to_end(&mut received));
    let ((), read) = tokio::join!(write, read);
    let _ = read.expect("it ends"); // a reset is an end
    received
}

/// A name that occurs nowhere else. Its last digits follow from the others, so that no mutation makes one.
fn id_of(stream: u64, request: usize) -> String {
    let name = stream * 100 + request as u64;
    format!("id{name:012}{:06}", check_digits(name))
}

fn check_digits(name: u64) -> u64 {
    (name + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15) % 999_983
}

/// The names in `bytes`, as [`id_of`] makes them.
fn ids_in(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    let number = |digits: &[u8]| {
        let all = digits.iter().all(u8::is_ascii_digit);
        let text = std::str::from_utf8(digits).ok().filter(|_| all)?;
        text.parse::<u64>().ok()
    };
    bytes.windows(ID).filter(move |window| {
        let name = number(&window[2..14]);
        window.starts_with(b"id")
            && name.is_some()
            && name.map(check_digits) == number(&window[14..])
    })
}

/// Bytes of an id.
const ID: usize = 20;

/// As much of `bytes` as can be read.
fn shown(bytes: &[u8]) -> String {
    String::from_utf8_lossy(&bytes[..bytes.len().min(2000)]).into_owned()
}

/// Requests of any bytes before an upstream that does everything right.
#[test]
fn no_bytes_of_a_client_break_anything() {
    let met = send("mutated requests", 80, requests::lane);
    assert!(met.left > 0 || met.streams < 100, "{met:?}");
}

/// An upstream that answers any bytes to clients that do everything right.
#[test]
fn no_bytes_of_an_upstream_break_anything() {
    send("mutated answers", 20, answers::lane);
}
