//! The content of a request, of which the first part is here before the request takes a place: who trickles waits alone.

use super::places::{Hold, Place, Places, Sending};
use crate::{
    message::{BodyError, IdleTimeout, Party, Stream, body::size_from},
    origin::{FetchError, RequestBody},
};
use bytes::Bytes;
use futures_util::FutureExt;
use http_body::{Body, Frame, SizeHint};
use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};
use tokio::time::timeout;

/// So much is waited for, or all where that is less: nearly every call of an API is smaller, so that its place is taken for
/// as long as the upstream needs and not for as long as its client does.
const FIRST_PART: usize = 64 << 10;

/// Content that does not say how long it is may be a conversation, in which the upstream has to speak: after so long without
/// more of it, what is here has to do.
const PAUSE: Duration = Duration::from_millis(250);

/// So many first parts may be here before their requests have a place: that bounds what they take of memory, which is twice
/// [`FIRST_PART`] each at most, and of connections.
pub(super) const MOST_FIRST_PARTS: usize = 1024;

/// How fast clients have to send.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    /// What may pass between two pieces, and by how much a client may be behind the rate.
    pub(super) patience: Duration,
    /// In bytes a second.
    pub(super) min_rate: u64,
}

/// `stream` once its first part is here. Unless that is so at once, it takes one of `places` until it goes on.
///
/// # Errors
/// [`FetchError::ClientSlow`] where it comes too slowly, [`FetchError::ClientBody`] where it breaks off,
/// [`FetchError::Overloaded`] where too many others wait for theirs.
pub(super) async fn begun(
    stream: Stream,
    limits: Limits,
    places: &Places,
    party: Party,
) -> Result<Begun, FetchError> {
    let is_measured = stream.size_hint().exact().is_some();
    let mut content = Begun {
        first: Vec::new(),
        trailers: None,
        rest: IdleTimeout::new(stream, limits.patience).with_least(limits.min_rate),
        hold: None,
        place: None,
        sending: None,
    };
    while content.first.len() < FIRST_PART && !content.rest.is_end_stream() {
        let at_hand = content.come().now_or_never();
        let frame = match at_hand {
            Some(frame) => frame,
            None if content.place.is_none() => {
                let place = places.take(party).await?;
                content.hold = Some(Arc::clone(place.hold()));
                content.place = Some(place);
                continue;
            }
            None => match content.more(is_measured).await? {
                Some(frame) => frame,
                None => break,
            },
        };
        let Some(frame) = frame else {
            break;
        };
        let frame = frame.map_err(|error| FetchError::content(&error))?;
        match frame.into_data() {
            Ok(data) => content.first.extend_from_slice(&data),
            Err(trailers) => content.trailers = Some(trailers),
        }
    }
    content.hold = None;
    Ok(content)
}

/// Content of which the first part has come.
pub(super) struct Begun {
    /// In one piece: many small ones would take many times their size.
    first: Vec<u8>,
    trailers: Option<Frame<Bytes>>,
    rest: IdleTimeout<Stream>,
    /// Is told how the first part comes.
    hold: Option<Arc<Hold>>,
    /// Taken while the first part is all that holds memory.
    place: Option<Place>,
    /// The place in which it goes to the upstream.
    sending: Option<Sending>,
}

impl Begun {
    /// As the content of a request that has a place. It ends in an error once the response is over, so that its connection ends
    /// too: nobody listens, and whoever trickled content behind an answer would keep a connection that has no place.
    pub(super) fn sent_in(self, place: &Place) -> RequestBody {
        RequestBody::Stream(Box::pin(Self {
            sending: Some(place.sends()),
            place: None,
            ..self
        }))
    }

    /// What comes next of its first part; `None` where that has come, because nothing more does for a while.
    async fn more(
        &mut self,
        is_measured: bool,
    ) -> Result<Option<Option<Result<Frame<Bytes>, BodyError>>>, FetchError> {
        let place = self.place.take();
        let pauses = !is_measured && !self.first.is_empty();
        let limit = if pauses { PAUSE } else { Duration::MAX };
        let come = timeout(limit, self.come()).map(|come| Ok(come.ok()));
        let come = match &place {
            Some(place) => place.unless_displaced(come).await,
            None => come.await,
        };
        self.place = place;
        come
    }

    /// What comes next.
    fn come(&mut self) -> impl Future<Output = Option<Result<Frame<Bytes>, BodyError>>> {
        std::future::poll_fn(|cx| self.poll_come(cx))
    }

    fn poll_come(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let polled = Pin::new(&mut self.rest).poll_frame(cx);
        let sending = self.sending.as_ref().map(Sending::hold);
        let Some(hold) = sending.or(self.hold.as_ref()) else {
            return polled;
        };
        let may_go_on = match &polled {
            Poll::Pending => {
                hold.waits();
                true
            }
            Poll::Ready(Some(Ok(frame))) => hold.came(frame.data_ref().map_or(0, Bytes::len)),
            Poll::Ready(_) => hold.came(0),
        };
        if may_go_on { polled } else { STOPPED }
    }
}

/// Content that nobody listens to any more.
const STOPPED: Poll<Option<Result<Frame<Bytes>, BodyError>>> =
    Poll::Ready(Some(Err(BodyError::Lagging)));

impl Body for Begun {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let sending = self.sending.as_ref();
        if sending.is_some_and(|sending| sending.poll_stopped(cx).is_ready()) {
            return STOPPED;
        }
        if !self.first.is_empty() {
            let first = std::mem::take(&mut self.first);
            return Poll::Ready(Some(Ok(Frame::data(first.into()))));
        }
        match self.trailers.take() {
            Some(trailers) => Poll::Ready(Some(Ok(trailers))),
            None => self.poll_come(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.first.is_empty() && self.trailers.is_none() && self.rest.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        size_from(self.first.len() as u64, &self.rest.size_hint())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::{Gauge, Metrics};
    use http::HeaderMap;
    use http_body_util::{BodyExt, Full, StreamBody, channel::Channel};
    use tokio::time::{Instant, sleep};

    const LIMITS: Limits = Limits {
        patience: Duration::from_secs(10),
        min_rate: 100,
    };

    fn places(count: usize) -> Places {
        let wait = Duration::from_secs(1);
        Places::new(count, wait, Gauge::default(), &Metrics::new())
    }

    fn party(last: u8) -> Party {
        Party::at([192, 0, 2, last].into())
    }

    async fn begin<B>(body: B) -> Result<Begun, FetchError>
    where
        B: Body<Data = Bytes, Error = BodyError> + Send + 'static,
    {
        begun(Box::pin(body), LIMITS, &places(1), party(1)).await
    }

    /// A client that sends `bytes` at each interval, for ever.
    fn trickle(
        bytes: usize,
        interval: Duration,
    ) -> impl Body<Data = Bytes, Error = BodyError> + Send + 'static {
        let frames = futures_util::stream::unfold((), move |()| async move {
            sleep(interval).await;
            Some((Ok(Frame::data(vec![b'x'; bytes].into())), ()))
        });
        StreamBody::new(Box::pin(frames))
    }

    /// The same of content that says how long it is.
    struct Measured<B>(B);

    impl<B: Body<Data = Bytes, Error = BodyError> + Unpin> Body for Measured<B> {
        type Data = Bytes;
        type Error = BodyError;

        fn poll_frame(
            mut self: Pin<&mut Self>,
            cx: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
            Pin::new(&mut self.0).poll_frame(cx)
        }

        fn size_hint(&self) -> SizeHint {
            SizeHint::with_exact(1 << 30)
        }
    }

    const SECOND: Duration = Duration::from_secs(1);

    #[tokio::test(start_paused = true)]
    async fn the_first_part_is_waited_for_and_not_for_the_rest() {
        let began = Instant::now();
        let content = begin(Measured(trickle(1 << 10, SECOND))).await.unwrap();
        assert_eq!(content.first.len(), FIRST_PART);
        assert_eq!(began.elapsed().as_secs(), 64);
    }

    #[tokio::test(start_paused = true)]
    async fn content_that_may_be_a_conversation_is_waited_for_until_it_pauses() {
        for (interval, bytes) in [(SECOND, 100), (PAUSE / 2, FIRST_PART)] {
            let content = begin(trickle(100, interval)).await.unwrap();
            assert_eq!(content.first.len().div_ceil(100), bytes.div_ceil(100));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn content_that_trickles_ends_before_long() {
        let began = Instant::now();
        let slow = begin(Measured(trickle(10, SECOND))).await;
        assert!(matches!(slow, Err(FetchError::ClientSlow)));
        let content = begin(trickle(10, SECOND)).await.unwrap().collect().await;
        assert!(matches!(content, Err(BodyError::Silent)));
        assert!(began.elapsed() < LIMITS.patience * 4);
    }

    #[tokio::test(start_paused = true)]
    async fn content_at_the_least_rate_goes_on() {
        let mut content = begin(trickle(100, SECOND)).await.unwrap();
        for _ in 0..1000 {
            content.frame().await.unwrap().unwrap();
        }
    }

    #[tokio::test(start_paused = true)]
    async fn content_that_does_not_begin_is_the_clients_fault() {
        let (sender, body) = Channel::<Bytes, BodyError>::new(1);
        let refused = begin(body).await.map(drop);
        assert_eq!(refused.unwrap_err().status(), 408);
        drop(sender);
    }

    #[tokio::test(start_paused = true)]
    async fn so_many_first_parts_are_waited_for_and_the_slowest_gives_way() {
        let places = places(2);
        let slow = |last| {
            let body = Box::pin(Measured(trickle(1 << 10, SECOND)));
            begun(body, LIMITS, &places, party(last))
        };
        let first = async { tokio::join!(slow(1), slow(1)) };
        let brisk = async {
            sleep(SECOND / 10).await;
            let begun_at = Instant::now();
            let body = Box::pin(Measured(trickle(32 << 10, SECOND / 4)));
            let content = begun(body, LIMITS, &places, party(2)).await;
            (content.map(drop), begun_at.elapsed())
        };
        let ((one, other), (third, took)) = tokio::join!(first, brisk);
        let refused = [one, other].map(|content| content.is_err());
        assert_eq!(refused.iter().filter(|refused| **refused).count(), 1);
        assert!(third.is_ok() && took < 3 * SECOND / 2, "{took:?}");
    }

    #[tokio::test]
    async fn content_at_hand_takes_no_place() {
        let body = Full::new(Bytes::from_static(b"x")).map_err(|never| match never {});
        let content = begun(Box::pin(body), LIMITS, &places(0), party(1)).await;
        assert_eq!(content.unwrap().collect().await.unwrap().to_bytes(), "x");
    }

    #[tokio::test]
    async fn content_comes_out_as_it_went_in() {
        for sizes in [&[1][..], &[1, 2, 3], &[9000, 1], &[40_000; 4]] {
            let pieces: Vec<_> = sizes.iter().map(|size| vec![b'x'; *size]).collect();
            let frames = pieces
                .clone()
                .into_iter()
                .map(|piece| Frame::data(piece.into()));
            let trailers = HeaderMap::from_iter([(http::header::ETAG, "\"1\"".parse().unwrap())]);
            let frames = frames.chain([Frame::trailers(trailers.clone())]).map(Ok);
            let body = StreamBody::new(futures_util::stream::iter(frames));
            let content = begin(body).await.unwrap().collect().await.unwrap();
            assert_eq!(content.trailers(), Some(&trailers));
            assert_eq!(content.to_bytes(), pieces.concat());
        }
    }
}
