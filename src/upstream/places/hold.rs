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
    pace: Pace,
    /// Since when its client is waited for.
    waits: Option<Instant>,
    /// Whoever has to let go of it, if asked.
    task: Option<Waker>,
    is_displaced: bool,
    /// It is another one's by now.
    is_back: bool,
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
            .field("pace", &self.pace)
            .field("waits", &self.waits)
            .field("is_displaced", &self.is_displaced)
            .finish_non_exhaustive()
    }
}

impl State {
    /// Its client moved, by so many bytes.
    fn moved(&mut self, bytes: usize) {
        let waited = self.waits.take().map(|since| since.elapsed());
        self.pace.came(waited.unwrap_or_default(), bytes);
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
            pace: Pace::new(BRISK, AMONG_EQUALS),
            waits: None,
            task: None,
            is_displaced: false,
            is_back: false,
        };
        Self {
            party,
            slot,
            state: Mutex::new(state),
        }
    }

    /// Content of its client is waited for.
    pub(in crate::upstream) fn waits(&self) {
        let mut state = self.state.lock();
        if matches!(state.purpose, Purpose::Request) {
            state.waits.get_or_insert_with(Instant::now);
        }
    }

    /// So many bytes of it came.
    pub(in crate::upstream) fn came(&self, bytes: usize) {
        let mut state = self.state.lock();
        if matches!(state.purpose, Purpose::Request) {
            state.moved(bytes);
        }
    }

    /// From now on it is taken for `body`; `false` where it had to be let go of just now.
    pub(super) fn answer(&self, body: Stream) -> bool {
        self.use_for(Purpose::Response(body, 0))
    }

    /// From now on it is taken for a tunnel.
    pub(super) fn tunnel(&self) -> bool {
        let opened = self.use_for(Purpose::Tunnel);
        self.state.lock().waits = Some(Instant::now());
        opened
    }

    fn use_for(&self, purpose: Purpose) -> bool {
        let mut state = self.state.lock();
        state.waits = None;
        state.pace = Pace::new(BRISK, AMONG_EQUALS);
        state.purpose = purpose;
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
        state.moved(taken);
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
                state.waits = Some(Instant::now());
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
        match &mut state.task {
            Some(task) => task.clone_from(cx.waker()),
            None => state.task = Some(cx.waker().clone()),
        }
        Poll::Pending
    }

    /// For how long its client has held it up, beside what it moved, and whether it is a tunnel; `None` where nothing is
    /// waited for but the upstream.
    pub(super) fn held_up(&self, now: Instant) -> Option<(Duration, bool)> {
        let state = self.state.lock();
        let waits = state.waits.filter(|_| !state.is_displaced)?;
        let behind = state.pace.behind(now.saturating_duration_since(waits));
        Some((behind, matches!(state.purpose, Purpose::Tunnel)))
    }

    /// It has to be let go of: another one gets it. `None` where that is so already, or it was given back.
    pub(super) fn displace(&self) -> Option<Displaced> {
        let mut state = self.state.lock();
        if state.is_displaced || state.is_back {
            return None;
        }
        state.is_displaced = true;
        state.task.take().into_iter().for_each(Waker::wake);
        let why = match &state.purpose {
            Purpose::Request | Purpose::Over => CutOff::SlowContent,
            Purpose::Response(..) => CutOff::SlowReader,
            Purpose::Tunnel => CutOff::Tunnel,
        };
        let response = match std::mem::replace(&mut state.purpose, Purpose::Over) {
            Purpose::Response(body, _) => Some(body),
            Purpose::Request | Purpose::Tunnel | Purpose::Over => None,
        };
        Some(Displaced { why, response })
    }

    /// It is given back. `false` where it was before.
    pub(super) fn end(&self) -> bool {
        let mut state = self.state.lock();
        !std::mem::replace(&mut state.is_back, true)
    }
}
