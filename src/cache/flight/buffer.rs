//! A body that one task fills and many read, each at its own pace.
//!
//! While it is collected it keeps everything, so that a reader may begin at any time. Past the limit it keeps only what some
//! reader has still to read: the writer then waits for the slowest, and a reader that has not moved for [`LAGGING_TIMEOUT`]
//! while others wait for more is cut off, so that it delays nobody for longer. One that has not moved for [`STANDSTILL`] is cut
//! off in any case: what it holds up is a connection to the origin.
//!
//! Once the body is stored its pieces go, and readers go on in the body that is stored.

use super::allowance::{Allowance, Holding, Purpose};
use crate::message::BodyError;
use bytes::Bytes;
use parking_lot::Mutex;
use std::{
    collections::VecDeque,
    sync::Arc,
    task::{Context, Poll, Waker},
    time::Duration,
};
use tokio::{sync::Notify, time::Instant};

/// What is kept for slow readers once the body is not collected any more, in bytes.
const WINDOW: usize = 256 << 10;

/// What a piece takes beside its bytes.
const PER_PIECE: u64 = 64;

/// How long a reader may stand still while others wait for more.
pub(super) const LAGGING_TIMEOUT: Duration = Duration::from_secs(5);

/// How long a reader may stand still although there is more for it and nobody else waits.
pub(in crate::cache) const STANDSTILL: Duration = Duration::from_secs(60);

/// What may be collected, in bytes.
#[derive(Clone, Copy, Debug)]
pub(in crate::cache) struct Limits {
    /// Of one body.
    pub(in crate::cache) object: u64,
    /// Of all bodies together.
    pub(in crate::cache) together: u64,
}

/// Why a body is not collected any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::cache) enum Overflow {
    /// It is larger than one may be.
    Object,
    /// All bodies together are larger than they may be.
    Together,
}

/// See the module docs.
#[derive(Debug)]
pub(in crate::cache) struct Buffer {
    state: Mutex<State>,
    /// Some reader moved or left: the writer may go on.
    moved: Notify,
}

#[derive(Debug)]
struct State {
    pieces: VecDeque<Bytes>,
    /// How many pieces were dropped from the front.
    dropped: usize,
    bytes: usize,
    holding: Holding,
    /// The body in the store, in which readers go on.
    stored: Option<Bytes>,
    /// Since when pieces leave once every reader has them.
    passing: Option<Instant>,
    end: Option<Result<(), BodyError>>,
    /// How many have still to begin: for them the beginning is kept.
    expected: usize,
    readers: Vec<Option<Reader>>,
    /// How often readers have moved since the last look at what may be dropped, where no writer looks any more.
    moves: usize,
}

#[derive(Debug)]
struct Reader {
    /// The next piece, and how many bytes those before it had.
    next: usize,
    offset: usize,
    moved: Instant,
    /// How much longer than others it may stand still.
    grace: Duration,
    waker: Option<Waker>,
    cut: bool,
}

impl State {
    fn active(&mut self) -> impl Iterator<Item = &mut Reader> {
        self.readers
            .iter_mut()
            .flatten()
            .filter(|reader| !reader.cut)
    }

    fn wake_all(&mut self) {
        self.readers
            .iter_mut()
            .flatten()
            .filter_map(|reader| reader.waker.take())
            .for_each(Waker::wake);
    }

    /// The number of the piece that comes next.
    fn last(&self) -> usize {
        self.dropped + self.pieces.len()
    }

    /// What the pieces take, in bytes.
    fn weight(&self) -> u64 {
        self.bytes as u64 + PER_PIECE * self.pieces.len() as u64
    }

    /// Whether somebody has still to begin, and may.
    fn is_expected(&self) -> bool {
        let late = |since: Instant| self.end.is_none() && since.elapsed() >= LAGGING_TIMEOUT;
        self.expected > 0 && !self.passing.is_some_and(late)
    }

    fn is_wanted(&mut self) -> bool {
        self.is_expected() || self.active().next().is_some()
    }

    /// Drops what every reader has.
    fn shrink(&mut self) {
        if self.passing.is_none() || self.is_expected() {
            return;
        }
        let last = self.last();
        let slowest = self
            .active()
            .map(|reader| reader.next)
            .min()
            .unwrap_or(last);
        while self.dropped < slowest {
            let Some(piece) = self.pieces.pop_front() else {
                break;
            };
            self.bytes -= piece.len();
            self.dropped += 1;
        }
        self.holding.at_most(self.weight());
    }

    /// Some reader has moved or left. To look at all of them each time would take long where there are thousands.
    fn shrink_after_a_move(&mut self) {
        self.moves += 1;
        if self.end.is_some() && self.moves >= self.readers.len() {
            self.moves = 0;
            self.shrink();
        }
    }

    /// From now on pieces leave once every reader has them.
    fn pass(&mut self) {
        if self.passing.is_none() {
            let now = Instant::now();
            self.passing = Some(now);
            self.holding.leave_to_readers();
            // Who was slow so far has delayed nobody.
            self.active().for_each(|reader| reader.moved = now);
        }
        self.shrink();
    }

    /// Cuts off readers that stand still: sooner where another one waits for more.
    fn cut_laggards(&mut self) {
        let last = self.last();
        let others_wait = self.active().any(|reader| reader.next == last);
        let patience = if others_wait {
            LAGGING_TIMEOUT
        } else {
            STANDSTILL
        };
        for reader in self.readers.iter_mut().flatten() {
            if reader.next < last && reader.moved.elapsed() >= patience + reader.grace {
                reader.cut = true;
                reader.waker.take().into_iter().for_each(Waker::wake);
            }
        }
    }
}

impl Buffer {
    /// An empty one, which counts in `allowance`.
    pub(in crate::cache) fn new(allowance: &Arc<Allowance>, purpose: Purpose) -> Self {
        Self {
            state: Mutex::new(State {
                pieces: VecDeque::new(),
                dropped: 0,
                bytes: 0,
                holding: Holding::new(allowance, purpose),
                stored: None,
                passing: None,
                end: None,
                expected: 0,
                readers: Vec::new(),
                moves: 0,
            }),
            moved: Notify::new(),
        }
    }

    /// Takes room for a body of `length` bytes in advance. `false` where there is none.
    pub(in crate::cache) fn reserve(&self, length: u64, limits: Limits) -> bool {
        let mut state = self.state.lock();
        state.holding.at_least(length, limits.together)
    }

    /// It will not be stored: whoever reads it slowly is to take nothing from what will.
    pub(in crate::cache) fn leave_to_readers(&self) {
        self.state.lock().holding.leave_to_readers();
    }

    /// Adds a piece. `Err` once that is more than may be collected: the caller decides what then.
    pub(in crate::cache) fn collect(&self, piece: Bytes, limits: Limits) -> Result<(), Overflow> {
        let mut state = self.state.lock();
        state.bytes += piece.len();
        state.pieces.push_back(piece);
        state.wake_all();
        if state.bytes as u64 > limits.object {
            return Err(Overflow::Object);
        }
        let weight = state.weight();
        if state.holding.at_least(weight, limits.together) {
            Ok(())
        } else {
            Err(Overflow::Together)
        }
    }

    /// Piece number `at` of those that are being collected.
    pub(in crate::cache) fn piece(&self, at: usize) -> Option<Bytes> {
        self.state.lock().pieces.get(at).cloned()
    }

    /// From now on pieces leave once every reader has them.
    pub(in crate::cache) fn stop_collecting(&self) {
        self.state.lock().pass();
    }

    /// Waits until there is room for more. `false` where nobody reads any more.
    pub(in crate::cache) async fn room(&self) -> bool {
        loop {
            let moved = self.moved.notified();
            {
                let mut state = self.state.lock();
                state.shrink();
                if state.bytes >= WINDOW {
                    state.cut_laggards();
                    state.shrink();
                }
                if !state.is_wanted() {
                    return false;
                }
                if state.bytes < WINDOW {
                    return true;
                }
            }
            let _ = tokio::time::timeout(LAGGING_TIMEOUT / 5, moved).await;
        }
    }

    /// Waits until some reader has left, or has moved where that matters.
    pub(in crate::cache) async fn moved(&self) {
        self.moved.notified().await;
    }

    /// Whether anybody reads, or is to.
    pub(in crate::cache) fn is_read(&self) -> bool {
        self.state.lock().is_wanted()
    }

    /// Whether there are some who wait for it and have not begun.
    pub(in crate::cache) fn is_expected(&self) -> bool {
        self.state.lock().is_expected()
    }

    /// Adds a piece that is not collected.
    pub(in crate::cache) fn pass(&self, piece: Bytes) {
        let mut state = self.state.lock();
        // Who had everything so far begins to be late only now.
        let (last, now) = (state.last(), Instant::now());
        state
            .active()
            .filter(|reader| reader.next == last)
            .for_each(|reader| reader.moved = now);
        state.bytes += piece.len();
        state.pieces.push_back(piece);
        state.wake_all();
    }

    /// No more comes: the body is complete, or it failed. What was collected stays only for those who read it.
    pub(in crate::cache) fn end(&self, result: Result<(), BodyError>) {
        let mut state = self.state.lock();
        state.end.get_or_insert(result);
        state.pass();
        state.wake_all();
    }

    /// No more comes: all of it is `stored`, and there readers go on.
    pub(in crate::cache) fn settle(&self, stored: Bytes) {
        let mut state = self.state.lock();
        state.pieces.clear();
        state.bytes = 0;
        state.stored = Some(stored);
        state.end.get_or_insert(Ok(()));
        state.holding.at_most(0);
        state.wake_all();
    }

    /// The writer is gone. Whoever still reads sees a broken body, unless it was complete.
    pub(in crate::cache) fn abandon(&self) {
        self.end(Err(BodyError::Broken));
    }

    /// Everything that was collected, for the store. Readers wait until it is there.
    pub(in crate::cache) fn take(&self) -> VecDeque<Bytes> {
        std::mem::take(&mut self.state.lock().pieces)
    }

    /// Forgets what was collected. Only before the landing: nobody reads yet.
    pub(in crate::cache) fn clear(&self) {
        let mut state = self.state.lock();
        state.pieces.clear();
        state.bytes = 0;
        state.holding.at_most(0);
    }
}

/// What readers need.
impl Buffer {
    /// One more is to begin.
    pub(super) fn expect(&self) {
        self.state.lock().expected += 1;
    }

    /// One that was expected has begun, or has left.
    pub(super) fn expect_no_more(&self) {
        let mut state = self.state.lock();
        state.expected -= 1;
        state.shrink();
        drop(state);
        self.moved.notify_one();
    }

    /// The place of a new reader, from the beginning. `None` where that is gone.
    pub(super) fn enter(&self) -> Option<usize> {
        let mut state = self.state.lock();
        if state.dropped > 0 {
            return None;
        }
        let reader = Some(Reader {
            next: 0,
            offset: 0,
            moved: Instant::now(),
            grace: Duration::ZERO,
            waker: None,
            cut: false,
        });
        let free = state.readers.iter().position(Option::is_none);
        let at = free.unwrap_or(state.readers.len());
        match free {
            Some(at) => state.readers[at] = reader,
            None => state.readers.push(reader),
        }
        Some(at)
    }

    pub(super) fn leave(&self, at: usize) {
        let mut state = self.state.lock();
        state.readers[at] = None;
        state.shrink_after_a_move();
        drop(state);
        self.moved.notify_one();
    }

    /// Lets the reader at `at` stand still for so much longer than others.
    pub(super) fn grant(&self, at: usize, grace: Duration) {
        if let Some(reader) = &mut self.state.lock().readers[at] {
            reader.grace = grace;
        }
    }

    /// The next piece for the reader at `at`.
    pub(super) fn poll(
        &self,
        at: usize,
        cx: &Context<'_>,
    ) -> Poll<Option<Result<Bytes, BodyError>>> {
        let mut guard = self.state.lock();
        let state = &mut *guard;
        let reader = state.readers[at]
            .as_mut()
            .expect("a place is freed only when its reader is dropped");
        if reader.cut {
            return Poll::Ready(Some(Err(BodyError::Lagging)));
        }
        let piece = match &state.stored {
            Some(stored) => Some(stored.slice(reader.offset..)).filter(|rest| !rest.is_empty()),
            None => state.pieces.get(reader.next - state.dropped).cloned(),
        };
        let Some(piece) = piece else {
            return match &state.end {
                Some(Ok(())) => Poll::Ready(None),
                Some(Err(error)) => Poll::Ready(Some(Err(error.clone()))),
                None => {
                    reader.waker = Some(cx.waker().clone());
                    Poll::Pending
                }
            };
        };
        reader.next += 1;
        reader.offset += piece.len();
        reader.moved = Instant::now();
        let passing = state.passing.is_some();
        state.shrink_after_a_move();
        drop(guard);
        if passing {
            self.moved.notify_one();
        }
        Poll::Ready(Some(Ok(piece)))
    }
}
