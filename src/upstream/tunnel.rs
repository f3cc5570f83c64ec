//! Two connections that speak another protocol, with nobody between them.

use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use parking_lot::Mutex;
use std::{io, time::Duration};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, ReadHalf, WriteHalf, split},
    time::{Instant, sleep_until},
};

/// What is read at once in one direction.
const PIECE: usize = 8 << 10;

type Half<'a> = (
    &'a mut ReadHalf<TokioIo<Upgraded>>,
    &'a mut WriteHalf<TokioIo<Upgraded>>,
);

/// Carries bytes both ways until both sides have ended, one breaks, or nothing came of either for `idle_timeout`.
pub async fn tunnel(client: OnUpgrade, upstream: OnUpgrade, idle_timeout: Duration) {
    let Ok((client, upstream)) = tokio::try_join!(client, upstream) else {
        return; // one of them left before
    };
    let (mut from_client, mut to_client) = split(TokioIo::new(client));
    let (mut from_upstream, mut to_upstream) = split(TokioIo::new(upstream));
    let last = Mutex::new(Instant::now());
    let both = async {
        let up = carry((&mut from_client, &mut to_upstream), &last);
        let down = carry((&mut from_upstream, &mut to_client), &last);
        let _ = tokio::try_join!(up, down);
    };
    let silence = async {
        loop {
            let end = *last.lock() + idle_timeout;
            if end <= Instant::now() {
                break;
            }
            sleep_until(end).await;
        }
    };
    tokio::select! {
        () = both => {}
        () = silence => {}
    }
    // What is dropped now is closed; a side that still sends learns that nobody listens.
    let _ = to_client.shutdown().await;
    let _ = to_upstream.shutdown().await;
}

/// Carries what one side sends to the other, and then the end.
async fn carry((from, to): Half<'_>, last: &Mutex<Instant>) -> io::Result<()> {
    let mut piece = vec![0; PIECE];
    loop {
        let count = from.read(&mut piece).await?;
        if count == 0 {
            return to.shutdown().await;
        }
        *last.lock() = Instant::now();
        to.write_all(&piece[..count]).await?;
        *last.lock() = Instant::now();
    }
}
