//! One connection: protocol limits, time limits and a graceful end.

use super::{
    attend::Attend,
    crowd::Seat,
    io::{
        Attended, CAN_LOOK, Content, InterimWriter, Lingering, Presence, Watch, WriteLimits,
        WriteTimeout,
    },
};
use crate::message::Interim;
use bytes::Bytes;
use http::{Request, Response};
use hyper::{server::conn::http1, service::Service};
use hyper_util::rt::TokioTimer;
use std::{
    error::Error,
    future::poll_fn,
    pin::{Pin, pin},
    task::Poll,
    time::Duration,
};
use tokio::{net::TcpStream, time::timeout};
use tokio_util::sync::CancellationToken;

/// The smallest buffer that the library accepts, in bytes.
const MIN_BUFFER: usize = 8192;

/// What the first head of a connection may take once the drain has begun: it is on its way, or nobody sends it.
const FIRST_HEAD: Duration = Duration::from_secs(1);

/// The same, so that within `drain_timeout` time is left for the answer.
pub(super) fn patience(drain_timeout: Duration) -> Duration {
    FIRST_HEAD.min(drain_timeout / 2)
}

/// How HTTP/1.1 is spoken.
///
/// Without `pipeline_flush`: with it, hyper 1.12 closes after a malformed request before the 400 has been written.
pub(super) fn protocol(idle_timeout: Duration, max_header_bytes: usize) -> http1::Builder {
    let mut protocol = http1::Builder::new();
    protocol
        .timer(TokioTimer::new()) // without one the time limit would have no effect
        .half_close(CAN_LOOK) // `attend` sees to clients that leave
        .header_read_timeout(idle_timeout)
        .max_header_size(max_header_bytes)
        .max_buf_size(max_header_bytes.max(MIN_BUFFER) * 2);
    protocol
}

/// What bytes travel on.
pub(super) struct Transport {
    pub(super) stream: TcpStream,
    pub(super) presence: Presence,
    /// How slowly the client may read.
    pub(super) writes: WriteLimits,
    /// What is written between the messages.
    pub(super) interim: Interim,
}

/// What ends a connection before its client does.
pub(super) struct End {
    pub(super) seat: Seat,
    /// The drain begins.
    pub(super) stop: CancellationToken,
    /// What its first head may take then.
    pub(super) patience: Duration,
}

/// Serves one connection until it ends, or its client does not read for too long, or until its request under way is
/// answered once the drain has begun. Where another client wants its seat it ends with its request, or at once if it has
/// none.
///
/// A connection that has been used and is idle ends with the drain at once, also where the next head has begun: its client
/// has to reckon with that (RFC 9112 §9.5). For the first head the library would wait without regard to the drain.
pub(super) async fn serve<S, B>(
    protocol: http1::Builder,
    transport: Transport,
    service: S,
    end: End,
) where
    S: Service<Request<Content>, Response = Response<B>>,
    S::Future: Unpin,
    S::Error: Into<Box<dyn Error + Send + Sync>>,
    B: http_body::Body<Data = Bytes> + Unpin + 'static,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    let Transport {
        stream,
        presence,
        writes,
        interim,
    } = transport;
    let watch = presence.watch();
    let service = Attend::new(service, presence.clone());
    let stream = Attended::new(stream, presence.clone());
    let io = InterimWriter::new(WriteTimeout::new(stream, writes), interim);
    let io = Lingering::new(io, presence);
    let mut connection = pin!(protocol.serve_connection(io, service).with_upgrades());
    let ended = tokio::select! {
        biased; // a request that has come is seen before the connection is closed
        ended = connection.as_mut() => ended,
        () = end.seat.leave.cancelled() => {
            if !end.stop.is_cancelled() && (watch.is_quiet() || watch.is_stalled()) {
                return end.seat.makes_room();
            }
            match timeout(end.patience, until_asked(connection.as_mut(), &watch)).await {
                Ok(Some(ended)) => ended,
                Ok(None) => {
                    connection.as_mut().graceful_shutdown();
                    connection.await
                }
                Err(_) => return, // there is no request that could be answered
            }
        }
    };
    if let Err(error) = ended {
        // Nearly always a client that left: of interest only to who looks for it.
        tracing::debug!(error = &error as &dyn Error, "a connection ended early");
    }
}

/// Goes on until a request has come, or to the end.
async fn until_asked<C: Future>(mut connection: Pin<&mut C>, watch: &Watch) -> Option<C::Output> {
    poll_fn(|cx| match connection.as_mut().poll(cx) {
        Poll::Ready(ended) => Poll::Ready(Some(ended)),
        Poll::Pending if watch.has_asked() => Poll::Ready(None),
        Poll::Pending => Poll::Pending,
    })
    .await
}
