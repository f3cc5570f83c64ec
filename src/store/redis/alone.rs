//! Connections for exclusive use, to one server: for large values, behind which small ones would wait. They are read in pieces,
//! so that one that nobody waits for any more costs a piece and a connection, and not all of it.
//!
//! deadpool-redis asks each for a sign of life before it lends it. Its managers for sentinels and clusters know neither our
//! time limits nor the role of who answers; so a pool is for the server that a link has found, and ends with that.

use super::{
    error::{CallError, refusal},
    settings::Settings,
};
use crate::store::codec::checksum_of;
use ::redis::{AsyncConnectionConfig, Client, Cmd, ErrorKind, FromRedisValue, RedisError};
use bytes::{Bytes, BytesMut};
use deadpool_redis::{Connection, Manager, Runtime, Timeouts};
use std::time::Duration;
use tokio::{sync::Semaphore, time::Instant};

/// What is asked for at once of a large value, in bytes.
const PIECE: u64 = 256 << 10;

/// What may be on its way at once of large values that are read, in KiB. One that is larger comes alone.
const MAX_READS_KIB: u32 = 16 << 10;

/// See the module docs.
#[derive(Debug)]
pub(super) struct Pool {
    connections: deadpool_redis::Pool,
    /// Of the connections, those that reads may have; writes have the others.
    readers: Semaphore,
    /// See [`MAX_READS_KIB`].
    room: Semaphore,
}

/// A large value to be read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Large<'k> {
    pub(super) at: &'k str,
    /// In bytes.
    pub(super) length: u64,
    /// The one that stands at its beginning, or it is another one.
    pub(super) checksum: u64,
    /// What one piece may take.
    pub(super) patience: Duration,
    /// When nobody waits for it any more.
    pub(super) end: Instant,
}

/// A connection that is closed when this is dropped, unless it was given back: its reply may be still to come.
struct Lent(Option<Connection>);

impl Pool {
    /// A pool for the server of `client`, without connections yet.
    pub(super) fn new(client: &Client, settings: &Settings, config: AsyncConnectionConfig) -> Self {
        let server = client.get_connection_info().clone(); // certificates included
        let manager = Manager::new_with_config(server, config)
            .expect("what a client was made of makes another one");
        let timeouts = Timeouts {
            wait: Some(settings.budget),
            create: Some(settings.connect_timeout),
            recycle: Some(settings.budget),
        };
        let pool = deadpool_redis::Pool::builder(manager)
            .max_size(settings.pool_size)
            .timeouts(timeouts)
            .runtime(Runtime::Tokio1)
            .build();
        Self {
            connections: pool.expect("a pool with timeouts needs a runtime, and one is given"),
            readers: Semaphore::new((settings.pool_size * 3 / 4).max(1)),
            room: Semaphore::new(MAX_READS_KIB as usize),
        }
    }

    /// Sends `command` and waits for its reply, no longer than `limit`.
    ///
    /// Cancel safe: a connection whose reply is still to come is closed.
    pub(super) async fn call<T: FromRedisValue>(
        &self,
        limit: Duration,
        command: &Cmd,
    ) -> Result<T, CallError> {
        let mut lent = self.lend().await?;
        let asked = command.query_async(lent.connection());
        let reply = said(tokio::time::timeout(limit, asked).await.ok());
        if reply.as_ref().err().is_none_or(|error| error.is_reply()) {
            lent.give_back();
        }
        reply
    }

    /// Reads a large value, once there is room for it and a connection: [`CallError::Busy`] where there is none before its end.
    /// Nothing is read as no bytes, and so is what has taken its place.
    ///
    /// Cancel safe: a connection whose piece is still to come is closed.
    pub(super) async fn read(&self, large: Large<'_>) -> Result<Bytes, CallError> {
        let kib = u32::try_from(large.length / 1024 + 1).unwrap_or(u32::MAX);
        let turn = async {
            let reader = self.readers.acquire().await;
            let room = self.room.acquire_many(kib.min(MAX_READS_KIB)).await;
            (reader, room)
        };
        let turn = tokio::time::timeout_at(large.end, turn).await;
        let (_reader, _room) = turn.map_err(|_| CallError::Busy)?;
        let mut lent = self.lend().await?;
        let mut whole = BytesMut::new();
        while (whole.len() as u64) < large.length {
            let from = whole.len() as u64;
            let last = large.length.min(from + PIECE) - 1;
            let mut get = Cmd::new();
            get.arg("GETRANGE").arg(large.at).arg(from).arg(last);
            let end = large.end.min(Instant::now() + large.patience);
            let asked = get.query_async::<Bytes>(lent.connection());
            let piece = said(tokio::time::timeout_at(end, asked).await.ok())?;
            whole.extend_from_slice(&piece);
            let torn = whole.len() as u64 != last + 1;
            if torn || checksum_of(&whole) != Some(large.checksum) {
                lent.give_back();
                return Ok(Bytes::new());
            }
        }
        lent.give_back();
        Ok(whole.freeze())
    }

    async fn lend(&self) -> Result<Lent, CallError> {
        let connection = self.connections.get().await;
        let connection = connection.map_err(|_| CallError::Failed)?;
        Ok(Lent(Some(connection)))
    }
}

/// What came of a call; `None` is nothing within its limit.
fn said<T>(reply: Option<Result<T, RedisError>>) -> Result<T, CallError> {
    match reply {
        Some(Ok(reply)) => Ok(reply),
        Some(Err(error)) => Err(match error.kind() {
            ErrorKind::Server(_) | ErrorKind::Extension => refusal(&error),
            _ => CallError::Failed,
        }),
        None => Err(CallError::Timeout),
    }
}

impl Lent {
    fn connection(&mut self) -> &mut Connection {
        self.0.as_mut().expect("only the end takes it")
    }

    fn give_back(mut self) {
        drop(self.0.take());
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        if let Some(connection) = self.0.take() {
            drop(Connection::take(connection));
        }
    }
}

#[cfg(test)]
mod tests;
