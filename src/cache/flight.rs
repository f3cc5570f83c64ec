//! Concurrent misses share one fetch. It belongs to the key: it goes on when the client that began it has left.
//!
//! The request that begins a fetch is its *leader*, those that wait for it are *followers*. They are woken by the head of
//! the response. Where it may be shared, all read the same buffer as it fills; where it may not, each goes on alone at
//! once, and for a short time nobody queues for that key at all.

mod allowance;
mod buffer;
mod coded;
mod reading;
#[cfg(test)]
mod tests;

#[cfg(test)]
pub(super) use self::buffer::STANDSTILL;
pub(super) use self::{
    buffer::{Buffer, Limits, Overflow},
    coded::Coded,
    reading::{Reading, Seat},
};

use self::{
    allowance::{Allowance, Purpose},
    coded::Codings,
};
use super::variants::Boarding;
use crate::{
    message::Stream,
    metrics::Metrics,
    origin::FetchError,
    semantics::{Coding, Key, Refusal, Storage, StoredHead},
    store::Entry,
};
use http::{HeaderMap, Response, StatusCode};
use parking_lot::Mutex;
use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, OnceLock},
};
use tokio::sync::{oneshot, watch};

/// What a fetch brought, as far as its followers need to know.
#[derive(Clone, Debug)]
pub(super) enum Fetched {
    /// A whole response, now in the store.
    Stored(Arc<Entry>, Provenance),
    /// The head of one whose body arrives in the flight's buffer.
    Streaming(Arc<StoredHead>),
    /// One that may not be shared: it is for the leader.
    NotShared,
    /// None.
    Failed(FetchError),
}

/// Where a stored response comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Provenance {
    /// The origin sent it.
    Origin,
    /// The origin confirmed what was stored ([RFC 9111 §4.3]).
    ///
    /// [RFC 9111 §4.3]: https://www.rfc-editor.org/rfc/rfc9111#section-4.3
    Validated,
    /// The origin confirmed what was stored, and forbids to use it another time.
    ValidatedOnce,
    /// Another replica fetched it.
    Replica,
    /// The origin failed, with this status if it gave one, and what was stored may be used ([RFC 5861 §4]).
    ///
    /// [RFC 5861 §4]: https://www.rfc-editor.org/rfc/rfc5861#section-4
    StaleIfError(Option<StatusCode>),
}

/// What the client of the leader gets: more than its followers, because the response was made for it.
pub(super) enum OwnAnswer {
    /// A stored response, and the fields that it was stored without (`Set-Cookie`, `private="…"`).
    Stored {
        entry: Arc<Entry>,
        provenance: Provenance,
        withheld: HeaderMap,
    },
    /// A response that is being collected, from its first byte on.
    Streaming {
        head: Arc<StoredHead>,
        flight: Arc<Flight>,
        body: Reading,
        withheld: HeaderMap,
        /// What can be said of that already.
        storage: Storage,
    },
    /// A response that may not be shared.
    NotShared(Response<Stream>, Refusal),
    /// None.
    Failed(FetchError),
}

/// One fetch, as its followers see it.
pub(super) struct Flight {
    /// How many purges were known when it began: who comes after another one is not to be given what was before it.
    began: u64,
    fetched: watch::Sender<Option<Fetched>>,
    /// The body as it arrives.
    buffer: Arc<Buffer>,
    /// The same in content codings.
    codings: OnceLock<Arc<Codings>>,
    /// What became of it in the store.
    stored: OnceLock<Arc<Entry>>,
    allowance: Arc<Allowance>,
}

impl fmt::Debug for Flight {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Flight")
            .field("began", &self.began)
            .finish_non_exhaustive()
    }
}

impl Flight {
    fn new(began: u64, allowance: &Arc<Allowance>) -> Arc<Self> {
        Arc::new(Self {
            began,
            fetched: watch::Sender::new(None),
            buffer: Arc::new(Buffer::new(allowance, Purpose::Store)),
            codings: OnceLock::new(),
            stored: OnceLock::new(),
            allowance: Arc::clone(allowance),
        })
    }

    /// Whether the head of the response has not come yet.
    pub(super) fn is_waited_for(&self) -> bool {
        self.fetched.borrow().is_none()
    }

    /// The whole response, once it is in the store: better than to read on as it arrived.
    pub(super) fn stored(&self) -> Option<&Arc<Entry>> {
        self.stored.get()
    }

    /// The body that `identity` reads from its beginning, in `coding`.
    pub(super) fn in_coding(&self, coding: Coding, identity: Reading) -> Coded {
        let codings = self.codings.get_or_init(Arc::default);
        codings.of(coding, identity, &self.allowance)
    }

    /// Waits for what the fetch brings. Ends by itself: the fetch has its own limits, and a panic in it is a failure.
    pub(super) async fn fetched(&self) -> Fetched {
        let mut receiver = self.fetched.subscribe();
        let fetched = receiver.wait_for(Option::is_some).await;
        let fetched = fetched.map(|fetched| fetched.clone());
        fetched
            .ok()
            .flatten()
            .unwrap_or(Fetched::Failed(FetchError::Abandoned))
    }

    /// Says what the fetch brought. The first word counts.
    fn finish(&self, fetched: Fetched) {
        self.fetched.send_if_modified(|current| {
            let first = current.is_none();
            if first {
                *current = Some(fetched);
            }
            first
        });
    }
}

/// Whose fetch a request waits for.
pub(super) enum Role {
    /// Its own: it has to begin it.
    Leader(Leader, Own),
    /// Another one's, with a seat for its body.
    Follower(Arc<Flight>, Seat),
}

/// The leading client's end of a fetch.
pub(super) struct Own(oneshot::Receiver<OwnAnswer>);

impl Own {
    /// Waits for the answer; a fetch that panicked has failed.
    pub(super) async fn answer(self) -> OwnAnswer {
        let abandoned = |_| OwnAnswer::Failed(FetchError::Abandoned);
        self.0.await.unwrap_or_else(abandoned)
    }
}

/// Flights by who shares them; several, so that they rarely wait for each other.
type Stripe = Mutex<HashMap<Boarding, Arc<Flight>, foldhash::quality::RandomState>>;

const STRIPES: usize = 16;

/// All flights under way.
#[derive(Debug)]
pub(super) struct Flights {
    listed: Arc<[Stripe; STRIPES]>,
    allowance: Arc<Allowance>,
    metrics: Arc<Metrics>,
}

impl Flights {
    pub(super) fn new(metrics: Arc<Metrics>) -> Self {
        Self {
            listed: Arc::new(std::array::from_fn(|_| Mutex::default())),
            allowance: Allowance::new(Arc::clone(&metrics)),
            metrics,
        }
    }

    /// Joins the flight that is for `boarding`, or begins one that others may join. One that began before the last of `purges` is not
    /// joined: it may bring what was purged since.
    pub(super) fn join_or_lead(&self, boarding: Boarding, purges: u64) -> Role {
        let mut listed = self.listed[stripe(&boarding.caller.key)].lock();
        let flight = listed.get(&boarding);
        if let Some(flight) = flight.filter(|flight| flight.began >= purges) {
            return Role::Follower(Arc::clone(flight), Seat::of(&flight.buffer));
        }
        let flight = Flight::new(purges, &self.allowance);
        listed.insert(boarding.clone(), Arc::clone(&flight));
        let (leader, own) = self.leader(flight, Some(boarding));
        Role::Leader(leader, own)
    }

    /// Begins a flight that nobody can join.
    pub(super) fn lead_alone(&self, purges: u64) -> (Leader, Own) {
        self.leader(Flight::new(purges, &self.allowance), None)
    }

    fn leader(&self, flight: Arc<Flight>, boarding: Option<Boarding>) -> (Leader, Own) {
        self.metrics.flights.inc();
        let (own, receiver) = oneshot::channel();
        let leader = Leader {
            flight,
            own: Some(own),
            boarding,
            listed: Arc::clone(&self.listed),
            metrics: Arc::clone(&self.metrics),
        };
        (leader, Own(receiver))
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

/// The right and the duty to end a flight: when this is dropped nobody waits for it any more.
pub(super) struct Leader {
    flight: Arc<Flight>,
    own: Option<oneshot::Sender<OwnAnswer>>,
    boarding: Option<Boarding>,
    listed: Arc<[Stripe; STRIPES]>,
    metrics: Arc<Metrics>,
}

impl Leader {
    /// Whether others may join.
    pub(super) fn is_shared(&self) -> bool {
        self.boarding.is_some()
    }

    /// The body as it arrives.
    pub(super) fn buffer(&self) -> &Arc<Buffer> {
        &self.flight.buffer
    }

    /// Nobody joins from now on.
    pub(super) fn close(&self) {
        if let Some(boarding) = &self.boarding {
            let mut listed = self.listed[stripe(&boarding.caller.key)].lock();
            // By identity: another flight of the same key may have begun.
            if listed
                .get(boarding)
                .is_some_and(|flight| Arc::ptr_eq(flight, &self.flight))
            {
                listed.remove(boarding);
            }
        }
    }

    /// The fetch brought a stored response; `withheld` are the fields that it was stored without.
    pub(super) fn stored(
        &mut self,
        entry: Arc<Entry>,
        provenance: Provenance,
        withheld: HeaderMap,
    ) {
        self.flight
            .finish(Fetched::Stored(Arc::clone(&entry), provenance));
        self.answer(OwnAnswer::Stored {
            entry,
            provenance,
            withheld,
        });
    }

    /// Whether others wait for what this brings. Nobody joins them once it is closed.
    pub(super) fn has_followers(&self) -> bool {
        self.flight.buffer.is_expected()
    }

    /// The body of a response that others may read begins to arrive in the buffer. Its own client reads from the first byte
    /// on, however much of it is dropped later, and is told what becomes of it in the store.
    pub(super) fn streaming(
        &mut self,
        head: Arc<StoredHead>,
        withheld: HeaderMap,
        storage: Storage,
    ) {
        let waits = self.own.as_ref().is_some_and(|own| !own.is_closed());
        if let Some(body) = waits.then(|| Reading::of(&self.flight.buffer)).flatten() {
            self.answer(OwnAnswer::Streaming {
                head: Arc::clone(&head),
                flight: Arc::clone(&self.flight),
                body,
                withheld,
                storage,
            });
        }
        self.flight.finish(Fetched::Streaming(head));
    }

    /// The body that has arrived is stored, and there its readers go on.
    pub(super) fn settle(&self, entry: &Arc<Entry>) {
        let _ = self.flight.stored.set(Arc::clone(entry));
        self.flight.buffer.settle(entry.body.clone());
    }

    /// The response may not be shared: it goes to its own client alone.
    pub(super) fn not_shared(&mut self, response: Response<Stream>, refusal: Refusal) {
        self.flight.finish(Fetched::NotShared);
        self.answer(OwnAnswer::NotShared(response, refusal));
    }

    /// The fetch brought nothing.
    pub(super) fn failed(&mut self, error: FetchError) {
        self.flight.finish(Fetched::Failed(error.clone()));
        self.answer(OwnAnswer::Failed(error));
    }

    /// The first answer counts. A client that has left needs none.
    fn answer(&mut self, answer: OwnAnswer) {
        if let Some(own) = self.own.take() {
            drop(own.send(answer));
        }
    }
}

impl Drop for Leader {
    fn drop(&mut self) {
        self.close();
        self.failed(FetchError::Abandoned); // no effect unless the fetch panicked
        self.flight.buffer.abandon();
        self.metrics.flights.dec();
    }
}
