//! Coders of content ([RFC 9110 §8.4.1]), for whole bodies and for pieces as they arrive.
//!
//! [RFC 9110 §8.4.1]: https://www.rfc-editor.org/rfc/rfc9110#section-8.4.1

use async_compression::{
    Level,
    brotli::EncoderParams,
    tokio::write::{BrotliEncoder, GzipEncoder, ZstdEncoder},
    zstd::CParameter,
};
use bytes::Bytes;
use futures_util::FutureExt;
use std::io;
use tokio::io::{AsyncWrite, AsyncWriteExt};

/// The largest window that every browser has room for, as a power of two: 8 MiB ([RFC 9659 §3]).
///
/// [RFC 9659 §3]: https://www.rfc-editor.org/rfc/rfc9659#section-3
const MOST_ZSTD: u32 = 23;

/// What brotli has without its large windows, as a power of two: 16 MiB ([RFC 7932 §9.1]).
///
/// [RFC 7932 §9.1]: https://www.rfc-editor.org/rfc/rfc7932#section-9.1
const MOST_BROTLI: u32 = 24;

/// With a smaller window brotli takes another way from level 5 on, which is ten times slower.
const LEAST_BROTLI: u32 = 17;

/// The least window that there is: 1 KiB.
const LEAST_ZSTD: u32 = 10;

/// The window of a stream, as a power of two: 128 KiB. So a stream takes some 330 KiB for gzip, 300 KiB for zstd at level 1
/// (1 MiB at 3), and 1.1 MiB for brotli at level 4.
const STREAM: u32 = 17;

/// How much is there to code. That decides how much memory the coder takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extent {
    /// A whole body of so many bytes.
    Whole(usize),
    /// Nobody knows, and it may last.
    Stream,
}

/// The coder of one body.
pub struct Encoder(Kind);

/// Boxed: each of them has hundreds of bytes, brotli thousands.
enum Kind {
    Gzip(Box<GzipEncoder<Vec<u8>>>),
    Zstd(Box<ZstdEncoder<Vec<u8>>>),
    Brotli(Box<BrotliEncoder<Vec<u8>>>),
}

impl Encoder {
    /// gzip, from 1, fast, to 9, small. Takes some 300 KiB, whatever the extent.
    pub fn gzip(level: u8) -> Self {
        let encoder = GzipEncoder::with_quality(Vec::new(), precisely(level));
        Self(Kind::Gzip(Box::new(encoder)))
    }

    /// zstd, from 1, fast, to 19, small.
    pub fn zstd(level: u8, extent: Extent) -> Self {
        let window = extent.window(LEAST_ZSTD, MOST_ZSTD);
        let mut parameters = vec![CParameter::window_log(window)];
        // The tables of a level are for large bodies; emptying them takes longer than a small body does.
        let smallest_table = if level < 4 { 14 } else { 18 };
        if window < smallest_table {
            parameters.push(CParameter::hash_log(window + 1));
            parameters.push(CParameter::chain_log(window));
        }
        let encoder =
            ZstdEncoder::with_quality_and_params(Vec::new(), precisely(level), &parameters);
        Self(Kind::Zstd(Box::new(encoder)))
    }

    /// Brotli, from 0, fast, to 11, small.
    pub fn brotli(level: u8, extent: Extent) -> Self {
        let window = extent.window(LEAST_BROTLI, MOST_BROTLI);
        let params = EncoderParams::default()
            .quality(precisely(level))
            .window_size(i32::try_from(window).expect("it is at most 24"));
        let params = match extent {
            Extent::Whole(size) => params.size_hint(size),
            Extent::Stream => params,
        };
        let encoder = BrotliEncoder::with_params(Vec::new(), params);
        Self(Kind::Brotli(Box::new(encoder)))
    }

    /// What `piece` adds to the coded body. All that went in can be read from what has come out. Empty where `piece` is.
    ///
    /// # Errors
    ///
    /// The coder failed, for want of memory. It is of no use any more.
    pub fn piece(&mut self, piece: &[u8]) -> io::Result<Vec<u8>> {
        if !piece.is_empty() {
            self.write(piece)?;
            at_once(self.writer().flush())?;
        }
        Ok(std::mem::take(self.coded()))
    }

    /// The end of the coded body.
    ///
    /// # Errors
    ///
    /// As for [`Encoder::piece`].
    pub fn finish(mut self) -> io::Result<Vec<u8>> {
        at_once(self.writer().shutdown())?;
        Ok(std::mem::take(self.coded()))
    }

    /// The coded form of the whole `body`.
    ///
    /// # Errors
    ///
    /// As for [`Encoder::piece`].
    pub fn whole(mut self, body: &[u8]) -> io::Result<Bytes> {
        self.coded().reserve(body.len() / 2);
        self.write(body)?;
        let mut coded = self.finish()?;
        coded.shrink_to_fit(); // it is kept, and weighed by its length
        Ok(coded.into())
    }

    fn write(&mut self, piece: &[u8]) -> io::Result<()> {
        at_once(self.writer().write_all(piece))
    }

    fn writer(&mut self) -> &mut (dyn AsyncWrite + Unpin) {
        match &mut self.0 {
            Kind::Gzip(encoder) => encoder,
            Kind::Zstd(encoder) => encoder,
            Kind::Brotli(encoder) => encoder,
        }
    }

    /// What has come out so far.
    fn coded(&mut self) -> &mut Vec<u8> {
        match &mut self.0 {
            Kind::Gzip(encoder) => encoder.get_mut(),
            Kind::Zstd(encoder) => encoder.get_mut(),
            Kind::Brotli(encoder) => encoder.get_mut(),
        }
    }
}

impl std::fmt::Debug for Encoder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self.0 {
            Kind::Gzip(_) => "Encoder(gzip)",
            Kind::Zstd(_) => "Encoder(zstd)",
            Kind::Brotli(_) => "Encoder(br)",
        })
    }
}

impl Extent {
    /// The window as a power of two: no larger than what it has to hold.
    fn window(self, least: u32, most: u32) -> u32 {
        match self {
            Self::Whole(size) => (usize::BITS - size.leading_zeros()).clamp(least, most),
            Self::Stream => STREAM,
        }
    }
}

fn precisely(level: u8) -> Level {
    Level::Precise(level.into())
}

/// What a writer over a `Vec` returns: nothing there ever waits.
fn at_once<T>(writing: impl Future<Output = T>) -> T {
    writing
        .now_or_never()
        .expect("a Vec takes everything at once")
}

#[cfg(test)]
mod tests {
    use super::*;
    use async_compression::tokio::bufread::{BrotliDecoder, GzipDecoder, ZstdDecoder};
    use tokio::io::{AsyncRead, AsyncReadExt};

    const CODINGS: [&str; 3] = ["gzip", "zstd", "br"];

    fn encoder(coding: &str, extent: Extent) -> Encoder {
        match coding {
            "gzip" => Encoder::gzip(6),
            "zstd" => Encoder::zstd(3, extent),
            _ => Encoder::brotli(4, extent),
        }
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
        let mut decoder = decoder(coding, coded);
        decoder.read_to_end(&mut body).await.unwrap();
        body
    }

    /// Text that shrinks, but not to nothing.
    fn text(size: usize) -> Vec<u8> {
        let mut state = 1_u32;
        let word = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            format!("{{\"id\":{},\"title\":\"Lunch\"}},", state >> 16)
        };
        let mut text = std::iter::repeat_with(word)
            .take(size / 24 + 1)
            .collect::<String>();
        text.truncate(size);
        text.into_bytes()
    }

    #[tokio::test]
    async fn a_whole_body_comes_back_as_it_was() {
        for coding in CODINGS {
            for size in [0, 1, 1000, 8192, 65_537, 3_000_000] {
                let body = text(size);
                let coded = encoder(coding, Extent::Whole(size)).whole(&body).unwrap();
                assert!(decoded(coding, &coded).await == body, "{coding} of {size}");
                assert!(size < 1000 || coded.len() < size / 2, "{coding} of {size}");
            }
        }
    }

    #[test]
    fn no_browser_lacks_the_memory_for_a_window_of_zstd() {
        for (extent, window) in [(Extent::Stream, STREAM), (Extent::Whole(usize::MAX), 23)] {
            let coded = Encoder::zstd(19, extent).whole(&text(1000)).unwrap();
            let mut decoder = zstd::stream::read::Decoder::new(&coded[..]).unwrap();
            decoder.window_log_max(window).unwrap();
            let read = std::io::copy(&mut decoder, &mut std::io::sink());
            assert_eq!(read.unwrap(), 1000);
        }
    }
}
