//! Connections for exclusive use, to one server: for large values, behind which small ones would wait.
//!
//! deadpool-redis asks each for a sign of life before it lends it. Its managers for sentinels and clusters know neither our
//! time limits nor the role of who answers; so a pool is for the server that a link has found, and ends with that.

use super::{
    error::{CallError, refusal},
    settings::Settings,
};
use ::redis::{AsyncConnectionConfig, Client, Cmd, ErrorKind};
use deadpool_redis::{Connection, Manager, Runtime, Timeouts};
use std::time::Duration;

/// See the module docs.
#[derive(Debug)]
pub(super) struct Pool(deadpool_redis::Pool);

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
        Self(pool.expect("a pool with timeouts needs a runtime, and one is given"))
    }

    /// Sends `command` and waits for its reply, no longer than `limit`.
    ///
    /// Cancel safe: a connection whose reply is still to come is closed.
    pub(super) async fn call(&self, limit: Duration, command: &Cmd) -> Result<(), CallError> {
        let connection = self.0.get().await.map_err(|_| CallError::Failed)?;
        let mut lent = Lent(Some(connection));
        let asked = command.query_async::<()>(lent.connection());
        let result = match tokio::time::timeout(limit, asked).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => match error.kind() {
                ErrorKind::Server(_) | ErrorKind::Extension => Err(refusal(&error)),
                _ => return Err(CallError::Failed),
            },
            Err(_) => return Err(CallError::Timeout),
        };
        lent.give_back();
        result
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
