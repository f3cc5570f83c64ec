//! Who fetches a key for all replicas. A hint: where Redis does not say, each fetches for itself.

use super::{
    commands::{get_at_most, millis},
    servers::Servers,
};
use ::redis::Cmd;
use bytes::Bytes;
use std::time::Duration;

/// More than any mark of a lease has, in bytes.
const MAX_MARK: u64 = 64;

/// Who fetches a key for all replicas.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lease {
    /// This replica.
    Ours,
    /// Another one.
    Theirs,
    /// Somebody did, and the answer was for nobody else.
    NotForOthers,
    /// Redis does not say: each for itself.
    Unknown,
}

/// What the lease of a key says to other replicas.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::store) enum Mark {
    /// One of them fetches it for all.
    Fetching,
    /// One of them did, and the response was not shareable.
    NotShareable,
}

impl Mark {
    /// Its value in Redis. Never empty: that is how no lease reads.
    const fn as_str(self) -> &'static str {
        match self {
            Self::Fetching => "fetching",
            Self::NotShareable => "not-shareable",
        }
    }
}

/// Takes the lease at `at`, for `ttl`: [`Mark::Fetching`] only where nobody has it, [`Mark::NotShareable`] whoever has it.
pub(super) async fn take(
    servers: &Servers,
    at: &str,
    mark: Mark,
    ttl: Duration,
    budget: Duration,
) -> Lease {
    let mut take = Cmd::new();
    take.arg("SET")
        .arg(at)
        .arg(mark.as_str())
        .arg("PX")
        .arg(millis(ttl));
    if mark == Mark::Fetching {
        take.arg("NX");
    }
    match servers.call::<Option<String>>(at, budget, &take).await {
        Ok(Some(_)) => return Lease::Ours,
        Ok(None) => {}
        Err(_) => return Lease::Unknown,
    }
    let get = get_at_most(at, MAX_MARK);
    match servers.call::<Bytes>(at, budget, &get).await {
        Ok(mark) if mark == Mark::NotShareable.as_str() => Lease::NotForOthers,
        Ok(_) => Lease::Theirs, // it may have ended meanwhile: the next try takes it
        Err(_) => Lease::Unknown,
    }
}
