//! A body that one task fills and many read, each at its own pace.
//!
//! While it is collected for the store it keeps everything, so that a reader may begin at any time. Past the limit it
//! keeps only what some reader has still to read: the writer then waits for the slowest, and a reader that has not moved
//! for [`LAGGING_TIMEOUT`] while others wait for more is cut off, so that it delays nobody for longer. One that has not moved
//! for [`STANDSTILL`] is cut off in any case: what it holds up is a connection to the origin.

use crate::message::{BodyError, Stream};
use bytes::Bytes;
use http_body::{Body, Frame};
use parking_lot::Mutex;
use std::{
    collections::VecDeque,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, Waker},
    time::Duration,
};
use tokio::{sync::Notify, time::Instant};

/// What is kept for slow readers once the body is not collected any more, in bytes.
const WINDOW: usize = 256 << 10;

/// How long a reader may stand still while others wait for more.
const LAGGING_TIMEOUT: Duration = Duration::from_secs(5);

/// How long a reader may stand still although there is more for it and nobody else waits.
pub(in crate::cache) const STANDSTILL: Duration = Duration::from_secs(60);

/// The body outgrew what may be collected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::cache) struct Overflow;

/// See the module docs.
#[derive(Debug, Default)]
pub(in crate::cache) struct Buffer {
    state: Mutex<State>,
    /// Some reader moved or left: the writer may go on.
    moved: Notify,
}

#[derive(Debug, Default)]
struct State {
    pieces: VecDeque<Bytes>,
    /// How many pieces were dropped from the front.
    dropped: usize,
    bytes: usize,
    /// Whether pieces leave once every reader has them.
    passing: bool,
    end: Option<Result<(), BodyError>>,
    readers: Vec<Option<Reader>>,
}

#[derive(Debug)]
struct Reader {
    next: usize,
    moved: Instant,
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

    /// Drops what every reader has.
    fn shrink(&mut self) {
        if !self.passing {
            return;
        }
        let last = self.dropped + self.pieces.len();
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
    }

    /// Cuts off readers that stand still: sooner where another one waits for more.
    fn cut_laggards(&mut self) {
        let last = self.dropped + self.pieces.len();
        let others_wait = self.active().any(|reader| reader.next == last);
        let patience = if others_wait {
            LAGGING_TIMEOUT
        } else {
            STANDSTILL
        };
        for reader in self.readers.iter_mut().flatten() {
            if reader.next < last && reader.moved.elapsed() >= patience {
                reader.cut = true;
                reader.waker.take().into_iter().for_each(Waker::wake);
            }
        }
    }
}

impl Buffer {
    /// Adds a piece. `Err` once there are more than `limit` bytes: the caller decides what then.
    pub(in crate::cache) fn collect(&self, piece: Bytes, limit: u64) -> Result<(), Overflow> {
        let mut state = self.state.lock();
        state.bytes += piece.len();
        state.pieces.push_back(piece);
        state.wake_all();
        if state.bytes as u64 > limit {
            Err(Overflow)
        } else {
            Ok(())
        }
    }

    /// From now on pieces leave once every reader has them.
    pub(in crate::cache) fn stop_collecting(&self) {
        let mut state = self.state.lock();
        state.passing = true;
        state.shrink();
    }

    /// Waits until there is room for more. `false` where nobody reads any more.
    pub(in crate::cache) async fn room(&self) -> bool {
        loop {
            let moved = self.moved.notified();
            {
                let mut state = self.state.lock();
                state.cut_laggards();
                state.shrink();
                if state.active().next().is_none() {
                    return false;
                }
                if state.bytes < WINDOW {
                    return true;
                }
            }
            let _ = tokio::time::timeout(LAGGING_TIMEOUT / 5, moved).await;
        }
    }

    /// Whether anybody reads.
    pub(in crate::cache) fn is_read(&self) -> bool {
        self.state.lock().active().next().is_some()
    }

    /// Adds a piece that is not collected.
    pub(in crate::cache) fn pass(&self, piece: Bytes) {
        let mut state = self.state.lock();
        // Who had everything so far begins to be late only now.
        let last = state.dropped + state.pieces.len();
        let now = Instant::now();
        state
            .active()
            .filter(|reader| reader.next == last)
            .for_each(|reader| reader.moved = now);
        state.bytes += piece.len();
        state.pieces.push_back(piece);
        state.wake_all();
    }

    /// No more comes: the body is complete, or it failed.
    pub(in crate::cache) fn end(&self, result: Result<(), BodyError>) {
        let mut state = self.state.lock();
        state.end.get_or_insert(result);
        state.wake_all();
    }

    /// The writer is gone. Whoever still reads sees a broken body, unless it was complete.
    pub(in crate::cache) fn abandon(&self) {
        self.end(Err(BodyError::Broken));
    }

    /// Everything that was collected, copied into one piece of the right size: what arrived are slices of read buffers,
    /// and a small one would hold on to the whole of its buffer for as long as it is stored.
    pub(in crate::cache) fn whole(&self) -> Bytes {
        let state = self.state.lock();
        let mut whole = Vec::with_capacity(state.bytes);
        state
            .pieces
            .iter()
            .for_each(|piece| whole.extend_from_slice(piece));
        whole.into()
    }

    /// Forgets what was collected. Only before the landing: nobody reads yet.
    pub(in crate::cache) fn clear(&self) {
        let mut state = self.state.lock();
        state.pieces.clear();
        state.bytes = 0;
    }

    /// A reader from the beginning. `None` where the beginning is gone.
    pub(in crate::cache) fn read(self: &Arc<Self>) -> Option<Stream> {
        let mut state = self.state.lock();
        if state.dropped > 0 {
            return None;
        }
        let reader = Some(Reader {
            next: 0,
            moved: Instant::now(),
            waker: None,
            cut: false,
        });
        let free = state.readers.iter().position(Option::is_none);
        let at = match free {
            Some(at) => {
                state.readers[at] = reader;
                at
            }
            None => {
                state.readers.push(reader);
                state.readers.len() - 1
            }
        };
        drop(state);
        Some(Box::pin(Reading {
            buffer: Arc::clone(self),
            at,
        }))
    }
}

/// One reader's place.
struct Reading {
    buffer: Arc<Buffer>,
    at: usize,
}

impl Body for Reading {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let mut state = self.buffer.state.lock();
        let (dropped, end) = (state.dropped, state.end.clone());
        let reader = state.readers[self.at]
            .as_mut()
            .expect("a place is freed only when its reader is dropped");
        if reader.cut {
            return Poll::Ready(Some(Err(BodyError::Lagging)));
        }
        let next = reader.next - dropped;
        let Some(piece) = state.pieces.get(next).cloned() else {
            return match end {
                Some(Ok(())) => Poll::Ready(None),
                Some(Err(error)) => Poll::Ready(Some(Err(error))),
                None => {
                    let reader = state.readers[self.at].as_mut().expect("it was there above");
                    reader.waker = Some(cx.waker().clone());
                    Poll::Pending
                }
            };
        };
        let reader = state.readers[self.at].as_mut().expect("it was there above");
        reader.next += 1;
        reader.moved = Instant::now();
        let passing = state.passing;
        drop(state);
        if passing {
            self.buffer.moved.notify_one();
        }
        Poll::Ready(Some(Ok(Frame::data(piece))))
    }
}

impl Drop for Reading {
    fn drop(&mut self) {
        self.buffer.state.lock().readers[self.at] = None;
        self.buffer.moved.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http_body_util::BodyExt;

    fn piece(size: usize) -> Bytes {
        vec![b'x'; size].into()
    }

    async fn next(stream: &mut Stream) -> Option<Result<Bytes, BodyError>> {
        stream
            .frame()
            .await
            .map(|frame| frame.map(|frame| frame.into_data().unwrap()))
    }

    #[tokio::test]
    async fn a_late_reader_gets_everything() {
        let buffer = Arc::new(Buffer::default());
        buffer.collect(Bytes::from_static(b"a"), 10).unwrap();
        let mut early = buffer.read().unwrap();
        assert_eq!(&*next(&mut early).await.unwrap().unwrap(), b"a");
        buffer.collect(Bytes::from_static(b"b"), 10).unwrap();
        buffer.end(Ok(()));
        let late = buffer.read().unwrap();
        assert_eq!(&*late.collect().await.unwrap().to_bytes(), b"ab");
        assert_eq!(&*early.collect().await.unwrap().to_bytes(), b"b");
        assert_eq!(&*buffer.whole(), b"ab");
    }

    #[tokio::test]
    async fn an_abandoned_body_is_broken_and_a_complete_one_stays_complete() {
        let buffer = Arc::new(Buffer::default());
        buffer.collect(Bytes::from_static(b"a"), 10).unwrap();
        buffer.abandon();
        assert!(buffer.read().unwrap().collect().await.is_err());
        let buffer = Arc::new(Buffer::default());
        buffer.end(Ok(()));
        buffer.abandon();
        assert!(buffer.read().unwrap().collect().await.is_ok());
    }

    #[tokio::test]
    async fn past_the_limit_the_writer_waits_for_the_reader_and_keeps_little() {
        let buffer = Arc::new(Buffer::default());
        let mut reader = buffer.read().unwrap();
        assert_eq!(buffer.collect(piece(WINDOW), 1), Err(Overflow));
        buffer.stop_collecting();
        let waiting = tokio::time::timeout(Duration::from_millis(20), buffer.room()).await;
        assert!(
            waiting.is_err(),
            "there is no room before the reader has moved"
        );
        next(&mut reader).await.unwrap().unwrap();
        assert!(buffer.room().await);
        assert_eq!(buffer.state.lock().bytes, 0);
        assert!(buffer.read().is_none(), "the beginning is gone");
    }

    #[tokio::test]
    async fn without_readers_there_is_nothing_to_wait_for() {
        let buffer = Arc::new(Buffer::default());
        let reader = buffer.read().unwrap();
        buffer.collect(piece(WINDOW), 1).unwrap_err();
        buffer.stop_collecting();
        drop(reader);
        assert!(!buffer.room().await);
    }

    #[tokio::test(start_paused = true)]
    async fn a_reader_that_stands_still_is_cut_off_when_another_waits() {
        let buffer = Arc::new(Buffer::default());
        let (mut stands, mut moves) = (buffer.read().unwrap(), buffer.read().unwrap());
        buffer.collect(piece(WINDOW), 1).unwrap_err();
        buffer.stop_collecting();
        next(&mut moves).await.unwrap().unwrap();
        assert!(buffer.room().await);
        assert!(matches!(
            next(&mut stands).await,
            Some(Err(BodyError::Lagging))
        ));
        buffer.pass(Bytes::from_static(b"more"));
        assert_eq!(&*next(&mut moves).await.unwrap().unwrap(), b"more");
    }
}
