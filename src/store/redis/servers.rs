//! All servers as one: by key to the link that serves it.

use super::{
    address::Topology, alone::Large, cluster::Cluster, dial::Dialer, error::CallError, link::Link,
    settings::Settings,
};
use crate::runtime::Runtime;
use ::redis::{Cmd, ErrorKind, FromRedisValue, Pipeline, RedisError, aio::MultiplexedConnection};
use bytes::Bytes;
use std::{sync::Arc, time::Duration};
use tokio::time::Instant;

/// See the module docs.
#[derive(Clone, Debug)]
pub(super) enum Servers {
    One(Arc<Link>),
    Cluster(Arc<Cluster>),
}

impl Servers {
    /// Connects in the background.
    ///
    /// # Errors
    /// Where certificates are of no use; unreachable servers are not an error.
    pub(super) fn start(settings: &Settings, runtime: &Runtime) -> Result<Self, RedisError> {
        // The client asks for the process's provider of cryptography; another part may have set it.
        let _ = rustls::crypto::ring::default_provider().install_default();
        if settings.address.topology == Topology::Cluster {
            let cluster = Arc::new(Cluster::new(settings, runtime)?);
            runtime.tasks.spawn(Arc::clone(&cluster).supervise());
            return Ok(Self::Cluster(cluster));
        }
        runtime.metrics.redis.servers.set(1);
        let metrics = Arc::clone(&runtime.metrics);
        let link = Arc::new(Link::new(Dialer::new(settings)?, settings, metrics));
        let supervising = Arc::clone(&link).supervise(runtime.stop.clone());
        runtime.tasks.spawn(supervising);
        Ok(Self::One(link))
    }

    /// Whether all of Redis is used at the moment.
    pub(super) fn is_up(&self) -> bool {
        match self {
            Self::One(link) => link.is_up(),
            Self::Cluster(cluster) => cluster.is_up(),
        }
    }

    /// Whether some of it is.
    pub(super) fn is_partly_up(&self) -> bool {
        match self {
            Self::One(link) => link.is_up(),
            Self::Cluster(cluster) => cluster.is_partly_up(),
        }
    }

    /// Waits until Redis is used, at most for `limit`.
    pub(super) async fn wait_until_up(&self, limit: Duration) {
        match self {
            Self::One(link) => link.wait_until_up(limit).await,
            Self::Cluster(cluster) => cluster.wait_until_up(limit).await,
        }
    }

    /// As [`Link::call`], where `key` is.
    pub(super) async fn call<T: FromRedisValue + Send + 'static>(
        &self,
        key: &str,
        budget: Duration,
        command: &Cmd,
    ) -> Result<T, CallError> {
        self.heard(self.link_of(key)?.call(budget, command).await)
    }

    /// As [`Link::look_up`], where `key` is; both commands are about it.
    pub(super) async fn look_up<T, U>(
        &self,
        key: &str,
        end: Instant,
        commands: [Cmd; 2],
    ) -> Result<(T, Option<U>), CallError>
    where
        T: FromRedisValue + Send + 'static,
        U: FromRedisValue + Send + 'static,
    {
        self.heard(self.link_of(key)?.look_up(end, commands).await)
    }

    /// As [`Link::call_many`], where `key` is; all commands are about it.
    pub(super) async fn call_many<T: FromRedisValue + Send + 'static>(
        &self,
        key: &str,
        budget: Duration,
        commands: &Pipeline,
    ) -> Result<T, CallError> {
        self.heard(self.link_of(key)?.call_many(budget, commands).await)
    }

    /// As [`Link::call_alone`], where `key` is.
    pub(super) async fn call_alone<T: FromRedisValue>(
        &self,
        key: &str,
        limit: Duration,
        command: &Cmd,
    ) -> Result<T, CallError> {
        self.heard(self.link_of(key)?.call_alone(limit, command).await)
    }

    /// As [`Link::read_alone`].
    pub(super) async fn read_alone(&self, large: Large<'_>) -> Result<Bytes, CallError> {
        self.heard(self.link_of(large.at)?.read_alone(large).await)
    }

    /// Whether the server that has `key` is used at the moment.
    pub(super) fn has(&self, key: &str) -> bool {
        match self {
            Self::One(link) => link.is_up(),
            Self::Cluster(cluster) => cluster.has(key),
        }
    }

    /// A connection of the caller's own to where `key` is.
    pub(super) async fn connect_alone(
        &self,
        key: &str,
    ) -> Result<MultiplexedConnection, RedisError> {
        match self.link_of(key) {
            Ok(link) => link.connect_alone().await,
            Err(_) => Err((ErrorKind::Io, "nobody says where it is").into()),
        }
    }

    fn link_of(&self, key: &str) -> Result<Arc<Link>, CallError> {
        match self {
            Self::One(link) => Ok(Arc::clone(link)),
            Self::Cluster(cluster) => cluster.link_of(key),
        }
    }

    /// A call that was redirected says that the map of the cluster is out of date.
    fn heard<T>(&self, result: Result<T, CallError>) -> Result<T, CallError> {
        if matches!(result, Err(CallError::Moved)) {
            self.moved();
        }
        result
    }

    /// The map of the cluster is out of date: somebody who has a connection of his own was redirected.
    pub(super) fn moved(&self) {
        if let Self::Cluster(cluster) = self {
            cluster.moved();
        }
    }
}
