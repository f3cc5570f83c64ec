//! Accept, serve, drain: the life of a listener. Knows a service, not what it does.

mod attend;
mod connection;
mod crowd;
mod io;
mod listener;
pub mod workers;

pub use self::{crowd::Meters, io::Content, listener::bind};

use self::{
    crowd::Crowd,
    io::{Presence, WriteLimits},
};
use crate::message::{Interim, Party};
use bytes::Bytes;
use http::{Request, Response};
use hyper::service::Service;
use std::{error::Error, net::SocketAddr, time::Duration};
use tokio::net::TcpListener;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// What `[server]` says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Where clients connect.
    pub listen: SocketAddr,
    /// Threads; 0 means one per core.
    pub workers: usize,
    /// Connections that are open at the same time. For more, some that carry no request make room, or they wait in the
    /// backlog of the system.
    pub max_connections: usize,
    /// For how long a connection may be silent or not read, and what the head of a request may take.
    pub idle_timeout: Duration,
    /// What clients have to read of an answer in a second, in bytes; 0: anything. They may be behind it by `idle_timeout`.
    pub min_rate: u64,
    /// What requests under way may take once the drain has begun.
    pub drain_timeout: Duration,
    /// The limit for the head of a request, in bytes.
    pub max_header_bytes: usize,
}

/// Accepts until `stop`, then ends idle connections at once and others after their request. One on which none has come yet has a
/// second for it.
///
/// `serve` makes a service for each client, given where it may send interim responses. Connections run under
/// `connections`: whoever wants to wait for their end waits for that tracker.
pub async fn run<F, S, B>(
    listener: TcpListener,
    settings: Settings,
    serve: F,
    meters: Meters,
    connections: TaskTracker,
    stop: CancellationToken,
) where
    F: Fn(SocketAddr, Interim) -> S,
    S: Service<Request<Content>, Response = Response<B>> + Send + 'static,
    S::Future: Send + Unpin,
    S::Error: Into<Box<dyn Error + Send + Sync>>,
    B: http_body::Body<Data = Bytes> + Send + Unpin + 'static,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    let protocol = connection::protocol(settings.idle_timeout, settings.max_header_bytes);
    let writes = WriteLimits {
        timeout: settings.idle_timeout,
        min_rate: settings.min_rate,
        cut_off: meters.not_reading.clone(),
    };
    let crowd = Crowd::new(settings.max_connections, meters);
    let patience = connection::patience(settings.drain_timeout);
    loop {
        let presence = Presence::default();
        let next = async {
            let (stream, peer) = listener::accept(&listener).await;
            let party = Party::at(peer.ip());
            (stream, peer, crowd.enter(party, &presence, &stop).await)
        };
        let (stream, peer, seat) = tokio::select! {
            next = next => next,
            () = stop.cancelled() => return,
        };
        let serving = {
            let interim = Interim::default();
            let service = serve(peer, interim.clone());
            let transport = connection::Transport {
                stream,
                presence,
                writes: writes.clone(),
                interim,
            };
            let end = connection::End {
                seat,
                stop: stop.clone(),
                patience,
            };
            connection::serve(protocol.clone(), transport, service, end)
        };
        connections.spawn(serving);
    }
}
