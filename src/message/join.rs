//! Pieces as one.

use bytes::Bytes;

/// More than this is joined on the blocking pool, in bytes: a tenth of a millisecond of work.
const QUICK: usize = 1 << 20;

/// `pieces` in one piece of the right size: what arrived are slices of read buffers, and a small one would hold on to the whole
/// of its buffer for as long as it is kept. Each of them is let go once it was copied, so that at no time all is there twice.
///
/// `None` where the runtime is going down.
pub async fn joined(
    pieces: impl IntoIterator<Item = Bytes, IntoIter: Send + 'static>,
    length: usize,
) -> Option<Bytes> {
    let pieces = pieces.into_iter();
    let join = move || {
        let mut whole = Vec::with_capacity(length);
        pieces.for_each(|piece| whole.extend_from_slice(&piece));
        Bytes::from(whole)
    };
    if length <= QUICK {
        Some(join())
    } else {
        tokio::task::spawn_blocking(join).await.ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio_util::task::TaskTracker;

    #[tokio::test]
    async fn pieces_come_together_in_their_order() {
        for size in [1, 2 << 20] {
            let pieces = [b'a', b'b'].map(|byte| Bytes::from(vec![byte; size]));
            let whole = joined(pieces, 2 * size).await.unwrap();
            assert!(whole[..size].iter().all(|byte| *byte == b'a'));
            assert!(whole[size..].iter().all(|byte| *byte == b'b'));
            assert_eq!(whole.len(), 2 * size);
        }
    }

    /// On one thread a task that does not give way is the only one that runs.
    #[tokio::test]
    async fn others_have_their_turn_while_much_is_joined() {
        let pieces = vec![Bytes::from(vec![b'x'; 1 << 20]); 64];
        let other = TaskTracker::new().spawn(async {});
        let whole = joined(pieces, 64 << 20).await.unwrap();
        assert!(other.is_finished());
        assert_eq!(whole.len(), 64 << 20);
    }
}
