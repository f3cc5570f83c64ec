//! How many requests are under way at the same time, and whose.
//!
//! A place is taken until the response has come and nothing of the request is on its way, because until then its connection is
//! in use. Whoever waits for one goes before those whose party has or waits for more. A place that its own client holds up, because it sends or reads slowly,
//! is taken from it where somebody waits (docs/adr/0018).

mod hold;
mod queue;

pub(super) use self::hold::Hold;

use self::{
    hold::Displaced,
    queue::{Full, Queue, Rank},
};
use crate::{
    message::{BodyError, Party, Stream},
    metrics::{Counter, CutOff, Gauge, Metrics},
    origin::FetchError,
};
use bytes::Bytes;
use http_body::{Frame, SizeHint};
use parking_lot::Mutex;
use std::{
    future::poll_fn,
    pin::pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};
use tokio::{
    sync::{Notify, oneshot},
    time::{Instant, sleep, timeout},
};

/// How often the first who waits looks for a place that is held up. The others sleep.
const LOOK: Duration = Duration::from_millis(50);

/// The places of one kind. Clones are of the same ones.
#[derive(Clone, Debug)]
pub(super) struct Places(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    queue: Mutex<Queue<Turn>>,
    /// How long anybody waits.
    wait: Duration,
    taken: Gauge,
    cut_off: [Counter; CutOff::ALL.len()],
}

/// How somebody who waits is told.
#[derive(Debug)]
struct Turn {
    place: oneshot::Sender<Place>,
    /// Nobody goes before this one any more.
    is_next: Arc<Notify>,
}

impl Places {
    /// At most `places` at the same time; more wait for at most `wait`. `taken` says how many are taken.
    pub(super) fn new(places: usize, wait: Duration, taken: Gauge, metrics: &Metrics) -> Self {
        Self(Arc::new(Shared {
            queue: Mutex::new(Queue::new(places)),
            wait,
            taken,
            cut_off: CutOff::ALL.map(|why| metrics.shares.cut_off(why)),
        }))
    }

    /// A place for `party`, at once or as soon as it is its turn.
    ///
    /// # Errors
    /// [`FetchError::Overloaded`] where that took too long.
    pub(super) async fn take(&self, party: Party) -> Result<Place, FetchError> {
        let waiting = match self.enter(party) {
            Ok(place) => return Ok(place),
            Err(waiting) => waiting,
        };
        let turn = timeout(self.0.wait, waiting.turn(party)).await;
        turn.map_err(|_| FetchError::Overloaded)
    }

    fn enter(&self, party: Party) -> Result<Place, Waiting> {
        let mut queue = self.0.queue.lock();
        match queue.take(party) {
            Ok(hold) => Ok(self.place(hold)),
            Err(Full) => {
                let (sender, place) = oneshot::channel();
                let is_next = Arc::new(Notify::new());
                let turn = Turn {
                    place: sender,
                    is_next: Arc::clone(&is_next),
                };
                let rank = queue.wait(party, turn);
                let places = self.clone();
                Err(Waiting {
                    places,
                    rank,
                    place,
                    is_next,
                })
            }
        }
    }

    fn place(&self, hold: Arc<Hold>) -> Place {
        self.0.taken.inc();
        let places = self.clone();
        Place { places, hold }
    }

    /// Takes a place from a client that holds it up, where there is one that gives way to `party`.
    fn make_room(&self, party: Party) {
        let now = Instant::now();
        let slowest = self.0.queue.lock().slowest(party, now);
        let Some((hold, has_less)) = slowest else {
            return;
        };
        let Some(Displaced { why, response }) = hold.displace(has_less, now) else {
            return; // it has just gone on
        };
        self.0.cut_off[why as usize].inc();
        if let Some(response) = response {
            drop(response); // and its connection
            self.end(&hold);
        }
    }

    /// Nobody needs the response of `hold` any more.
    fn end(&self, hold: &Hold) {
        if hold.end() {
            self.give_back(hold);
        }
    }

    fn give_back(&self, hold: &Hold) {
        self.0.taken.dec();
        let next = {
            let mut queue = self.0.queue.lock();
            let next = queue.give_back(hold);
            tell(queue.next());
            next
        };
        if let Some((turn, hold)) = next {
            // Whoever has left meanwhile gives it back by dropping it.
            drop(turn.place.send(self.place(hold)));
        }
    }
}

/// Whoever is next learns so. That is remembered until it is looked at.
fn tell(next: Option<&Turn>) {
    if let Some(turn) = next {
        turn.is_next.notify_one();
    }
}

/// Somebody who waits for a place. Dropping it leaves the queue.
struct Waiting {
    places: Places,
    rank: Rank,
    place: oneshot::Receiver<Place>,
    is_next: Arc<Notify>,
}

impl Waiting {
    async fn turn(mut self, party: Party) -> Place {
        loop {
            let is_next = self.places.0.queue.lock().is_next(self.rank);
            if is_next {
                self.places.make_room(party);
            }
            let news = async {
                if is_next {
                    sleep(LOOK).await;
                } else {
                    self.is_next.notified().await;
                }
            };
            tokio::select! {
                biased;
                place = &mut self.place => {
                    return place.expect("a turn is dropped with its rank, or used");
                }
                () = news => {}
            }
        }
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        tell(self.places.0.queue.lock().leave(self.rank));
    }
}

/// A request's place among those under way. Dropping it lets another one in.
#[derive(Debug)]
pub(super) struct Place {
    places: Places,
    hold: Arc<Hold>,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.places.end(&self.hold);
    }
}

/// Content on its way in a place, which is taken at least until this is dropped.
#[derive(Debug)]
pub(super) struct Sending {
    places: Places,
    hold: Arc<Hold>,
}

impl Sending {
    /// What its client does is told to this.
    pub(super) fn hold(&self) -> &Arc<Hold> {
        &self.hold
    }

    /// Ready once no more of it may go on.
    pub(super) fn poll_stopped(&self, cx: &Context<'_>) -> Poll<()> {
        self.hold.poll_stopped(cx)
    }
}

impl Drop for Sending {
    fn drop(&mut self) {
        if self.hold.sent() {
            self.places.give_back(&self.hold);
        }
    }
}

impl Place {
    /// What its client does is told to this.
    pub(super) fn hold(&self) -> &Arc<Hold> {
        &self.hold
    }

    /// From now on content of its client is on its way to the upstream.
    pub(super) fn sends(&self) -> Sending {
        self.hold.sends();
        Sending {
            places: self.places.clone(),
            hold: Arc::clone(&self.hold),
        }
    }

    /// Whether the upstream has all of the request, and the place may be kept.
    pub(super) fn has_sent(&self) -> bool {
        self.hold.has_sent()
    }

    /// What comes of `work`, which waits for content of its client.
    ///
    /// # Errors
    /// That of `work`, or [`FetchError::ClientSlow`] where another client gets the place.
    pub(super) async fn unless_displaced<T>(
        &self,
        work: impl Future<Output = Result<T, FetchError>>,
    ) -> Result<T, FetchError> {
        let mut work = pin!(work);
        poll_fn(|cx| match work.as_mut().poll(cx) {
            Poll::Ready(Ok(done)) => Poll::Ready(Ok(done)),
            Poll::Ready(Err(_)) if self.hold.poll_displaced(cx).is_ready() => {
                Poll::Ready(Err(FetchError::ClientSlow)) // its content was stopped
            }
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            Poll::Pending => {
                ready!(self.hold.poll_displaced(cx));
                Poll::Ready(Err(FetchError::ClientSlow))
            }
        })
        .await
    }

    /// From now on it is taken for the body of a response, until that has come; content that is still coming goes on as long.
    /// Where another client gets the place, the body breaks off.
    pub(super) fn answer(&self, body: Stream) {
        let is_over = body.is_end_stream();
        self.hold.answer(body);
        if is_over {
            self.places.end(&self.hold);
        }
    }

    /// From now on it is taken for a tunnel.
    ///
    /// # Errors
    /// [`FetchError::ClientSlow`] where another client gets the place.
    pub(super) fn tunnel(&self) -> Result<(), FetchError> {
        let opened = self.hold.tunnel();
        opened.then_some(()).ok_or(FetchError::ClientSlow)
    }

    /// The next piece of the response. With the last one the place is given back.
    pub(super) fn poll_frame(
        &self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let polled = self.hold.poll_frame(cx);
        if polled.is_over {
            self.places.end(&self.hold);
        }
        polled.frame
    }

    /// Whether all of the response has come.
    pub(super) fn is_end_stream(&self) -> bool {
        self.hold.is_end_stream()
    }

    /// How much of the response is to come.
    pub(super) fn size_hint(&self) -> SizeHint {
        self.hold.size_hint()
    }

    /// Ready once the place has to be let go of.
    pub(super) fn poll_displaced(&self, cx: &Context<'_>) -> Poll<()> {
        self.hold.poll_displaced(cx)
    }
}

#[cfg(test)]
mod tests;
