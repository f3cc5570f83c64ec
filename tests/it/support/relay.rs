//! A relay between the proxy and Redis, or another server, that can delay, cut and lie.

use parking_lot::Mutex;
use std::{net::SocketAddr, sync::Arc, time::Duration};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::watch,
    task::JoinHandle,
    time::Instant,
};

/// What happens to the replies of Redis.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Nothing.
    #[default]
    None,
    /// Each comes so much later.
    Delay(Duration),
    /// The connection is closed after so many bytes.
    CutAfter(usize),
    /// Random bytes come in their place.
    Garbage,
    /// Nothing comes, and the connection stays open.
    Blackhole,
    /// All connections together carry so many bytes a second.
    Rate(u64),
}

/// See the module docs.
pub(crate) struct Relay {
    address: SocketAddr,
    fault: Arc<Mutex<Fault>>,
    /// Where to; a change closes what is open.
    port: watch::Sender<u16>,
    task: JoinHandle<()>,
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Relay {
    pub(crate) async fn to(port: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let fault = Arc::new(Mutex::new(Fault::None));
        let shared = Arc::clone(&fault);
        let free = Arc::new(Mutex::new(Instant::now()));
        let target = watch::Sender::new(port);
        let ports = target.clone();
        let task = tokio::spawn(async move {
            let mut connections = tokio::task::JoinSet::new();
            while let Ok((client, _)) = listener.accept().await {
                let (fault, free) = (Arc::clone(&shared), Arc::clone(&free));
                let mut port = ports.subscribe();
                connections.spawn(async move {
                    let current = *port.borrow_and_update();
                    let Ok(server) = TcpStream::connect(("127.0.0.1", current)).await else {
                        return;
                    };
                    let _ = (client.set_nodelay(true), server.set_nodelay(true));
                    let (mut from_client, to_client) = client.into_split();
                    let (from_server, mut to_server) = server.into_split();
                    tokio::select! {
                        _ = tokio::io::copy(&mut from_client, &mut to_server) => {}
                        () = replies(from_server, to_client, fault, free) => {}
                        _ = port.changed() => {}
                    }
                });
            }
        });
        Self {
            address,
            fault,
            port: target,
            task,
        }
    }

    /// Closes every connection; new ones lead to `port`.
    pub(crate) fn lead_to(&self, port: u16) {
        self.port.send_replace(port);
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) fn url(&self) -> String {
        format!("redis://{}", self.address)
    }

    /// From now on, also on connections that are open.
    pub(crate) fn set(&self, fault: Fault) {
        *self.fault.lock() = fault;
    }
}

async fn replies(
    mut from: tokio::net::tcp::OwnedReadHalf,
    mut to: tokio::net::tcp::OwnedWriteHalf,
    fault: Arc<Mutex<Fault>>,
    free: Arc<Mutex<Instant>>,
) {
    let mut piece = vec![0; 65536];
    loop {
        let Ok(read @ 1..) = from.read(&mut piece).await else {
            return;
        };
        let current = *fault.lock();
        let written = match current {
            Fault::None => to.write_all(&piece[..read]).await,
            Fault::Delay(delay) => {
                tokio::time::sleep(delay).await;
                to.write_all(&piece[..read]).await
            }
            Fault::CutAfter(bytes) => {
                let _ = to.write_all(&piece[..read.min(bytes)]).await;
                return;
            }
            Fault::Garbage => {
                let garbage: Vec<u8> = (0..read).map(|_| fastrand::u8(..)).collect();
                to.write_all(&garbage).await
            }
            Fault::Blackhole => Ok(()),
            Fault::Rate(bytes) => {
                let takes = Duration::from_secs_f64(read as f64 / bytes as f64);
                let end = {
                    let mut free = free.lock();
                    *free = (*free).max(Instant::now()) + takes;
                    *free
                };
                tokio::time::sleep_until(end).await;
                to.write_all(&piece[..read]).await
            }
        };
        if written.is_err() {
            return;
        }
    }
}
