//! Bodies that are coded as they arrive: what has come can be read before the next piece is there.

use super::{
    body::{BodyError, Stream},
    encode::Encoder,
};
use bytes::Bytes;
use http_body::{Body, Frame};
use std::{
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};
use tokio::sync::Semaphore;

/// So much a worker codes itself before it gives way to others, in bytes: half a millisecond of work or so. Larger pieces are
/// coded on the blocking pool.
const QUICK: usize = 32 << 10;

/// So much of a larger piece is coded at once, in bytes.
const BATCH: usize = 256 << 10;

/// Codes `stream`, flushing after each of its pieces. Trailers do not survive: they may speak of the bytes. What the workers
/// are spared waits for a permit of `coders`.
pub fn stream(stream: Stream, encoder: Encoder, coders: Arc<Semaphore>) -> Stream {
    Box::pin(Coded {
        stream,
        rest: Bytes::new(),
        quick: 0,
        coder: Coder::Here(encoder),
        coders,
    })
}

struct Coded {
    stream: Stream,
    /// What of the last piece is not coded yet.
    rest: Bytes,
    /// What was coded here since others had their turn, in bytes.
    quick: usize,
    coder: Coder,
    coders: Arc<Semaphore>,
}

enum Coder {
    Here(Encoder),
    /// On the blocking pool; `None` where the runtime is going down.
    Elsewhere(Pin<Box<dyn Future<Output = Option<Piece>> + Send>>),
    /// The end of the format has been written, or the coder has failed.
    Gone,
}

type Piece = (Encoder, io::Result<Vec<u8>>);

/// One step forward.
enum Step {
    Coded(io::Result<Vec<u8>>),
    Failed(BodyError),
    GiveWay,
    End,
}

impl Coded {
    fn step(&mut self, cx: &mut Context<'_>) -> Poll<Step> {
        match &mut self.coder {
            Coder::Gone => Poll::Ready(Step::End),
            Coder::Elsewhere(job) => {
                let Some((encoder, coded)) = ready!(job.as_mut().poll(cx)) else {
                    return Poll::Ready(Step::Failed(BodyError::Coding));
                };
                self.coder = Coder::Here(encoder);
                Poll::Ready(Step::Coded(coded))
            }
            Coder::Here(_) if self.rest.is_empty() => {
                match ready!(self.stream.as_mut().poll_frame(cx)) {
                    Some(Ok(frame)) => {
                        self.rest = frame.into_data().unwrap_or_default();
                        Poll::Ready(Step::Coded(Ok(Vec::new())))
                    }
                    Some(Err(error)) => Poll::Ready(Step::Failed(error)),
                    None => Poll::Ready(self.finish()),
                }
            }
            Coder::Here(encoder) if self.rest.len() <= QUICK => {
                if self.quick + self.rest.len() > QUICK {
                    return Poll::Ready(Step::GiveWay);
                }
                self.quick += self.rest.len();
                let piece = std::mem::take(&mut self.rest);
                Poll::Ready(Step::Coded(encoder.piece(&piece)))
            }
            Coder::Here(_) => {
                let batch = self.rest.split_to(self.rest.len().min(BATCH));
                if let Coder::Here(encoder) = std::mem::replace(&mut self.coder, Coder::Gone) {
                    let job = elsewhere(encoder, batch, Arc::clone(&self.coders));
                    self.coder = Coder::Elsewhere(Box::pin(job));
                }
                Poll::Ready(Step::Coded(Ok(Vec::new())))
            }
        }
    }

    fn finish(&mut self) -> Step {
        match std::mem::replace(&mut self.coder, Coder::Gone) {
            Coder::Here(encoder) => Step::Coded(encoder.finish()),
            Coder::Elsewhere(_) | Coder::Gone => Step::End,
        }
    }
}

async fn elsewhere(mut encoder: Encoder, piece: Bytes, coders: Arc<Semaphore>) -> Option<Piece> {
    let permit = coders.acquire_owned().await.ok()?;
    let coding = tokio::task::spawn_blocking(move || {
        let _permit = permit;
        let coded = encoder.piece(&piece);
        (encoder, coded)
    });
    coding.await.ok()
}

impl Body for Coded {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        loop {
            let Poll::Ready(step) = self.step(cx) else {
                self.quick = 0;
                return Poll::Pending;
            };
            match step {
                Step::Coded(Ok(coded)) if coded.is_empty() => {}
                Step::Coded(Ok(coded)) => {
                    return Poll::Ready(Some(Ok(Frame::data(coded.into()))));
                }
                Step::Coded(Err(_)) => {
                    self.coder = Coder::Gone;
                    return Poll::Ready(Some(Err(BodyError::Coding)));
                }
                Step::Failed(error) => {
                    self.coder = Coder::Gone;
                    return Poll::Ready(Some(Err(error)));
                }
                Step::GiveWay => {
                    self.quick = 0;
                    cx.waker().wake_by_ref();
                    return Poll::Pending;
                }
                Step::End => return Poll::Ready(None),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::encode::Extent;
    use async_compression::tokio::bufread::{BrotliDecoder, GzipDecoder, ZstdDecoder};
    use http_body_util::{BodyExt, StreamBody};
    use std::{
        convert::Infallible,
        sync::atomic::{AtomicUsize, Ordering::Relaxed},
    };
    use tokio::{
        io::{AsyncRead, AsyncReadExt},
        sync::mpsc,
    };
    use tokio_util::task::TaskTracker;

    const CODINGS: [&str; 3] = ["gzip", "zstd", "br"];

    fn encoder(coding: &str) -> Encoder {
        match coding {
            "gzip" => Encoder::gzip(6),
            "zstd" => Encoder::zstd(3, Extent::Stream),
            _ => Encoder::brotli(4, Extent::Stream),
        }
    }

    fn coded(
        coding: &str,
        body: impl Body<Data = Bytes, Error = BodyError> + Send + 'static,
    ) -> Stream {
        stream(Box::pin(body), encoder(coding), Arc::new(Semaphore::new(1)))
    }

    fn decoder<'c>(coding: &str, coded: &'c [u8]) -> Box<dyn AsyncRead + Unpin + 'c> {
        match coding {
            "gzip" => Box::new(GzipDecoder::new(coded)),
            "zstd" => Box::new(ZstdDecoder::new(coded)),
            _ => Box::new(BrotliDecoder::new(coded)),
        }
    }

    async fn decoded(coding: &str, coded: &[u8]) -> Vec<u8> {
        let mut body = Vec::new();
        decoder(coding, coded).read_to_end(&mut body).await.unwrap();
        body
    }

    fn text(size: usize) -> Vec<u8> {
        let words = (0..).flat_map(|n: u32| format!("{{\"id\":{n}}},").into_bytes());
        words.take(size).collect()
    }

    /// The pieces that are sent, as they are sent.
    fn live() -> (
        mpsc::Sender<Vec<u8>>,
        impl Body<Data = Bytes, Error = BodyError>,
    ) {
        let (sender, receiver) = mpsc::channel::<Vec<u8>>(1);
        let frames = futures_util::stream::unfold(receiver, |mut receiver| async {
            let piece = Bytes::from(receiver.recv().await?);
            Some((Ok::<_, BodyError>(Frame::data(piece)), receiver))
        });
        (sender, StreamBody::new(frames))
    }

    #[tokio::test]
    async fn each_piece_can_be_read_before_the_next_is_there() {
        for coding in CODINGS {
            let (sender, body) = live();
            let mut coded = coded(coding, body);
            let (mut sent, mut received) = (Vec::new(), Vec::new());
            // The last two are more than the coder's own buffer, than the window, and than what is coded at once.
            for size in [3, 1000, 100_000, 700_000] {
                let piece = text(size);
                sent.extend_from_slice(&piece);
                sender.send(piece).await.unwrap();
                let mut read = vec![0; sent.len()];
                while read != sent {
                    let frame = coded.frame().await.unwrap().unwrap();
                    received.extend(frame.into_data().unwrap());
                    let mut decoder = decoder(coding, &received);
                    let _ = decoder.read_exact(&mut read).await;
                }
            }
            drop(sender);
            received.extend(coded.collect().await.unwrap().to_bytes());
            assert!(decoded(coding, &received).await == sent, "{coding}");
        }
    }

    /// On one thread a task that does not give way is the only one that runs.
    #[tokio::test]
    async fn others_have_their_turn_while_much_is_coded() {
        const PIECES: usize = 64;
        for (size, turns) in [(QUICK, PIECES - 1), (BATCH * 2, 2 * PIECES)] {
            let piece = Bytes::from(text(size));
            let frames = (0..PIECES).map(move |_| Ok::<_, BodyError>(Frame::data(piece.clone())));
            let body = coded("zstd", StreamBody::new(futures_util::stream::iter(frames)));
            let count = Arc::new(AtomicUsize::new(0));
            let counting = TaskTracker::new().spawn({
                let count = Arc::clone(&count);
                async move {
                    loop {
                        count.fetch_add(1, Relaxed);
                        tokio::task::yield_now().await;
                    }
                }
            });
            body.collect().await.unwrap();
            counting.abort();
            assert!(count.load(Relaxed) >= turns, "{size}: {count:?}");
        }
    }

    #[tokio::test]
    async fn trailers_are_dropped_and_an_error_is_the_last_word() {
        for coding in CODINGS {
            let frames = [
                Ok(Frame::data(Bytes::from_static(b"one"))),
                Ok(Frame::data(Bytes::new())),
                Ok(Frame::trailers(http::HeaderMap::new())),
                Err(BodyError::Broken),
            ];
            let mut coded = coded(coding, StreamBody::new(futures_util::stream::iter(frames)));
            assert!(coded.frame().await.unwrap().unwrap().is_data(), "{coding}");
            let broken = coded.frame().await;
            assert!(matches!(broken, Some(Err(BodyError::Broken))), "{coding}");
        }
    }

    #[tokio::test]
    async fn an_empty_stream_is_an_empty_body() {
        for coding in CODINGS {
            let body = http_body_util::Empty::new().map_err(|never: Infallible| match never {});
            let coded = coded(coding, body).collect().await.unwrap().to_bytes();
            assert!(decoded(coding, &coded).await.is_empty(), "{coding}");
        }
    }
}
