use super::*;
use futures_util::FutureExt;
use http_body_util::{BodyExt, StreamBody};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use tokio_util::task::TaskTracker;

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
    let places = places(1);
    let _taken = places.take(party(1)).await.unwrap();
    let woken = Arc::new(AtomicUsize::new(0));
    let tasks = TaskTracker::new();
    let waiting: Vec<_> = (0..WAITERS)
        .map(|_| {
            let (places, woken) = (places.clone(), Arc::clone(&woken));
            tasks.spawn(async move {
                let mut turn = Box::pin(places.take(party(2)));
                poll_fn(|cx| {
                    woken.fetch_add(1, Relaxed);
                    turn.as_mut().poll(cx)
                })
                .await
            })
        })
        .collect();
    sleep(LOOK / 2).await;
    let during = async |looks: u32| {
        woken.store(0, Relaxed);
        sleep(LOOK * looks).await;
        woken.load(Relaxed)
    };
    assert_eq!(woken.load(Relaxed), WAITERS, "each came once");
    let looks = during(8).await;
    assert!((7..=9).contains(&looks), "{looks}");
    waiting[0].abort(); // it was next
    let looks = during(8).await;
    assert!(
        (7..=11).contains(&looks),
        "the one behind it looks: {looks}"
    );
}
