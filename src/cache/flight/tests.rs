//! One body, and those who read it.

use super::{
    allowance::{Allowance, Purpose},
    buffer::{Buffer, LAGGING_TIMEOUT, Limits, Overflow},
    coded::{Coded, Codings},
    reading::{Reading, Seat},
};
use crate::{
    message::{BodyError, encode::Encoder},
    metrics::Metrics,
    semantics::Coding,
};
use bytes::Bytes;
use http_body_util::BodyExt;
use std::{sync::Arc, time::Duration};
use tokio::sync::Semaphore;
use tokio_util::task::TaskTracker;

/// What is kept for slow readers of a body that is not collected.
const WINDOW: usize = 256 << 10;

/// One byte may be collected.
const ONE: Limits = Limits {
    object: 1,
    together: 1 << 30,
};

const MANY: Limits = Limits {
    object: 1 << 20,
    together: 1 << 30,
};

fn allowance() -> (Arc<Allowance>, Arc<Metrics>) {
    let metrics = Metrics::new();
    (Allowance::new(Arc::clone(&metrics)), metrics)
}

fn buffer() -> Arc<Buffer> {
    Arc::new(Buffer::new(&allowance().0, Purpose::Store))
}

fn piece(size: usize) -> Bytes {
    vec![b'x'; size].into()
}

fn read(buffer: &Arc<Buffer>) -> Reading {
    Reading::of(buffer).unwrap()
}

async fn next(reading: &mut Reading) -> Option<Result<Bytes, BodyError>> {
    let frame = reading.frame().await;
    frame.map(|frame| frame.map(|frame| frame.into_data().unwrap()))
}

async fn all(reading: Reading) -> Result<Bytes, BodyError> {
    reading.collect().await.map(|body| body.to_bytes())
}

#[tokio::test]
async fn a_late_reader_gets_everything() {
    let buffer = buffer();
    buffer.collect("a".into(), MANY).unwrap();
    let mut early = read(&buffer);
    assert_eq!(next(&mut early).await.unwrap().unwrap(), "a");
    buffer.collect("b".into(), MANY).unwrap();
    let late = read(&buffer);
    assert_eq!(buffer.take(), ["a", "b"]);
    buffer.settle("ab".into());
    assert_eq!(all(late).await.unwrap(), "ab");
    assert_eq!(all(early).await.unwrap(), "b");
    assert_eq!(all(read(&buffer)).await.unwrap(), "ab");
}

#[tokio::test]
async fn once_it_is_stored_readers_go_on_in_what_is_stored() {
    let (allowance, metrics) = allowance();
    let buffer = Arc::new(Buffer::new(&allowance, Purpose::Store));
    let mut slow = read(&buffer);
    for _ in 0..3 {
        buffer.collect(piece(1000), MANY).unwrap();
    }
    assert_eq!(next(&mut slow).await.unwrap().unwrap().len(), 1000);
    assert!(metrics.collecting_bytes.get() >= 3000);
    let stored = piece(3000);
    buffer.settle(stored.clone());
    assert_eq!(metrics.collecting_bytes.get(), 0, "it is held once");
    let rest = next(&mut slow).await.unwrap().unwrap();
    assert_eq!(rest.as_ptr(), stored[1000..].as_ptr());
    assert_eq!(rest.len(), 2000);
    assert!(next(&mut slow).await.is_none());
}

#[tokio::test]
async fn an_abandoned_body_is_broken_and_a_complete_one_stays_complete() {
    let broken = buffer();
    let reading = read(&broken);
    broken.collect("a".into(), MANY).unwrap();
    broken.abandon();
    assert!(all(reading).await.is_err());
    let complete = buffer();
    complete.end(Ok(()));
    complete.abandon();
    assert!(all(read(&complete)).await.is_ok());
}

#[tokio::test]
async fn past_the_limit_the_writer_waits_for_the_reader_and_keeps_little() {
    let (allowance, metrics) = allowance();
    let buffer = Arc::new(Buffer::new(&allowance, Purpose::Store));
    let mut reader = read(&buffer);
    assert_eq!(buffer.collect(piece(WINDOW), ONE), Err(Overflow::Object));
    buffer.stop_collecting();
    let waiting = tokio::time::timeout(Duration::from_millis(20), buffer.room()).await;
    assert!(
        waiting.is_err(),
        "there is no room before the reader has moved"
    );
    next(&mut reader).await.unwrap().unwrap();
    assert!(buffer.room().await);
    assert_eq!(metrics.collecting_bytes.get(), 0);
    assert!(Reading::of(&buffer).is_none(), "the beginning is gone");
}

#[tokio::test]
async fn together_bodies_hold_no_more_than_they_may() {
    let (allowance, metrics) = allowance();
    let buffers = [(); 2].map(|()| Arc::new(Buffer::new(&allowance, Purpose::Store)));
    let limits = Limits {
        together: 10_000,
        ..MANY
    };
    assert!(buffers[0].reserve(6000, limits) && !buffers[1].reserve(6000, limits));
    assert_eq!(buffers[0].collect(piece(5000), limits), Ok(()));
    let reading = read(&buffers[1]);
    assert_eq!(buffers[1].collect(piece(3000), limits), Ok(()));
    assert_eq!(
        buffers[1].collect(piece(3000), limits),
        Err(Overflow::Together)
    );
    buffers[1].stop_collecting();
    buffers[1].end(Ok(()));
    assert_eq!(all(reading).await.unwrap().len(), 6000);
    assert_eq!(metrics.collecting_bytes.get(), 6000);
    drop(buffers);
    assert_eq!(metrics.collecting_bytes.get(), 0);
}

#[tokio::test]
async fn without_readers_there_is_nothing_to_wait_for() {
    let buffer = buffer();
    let reader = read(&buffer);
    buffer.collect(piece(WINDOW), ONE).unwrap_err();
    buffer.stop_collecting();
    drop(reader);
    assert!(!buffer.room().await);
}

#[tokio::test(start_paused = true)]
async fn a_reader_that_stands_still_is_cut_off_when_another_waits() {
    let buffer = buffer();
    let (mut stands, mut moves) = (read(&buffer), read(&buffer));
    buffer.collect(piece(WINDOW), ONE).unwrap_err();
    buffer.stop_collecting();
    next(&mut moves).await.unwrap().unwrap();
    assert!(buffer.room().await);
    assert!(matches!(
        next(&mut stands).await,
        Some(Err(BodyError::Lagging))
    ));
    buffer.pass("more".into());
    assert_eq!(next(&mut moves).await.unwrap().unwrap(), "more");
}

#[tokio::test(start_paused = true)]
async fn a_reader_that_delays_nobody_is_not_cut_off() {
    let buffer = buffer();
    let (mut stands, mut moves) = (read(&buffer), read(&buffer));
    buffer.collect(piece(WINDOW / 2), ONE).unwrap_err();
    buffer.stop_collecting();
    next(&mut moves).await.unwrap().unwrap();
    tokio::time::advance(2 * LAGGING_TIMEOUT).await;
    assert!(buffer.room().await, "there is room for more");
    assert!(next(&mut stands).await.unwrap().is_ok());
}

#[tokio::test(start_paused = true)]
async fn the_beginning_is_kept_for_those_who_wait_and_not_for_ever() {
    let buffer = buffer();
    let (early, late) = (Seat::of(&buffer), Seat::of(&buffer));
    buffer.collect(piece(WINDOW), ONE).unwrap_err();
    buffer.stop_collecting();
    let mut early = early.read().unwrap();
    next(&mut early).await.unwrap().unwrap();
    assert!(buffer.room().await, "one of them has taken too long");
    assert!(late.read().is_none());
}

fn codings() -> (Arc<Codings>, Arc<Allowance>, Arc<Metrics>) {
    let (allowance, metrics) = allowance();
    (Arc::default(), allowance, metrics)
}

async fn run(making: super::coded::Making, limits: Limits) {
    making
        .run(Encoder::gzip(6), Arc::new(Semaphore::new(1)), limits)
        .await;
}

/// Bytes that no coding makes smaller.
fn noise(size: usize) -> Bytes {
    (0..size).map(|_| fastrand::u8(..)).collect()
}

#[tokio::test]
async fn a_coding_is_made_once_for_all_who_read_it() {
    let ((codings, allowance, metrics), body) = (codings(), buffer());
    body.collect(noise(100_000), MANY).unwrap();
    let Coded::Begun(first, making) = codings.of(Coding::Gzip, read(&body), &allowance) else {
        panic!("nobody has begun it");
    };
    let making = TaskTracker::new().spawn(run(making, MANY));
    let Coded::Shared(second) = codings.of(Coding::Gzip, read(&body), &allowance) else {
        panic!("it is being made");
    };
    let second = TaskTracker::new().spawn(all(second));
    body.collect(noise(100_000), MANY).unwrap();
    body.end(Ok(()));
    let first = all(first).await.unwrap();
    assert!(first.len() > 200_000 && second.await.unwrap().unwrap() == first);
    making.await.unwrap();
    drop((codings, body));
    assert_eq!(metrics.collecting_bytes.get(), 0);
}

#[tokio::test]
async fn a_coding_that_nobody_reads_ends_and_may_begin_anew() {
    let ((codings, allowance, _), body) = (codings(), buffer());
    let Coded::Begun(first, making) = codings.of(Coding::Gzip, read(&body), &allowance) else {
        panic!("nobody has begun it");
    };
    let making = TaskTracker::new().spawn(run(making, MANY));
    tokio::task::yield_now().await;
    drop(first);
    making.await.unwrap();
    assert!(!body.is_read(), "its source has gone too");
    let again = codings.of(Coding::Gzip, read(&body), &allowance);
    assert!(matches!(again, Coded::Begun(..)));
}

#[tokio::test]
async fn a_coding_ends_as_its_body_does_or_with_who_makes_it() {
    let ((codings, allowance, _), body) = (codings(), buffer());
    let Coded::Begun(reading, making) = codings.of(Coding::Gzip, read(&body), &allowance) else {
        panic!("nobody has begun it");
    };
    body.collect("a".into(), MANY).unwrap();
    body.abandon();
    run(making, MANY).await;
    assert!(matches!(all(reading).await, Err(BodyError::Broken)));
    let Coded::Begun(reading, making) = codings.of(Coding::Br, read(&buffer()), &allowance) else {
        panic!("nobody has begun it");
    };
    drop(making);
    assert!(matches!(all(reading).await, Err(BodyError::Broken)));
}

#[tokio::test]
async fn where_there_is_no_room_a_coding_waits_for_its_readers() {
    let ((codings, allowance, _), body) = (codings(), buffer());
    let limits = Limits {
        together: 100_000,
        ..MANY
    };
    body.settle(noise(1_000_000));
    let Coded::Begun(mut slow, making) = codings.of(Coding::Gzip, read(&body), &allowance) else {
        panic!("nobody has begun it");
    };
    let making = TaskTracker::new().spawn(run(making, limits));
    let first = next(&mut slow).await.unwrap().unwrap();
    let identity = loop {
        tokio::task::yield_now().await;
        if let Coded::TooLate(identity) = codings.of(Coding::Gzip, read(&body), &allowance) {
            break identity;
        }
    };
    assert!(!making.is_finished(), "not all of it is kept");
    assert_eq!(all(identity).await.unwrap().len(), 1_000_000);
    assert!(first.len() + all(slow).await.unwrap().len() > 1_000_000);
    making.await.unwrap();
}
