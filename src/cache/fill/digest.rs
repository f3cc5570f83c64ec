//! The hash of a body, made while it arrives.

use crate::cache::flight::Buffer;
use bytes::Bytes;
use sha2::Sha256;

/// So much is hashed before others have their turn, in bytes: a millisecond of work at most.
const SLICE: usize = 256 << 10;

/// The SHA-256 of what has been collected so far.
#[derive(Default)]
pub(super) struct Digest {
    sha: Sha256,
    /// How many pieces were begun, and what of the last is still to do.
    pieces: usize,
    rest: Bytes,
    /// What was hashed since others had their turn, in bytes.
    since: usize,
}

impl Digest {
    /// Hashes what has come meanwhile. Cancel safe: it goes on where it was.
    pub(super) async fn catch_up(&mut self, buffer: &Buffer) {
        loop {
            if self.rest.is_empty() {
                let Some(piece) = buffer.piece(self.pieces) else {
                    return;
                };
                (self.rest, self.pieces) = (piece, self.pieces + 1);
            }
            let slice = self.rest.split_to(self.rest.len().min(SLICE));
            sha2::Digest::update(&mut self.sha, &slice);
            self.since += slice.len();
            if self.since >= SLICE {
                self.since = 0;
                tokio::task::yield_now().await;
            }
        }
    }

    pub(super) fn finish(self) -> [u8; 32] {
        sha2::Digest::finalize(self.sha).into()
    }
}
