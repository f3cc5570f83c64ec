//! The body of a flight in content codings: each is made once, by a task of its own, for all who read it.
//!
//! It begins with the first who wants it, from the first byte on, and ends when nobody reads it any more. What was coded is
//! kept while the body arrives, so that whoever joins late gets it from the beginning too; where there is no room for that,
//! it waits for its readers as a body does that is too large to be collected.

use super::{
    allowance::{Allowance, Purpose},
    buffer::{Buffer, Limits},
    reading::Reading,
};
use crate::{
    message::{BodyError, Stream, coded, encode::Encoder},
    semantics::Coding,
};
use bytes::Bytes;
use http_body_util::BodyExt;
use parking_lot::Mutex;
use std::sync::Arc;
use tokio::sync::Semaphore;

/// By so much a coding may be larger than its body.
const INCOMPRESSIBLE: u64 = 64 << 10;

/// What has been begun, by coding.
#[derive(Debug, Default)]
pub(in crate::cache) struct Codings([Mutex<Option<Arc<Buffer>>>; Coding::COUNT]);

/// What there is for one who wants a coding.
pub(in crate::cache) enum Coded {
    /// It is being made, or was.
    Shared(Reading),
    /// It is to be made: somebody has to see to that.
    Begun(Reading, Making),
    /// Its beginning is gone: this is the body as it is.
    TooLate(Reading),
}

/// A coding that is to be made. Dropped before its end it is broken for those who read it.
pub(in crate::cache) struct Making {
    codings: Arc<Codings>,
    coding: Coding,
    coded: Arc<Buffer>,
    source: Option<Reading>,
}

impl Codings {
    /// The body that `source` reads from its beginning, in `coding`. What is kept of it counts in `allowance`.
    pub(super) fn of(
        self: &Arc<Self>,
        coding: Coding,
        source: Reading,
        allowance: &Arc<Allowance>,
    ) -> Coded {
        let mut slot = self.0[coding.index()].lock();
        if let Some(coded) = &*slot {
            return Reading::of(coded).map_or(Coded::TooLate(source), Coded::Shared);
        }
        let coded = Arc::new(Buffer::new(allowance, Purpose::Readers));
        let reading = Reading::of(&coded).expect("nothing of it can be gone yet");
        *slot = Some(Arc::clone(&coded));
        let making = Making {
            codings: Arc::clone(self),
            coding,
            coded,
            source: Some(source.for_others()),
        };
        Coded::Begun(reading, making)
    }
}

impl Making {
    /// Makes it. Ends with the body, or when nobody reads it any more.
    pub(in crate::cache) async fn run(
        mut self,
        encoder: Encoder,
        coders: Arc<Semaphore>,
        limits: Limits,
    ) {
        let limits = Limits {
            object: limits.object.saturating_add(INCOMPRESSIBLE),
            ..limits
        };
        let source = self.source.take().expect("it is run once");
        let mut source = coded::stream(Box::pin(source), encoder, coders);
        let (coded, mut keeps) = (Arc::clone(&self.coded), true);
        while keeps || coded.room().await || !self.gives_up() {
            let piece = tokio::select! {
                piece = next(&mut source) => piece,
                () = coded.moved() => {
                    if self.gives_up() {
                        return;
                    }
                    continue;
                }
            };
            match piece {
                Some(Ok(piece)) if keeps => {
                    keeps = coded.collect(piece, limits).is_ok();
                    if !keeps {
                        coded.stop_collecting();
                    }
                }
                Some(Ok(piece)) => coded.pass(piece),
                Some(Err(error)) => return coded.end(Err(error)),
                None => return coded.end(Ok(())),
            }
        }
    }

    /// Where nobody reads it, the next who wants it begins anew.
    fn gives_up(&self) -> bool {
        let mut slot = self.codings.0[self.coding.index()].lock();
        let unread = !self.coded.is_read();
        if unread {
            *slot = None;
        }
        unread
    }
}

impl Drop for Making {
    fn drop(&mut self) {
        self.coded.abandon(); // no effect unless something panicked, or nobody reads
    }
}

async fn next(source: &mut Stream) -> Option<Result<Bytes, BodyError>> {
    let frame = source.frame().await?;
    Some(frame.map(|frame| frame.into_data().unwrap_or_default()))
}
