//! Writes. One round trip keeps a response, with the note of its variants and with what is large of it, unless a newer one is
//! there. Where the server runs no scripts for us the last one to write wins.

use super::{
    commands::{INLINE, delete, get_at_most, left_of, millis, patience, set},
    error::CallError,
    names::{self, Named, Names},
    servers::Servers,
};
use crate::{
    clock::Clock,
    metrics::{Metrics, RedisCall, WriteDrop},
    semantics::{Key, vary::Selecting},
    store::{
        codec::{self, MAX_VARIANTS, Member, Note, Stamp, Value, Written},
        entry::Entry,
    },
};
use ::redis::{Cmd, Pipeline};
use bytes::Bytes;
use parking_lot::Mutex;
use std::{sync::Arc, time::Duration};
use tokio::{
    sync::{Semaphore, SemaphorePermit},
    time::Instant,
};

const SCRIPT: &str = include_str!("keep.lua");

/// By what Redis knows it once it has seen it.
const SCRIPT_SHA1: &str = "8bae28a235517a8d2a104a811bc9efb152f24ca1";

/// For how long a server that runs no scripts for us is not asked to.
const WITHOUT_SCRIPTS: Duration = Duration::from_secs(60);

/// What may be on its way over the shared connections at once, in KiB: the questions of those who wait go the same way.
const MAX_INLINE_KIB: usize = 512;

/// More than the note of variants has, in bytes.
const MAX_NOTE: u64 = 4095;

/// See the module docs.
#[derive(Debug)]
pub(super) struct Writer {
    pub(super) servers: Servers,
    pub(super) names: Arc<Names>,
    pub(super) budget: Duration,
    pub(super) compress_above: Option<u64>,
    pub(super) clock: Clock,
    /// No larger value is written: nobody would read it. In bytes.
    pub(super) max_value: u64,
    pub(super) metrics: Arc<Metrics>,
    pub(super) room: Room,
    pub(super) without_scripts: Mutex<Option<Instant>>,
}

/// What may be on its way at once. What waits here waits for nobody but us.
#[derive(Debug)]
pub(super) struct Room {
    /// In KiB.
    inline: Semaphore,
    /// Large values, by number.
    large: Semaphore,
}

impl Room {
    /// Reads have most of the connections for large values.
    pub(super) fn new(pool_size: usize) -> Self {
        Self {
            inline: Semaphore::new(MAX_INLINE_KIB),
            large: Semaphore::new((pool_size / 4).max(1)),
        }
    }
}

impl Room {
    /// A place for what weighs so many bytes.
    async fn place(&self, weight: u64) -> Option<SemaphorePermit<'_>> {
        if weight > INLINE {
            return self.large.acquire().await.ok();
        }
        let kib = u32::try_from(weight / 1024 + 1).ok()?;
        self.inline.acquire_many(kib).await.ok()
    }
}

/// What is to be written.
struct Put {
    at: String,
    /// What stands at `at`.
    value: Vec<u8>,
    /// What stands beside it, where it is large.
    whole: Option<Vec<u8>>,
    ttl: Duration,
    stamp: Stamp,
    variant: Option<Variant>,
}

/// One of several responses of a key.
struct Variant {
    main: String,
    note: Vec<u8>,
    member: Member,
}

/// What has no place among the variants any more; `None` where a newer response is there.
type Gone = Option<Vec<[u8; 16]>>;

impl Writer {
    /// Keeps `entry` for `ttl`.
    pub(super) async fn put(&self, entry: &Arc<Entry>, ttl: Duration) {
        match self.try_put(entry, ttl).await {
            Ok(()) => self.metrics.redis.call(RedisCall::Written),
            Err(reason) => self.metrics.redis.dropped(reason),
        }
    }

    async fn try_put(&self, entry: &Arc<Entry>, ttl: Duration) -> Result<(), WriteDrop> {
        let named = self.names.of(&entry.key);
        let _place = self.room.place(entry.weight()).await;
        let written = Written {
            at: self.clock.times(),
            ttl,
        };
        let value = self.encoded(entry, named.id, written).await;
        let value = value.ok_or(WriteDrop::TooLarge)?;
        if value.len() as u64 > self.max_value {
            return Err(WriteDrop::TooLarge);
        }
        let put = Put::of(entry, &named, value, written).ok_or(WriteDrop::TooLarge)?;
        let gone = self.keep(&put).await.map_err(reason)?;
        let gone = gone.ok_or(WriteDrop::Older)?;
        self.delete_variants(&named, &gone).await;
        Ok(())
    }

    /// The value of `entry`; what is large is made off the workers.
    async fn encoded(
        &self,
        entry: &Arc<Entry>,
        id: codec::Id,
        written: Written,
    ) -> Option<Vec<u8>> {
        let above = self.compress_above;
        let length = entry.body.len() as u64;
        if length <= INLINE && above.is_none_or(|above| length <= above) {
            return codec::encode_entry(entry, &id, None, written);
        }
        let entry = Arc::clone(entry);
        let encoding =
            tokio::task::spawn_blocking(move || codec::encode_entry(&entry, &id, above, written));
        encoding.await.ok()?
    }

    async fn keep(&self, put: &Put) -> Result<Gone, CallError> {
        let asked_before = *self.without_scripts.lock();
        if asked_before.is_some_and(|asked| asked.elapsed() < WITHOUT_SCRIPTS) {
            return self.keep_whatever_is_there(put).await;
        }
        let mut reply = self.run(put, ("EVALSHA", SCRIPT_SHA1)).await;
        if reply == Err(CallError::NoScript) {
            reply = self.run(put, ("EVAL", SCRIPT)).await;
        }
        match reply {
            // It may be full, or refuse only scripts.
            Err(CallError::Refused) => {
                let kept = self.keep_whatever_is_there(put).await?;
                *self.without_scripts.lock() = Some(Instant::now());
                tracing::debug!("redis runs no scripts for this user: the last to write wins");
                Ok(kept)
            }
            Err(error) => Err(error),
            Ok(None) => Ok(None),
            Ok(Some(gone)) => Ok(Some(
                gone.iter()
                    .filter_map(|values| values.as_ref().try_into().ok())
                    .collect(),
            )),
        }
    }

    async fn run(
        &self,
        put: &Put,
        (name, script): (&str, &str),
    ) -> Result<Option<Vec<Bytes>>, CallError> {
        let (position, variant) = (put.stamp.position, put.variant.as_ref());
        let place = [position.0.to_be_bytes(), position.1.to_be_bytes()].concat();
        let mut command = Cmd::new();
        command.arg(name).arg(script);
        command.arg(if variant.is_some() { 3 } else { 2 });
        command.arg(&put.at).arg(names::whole(&put.at));
        if let Some(variant) = variant {
            command.arg(&variant.main);
        }
        command.arg(&put.value).arg(millis(put.ttl)).arg(place);
        command.arg(u64::try_from(put.stamp.age.as_millis()).unwrap_or(u64::MAX));
        command.arg(put.whole.as_deref().unwrap_or_default());
        if let Some(Variant { note, member, .. }) = variant {
            command
                .arg(note)
                .arg(&member.to_bytes()[..])
                .arg(MAX_VARIANTS);
        }
        self.send(put, &command).await
    }

    /// What is large goes over a connection of its own: it takes longer than the budget of a small read, and nobody waits for it.
    async fn send<T: ::redis::FromRedisValue + Send + 'static>(
        &self,
        put: &Put,
        command: &Cmd,
    ) -> Result<T, CallError> {
        match &put.whole {
            Some(whole) => {
                let limit = patience(self.budget, whole.len() as u64);
                self.servers.call_alone(&put.at, limit, command).await
            }
            None => self.servers.call(&put.at, self.budget, command).await,
        }
    }

    /// As [`Self::keep`], without a script: another replica may come in between, and then its variant is fetched once more.
    async fn keep_whatever_is_there(&self, put: &Put) -> Result<Gone, CallError> {
        if let Some(whole) = &put.whole {
            let whole = set(&names::whole(&put.at), whole, put.ttl);
            self.send::<()>(put, &whole).await?;
        }
        let mut pipeline = Pipeline::new();
        pipeline.add_command(set(&put.at, &put.value, put.ttl));
        let mut gone = Vec::new();
        if let Some(variant) = &put.variant {
            let (note, left) = self.note(&variant.main, variant.note.len()).await?;
            let (members, surplus) = match note {
                Some(note) => note.with(variant.member),
                None => (vec![variant.member], Vec::new()),
            };
            gone.extend(surplus.iter().map(|member| member.values));
            let members = members.into_iter().flat_map(Member::to_bytes);
            let note: Vec<u8> = variant.note.iter().copied().chain(members).collect();
            pipeline.add_command(set(&variant.main, &note, put.ttl.max(left)));
        }
        let () = self
            .servers
            .call_many(&put.at, self.budget, &pipeline)
            .await?;
        Ok(Some(gone))
    }

    /// The note that is there, where it is about the same fields, and what is left of its TTL.
    async fn note(&self, at: &str, length: usize) -> Result<(Option<Note>, Duration), CallError> {
        let get = get_at_most(at, MAX_NOTE);
        let there = self.servers.call::<Bytes>(at, self.budget, &get).await;
        let there = match there {
            Err(CallError::WrongType) => Bytes::new(),
            there => there?,
        };
        let left = self
            .servers
            .call::<i64>(at, self.budget, &left_of(at))
            .await;
        let left = u64::try_from(left.unwrap_or(-1)).unwrap_or(0);
        let read = codec::Read {
            at: self.clock.times(),
            left: None,
            max_body: 0,
        };
        let nobody = Key::from_stored(Bytes::new());
        let note = match codec::decode(&there, &nobody, &[0; 32], read) {
            Ok(Value::Note(note)) => Some(note),
            Ok(Value::Entry(_) | Value::Elsewhere(_)) | Err(_) => None,
        };
        let same = note.filter(|note| there.len() == length + note.members.len() * Member::BYTES);
        Ok((same, Duration::from_millis(left)))
    }

    async fn delete_variants(&self, named: &Named<'_>, gone: &[[u8; 16]]) {
        if gone.is_empty() {
            return;
        }
        let names: Vec<String> = gone
            .iter()
            .map(|values| named.variant(*values))
            .flat_map(|at| [names::whole(&at), at])
            .collect();
        let at = named.main();
        let _: Result<(), CallError> = self.servers.call(&at, self.budget, &delete(&names)).await;
    }

    /// Deletes what is kept of `entry`, or of what has taken its place: then that is fetched once more.
    pub(super) async fn delete(&self, entry: &Entry) {
        let named = self.names.of(&entry.key);
        let selecting = &entry.head.selecting;
        let at = if selecting.is_empty() {
            named.main()
        } else {
            named.variant(names::values(selecting))
        };
        let both = delete(&[names::whole(&at), at.clone()]);
        let _: Result<(), CallError> = self.servers.call(&at, self.budget, &both).await;
    }
}

impl Put {
    fn of(entry: &Entry, named: &Named<'_>, value: Vec<u8>, written: Written) -> Option<Self> {
        let stamp = codec::stamp(entry, written);
        let selecting = &entry.head.selecting;
        let variant = (!selecting.is_empty())
            .then(|| Variant::of(entry, named, selecting, stamp))
            .flatten();
        let at = match &variant {
            Some(variant) => named.variant(variant.member.values),
            None => named.main(),
        };
        let is_large = value.len() as u64 > INLINE;
        let (value, whole) = if is_large {
            (codec::encode_elsewhere(&value)?, Some(value))
        } else {
            (value, None)
        };
        Some(Self {
            at,
            value,
            whole,
            ttl: written.ttl,
            stamp,
            variant,
        })
    }
}

impl Variant {
    fn of(entry: &Entry, named: &Named<'_>, selecting: &Selecting, stamp: Stamp) -> Option<Self> {
        let language = selecting.by_language_of(&entry.head.headers);
        Some(Self {
            main: named.main(),
            note: codec::encode_note(selecting.names(), stamp)?,
            member: Member {
                values: names::values(selecting),
                language: language.as_ref().map(names::values).unwrap_or_default(),
            },
        })
    }
}

/// Why a write is dropped.
fn reason(error: CallError) -> WriteDrop {
    match error {
        CallError::Out => WriteDrop::Out,
        CallError::Timeout | CallError::Busy => WriteDrop::Timeout,
        CallError::Refused | CallError::Full | CallError::WrongType | CallError::NoScript => {
            WriteDrop::Refused
        }
        CallError::Failed | CallError::Moved => WriteDrop::Failed,
    }
}
