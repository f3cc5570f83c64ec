//! One place: whose it is, what it is taken for, and how long its client has held it up.

use crate::{
    message::{BodyError, Pace, Party, Stream},
    metrics::CutOff,
};
use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use parking_lot::Mutex;
use std::{
    task::{Context, Poll, Waker},
    time::Duration,
};
use tokio::time::Instant;

/// A client that moves fewer bytes in a second holds its place up: the slowest links of today are faster.
const BRISK: u64 = 16 << 10;

/// For how long it may hold it up while somebody waits whose party has no fewer places.
pub(super) const AMONG_EQUALS: Duration = Duration::from_secs(5);

/// For how long where they have fewer: shorter than anybody waits for a place, longer than a busy machine takes.
pub(super) const BEFORE_OTHERS: Duration = Duration::from_millis(500);

/// See the module docs.
#[derive(Debug)]
pub(in crate::upstream) struct Hold {
    pub(super) party: Party,
    /// Where it stands among all.
    pub(super) slot: usize,
    state: Mutex<State>,
}

struct State {
    purpose: Purpose,
    /// How its client reads, or how long a tunnel has been open.
    reading: Moves,
    /// How it sends.
    sending: Moves,
    /// Content of its client is on its way to the upstream: the connection is in use, whatever became of the response.
    is_sending: bool,
    /// Whoever sends it.
    sender: Option<Waker>,
    /// Whoever has to let go of it, if asked.
    task: Option<Waker>,
    is_displaced: bool,
    /// Nobody needs a response any more.
    is_released: bool,
}

/// How one side of a client moves.
#[derive(Debug)]
struct Moves {
    pace: Pace,
    /// Since when it is waited for.
    waits: Option<Instant>,
}

impl Moves {
    fn new() -> Self {
        Self {
            pace: Pace::new(BRISK, AMONG_EQUALS),
            waits: None,
        }
    }

    fn waits(&mut self) {
        self.waits.get_or_insert_with(Instant::now);
    }

    /// It moved, by so many bytes.
    fn moved(&mut self, bytes: usize) {
        let waited = self.waits.take().map(|since| since.elapsed());
        self.pace.came(waited.unwrap_or_default(), bytes);
    }

    /// For how long it has held its place up, beside what it moved; `None` where it is not waited for.
    fn behind(&self, now: Instant) -> Option<Duration> {
        let waits = self.waits?;
        Some(self.pace.behind(now.saturating_duration_since(waits)))
    }
}

/// What a place is taken for.
enum Purpose {
    /// Content of a client, or the wait for a response.
    Request,
    /// A response with a body, and the bytes of it that its reader has not come back from.
    Response(Stream, usize),
    Tunnel,
    /// Nothing any more.
    Over,
}

impl std::fmt::Debug for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("State")
            .field("reading", &self.reading)
            .field("sending", &self.sending)
            .field("is_sending", &self.is_sending)
            .field("is_displaced", &self.is_displaced)
            .field("is_released", &self.is_released)
            .finish_non_exhaustive()
    }
}

impl State {
    /// Nothing of it is in use: it is another one's.
    fn is_back(&self) -> bool {
        self.is_released && !self.is_sending
    }

    /// For how long its client has held it up, and whether that is a conversation, of which nobody can say who is slow; `None`
    /// where nothing is waited for but the upstream.
    fn held_up(&self, now: Instant) -> Option<(Duration, bool)> {
        let conversation = |behind| (behind, true);
        match &self.purpose {
            _ if self.is_displaced || self.is_released => None,
            Purpose::Request => self.sending.behind(now).map(|behind| (behind, false)),
            Purpose::Response(..) => match self.reading.behind(now) {
                Some(behind) => Some((behind, false)),
                None => self.sending.behind(now).map(conversation),
            },
            Purpose::Tunnel => self.reading.behind(now).map(conversation),
            Purpose::Over => None,
        }
    }

    fn gives_way(&self, has_less: bool, now: Instant) -> Option<Duration> {
        let (held_up, is_conversation) = self.held_up(now)?;
        let patience = if has_less {
            BEFORE_OTHERS
        } else {
            AMONG_EQUALS
        };
        let gives_way = held_up >= patience && (has_less || !is_conversation);
        gives_way.then_some(held_up)
    }
}

/// What came of a look at the body of a response.
pub(super) struct Polled {
    pub(super) frame: Poll<Option<Result<Frame<Bytes>, BodyError>>>,
    /// All of it has come, or it failed: the place is not needed any more.
    pub(super) is_over: bool,
}

/// A place that has to be let go of.
pub(super) struct Displaced {
    pub(super) why: CutOff,
    /// It has been, because only this was in it.
    pub(super) response: Option<Stream>,
}

impl Hold {
    pub(super) fn new(party: Party, slot: usize) -> Self {
        let state = State {
            purpose: Purpose::Request,
            reading: Moves::new(),
            sending: Moves::new(),
            is_sending: false,
            sender: None,
            task: None,
            is_displaced: false,
            is_released: false,
        };
        Self {
            party,
            slot,
            state: Mutex::new(state),
        }
    }

    /// Content of its client is waited for.
    pub(in crate::upstream) fn waits(&self) {
        self.state.lock().sending.waits();
    }

    /// So many bytes of it came; `false` where they are not to go on, because the place had to be let go of just now: content
    /// that is complete has then never been sent.
    pub(in crate::upstream) fn came(&self, bytes: usize) -> bool {
        let mut state = self.state.lock();
        state.sending.moved(bytes);
        !state.is_displaced
    }

    /// From now on content is on its way to the upstream.
    pub(super) fn sends(&self) {
        self.state.lock().is_sending = true;
    }

    /// Ready once no more of it may go on: the response is over, or another one gets the place.
    pub(super) fn poll_stopped(&self, cx: &Context<'_>) -> Poll<()> {
        let mut state = self.state.lock();
        if state.is_displaced || state.is_released {
            return Poll::Ready(());
        }
        keep(&mut state.sender, cx);
        Poll::Pending
    }

    /// Nothing of it is on its way any more. Whether the place is another one's now.
    pub(super) fn sent(&self) -> bool {
        let mut state = self.state.lock();
        state.is_sending = false;
        state.sending.waits = None;
        state.is_back()
    }

    /// Whether the upstream has all of the request, or will get no more of it.
    pub(super) fn has_sent(&self) -> bool {
        let state = self.state.lock();
        !state.is_sending && !state.is_displaced
    }

    /// From now on it is taken for `body`. Where it had to be let go of just now, the response is one all the same, with a body
    /// that breaks off unless it is over.
    pub(super) fn answer(&self, body: Stream) {
        let mut state = self.state.lock();
        if state.is_displaced {
            state.is_displaced = !body.is_end_stream();
            return;
        }
        state.purpose = Purpose::Response(body, 0);
    }

    /// From now on it is taken for a tunnel; `false` where it had to be let go of just now.
    pub(super) fn tunnel(&self) -> bool {
        let mut state = self.state.lock();
        if !state.is_displaced {
            state.purpose = Purpose::Tunnel;
            state.reading.waits();
        }
        !state.is_displaced
    }

    /// The next piece of the response. Whoever has it is waited for until it asks for one more.
    pub(super) fn poll_frame(&self, cx: &mut Context<'_>) -> Polled {
        let mut state = self.state.lock();
        if state.is_displaced {
            return Polled {
                frame: Poll::Ready(Some(Err(BodyError::Lagging))),
                is_over: true,
            };
        }
        let taken = match &mut state.purpose {
            Purpose::Response(_, given) => std::mem::take(given),
            Purpose::Request | Purpose::Tunnel | Purpose::Over => 0,
        };
        state.reading.moved(taken);
        let Purpose::Response(body, given) = &mut state.purpose else {
            return Polled {
                frame: Poll::Ready(None),
                is_over: true,
            };
        };
        let frame = body.as_mut().poll_frame(cx);
        let is_over = match &frame {
            Poll::Pending => false,
            Poll::Ready(Some(Ok(frame))) if !body.is_end_stream() => {
                *given = frame.data_ref().map_or(0, Bytes::len);
                state.reading.waits();
                false
            }
            Poll::Ready(_) => true,
        };
        let over = is_over.then(|| std::mem::replace(&mut state.purpose, Purpose::Over));
        drop(state);
        drop(over);
        Polled { frame, is_over }
    }

    /// How much of the response is to come.
    pub(super) fn size_hint(&self) -> SizeHint {
        match &self.state.lock().purpose {
            Purpose::Response(body, _) => body.size_hint(),
            Purpose::Request | Purpose::Tunnel | Purpose::Over => SizeHint::with_exact(0),
        }
    }

    /// Whether all of the response has come.
    pub(super) fn is_end_stream(&self) -> bool {
        let state = self.state.lock();
        match &state.purpose {
            Purpose::Response(body, _) => body.is_end_stream(),
            Purpose::Request | Purpose::Tunnel | Purpose::Over => !state.is_displaced,
        }
    }

    /// Ready once it has to be let go of.
    pub(super) fn poll_displaced(&self, cx: &Context<'_>) -> Poll<()> {
        let mut state = self.state.lock();
        if state.is_displaced {
            return Poll::Ready(());
        }
        keep(&mut state.task, cx);
        Poll::Pending
    }

    /// For how long its client has held it up, where that is long enough for somebody else to get it; `has_less`: somebody whose
    /// party has fewer places.
    pub(super) fn gives_way(&self, has_less: bool, now: Instant) -> Option<Duration> {
        self.state.lock().gives_way(has_less, now)
    }

    /// It has to be let go of: another one gets it. `None` where it does not give way any more.
    pub(super) fn displace(&self, has_less: bool, now: Instant) -> Option<Displaced> {
        let mut state = self.state.lock();
        state.gives_way(has_less, now)?;
        state.is_displaced = true;
        let wakers = [state.task.take(), state.sender.take()];
        wakers.into_iter().flatten().for_each(Waker::wake);
        let why = match &state.purpose {
            Purpose::Request | Purpose::Over => CutOff::SlowContent,
            Purpose::Response(..) if state.reading.waits.is_none() => CutOff::SlowContent,
            Purpose::Response(..) => CutOff::SlowReader,
            Purpose::Tunnel => CutOff::Tunnel,
        };
        let response = match std::mem::replace(&mut state.purpose, Purpose::Over) {
            Purpose::Response(body, _) => Some(body),
            Purpose::Request | Purpose::Tunnel | Purpose::Over => None,
        };
        Some(Displaced { why, response })
    }

    /// The response is over, or nobody needs it: content that is still coming goes on no longer. Whether the place is another
    /// one's now; `false` where it was before.
    pub(super) fn end(&self) -> bool {
        let mut state = self.state.lock();
        let was_back = state.is_back();
        state.is_released = true;
        state.sender.take().into_iter().for_each(Waker::wake);
        let is_back = state.is_back() && !was_back;
        let rest = std::mem::replace(&mut state.purpose, Purpose::Over);
        drop(state);
        drop(rest); // and the connection
        is_back
    }
}

fn keep(waker: &mut Option<Waker>, cx: &Context<'_>) {
    match waker {
        Some(waker) => waker.clone_from(cx.waker()),
        None => *waker = Some(cx.waker().clone()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http_body_util::BodyExt;
    use tokio::time::advance;

    const SLOW: Duration = Duration::from_secs(6);

    fn hold() -> Hold {
        Hold::new(Party::ITSELF, 0)
    }

    fn is_stopped(hold: &Hold) -> bool {
        hold.poll_stopped(&Context::from_waker(Waker::noop()))
            .is_ready()
    }

    fn endless() -> Stream {
        Box::pin(http_body_util::StreamBody::new(
            futures_util::stream::pending(),
        ))
    }

    #[tokio::test(start_paused = true)]
    async fn content_that_came_meanwhile_keeps_its_place_and_what_comes_later_is_not_sent() {
        let hold = hold();
        hold.sends();
        hold.waits();
        advance(SLOW).await;
        let now = Instant::now();
        assert!(hold.gives_way(false, now).is_some(), "somebody looks");
        assert!(hold.came(1), "and it goes on before that one acts");
        assert!(hold.displace(false, now).is_none());
        hold.waits();
        advance(SLOW).await;
        assert!(hold.displace(false, Instant::now()).is_some());
        assert!(!hold.came(1), "the last piece");
        assert!(is_stopped(&hold));
    }

    #[tokio::test(start_paused = true)]
    async fn content_goes_on_with_the_response_and_stops_with_it() {
        let hold = hold();
        hold.sends();
        hold.answer(endless());
        assert!(hold.came(1) && !is_stopped(&hold));
        assert!(!hold.end(), "its connection is in use");
        assert!(is_stopped(&hold));
        assert!(hold.sent());
        assert!(!hold.end(), "once");
    }

    #[tokio::test(start_paused = true)]
    async fn a_conversation_gives_way_only_to_who_has_less() {
        let hold = hold();
        hold.sends();
        hold.answer(endless());
        hold.waits();
        advance(SLOW).await;
        let now = Instant::now();
        assert!(hold.gives_way(false, now).is_none());
        assert!(hold.gives_way(true, now).is_some());
        hold.sent();
        assert!(hold.gives_way(true, now).is_none(), "all of it is there");
    }

    #[tokio::test(start_paused = true)]
    async fn a_response_that_comes_too_late_for_its_place_is_one_all_the_same() {
        let displaced = || async {
            let hold = hold();
            hold.sends();
            hold.waits();
            advance(SLOW).await;
            assert!(hold.displace(false, Instant::now()).is_some());
            hold
        };
        let cx = &mut Context::from_waker(Waker::noop());
        let whole = displaced().await;
        whole.answer(Box::pin(
            http_body_util::Empty::new().map_err(|e| match e {}),
        ));
        assert!(matches!(whole.poll_frame(cx).frame, Poll::Ready(None)));
        let cut = displaced().await;
        cut.answer(endless());
        let frame = cut.poll_frame(cx).frame;
        assert!(matches!(frame, Poll::Ready(Some(Err(BodyError::Lagging)))));
    }
}
