//! One connection: protocol limits, time limits and a graceful end.

use super::{
    attend::Attend,
    crowd::Seat,
    io::{
        Attended, CAN_LOOK, Content, InterimWriter, Lingering, Presence, WriteLimits, WriteTimeout,
    },
};
use crate::message::Interim;
use bytes::Bytes;
use http::{Request, Response};
use hyper::{server::conn::http1, service::Service};
use hyper_util::rt::TokioTimer;
use std::{error::Error, pin::pin, time::Duration};
use tokio::net::TcpStream;
use tokio_util::sync::CancellationToken;

/// The smallest buffer that the library accepts, in bytes.
const MIN_BUFFER: usize = 8192;

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

/// Serves one connection until it ends, or its client does not read for too long, or until its request under way is
/// answered once `stop` is there. Where another client wants its seat it ends with its request, or at once if it has none.
pub(super) async fn serve<S, B>(
    protocol: http1::Builder,
    transport: Transport,
    service: S,
    (seat, stop): (Seat, CancellationToken),
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
        () = seat.leave.cancelled() => {
            if !stop.is_cancelled() && (watch.is_quiet() || watch.is_stalled()) {
                return seat.makes_room();
            }
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        // Nearly always a client that left: of interest only to who looks for it.
        tracing::debug!(error = &error as &dyn Error, "a connection ended early");
    }
}
