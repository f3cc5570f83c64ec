//! Interim responses (1xx) on their way from a service to the connection that it answers on.
//!
//! hyper's server cannot send them, so the connection's transport writes them itself, between two messages: see
//! `server::io::interim` for when that is safe, and docs/adr/0007.

use bytes::Bytes;
use futures_util::task::AtomicWaker;
use parking_lot::Mutex;
use std::{
    collections::VecDeque,
    future::poll_fn,
    sync::{
        Arc,
        atomic::{
            AtomicBool,
            Ordering::{Acquire, Release},
        },
    },
    task::Poll,
};

/// More of them before one final response are dropped: they are hints.
const MAX_WAITING: usize = 16;

/// The interim responses of one connection. Clones are of the same connection.
#[derive(Clone, Debug, Default)]
pub struct Interim(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    /// Whether any wait; all that a request without any pays is reading this.
    any: AtomicBool,
    waiting: Mutex<Waiting>,
    /// The connection's task, while its service waits for the final response.
    task: AtomicWaker,
}

#[derive(Debug, Default)]
struct Waiting {
    /// Whether a final response is waited for. Afterwards nothing more is taken: it would land inside of it.
    open: bool,
    messages: VecDeque<Bytes>,
}

impl Interim {
    /// Sends the bytes of one interim response, soon.
    pub fn send(&self, message: Bytes) {
        let mut waiting = self.0.waiting.lock();
        if waiting.open && waiting.messages.len() < MAX_WAITING {
            waiting.messages.push_back(message);
            self.0.any.store(true, Release);
        }
        drop(waiting);
        self.0.task.wake();
    }

    /// Runs `answer`; whatever is sent meanwhile is written before its result is returned.
    pub async fn around<T>(&self, answer: impl Future<Output = T>) -> T {
        self.0.waiting.lock().open = true;
        let mut answer = std::pin::pin!(answer);
        let result = poll_fn(|cx| {
            self.0.task.register(cx.waker());
            answer.as_mut().poll(cx)
        })
        .await;
        self.0.waiting.lock().open = false;
        poll_fn(|cx| {
            self.0.task.register(cx.waker());
            if self.0.any.load(Acquire) {
                Poll::Pending // the transport wakes this task once it has written them
            } else {
                Poll::Ready(())
            }
        })
        .await;
        result
    }

    /// The next one to write.
    pub fn next(&self) -> Option<Bytes> {
        if !self.0.any.load(Acquire) {
            return None;
        }
        self.0.waiting.lock().messages.pop_front()
    }

    /// What [`Self::next`] gave has been written.
    pub fn written(&self) {
        let waiting = self.0.waiting.lock();
        if waiting.messages.is_empty() {
            self.0.any.store(false, Release);
        }
        drop(waiting);
        self.0.task.wake();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_result_waits_until_what_was_sent_is_written() {
        let interim = Interim::default();
        let sent = interim.around(async { interim.send(Bytes::from_static(b"103")) });
        let mut sent = std::pin::pin!(sent);
        assert!(futures_util::poll!(sent.as_mut()).is_pending());
        assert_eq!(interim.next().as_deref(), Some(&b"103"[..]));
        assert!(
            futures_util::poll!(sent.as_mut()).is_pending(),
            "taken is not written"
        );
        interim.written();
        assert!(futures_util::poll!(sent).is_ready());
    }

    #[test]
    fn nothing_is_taken_while_no_response_is_waited_for() {
        let interim = Interim::default();
        interim.send(Bytes::from_static(b"103"));
        assert_eq!(interim.next(), None);
    }
}
