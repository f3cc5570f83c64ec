//! Lookups. What is in the way of one is a miss: a server that does not answer, no place among those under way, a value that
//! does not check out. It is never an error.

use super::{
    alone::Large,
    commands::{INLINE, delete, get_at_most, left_of, patience},
    error::CallError,
    names::{self, Named, Names},
    servers::Servers,
};
use crate::{
    clock::Clock,
    metrics::{Metrics, RedisCall},
    semantics::{
        Key,
        vary::{Selecting, Selects},
    },
    store::{
        codec::{self, DecodeError, Elsewhere, Note, Value},
        entry::Entry,
    },
};
use bytes::Bytes;
use http::HeaderMap;
use std::{sync::Arc, time::Duration};
use tokio::time::Instant;
use tokio_util::task::TaskTracker;

/// A body that is larger when it is inflated than this, in bytes, is inflated off the workers.
const INFLATED_HERE: u64 = 256 << 10;

/// What the tier has for a request.
#[derive(Debug)]
pub(in crate::store) enum Answer {
    /// A response that this request selects.
    Match(Box<Entry>),
    /// Responses for this URI that other requests select.
    Other,
    /// Nothing, or nothing that checks out.
    None,
    /// No answer within the budget, no place to ask for one, or Redis is out.
    Unavailable,
}

/// See the module docs.
#[derive(Debug)]
pub(super) struct Reader {
    pub(super) servers: Servers,
    pub(super) names: Arc<Names>,
    pub(super) budget: Duration,
    pub(super) clock: Clock,
    /// No larger body comes out of a value, in bytes.
    pub(super) max_object: u64,
    /// No larger value is read: whoever else writes to Redis shall not fill the memory of this process. In bytes.
    pub(super) max_value: u64,
    pub(super) metrics: Arc<Metrics>,
    pub(super) tasks: TaskTracker,
}

/// What was found under a name.
enum Found {
    Entry(Box<Entry>),
    Note(Note),
}

/// Bytes that were read for a key, to be made a value of.
struct Fetched {
    bytes: Bytes,
    key: Key,
    id: codec::Id,
    read: codec::Read,
}

impl Reader {
    /// The response for `key` that a request with these fields selects: one round trip where it has one variant, two where it
    /// has several, and the pieces of a large one.
    ///
    /// Cancel safe: an abandoned reply is never taken for another one's.
    pub(super) async fn get(&self, key: &Key, request: &HeaderMap) -> Answer {
        let named = self.names.of(key);
        match self.look_up(&named, request).await {
            Err(answer) => answer,
            Ok(entry) => {
                self.metrics.redis.call(RedisCall::Hit);
                let selects = Selects::new(request, &self.names.secret);
                if entry.head.is_selected_by(&selects) {
                    Answer::Match(entry)
                } else {
                    Answer::Other
                }
            }
        }
    }

    async fn look_up(&self, named: &Named<'_>, request: &HeaderMap) -> Result<Box<Entry>, Answer> {
        let end = Instant::now() + self.budget;
        let note = match self.read(&named.main(), named, end).await? {
            Found::Entry(entry) => return Ok(entry),
            Found::Note(note) => note,
        };
        for values in self.selected(&note, request) {
            match self.read(&named.variant(values), named, end).await {
                Ok(Found::Entry(entry)) => return Ok(entry),
                Ok(Found::Note(_)) | Err(Answer::None) => {}
                Err(answer) => return Err(answer),
            }
        }
        Err(Answer::Other)
    }

    /// The variants that `request` may select: by its values, or in the language that it likes best.
    fn selected(&self, note: &Note, request: &HeaderMap) -> Vec<[u8; 16]> {
        let selects = Selects::new(request, &self.names.secret);
        let selecting = Selecting::by_names(note.names.clone(), &selects);
        let language = selecting.by_preferred_language(&selects);
        let language = language.as_ref().map(names::values);
        let selected: Vec<_> = note
            .candidates(names::values(&selecting), language)
            .collect();
        if selected.is_empty() {
            self.metrics.redis.call(RedisCall::Miss);
        }
        selected
    }

    async fn read(&self, at: &str, named: &Named<'_>, end: Instant) -> Result<Found, Answer> {
        let commands = [get_at_most(at, INLINE), left_of(at)];
        let asked = self.servers.look_up::<Bytes, i64>(at, end, commands).await;
        let (bytes, left) = asked.map_err(|error| self.unread(at, error))?;
        let fetched = self.fetched(named, bytes, left);
        if fetched.bytes.is_empty() {
            self.metrics.redis.call(RedisCall::Miss);
            return Err(Answer::None);
        }
        if fetched.bytes.len() as u64 > INLINE {
            return Err(self.discard(at, "it is longer than any of ours"));
        }
        let read = fetched.read;
        let value = match fetched.decode(INFLATED_HERE.min(self.max_object)) {
            Err(DecodeError::Inflated) => self.decode_elsewhere(fetched).await,
            decoded => decoded,
        };
        match value {
            Ok(Value::Entry(entry)) => Ok(Found::Entry(entry)),
            Ok(Value::Note(note)) => Ok(Found::Note(note)),
            Ok(Value::Elsewhere(elsewhere)) => {
                self.read_large(at, named, elsewhere, read.left).await
            }
            Err(error) => Err(self.discard(at, &error.to_string())),
        }
    }

    async fn read_large(
        &self,
        at: &str,
        named: &Named<'_>,
        elsewhere: Elsewhere,
        left: Option<Duration>,
    ) -> Result<Found, Answer> {
        let Elsewhere { length, checksum } = elsewhere;
        if length > self.max_value {
            return Err(self.discard(at, "it is longer than any of ours"));
        }
        let begun = Instant::now();
        let large = Large {
            at: &names::whole(at),
            length,
            checksum,
            patience: self.budget * 10,
            end: begun + patience(self.budget, length),
        };
        let asked = self.servers.read_alone(large).await;
        let bytes = asked.map_err(|error| self.unread(at, error))?;
        if bytes.is_empty() {
            self.metrics.redis.call(RedisCall::Miss); // evicted, or another one has taken its place
            return Err(Answer::None);
        }
        let mut fetched = self.fetched(named, bytes, None);
        // Both were written at once, and what was left was asked for before the pieces were.
        fetched.read.left = left.map(|left| left.saturating_sub(begun.elapsed()));
        match self.decode_elsewhere(fetched).await {
            Ok(Value::Entry(entry)) => Ok(Found::Entry(entry)),
            Ok(Value::Note(_) | Value::Elsewhere(_)) => {
                Err(self.discard(at, "what is large is no response"))
            }
            Err(error) => Err(self.discard(at, &error.to_string())),
        }
    }

    fn fetched(&self, named: &Named<'_>, bytes: Bytes, left: Option<i64>) -> Fetched {
        Fetched {
            bytes,
            key: named.key.clone(),
            id: named.id,
            read: codec::Read {
                at: self.clock.times(),
                left: left
                    .and_then(|left| u64::try_from(left).ok()) // negative where it is gone by now, or kept for ever
                    .map(Duration::from_millis),
                max_body: self.max_object,
            },
        }
    }

    /// Off the workers: what is large takes time.
    async fn decode_elsewhere(&self, fetched: Fetched) -> Result<Value, DecodeError> {
        let max = self.max_object;
        let decoding = tokio::task::spawn_blocking(move || fetched.decode(max));
        decoding.await.unwrap_or(Err(DecodeError::Field))
    }

    fn unread(&self, at: &str, error: CallError) -> Answer {
        match error {
            CallError::WrongType => self.discard(at, "another program's value under our name"),
            CallError::Out
            | CallError::Timeout
            | CallError::Busy
            | CallError::NoScript
            | CallError::Failed
            | CallError::Refused
            | CallError::Full
            | CallError::Moved => Answer::Unavailable,
        }
    }

    /// Deletes what does not check out; the request does not wait for that.
    fn discard(&self, at: &str, why: &str) -> Answer {
        tracing::debug!(
            key = at,
            why,
            "a value in redis does not check out and is deleted"
        );
        self.metrics.redis.call(RedisCall::Corrupt);
        let (servers, budget, at) = (self.servers.clone(), self.budget, at.to_owned());
        self.tasks.spawn(async move {
            let both = delete(&[names::whole(&at), at.clone()]);
            let _: Result<(), CallError> = servers.call(&at, budget, &both).await;
        });
        Answer::None
    }
}

impl Fetched {
    fn decode(&self, max_body: u64) -> Result<Value, DecodeError> {
        let read = codec::Read {
            max_body,
            ..self.read
        };
        codec::decode(&self.bytes, &self.key, &self.id, read)
    }
}
