//! The pool and a server that answers everything but a `SET` of `hang`.

use super::*;
use crate::store::redis::address::{Address, Certificates};
use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
    sync::mpsc,
};
use tokio_util::task::TaskTracker;

const SOON: Duration = Duration::from_secs(10);

/// What the server has seen.
struct Server {
    opened: Arc<AtomicUsize>,
    /// One for each `hang`, and one for each connection that the other side has closed.
    hung: mpsc::UnboundedReceiver<()>,
    closed: mpsc::UnboundedReceiver<()>,
}

async fn start() -> (Pool, Server) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("redis://{}", listener.local_addr().unwrap());
    let opened = Arc::new(AtomicUsize::new(0));
    let ((hangs, hung), (closes, closed)) = (mpsc::unbounded_channel(), mpsc::unbounded_channel());
    let server = Server {
        opened: Arc::clone(&opened),
        hung,
        closed,
    };
    let tasks = TaskTracker::new();
    tasks.clone().spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            opened.fetch_add(1, Relaxed);
            let (hangs, closes) = (hangs.clone(), closes.clone());
            tasks.spawn(async move {
                let _ = answer(stream, &hangs).await;
                let _ = closes.send(());
            });
        }
    });
    let settings = Settings {
        address: Address::parse(&url).unwrap(),
        certificates: Certificates::default(),
        prefix: "p".to_owned(),
        pool_size: 1,
        budget: SOON,
        connect_timeout: SOON,
        compress_above: None,
    };
    let client = settings.address.first(&settings.certificates).unwrap();
    let config = AsyncConnectionConfig::new().set_response_timeout(Some(SOON));
    (Pool::new(&client[0], &settings, config), server)
}

/// Until the other side closes the connection.
async fn answer(stream: TcpStream, hangs: &mpsc::UnboundedSender<()>) -> io::Result<()> {
    let mut stream = BufReader::new(stream);
    loop {
        let count = number(&mut stream).await?;
        let mut words = Vec::new();
        for _ in 0..count {
            let mut word = vec![0; number(&mut stream).await? + 2];
            stream.read_exact(&mut word).await?;
            word.truncate(word.len() - 2);
            words.push(String::from_utf8(word).unwrap());
        }
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let reply = match words[..] {
            ["SET", _, "hang"] => {
                hangs.send(()).unwrap();
                continue;
            }
            ["SET", _, "refuse"] => "-ERR no\r\n".to_owned(),
            ["PING", word] => format!("${}\r\n{word}\r\n", word.len()),
            _ => "+OK\r\n".to_owned(),
        };
        stream.write_all(reply.as_bytes()).await?;
    }
}

/// The number in a line such as `*3` or `$12`.
async fn number(stream: &mut BufReader<TcpStream>) -> io::Result<usize> {
    let mut line = String::new();
    match stream.read_line(&mut line).await? {
        0 => Err(io::ErrorKind::UnexpectedEof.into()),
        _ => Ok(line.trim_end()[1..].parse().unwrap()),
    }
}

fn set(value: &str) -> Cmd {
    Cmd::new().arg("SET").arg("key").arg(value).to_owned()
}

#[tokio::test]
async fn a_connection_that_has_answered_is_lent_again() {
    let (pool, server) = start().await;
    for (value, result) in [
        ("a", Ok(())),
        ("refuse", Err(CallError::Refused)),
        ("b", Ok(())),
    ] {
        assert_eq!(pool.call(SOON, &set(value)).await, result, "{value}");
    }
    assert_eq!(server.opened.load(Relaxed), 1);
}

#[tokio::test]
async fn a_connection_that_has_not_answered_in_time_is_closed() {
    let (pool, mut server) = start().await;
    let late = pool
        .call::<()>(Duration::from_millis(20), &set("hang"))
        .await;
    assert_eq!(late, Err(CallError::Timeout));
    server.closed.recv().await.unwrap();
    assert_eq!(pool.call(SOON, &set("a")).await, Ok(()));
    assert_eq!(server.opened.load(Relaxed), 2);
}

#[tokio::test]
async fn a_connection_whose_caller_has_left_is_closed() {
    let (pool, mut server) = start().await;
    let hang = set("hang");
    tokio::select! {
        _ = pool.call::<()>(SOON, &hang) => panic!("there is no reply"),
        _ = server.hung.recv() => {} // the call is dropped
    }
    server.closed.recv().await.unwrap();
    assert_eq!(pool.call(SOON, &set("a")).await, Ok(()));
    assert_eq!(server.opened.load(Relaxed), 2);
}
