//! Content codings, read back.

use async_compression::tokio::bufread::BrotliDecoder;
use futures_util::FutureExt;
use std::io::Read;
use tokio::io::AsyncReadExt;

/// What can be read from `coded`, also where more of it is still to come.
pub(crate) fn decoded(coding: Option<&str>, coded: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    let end = match coding {
        None => return coded.to_vec(),
        Some("gzip") => flate2::read::GzDecoder::new(coded).read_to_end(&mut body),
        Some("zstd") => {
            let mut decoder = zstd::stream::read::Decoder::new(coded).unwrap();
            decoder.window_log_max(23).unwrap(); // 8 MiB: browsers take no more (RFC 9659 §3)
            decoder.read_to_end(&mut body)
        }
        Some("br") => {
            let mut decoder = BrotliDecoder::new(coded);
            let read = decoder.read_to_end(&mut body).now_or_never();
            read.expect("bytes at hand are read at once")
        }
        Some(other) => panic!("{other}"),
    };
    assert!(end.is_ok() || !body.is_empty(), "{end:?}");
    body
}
