//! Messages on their way: bodies and their codings, the copies that are kept of fields, the names of fields that are ours,
//! and how long and for whom a message may take.
//!
//! Both sides of the proxy use this room. It knows neither of them.

pub mod body;
pub mod chain;
pub mod coded;
pub mod compact;
pub mod encode;
pub mod excerpt;
pub mod future;
pub mod idle_timeout;
pub mod interim;
pub mod join;
pub mod names;
pub mod pace;
pub mod party;
pub mod patience;
pub mod problem;

pub use self::{
    body::{Body, BodyError, Stream, Watch},
    chain::chain,
    excerpt::excerpt,
    future::ResponseFuture,
    idle_timeout::IdleTimeout,
    interim::Interim,
    pace::Pace,
    party::Party,
    patience::Patience,
};

use bytes::Bytes;

/// `bytes` in hexadecimal. By hand: every hit pays for one, and formatting costs ten times as much.
pub fn hex<const N: usize>(bytes: [u8; N]) -> Bytes {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut digits = [[0; 2]; N];
    for (pair, byte) in digits.iter_mut().zip(bytes) {
        *pair = [
            DIGITS[usize::from(byte >> 4)],
            DIGITS[usize::from(byte & 15)],
        ];
    }
    Bytes::copy_from_slice(digits.as_flattened())
}
