//! Binding and accepting, with a pause when the process runs out of resources.

use socket2::{Domain, Protocol, Socket, Type};
use std::{io, net::SocketAddr, time::Duration};
use tokio::net::{TcpListener, TcpStream};

/// Connections that the system keeps until they are accepted.
const BACKLOG: i32 = 4096;

/// What the system takes of an answer before the client has taken what came before, in bytes per connection: without a
/// bound a few thousand slow readers of large answers use up the memory that it has for all connections together. Less
/// costs: with 16 KiB answers of 1 MB take twice the CPU, with 256 KiB no more than without a bound.
#[cfg(target_os = "linux")]
const UNSENT: u32 = 256 << 10;

/// The pause after an accept failed because descriptors or memory ran out: long enough not to spin, short enough not to
/// be noticed.
const PAUSE: Duration = Duration::from_millis(50);

/// Binds `address`. Must be called inside a runtime.
///
/// # Errors
/// As the system says: the port is in use, may not be used, or the address is not here.
pub fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(
        Domain::for_address(address),
        Type::STREAM,
        Some(Protocol::TCP),
    )?;
    socket.set_reuse_address(true)?; // a restart need not wait for old connections to be forgotten
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    #[cfg(target_os = "linux")]
    let _ = socket.set_tcp_notsent_lowat(UNSENT); // each connection inherits it; without it they work too
    socket.listen(BACKLOG)?;
    TcpListener::from_std(socket.into())
}

/// The next connection. Goes on after failures: they are about one connection, or pass.
pub(super) async fn accept(listener: &TcpListener) -> (TcpStream, SocketAddr) {
    let mut told = false;
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => {
                let _ = stream.set_nodelay(true); // fails only on a connection that is gone already
                return (stream, peer);
            }
            Err(error) if is_about_one_connection(&error) => {}
            Err(error) => {
                if !told {
                    told = true;
                    tracing::warn!(%error, "accepting pauses");
                }
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}

fn is_about_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(
        error.kind(),
        ConnectionAborted | ConnectionRefused | ConnectionReset
    )
}
