//! Concurrent misses share one fetch. It belongs to the key: it goes on when the client that began it has left.
//!
//! Whoever waits is woken by the head of the response. Where it may be shared, all read the same buffer as it fills;
//! where it may not, each goes on alone at once, and for a short time nobody queues for that key at all.

#[path = "flight/buffer.rs"]
mod buffer;

pub(super) use self::buffer::{Buffer, Overflow};

use super::{
    body::Stream,
    upstream::{UpstreamBody, UpstreamError},
};
use crate::{
    metrics::Metrics,
    semantics::{Key, Refusal, StoredHead},
    store::Entry,
};
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode};
use parking_lot::Mutex;
use quick_cache::sync::Cache;
use std::{collections::HashMap, fmt, hash::BuildHasher, sync::Arc, time::Duration};
use tokio::{sync::watch, time::Instant};

/// For how long nobody waits for another one's fetch of a key whose answer could not be shared.
const UNCACHEABLE_MEMORY: Duration = Duration::from_secs(5);

/// Keys that are remembered as not worth waiting for, by hash: a key may be as long as a request head, and one that
/// collides is only fetched without waiting.
const MAX_UNCACHEABLE: usize = 10_000;

/// What a fetch brought, as far as those who wait for it need to know.
#[derive(Clone, Debug)]
pub(super) enum Landing {
    /// A whole response, now in the store.
    Stored(Arc<Entry>, Fetched),
    /// The head of one that is being stored; the body arrives in the flight's buffer.
    Streaming(Arc<StoredHead>),
    /// One that may not be shared: it is for the client that began the flight.
    Alone(Refusal),
    /// None.
    Failed(UpstreamError),
}

/// How the entry of a landing came about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fetched {
    /// The origin sent it.
    New,
    /// The origin confirmed what was stored (304).
    Confirmed,
    /// The origin confirmed what was stored, and forbids to use it another time.
    ConfirmedOnce,
    /// Another replica fetched it.
    Elsewhere,
    /// The origin failed, with this status if it gave one, and what was stored may be used.
    StaleOnError(Option<StatusCode>),
}

/// One fetch.
pub(super) struct Flight {
    /// How many purges were known when it began: who comes after another one is not to be given what was before it.
    began: u64,
    landing: watch::Sender<Option<Landing>>,
    pub(super) buffer: Arc<Buffer>,
    /// What may not be shared, for the one client that it is for.
    refused: Mutex<Option<Response<UpstreamBody>>>,
    /// The place of the client that began it, kept from before the first piece.
    leader: Mutex<Option<Stream>>,
    /// The fields that are stored without (`Set-Cookie`, `private="…"`), for the client that began it.
    withheld: Mutex<HeaderMap>,
}

impl fmt::Debug for Flight {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Flight")
            .field("began", &self.began)
            .finish_non_exhaustive()
    }
}

impl Flight {
    fn new(began: u64) -> Arc<Self> {
        Arc::new(Self {
            began,
            leader: Mutex::default(),
            withheld: Mutex::default(),
            landing: watch::Sender::new(None),
            buffer: Arc::default(),
            refused: Mutex::default(),
        })
    }

    /// Waits for the landing. Ends by itself: the fetch has its own limits, and a panic in it is a landing too.
    pub(super) async fn landing(&self) -> Landing {
        let mut receiver = self.landing.subscribe();
        let landed = receiver
            .wait_for(Option::is_some)
            .await
            .map(|landing| landing.clone());
        landed
            .ok()
            .flatten()
            .unwrap_or(Landing::Failed(UpstreamError::Abandoned))
    }

    /// Says what the fetch brought. The first word counts.
    pub(super) fn land(&self, landing: Landing) {
        self.landing.send_if_modified(|current| {
            let first = current.is_none();
            if first {
                *current = Some(landing);
            }
            first
        });
    }

    /// Hands over what may not be shared.
    pub(super) fn refuse(&self, refusal: Refusal, response: Response<UpstreamBody>) {
        *self.refused.lock() = Some(response);
        self.land(Landing::Alone(refusal));
    }

    /// Keeps a place for a client from the first piece on.
    pub(super) fn seat_leader(&self) {
        *self.leader.lock() = self.buffer.read();
    }

    /// The place of the client that began it. There once.
    pub(super) fn take_seat(&self) -> Option<Stream> {
        self.leader.lock().take()
    }

    /// Keeps what is stored without, for the client that began it.
    pub(super) fn withhold(&self, fields: HeaderMap) {
        *self.withheld.lock() = fields;
    }

    /// As [`Self::withhold`], one more.
    pub(super) fn withhold_more(&self, name: HeaderName, value: HeaderValue) {
        self.withheld.lock().append(name, value);
    }

    /// The fields that only the client that began it gets.
    pub(super) fn take_withheld(&self) -> HeaderMap {
        std::mem::take(&mut self.withheld.lock())
    }

    /// Takes what may not be shared. There once, for the client that began the flight.
    pub(super) fn take_refused(&self) -> Option<Response<UpstreamBody>> {
        self.refused.lock().take()
    }
}

/// Whose fetch a request waits for.
#[derive(Debug)]
pub(super) enum Boarding {
    /// Its own: it has to begin it.
    Lead(Departure),
    /// Another one's.
    Follow(Arc<Flight>),
}

/// Keys whose last answer could not be shared.
#[derive(Debug)]
struct Uncacheable {
    until: Cache<u64, Instant>,
    /// Nobody outside knows which keys collide.
    hasher: foldhash::quality::RandomState,
}

impl Default for Uncacheable {
    fn default() -> Self {
        Self {
            until: Cache::new(MAX_UNCACHEABLE),
            hasher: foldhash::quality::RandomState::default(),
        }
    }
}

impl Uncacheable {
    fn has(&self, party: &Party) -> bool {
        let until = self.until.get(&self.hasher.hash_one(party));
        until.is_some_and(|until| until > Instant::now())
    }

    fn add(&self, party: &Party) {
        let until = Instant::now() + UNCACHEABLE_MEMORY;
        self.until.insert(self.hasher.hash_one(party), until);
    }
}

/// Who shares a flight: requests of one key, and of those only callers with credentials, or only callers without. What
/// the first ones get may not be for others, and nobody shall wait for that.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Party {
    pub(super) key: Key,
    pub(super) private: bool,
}

/// Flights by party; several, so that they rarely wait for each other.
type Stripe = Mutex<HashMap<Party, Arc<Flight>>>;

const STRIPES: usize = 16;

/// All flights under way.
#[derive(Debug)]
pub(super) struct Flights {
    listed: Arc<[Stripe; STRIPES]>,
    uncacheable: Arc<Uncacheable>,
    metrics: Arc<Metrics>,
}

impl Flights {
    pub(super) fn new(metrics: Arc<Metrics>) -> Self {
        Self {
            listed: Arc::new(std::array::from_fn(|_| Mutex::default())),
            uncacheable: Arc::default(),
            metrics,
        }
    }

    /// Joins the flight of `key`, or begins one that others may join. One that began before the last of `purges` is not
    /// joined: it may bring what was purged since.
    pub(super) fn board(&self, party: Party, purges: u64) -> Boarding {
        let mut listed = self.listed[stripe(&party.key)].lock();
        let flight = listed.get(&party);
        if let Some(flight) = flight.filter(|flight| flight.began >= purges) {
            return Boarding::Follow(Arc::clone(flight));
        }
        let flight = Flight::new(purges);
        listed.insert(party.clone(), Arc::clone(&flight));
        Boarding::Lead(self.departure(flight, Some(party)))
    }

    /// Whether the last answer for `party` was for nobody else, a short time ago: nobody waits for another one then.
    pub(super) fn is_uncacheable(&self, party: &Party) -> bool {
        self.uncacheable.has(party)
    }

    /// So was another one.
    pub(super) fn remember_uncacheable(&self, party: &Party) {
        self.uncacheable.add(party);
    }

    /// Begins a flight that nobody can join.
    pub(super) fn alone(&self, purges: u64) -> Departure {
        self.departure(Flight::new(purges), None)
    }

    fn departure(&self, flight: Arc<Flight>, party: Option<Party>) -> Departure {
        self.metrics.flights.inc();
        Departure {
            flight,
            party,
            listed: Arc::clone(&self.listed),
            uncacheable: Arc::clone(&self.uncacheable),
            metrics: Arc::clone(&self.metrics),
        }
    }
}

fn stripe(key: &Key) -> usize {
    // The last bytes differ most: they are the end of the path or the query.
    key.as_bytes()
        .iter()
        .rev()
        .take(8)
        .fold(0_usize, |sum, byte| {
            sum.wrapping_mul(31).wrapping_add(usize::from(*byte))
        })
        % STRIPES
}

/// A flight that was begun and must end: when this is dropped nobody waits for it any more.
#[derive(Debug)]
pub(super) struct Departure {
    pub(super) flight: Arc<Flight>,
    party: Option<Party>,
    listed: Arc<[Stripe; STRIPES]>,
    uncacheable: Arc<Uncacheable>,
    metrics: Arc<Metrics>,
}

impl Departure {
    /// Whether others may join.
    pub(super) fn is_shared(&self) -> bool {
        self.party.is_some()
    }

    /// Nobody joins from now on.
    pub(super) fn close(&self) {
        if let Some(party) = &self.party {
            let mut listed = self.listed[stripe(&party.key)].lock();
            // By identity: another flight of the same key may have begun.
            if listed
                .get(party)
                .is_some_and(|flight| Arc::ptr_eq(flight, &self.flight))
            {
                listed.remove(party);
            }
        }
    }

    /// Nobody joins, and for a while nobody waits for another one's fetch of this key.
    pub(super) fn close_as_uncacheable(&self) {
        if let Some(party) = &self.party {
            self.uncacheable.add(party);
        }
        self.close();
    }
}

impl Drop for Departure {
    fn drop(&mut self) {
        self.close();
        self.flight.land(Landing::Failed(UpstreamError::Abandoned)); // no effect unless the fetch panicked
        self.flight.buffer.abandon();
        self.metrics.flights.dec();
    }
}
