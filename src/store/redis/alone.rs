//! Connections for exclusive use: pooled for large values, behind which small ones would wait; one for the purge log.
//!
//! The usual manager of such a pool asks each connection for a sign of life at every checkout. Here one is lent out
//! again only after its last call has got its reply.

use super::{
    dial::Dialer,
    error::{CallError, refusal},
    settings::Settings,
};
use ::redis::{AsyncConnectionConfig, Cmd, ErrorKind, RedisError, aio::MultiplexedConnection};
use deadpool::{
    Runtime,
    managed::{self, Manager, Metrics, RecycleError, RecycleResult, Timeouts},
};
use std::{sync::Arc, time::Duration};

/// What one reply may take: the purge log is waited on for seconds.
const REPLY: Duration = Duration::from_secs(5);

/// See the module docs.
#[derive(Debug)]
pub(super) struct Pool(managed::Pool<Alone>);

#[derive(Debug)]
struct Alone {
    dialer: Arc<Dialer>,
    config: AsyncConnectionConfig,
}

#[derive(Debug)]
struct Lent {
    connection: MultiplexedConnection,
    /// No reply is still to come.
    idle: bool,
}

impl Manager for Alone {
    type Type = Lent;
    type Error = RedisError;

    async fn create(&self) -> Result<Lent, RedisError> {
        Ok(Lent {
            connection: self.dialer.connect(&self.config).await?,
            idle: true,
        })
    }

    async fn recycle(&self, lent: &mut Lent, _: &Metrics) -> RecycleResult<RedisError> {
        if lent.idle {
            Ok(())
        } else {
            Err(RecycleError::message("its last call did not end well"))
        }
    }
}

impl Pool {
    pub(super) fn new(dialer: &Arc<Dialer>, settings: &Settings) -> Self {
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(settings.connect_timeout))
            .set_response_timeout(Some(REPLY));
        let timeouts = Timeouts {
            wait: Some(settings.budget),
            create: Some(settings.connect_timeout * 4), // sentinels are asked before
            recycle: None,
        };
        let alone = Alone {
            dialer: Arc::clone(dialer),
            config,
        };
        let pool = managed::Pool::builder(alone)
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
        let mut lent = self.0.get().await.map_err(|_| CallError::Failed)?;
        lent.idle = false;
        let asked = command.query_async::<()>(&mut lent.connection);
        let result = match tokio::time::timeout(limit, asked).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => match error.kind() {
                ErrorKind::Server(_) | ErrorKind::Extension => Err(refusal(&error)),
                _ => return Err(CallError::Failed),
            },
            Err(_) => return Err(CallError::Timeout),
        };
        lent.idle = true;
        result
    }

    /// A connection that does not belong to the pool.
    pub(super) async fn connect(&self) -> Result<MultiplexedConnection, RedisError> {
        let alone = self.0.manager();
        alone.dialer.connect(&alone.config).await
    }
}
