//! The tier that replicas share.
//!
//! One object lives under `prefix:v1:{sha256 of its key}:…`; the braces keep it in one cluster slot. `…:m` holds the
//! response itself, or, where `Vary` makes several of it, the names of the selecting fields; each variant then has a
//! key of its own. Every key carries a TTL, and what does not check out is a counted miss and is deleted.

pub mod address;
mod alone;
mod cluster;
mod dial;
mod error;
mod landing;
mod lease;
mod link;
mod servers;
mod settings;
mod stream;

pub(super) use self::stream::{Limits, SharedLog};
pub use self::{
    address::{Address, Certificates},
    landing::Landing,
    lease::Lease,
    settings::Settings,
};
use self::{
    error::CallError,
    landing::Landings,
    lease::{Leases, Place},
    servers::Servers,
};
use super::{
    codec::{self, Read, Value, Written},
    entry::Entry,
    purge_log::PurgeLog,
    secret::Secret,
};
use crate::{
    clock::Clock,
    metrics::{Metrics, RedisCall},
    runtime::Runtime,
    semantics::{Key, vary::Selecting, vary::Selects},
};
use ::redis::Cmd;
use bytes::Bytes;
use http::{HeaderMap, HeaderName};
use sha2::{Digest, Sha256};
use std::{sync::Arc, time::Duration};
use tokio_util::task::TaskTracker;

/// Larger values go over a connection of their own, so that small reads do not queue behind them.
const LARGE: usize = 256 << 10;

/// What a value may have beside its body, in bytes: 1 MiB of tags, the fields of a head, and what is needed to judge it.
const MAX_BESIDE_BODY: u64 = 2 << 20;

/// A key as it is known in Redis.
struct Named<'k> {
    key: &'k Key,
    id: codec::Id,
    /// What the names of its values begin with.
    name: String,
}

/// What the tier has for a request.
#[derive(Debug)]
pub(super) enum Answer {
    /// A response that this request selects.
    Match(Box<Entry>),
    /// Responses for this URI that other requests select.
    Other,
    /// Nothing, or nothing that checks out.
    None,
    /// No answer within the budget, or Redis is out.
    Unavailable,
}

/// The tier.
#[derive(Debug)]
pub(super) struct Tier {
    servers: Servers,
    leases: Leases,
    prefix: String,
    budget: Duration,
    compress_above: Option<u64>,
    clock: Clock,
    /// No larger value is written, nor read: whoever else writes to Redis shall not fill the memory of this process. In bytes.
    max_value: u64,
    secret: Secret,
    metrics: Arc<Metrics>,
    tasks: TaskTracker,
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
        let leases = Leases {
            servers: servers.clone(),
            budget: settings.budget,
            ended: settings.ended_key(),
            landings: Landings::default(),
        };
        Ok(Self {
            servers,
            leases,
            prefix: settings.prefix.clone(),
            budget: settings.budget,
            compress_above: settings.compress_above,
            clock: runtime.clock.clone(),
            max_value: max_object.saturating_add(MAX_BESIDE_BODY),
            secret,
            metrics: Arc::clone(&runtime.metrics),
            tasks: runtime.tasks.clone(),
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

    /// The response for `key` that a request with these fields selects: one round trip where it has one variant.
    ///
    /// Cancel safe: an abandoned reply is never taken for another one's.
    pub(super) async fn get(&self, key: &Key, request: &HeaderMap) -> Answer {
        let looked_up = self.look_up(key, request);
        tokio::time::timeout(self.budget, looked_up)
            .await
            .unwrap_or_else(|_| {
                self.metrics.redis.call(RedisCall::Timeout);
                Answer::Unavailable
            })
    }

    async fn look_up(&self, key: &Key, request: &HeaderMap) -> Answer {
        let named = self.named(key);
        let main = match self.read(&format!("{}:m", named.name), &named).await {
            Ok(value) => value,
            Err(answer) => return answer,
        };
        let value = match main {
            Value::Entry(entry) => *entry,
            Value::Vary(names) => match self.variant(&named, names, request).await {
                Ok(found) => found,
                Err(answer) => return answer,
            },
        };
        self.metrics.redis.call(RedisCall::Hit);
        if value
            .head
            .is_selected_by(&Selects::new(request, &self.secret))
        {
            Answer::Match(Box::new(value))
        } else {
            Answer::Other
        }
    }

    /// The variant that `request` selects: by its values, or in the language that it likes best.
    async fn variant(
        &self,
        named: &Named<'_>,
        names: Vec<HeaderName>,
        request: &HeaderMap,
    ) -> Result<Entry, Answer> {
        let selections = {
            let selects = Selects::new(request, &self.secret);
            let selecting = Selecting::by_names(names, &selects);
            let by_language = selecting.by_preferred_language(&selects);
            std::iter::once(selecting).chain(by_language)
        };
        for selecting in selections {
            let at = variant_name(&named.name, &selecting);
            match self.read(&at, named).await {
                Ok(Value::Entry(entry)) => return Ok(*entry),
                Ok(Value::Vary(_)) | Err(Answer::None) => {}
                Err(answer) => return Err(answer),
            }
        }
        Err(Answer::Other)
    }

    /// Keeps `entry` for `ttl`.
    pub(super) async fn put(&self, entry: &Arc<Entry>, ttl: Duration) {
        let Named { id, name, .. } = self.named(&entry.key);
        let selecting = &entry.head.selecting;
        let main = format!("{name}:m");
        let Some(value) = self.encoded(entry, id, ttl).await else {
            return;
        };
        if selecting.is_empty() {
            return self.write(&main, value, ttl).await;
        }
        if let Some(by_language) = selecting.by_language_of(&entry.head.headers) {
            let at = variant_name(&name, &by_language);
            self.write(&at, value.clone(), ttl).await;
        }
        let at = variant_name(&name, selecting);
        self.write(&at, value, ttl).await;
        self.write(&main, codec::encode_vary(selecting.names()), ttl)
            .await;
    }

    /// The value of `entry`; compressed off the workers.
    async fn encoded(&self, entry: &Arc<Entry>, id: codec::Id, ttl: Duration) -> Option<Vec<u8>> {
        let above = self.compress_above;
        let at = self.clock.times();
        let written = Written { at, ttl };
        if above.is_none_or(|above| entry.body.len() as u64 <= above) {
            return Some(codec::encode_entry(entry, &id, None, written));
        }
        let entry = Arc::clone(entry);
        let encoding =
            tokio::task::spawn_blocking(move || codec::encode_entry(&entry, &id, above, written));
        encoding.await.ok()
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

    fn place(&self, key: &Key) -> Place {
        let name = self.name(key);
        Place {
            lease: format!("{name}:l"),
            waited: format!("{name}:w"),
        }
    }

    /// Deletes what is kept of `entry`, or of what has taken its place: then that is fetched once more.
    pub(super) async fn delete(&self, entry: &Entry) {
        let name = self.name(&entry.key);
        let selecting = &entry.head.selecting;
        let mut delete = Cmd::new();
        delete.arg("DEL");
        if selecting.is_empty() {
            delete.arg(format!("{name}:m"))
        } else {
            delete.arg(variant_name(&name, selecting))
        };
        if let Some(by_language) = selecting.by_language_of(&entry.head.headers) {
            delete.arg(variant_name(&name, &by_language));
        }
        let _: Result<(), CallError> = self.servers.call(&name, self.budget, &delete).await;
    }

    /// Gives the lease of `key` back.
    pub(super) async fn end_lease(&self, key: &Key) {
        self.leases.end(&self.place(key)).await;
    }

    async fn read(&self, at: &str, named: &Named<'_>) -> Result<Value, Answer> {
        let get = get_at_most(at, self.max_value);
        let left = Cmd::new().arg("PTTL").arg(at).to_owned();
        let asked = self.servers.call_beside(at, self.budget, [&get, &left]);
        let (bytes, left): (Bytes, Option<i64>) = match asked.await {
            Ok(replies) => replies,
            Err(CallError::WrongType) => {
                self.discard(at); // another program's value under our name
                return Err(Answer::None);
            }
            Err(
                CallError::Out
                | CallError::Timeout
                | CallError::Failed
                | CallError::Refused
                | CallError::Full
                | CallError::Moved,
            ) => return Err(Answer::Unavailable),
        };
        if bytes.is_empty() {
            self.metrics.redis.call(RedisCall::Miss);
            return Err(Answer::None);
        }
        if bytes.len() as u64 > self.max_value {
            tracing::debug!(
                key = at,
                "a value in redis is larger than any of ours and is deleted"
            );
            self.discard(at);
            return Err(Answer::None);
        }
        let read = Read {
            at: self.clock.times(),
            left: left
                .and_then(|left| u64::try_from(left).ok()) // negative where it is gone by now, or kept for ever
                .map(Duration::from_millis),
        };
        match codec::decode(&bytes, named.key, &named.id, read) {
            Ok(value) => Ok(value),
            Err(error) => {
                tracing::debug!(key = at, %error, "a value in redis does not check out and is deleted");
                self.discard(at);
                Err(Answer::None)
            }
        }
    }

    /// Deletes what does not check out; the request does not wait for that.
    fn discard(&self, at: &str) {
        self.metrics.redis.call(RedisCall::Corrupt);
        let (servers, budget, at) = (self.servers.clone(), self.budget, at.to_owned());
        self.tasks.spawn(async move {
            let delete = Cmd::new().arg("DEL").arg(&at).to_owned();
            let _: Result<(), CallError> = servers.call(&at, budget, &delete).await;
        });
    }

    async fn write(&self, at: &str, value: Vec<u8>, ttl: Duration) {
        if value.len() as u64 > self.max_value {
            return self.metrics.redis.call(RedisCall::WriteDropped); // nobody would read it
        }
        let large = value.len() > LARGE;
        let mut command = Cmd::new();
        command
            .arg("SET")
            .arg(at)
            .arg(value)
            .arg("PX")
            .arg(millis(ttl));
        let written: Result<(), CallError> = if large {
            // It takes longer than the budget of a small read, and nobody waits for it.
            let limit = self.budget * 20;
            self.servers.call_alone(at, limit, &command).await
        } else {
            self.servers.call(at, self.budget, &command).await
        };
        match written {
            Ok(()) => self.metrics.redis.call(RedisCall::Written),
            Err(_) => self.metrics.redis.call(RedisCall::WriteDropped),
        };
    }

    fn named<'k>(&self, key: &'k Key) -> Named<'k> {
        let id = self.secret.of_key(key.as_bytes());
        let name = format!("{}:v1:{{{}}}", self.prefix, hex(&id));
        Named { key, id, name }
    }

    fn name(&self, key: &Key) -> String {
        self.named(key).name
    }
}

/// Reads what is at `at`, and of what is longer than `most` bytes one byte more than that. Nothing there, or nothing in it, is
/// read as no bytes.
fn get_at_most(at: &str, most: u64) -> Cmd {
    let last = most.min(i64::MAX as u64); // a position, counted from 0
    let mut get = Cmd::new();
    get.arg("GETRANGE").arg(at).arg(0).arg(last);
    get
}

/// Never none, which would be no TTL.
fn millis(ttl: Duration) -> u64 {
    u64::try_from(ttl.as_millis()).unwrap_or(u64::MAX).max(1)
}

fn variant_name(name: &str, selecting: &Selecting) -> String {
    let mut hash = Sha256::new();
    for (field, value) in selecting.parts() {
        hash.update(field.as_str());
        hash.update(match value {
            Some(_) => b":+",
            None => b":-",
        });
        let value = value.as_deref().unwrap_or_default();
        hash.update((value.len() as u64).to_be_bytes());
        hash.update(value);
    }
    format!("{name}:{}", hex(&hash.finalize()[..16]))
}

fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    bytes
        .iter()
        .flat_map(|byte| [byte >> 4, byte & 15])
        .map(|nibble| char::from(DIGITS[usize::from(nibble)]))
        .collect()
}
