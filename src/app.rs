//! The composition root: from a configuration to a running proxy.

use crate::{
    admin,
    cache::Cache,
    clock::Clock,
    config::Config,
    metrics::Metrics,
    proxy::{Live, Parts, Proxy, Tunnels},
    runtime::Runtime,
    server,
    store::Store,
    upstream::Upstream,
};
use std::{io, net::SocketAddr, sync::Arc, time::Duration};
use tokio::net::TcpListener;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// Why the proxy does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A listener cannot be had.
    #[error("{key} = \"{address}\": {}", remedy(.source))]
    Bind {
        /// The key that names it.
        key: &'static str,
        /// What it says.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// The certificates for Redis cannot be used.
    #[error(
        "cache.redis.ca, cache.redis.cert or cache.redis.key cannot be used: name files that hold a matching certificate and key"
    )]
    Redis(#[from] redis::RedisError),
}

fn remedy(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::AddrInUse => {
            "the port is in use: stop what listens there, or choose another one".to_owned()
        }
        io::ErrorKind::PermissionDenied => {
            "the port may not be used: choose one above 1023".to_owned()
        }
        io::ErrorKind::AddrNotAvailable => "this machine does not have that address".to_owned(),
        _ => error.to_string(),
    }
}

/// How long the end waits for purges that Redis has not taken yet.
const PURGE_FLUSH_TIMEOUT: Duration = Duration::from_secs(2);

/// A running proxy.
#[derive(Debug)]
pub struct App {
    proxy: Proxy,
    public: SocketAddr,
    admin: SocketAddr,
    drain_timeout: Duration,
    /// Begins the drain: nothing new is accepted.
    draining: CancellationToken,
    connections: TaskTracker,
    fetches: TaskTracker,
    tunnels: Tunnels,
    /// What runs until the drain is over.
    background: Runtime,
}

impl App {
    /// Binds both listeners, starts the tiers and serves. Must be called inside a runtime.
    ///
    /// # Errors
    /// [`StartError`]. An upstream or a Redis that cannot be reached is not an error.
    pub async fn start(config: Config, clock: Clock) -> Result<Self, StartError> {
        let public = bind("server.listen", config.server.listen)?;
        let admin = bind("admin.listen", config.admin.listen)?;
        let metrics = Metrics::new();
        let draining = CancellationToken::new();
        let (connections, fetches) = (TaskTracker::new(), TaskTracker::new());
        let tunnels = Tunnels::default();
        let background = Runtime::start(clock.clone(), Arc::clone(&metrics));
        let store = Store::start(&config.store, config.cache.max_object, &background).await?;
        let cache = Cache::new(store, clock.clone(), Arc::clone(&metrics), fetches.clone());
        let proxy = Proxy::new(Parts {
            live: Live::new(
                config.proxy,
                config.routes,
                config.default_policy,
                config.cache,
                &metrics,
            ),
            upstream: Upstream::new(config.upstream, &metrics),
            cache,
            clock,
            metrics: Arc::clone(&metrics),
            tasks: fetches.clone(),
            tunnels: tunnels.clone(),
            access_log: config.log.access,
        });
        let app = Self {
            public: local(&public, config.server.listen),
            admin: local(&admin, config.admin.listen),
            drain_timeout: config.server.drain_timeout,
            proxy: proxy.clone(),
            draining: draining.clone(),
            connections: connections.clone(),
            fetches,
            tunnels,
            background: background.clone(),
        };
        let subject = admin::Subject {
            proxy: proxy.clone(),
            metrics: Arc::clone(&metrics),
            draining: draining.clone(),
        };
        let (tasks, stop) = (background.tasks, background.stop);
        let connected = tasks.clone();
        tasks.spawn(admin::run(admin, config.admin, subject, connected, stop));
        let serve = move |peer, interim| proxy.clone().to(peer, interim);
        tasks.spawn(server::run(
            public,
            config.server,
            serve,
            server::Meters::public(&metrics),
            connections,
            draining,
        ));
        Ok(app)
    }

    /// Where clients connect.
    pub fn public_address(&self) -> SocketAddr {
        self.public
    }

    /// Where the operator connects.
    pub fn admin_address(&self) -> SocketAddr {
        self.admin
    }

    /// What is counted.
    pub fn metrics(&self) -> &Arc<Metrics> {
        &self.background.metrics
    }

    /// The proxy itself.
    pub fn proxy(&self) -> &Proxy {
        &self.proxy
    }

    /// Stops accepting, lets requests and fetches under way end within `server.drain_timeout`, then ends the rest.
    ///
    /// Returns whether all of them ended in time and every purge reached Redis.
    pub async fn drain(self) -> bool {
        self.draining.cancel();
        self.connections.close();
        self.fetches.close();
        self.tunnels.tasks.close();
        let end = tokio::time::Instant::now() + self.drain_timeout;
        let ended = tokio::time::timeout(self.drain_timeout, async {
            self.connections.wait().await;
            self.fetches.wait().await;
        })
        .await
        .is_ok();
        // Nobody can ask a tunnel to end, so it ends with the drain, and that is no failure.
        let _ = tokio::time::timeout_at(end, self.tunnels.tasks.wait()).await;
        self.tunnels.stop.cancel();
        self.tunnels.tasks.wait().await;
        let lost = self.proxy.store().flush_purges(PURGE_FLUSH_TIMEOUT).await;
        if lost > 0 {
            tracing::error!(
                lost,
                "purges did not reach redis: purge again once it is back"
            );
        }
        self.background.stop.cancel();
        self.background.tasks.close();
        // Only Redis and the admin listener are left; neither may hold up the end.
        let _ = tokio::time::timeout(admin::DRAIN_TIMEOUT, self.background.tasks.wait()).await;
        ended && lost == 0
    }
}

fn bind(key: &'static str, address: SocketAddr) -> Result<TcpListener, StartError> {
    server::bind(address).map_err(|source| StartError::Bind {
        key,
        address,
        source,
    })
}

fn local(listener: &TcpListener, asked: SocketAddr) -> SocketAddr {
    listener.local_addr().unwrap_or(asked)
}
