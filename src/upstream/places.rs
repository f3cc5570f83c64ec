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
    #[cfg(test)]
    looks: std::sync::atomic::AtomicUsize,
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
            #[cfg(test)]
            looks: std::sync::atomic::AtomicUsize::default(),
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
        #[cfg(test)]
        self.0
            .looks
            .fetch_add(1, std::sync::atomic::Ordering::Relaxed);
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
mod tests {
    use super::*;
    use futures_util::FutureExt;
    use http_body_util::{BodyExt, StreamBody};

    const WAIT: Duration = Duration::from_secs(1);

    fn places(count: usize) -> Places {
        Places::new(count, WAIT, Gauge::default(), &Metrics::new())
    }

    fn party(last: u8) -> Party {
        Party::at([192, 0, 2, last].into())
    }

    /// A body of so many pieces.
    fn body(pieces: usize) -> Stream {
        let pieces = (0..pieces).map(|_| Ok(Frame::data(Bytes::from_static(b"piece"))));
        Box::pin(StreamBody::new(futures_util::stream::iter(pieces)))
    }

    fn frame(place: &Place) -> Option<Result<Frame<Bytes>, BodyError>> {
        poll_fn(|cx| place.poll_frame(cx))
            .now_or_never()
            .expect("it is at hand")
    }

    #[tokio::test(start_paused = true)]
    async fn a_place_is_taken_until_the_response_has_come_and_no_longer() {
        let places = places(1);
        let first = places.take(party(1)).await.unwrap();
        let second = places.take(party(2)).await;
        assert!(matches!(second, Err(FetchError::Overloaded)));
        first.answer(body(2));
        assert!(frame(&first).unwrap().is_ok());
        assert!(places.take(party(2)).await.is_err());
        assert!(frame(&first).unwrap().is_ok());
        assert!(frame(&first).is_none());
        let third = places.take(party(2)).await.unwrap();
        assert_eq!(places.0.taken.get(), 1);
        drop((first, third));
        assert_eq!(places.0.taken.get(), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn who_leaves_the_queue_keeps_nothing() {
        let places = places(1);
        let first = places.take(party(1)).await.unwrap();
        let mut left = Box::pin(places.take(party(2)));
        assert!(futures_util::poll!(&mut left).is_pending());
        let mut granted = Box::pin(places.take(party(3)));
        assert!(futures_util::poll!(&mut granted).is_pending());
        drop(left);
        drop(first);
        drop(granted); // it never looked at what it was given
        assert!(places.take(party(4)).now_or_never().unwrap().is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn a_reader_that_does_not_move_gives_way_and_sees_a_broken_body() {
        let places = places(2);
        let slow = places.take(party(1)).await.unwrap();
        let _other = places.take(party(1)).await.unwrap();
        slow.answer(body(3));
        assert!(frame(&slow).unwrap().is_ok());
        let begun = Instant::now();
        let place = places.take(party(2)).await.unwrap();
        assert!(begun.elapsed() < WAIT, "nobody else is turned away");
        let broken = frame(&slow).unwrap();
        assert!(matches!(broken, Err(BodyError::Lagging)));
        assert!(!slow.is_end_stream());
        drop((slow, place));
        assert_eq!(places.0.taken.get(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn content_that_does_not_come_gives_way() {
        let places = places(2);
        let slow = places.take(party(1)).await.unwrap();
        let _other = places.take(party(1)).await.unwrap();
        slow.hold().waits();
        let uploading = async {
            let work = std::future::pending::<Result<(), FetchError>>();
            let refused = slow.unless_displaced(work).await;
            drop(slow);
            refused
        };
        let (refused, place) = tokio::join!(uploading, places.take(party(2)));
        assert!(matches!(refused, Err(FetchError::ClientSlow)));
        assert!(place.is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn a_tunnel_learns_that_its_place_is_wanted() {
        let places = places(2);
        let tunnel = places.take(party(1)).await.unwrap();
        let _other = places.take(party(1)).await.unwrap();
        tunnel.tunnel().unwrap();
        let open = async {
            poll_fn(|cx| tunnel.poll_displaced(cx)).await;
            drop(tunnel);
        };
        let ((), place) = tokio::join!(open, places.take(party(2)));
        assert!(place.is_ok());
    }

    #[tokio::test]
    async fn a_body_without_content_gives_the_place_back_at_once() {
        let places = places(1);
        let place = places.take(party(1)).await.unwrap();
        let empty = http_body_util::Empty::new().map_err(|never| match never {});
        place.answer(Box::pin(empty));
        assert!(place.is_end_stream());
        assert_eq!(places.0.taken.get(), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn a_place_is_taken_for_as_long_as_content_is_on_its_way() {
        let places = places(1);
        let place = places.take(party(1)).await.unwrap();
        let sending = place.sends();
        place.answer(body(0));
        assert!(frame(&place).is_none());
        let stopped = poll_fn(|cx| sending.poll_stopped(cx)).now_or_never();
        assert!(stopped.is_some(), "the response is over");
        drop(place);
        assert!(places.take(party(2)).await.is_err());
        drop(sending);
        assert!(places.take(party(2)).await.is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn of_all_who_wait_one_looks_and_whoever_is_next_does_so_after_it() {
        const WAITERS: usize = 500;
        let places = places(2);
        let _one = places.take(party(1)).await.unwrap();
        let _other = places.take(party(1)).await.unwrap();
        let looks = || places.0.looks.load(std::sync::atomic::Ordering::Relaxed);
        let mut waiting: Vec<_> = (0..WAITERS)
            .map(|_| Box::pin(places.take(party(2))))
            .collect();
        let mut all = futures_util::future::join_all(waiting.iter_mut());
        assert!(timeout(LOOK * 10, &mut all).await.is_err());
        assert!(looks() <= 12, "{}", looks());
        drop(all);
        drop(waiting.remove(0)); // it was next
        let before = looks();
        let mut all = futures_util::future::join_all(waiting.iter_mut());
        assert!(timeout(LOOK * 5, &mut all).await.is_err());
        let more = looks() - before;
        assert!((4..=7).contains(&more), "the one behind it looks: {more}");
    }
}
