//! gzip of a stream: each piece goes on as soon as it is there.

use super::body::{BodyError, Stream};
use bytes::Bytes;
use flate2::{Compression, write::GzEncoder};
use http_body::{Body, Frame};
use std::{
    io::Write,
    pin::Pin,
    task::{Context, Poll, ready},
};

/// Codes `stream` with gzip, flushing after each of its pieces. Trailers do not survive: they may speak of the bytes.
pub fn gzip_stream(stream: Stream, level: u32) -> Stream {
    Box::pin(GzipStream {
        stream,
        encoder: Some(GzEncoder::new(Vec::new(), Compression::new(level))),
    })
}

/// The whole of `body` in gzip.
pub fn gzip(body: &[u8], level: u32) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::with_capacity(body.len() / 2), Compression::new(level));
    encoder
        .write_all(body)
        .expect("writing to a Vec cannot fail");
    encoder.finish().expect("writing to a Vec cannot fail")
}

struct GzipStream {
    stream: Stream,
    /// `None` once the trailer of the format has been written.
    encoder: Option<GzEncoder<Vec<u8>>>,
}

impl Body for GzipStream {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        loop {
            if self.encoder.is_none() {
                return Poll::Ready(None);
            }
            let frame = match ready!(self.stream.as_mut().poll_frame(cx)) {
                Some(Ok(frame)) => Some(frame),
                Some(Err(error)) => return Poll::Ready(Some(Err(error))),
                None => None,
            };
            let Some(frame) = frame else {
                let encoder = self.encoder.take().expect("it was there above");
                let last = encoder.finish().expect("writing to a Vec cannot fail");
                return Poll::Ready(Some(Ok(Frame::data(last.into()))));
            };
            let Some(data) = frame.data_ref() else {
                continue;
            };
            let encoder = self.encoder.as_mut().expect("it was there above");
            encoder
                .write_all(data)
                .and_then(|()| encoder.flush())
                .expect("writing to a Vec cannot fail");
            let coded = std::mem::take(encoder.get_mut());
            if !coded.is_empty() {
                return Poll::Ready(Some(Ok(Frame::data(coded.into()))));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http_body_util::{BodyExt, StreamBody};
    use std::io::Read;

    #[tokio::test]
    async fn each_piece_can_be_read_before_the_next_is_there() {
        let (sender, receiver) = tokio::sync::mpsc::channel::<&'static [u8]>(1);
        let frames = futures_util::stream::unfold(receiver, |mut receiver| async {
            let piece = receiver.recv().await?;
            Some((
                Ok::<_, BodyError>(Frame::data(Bytes::from_static(piece))),
                receiver,
            ))
        });
        let mut coded = gzip_stream(Box::pin(StreamBody::new(frames)), 6);
        let mut received = Vec::new();
        for (piece, so_far) in [("one ", "one "), ("two", "one two")] {
            sender.send(piece.as_bytes()).await.unwrap();
            received.extend(coded.frame().await.unwrap().unwrap().into_data().unwrap());
            let mut read = vec![0; so_far.len()];
            flate2::read::GzDecoder::new(&received[..])
                .read_exact(&mut read)
                .unwrap();
            assert_eq!(read, so_far.as_bytes());
        }
        drop(sender);
        received.extend(coded.frame().await.unwrap().unwrap().into_data().unwrap());
        assert!(coded.frame().await.is_none());
        let mut whole = String::new();
        flate2::read::GzDecoder::new(&received[..])
            .read_to_string(&mut whole)
            .unwrap();
        assert_eq!(whole, "one two");
    }
}
