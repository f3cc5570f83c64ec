//! One replica fetches for all: a lease in Redis decides which, where a route says `collapse = "cluster"`.
//!
//! Whoever does not get it waits for the answer to appear in Redis. It waits no longer than [`PATIENCE`]: then, or where
//! Redis does not answer, each replica fetches for itself, as without a lease.

use super::{Shared, fill::Fetch, route::Collapse};
use crate::{
    semantics::reuse::{Reuse, reuse},
    store::{Entry, Found, Lease, Lookup},
};
use std::{sync::Arc, time::Duration};
use tokio::time::Instant;

/// How long a lease holds, and how long anybody waits for one: a replica that dies with it delays nobody longer.
const PATIENCE: Duration = Duration::from_secs(5);

/// For how long all replicas know that an answer was not for others, or that there was none.
const REFUSED: Duration = Duration::from_secs(1);

/// The pauses between two looks at Redis, the first and the longest.
const PAUSE: (Duration, Duration) = (Duration::from_millis(5), Duration::from_millis(100));

/// What became of asking for it.
#[derive(Debug)]
pub(super) enum Turn {
    /// This replica fetches, with the lease or without one.
    Fetch(Held),
    /// Another one did.
    Elsewhere(Arc<Entry>),
}

/// A lease, if there is one. It is given back by [`Held::end`], and otherwise by its TTL.
#[derive(Debug)]
pub(super) struct Held(Option<Instant>);

/// Waits for the turn of this replica to fetch, or for what another one brings.
pub(super) async fn wait(shared: &Shared, fetch: &Fetch) -> Turn {
    let route = &shared.routes.get(fetch.route).route;
    if route.collapse != Collapse::Cluster || fetch.private {
        return Turn::Fetch(Held(None));
    }
    let (begun, mut pause) = (Instant::now(), PAUSE.0);
    while begun.elapsed() < PATIENCE {
        match shared.store.take_lease(&fetch.key, PATIENCE).await {
            Lease::Ours => return Turn::Fetch(Held(Some(Instant::now()))),
            Lease::NotForOthers | Lease::Unknown => break,
            Lease::Theirs => {}
        }
        tokio::time::sleep(pause.mul_f64(0.5 + fastrand::f64())).await;
        pause = (pause * 2).min(PAUSE.1);
        if let Some(entry) = arrived(shared, fetch).await {
            return Turn::Elsewhere(entry);
        }
    }
    Turn::Fetch(Held(None))
}

/// What Redis has by now, where it can be used as it is.
async fn arrived(shared: &Shared, fetch: &Fetch) -> Option<Arc<Entry>> {
    let now = shared.clock.now();
    let found = shared
        .store
        .lookup_outer(&fetch.key, &fetch.asked, now)
        .await;
    let Lookup::Hit(Found {
        entry, standing, ..
    }) = found
    else {
        return None;
    };
    let policy = &shared.routes.get(fetch.route).route.policy;
    let usable = reuse(&entry.head, &fetch.asked, policy, standing, now) == Reuse::Serve;
    (usable && entry.head.part.is_none()).then_some(entry)
}

impl Held {
    /// No lease.
    pub(super) fn none() -> Self {
        Self(None)
    }

    /// The fetch has ended; `kept` where what it brought was stored.
    pub(super) async fn end(self, shared: &Shared, fetch: &Fetch, kept: bool) {
        match self.0 {
            // One that has expired may be another replica's by now.
            Some(since) if since.elapsed() < PATIENCE => match kept {
                true => shared.store.end_lease(&fetch.key),
                false => shared.store.mark_uncacheable(&fetch.key, REFUSED).await,
            },
            Some(_) | None => {}
        }
    }
}
