//! The tier that replicas share.
//!
//! One object lives under `prefix:v6:{digest of its key}:…`, where 6 is the version of the format: two releases with other formats
//! do not see each other's values. The braces keep it in one cluster slot. `…:m` holds the response itself, or, where `Vary`
//! makes several of it, by what each is selected; each variant then has a key of its own. A large response has the name and `:b`,
//! and what stands under the name says so. Every key carries a TTL, and what does not check out is a counted miss and is deleted.

pub mod address;
mod alone;
mod asked;
mod cluster;
mod commands;
mod dial;
mod error;
mod landing;
mod lease;
mod link;
mod names;
mod reading;
mod servers;
mod settings;
mod stream;
mod writing;

pub use self::{
    address::{Address, Certificates},
    landing::Landing,
    lease::Lease,
    settings::Settings,
};
use self::{
    landing::Landings,
    lease::{Leases, Place},
    names::Names,
    reading::Reader,
    servers::Servers,
    writing::{Room, Writer},
};
pub(super) use self::{
    reading::Answer,
    stream::{Limits, SharedLog},
};
use super::{entry::Entry, purge_log::PurgeLog, secret::Secret};
use crate::{runtime::Runtime, semantics::Key};
use http::HeaderMap;
use parking_lot::Mutex;
use std::{pin::Pin, sync::Arc, time::Duration};

/// What a value may have beside its body, in bytes: 1 MiB of tags, the fields of a head, and what is needed to judge it.
const MAX_BESIDE_BODY: u64 = 2 << 20;

/// The tier.
#[derive(Debug)]
pub(super) struct Tier {
    servers: Servers,
    names: Arc<Names>,
    log_key: String,
    leases: Leases,
    reader: Reader,
    writer: Writer,
}

impl Tier {
    /// Connects in the background. No body is larger than `max_object` bytes.
    ///
    /// # Errors
    /// Where certificates are of no use; an unreachable server is not an error.
    pub(super) fn start(
        settings: &Settings,
        max_object: u64,
        secret: Secret,
        runtime: &Runtime,
    ) -> Result<Self, ::redis::RedisError> {
        let servers = Servers::start(settings, runtime)?;
        let names = Arc::new(Names {
            prefix: settings.prefix.clone(),
            secret,
        });
        let max_value = max_object.saturating_add(MAX_BESIDE_BODY);
        let (clock, metrics) = (&runtime.clock, &runtime.metrics);
        let reader = Reader {
            servers: servers.clone(),
            names: Arc::clone(&names),
            budget: settings.budget,
            clock: clock.clone(),
            max_object,
            max_value,
            metrics: Arc::clone(metrics),
            tasks: runtime.tasks.clone(),
        };
        let writer = Writer {
            servers: servers.clone(),
            names: Arc::clone(&names),
            budget: settings.budget,
            compress_above: settings.compress_above,
            clock: clock.clone(),
            max_value,
            metrics: Arc::clone(metrics),
            room: Room::new(settings.pool_size),
            without_scripts: Mutex::new(None),
        };
        let leases = Leases {
            servers: servers.clone(),
            budget: settings.budget,
            ended: settings.ended_key(),
            landings: Landings::default(),
        };
        Ok(Self {
            servers,
            names,
            log_key: settings.log_key(),
            leases,
            reader,
            writer,
        })
    }

    /// Whether Redis is used at the moment.
    pub(super) fn is_up(&self) -> bool {
        self.servers.is_up()
    }

    /// Whether some of it is, of a cluster.
    pub(super) fn is_partly_up(&self) -> bool {
        self.servers.is_partly_up()
    }

    /// Whether the server that has the purge log is.
    pub(super) fn has_log(&self) -> bool {
        self.servers.has(&self.log_key)
    }

    /// Waits until Redis is used, at most for `limit`.
    pub(super) async fn wait_until_up(&self, limit: Duration) {
        self.servers.wait_until_up(limit).await;
    }

    /// The shared purge log over the same connections, for what this process knows of it as `log`.
    pub(super) fn shared_log(
        &self,
        settings: &Settings,
        log: &Arc<PurgeLog>,
        limits: Limits,
        runtime: &Runtime,
    ) -> SharedLog {
        let (servers, landings) = (self.servers.clone(), self.leases.landings.clone());
        let log = Arc::clone(log);
        SharedLog::new(settings, servers, runtime, log, limits, landings)
    }

    /// The response for `key` that a request with these fields selects, within the budget; a large one may take longer.
    ///
    /// Cancel safe: an abandoned reply is never taken for another one's.
    pub(super) async fn get(&self, key: &Key, request: &HeaderMap) -> Answer {
        // Requests that do not get here carry no room for it.
        let looking: Pin<Box<dyn Future<Output = Answer> + Send + '_>> =
            Box::pin(self.reader.get(key, request));
        looking.await
    }

    /// Keeps `entry` for `ttl`, unless a newer one is there.
    pub(super) async fn put(&self, entry: &Arc<Entry>, ttl: Duration) {
        self.writer.put(entry, ttl).await;
    }

    /// Deletes what is kept of `entry`, or of what has taken its place: then that is fetched once more.
    pub(super) async fn delete(&self, entry: &Entry) {
        self.writer.delete(entry).await;
    }

    /// Takes the lease of `key`, for `ttl`, where nobody has it.
    pub(super) async fn take_lease(&self, key: &Key, ttl: Duration) -> Lease {
        self.leases.take(&self.place(key), ttl).await
    }

    /// Is told when the lease of `key` ends.
    pub(super) fn landing(&self, key: &Key) -> Landing {
        self.leases.landing(&self.place(key))
    }

    /// Says for `ttl` that the answer for `key` is for nobody else.
    pub(super) async fn refuse_lease(&self, key: &Key, ttl: Duration) {
        self.leases.refuse(&self.place(key), ttl).await;
    }

    /// Gives the lease of `key` back.
    pub(super) async fn end_lease(&self, key: &Key) {
        self.leases.end(&self.place(key)).await;
    }

    fn place(&self, key: &Key) -> Place {
        let named = self.names.of(key);
        Place {
            lease: named.lease(),
            waited: named.waited(),
        }
    }
}
