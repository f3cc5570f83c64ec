//! One replica fetches for all: a lease in Redis decides which, where a route says `collapse = "cluster"`.
//!
//! Whoever does not get it waits for the answer to appear in Redis. It waits no longer than [`PATIENCE`]: then, or where
//! Redis does not answer, each replica fetches for itself, as without a lease.

use super::{Shared, fill::Fetch, route::Collapse};
use crate::{
    semantics::reuse::{Reuse, reuse},
    store::{Entry, Found, Lease, Lookup},
};
use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};
use tokio::time::Instant;

/// How long a lease holds, and how long anybody waits for one: a replica that dies with it delays nobody longer.
const PATIENCE: Duration = Duration::from_secs(5);

/// For how long all replicas know that an answer was not for others, or that there was none.
const REFUSED: Duration = Duration::from_secs(1);

/// So much before its end a lease is left alone: Redis has its own clock.
const MARGIN: Duration = Duration::from_millis(500);

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

/// A lease until then, if there is one. It is given back by [`Held::end`], and otherwise by its TTL.
#[derive(Debug)]
pub(super) struct Held(Option<Instant>);

/// Waits for the turn of this replica to fetch, or for what another one brings.
pub(super) async fn wait(shared: &Shared, fetch: &Fetch) -> Turn {
    let route = &shared.routes.get(fetch.route).route;
    if route.collapse != Collapse::Cluster || fetch.private {
        return Turn::Fetch(Held(None));
    }
    let (begun, since, mut pause) = (Instant::now(), shared.clock.now(), PAUSE.0);
    while begun.elapsed() < PATIENCE {
        match shared.store.take_lease(&fetch.key, PATIENCE).await {
            Lease::Ours => {
                let until = Instant::now() + PATIENCE - MARGIN;
                // Whoever had it before may have brought it since this request looked.
                return match arrived(shared, fetch, since).await {
                    Arrived::Usable(entry) => {
                        shared.store.end_lease(&fetch.key, until);
                        Turn::Elsewhere(entry)
                    }
                    Arrived::Nothing | Arrived::ForOthers => Turn::Fetch(Held(Some(until))),
                };
            }
            Lease::NotForOthers | Lease::Unknown => break,
            Lease::Theirs => {}
        }
        tokio::time::sleep(pause.mul_f64(0.5 + fastrand::f64())).await;
        pause = (pause * 2).min(PAUSE.1);
        match arrived(shared, fetch, since).await {
            Arrived::Usable(entry) => return Turn::Elsewhere(entry),
            Arrived::ForOthers => break,
            Arrived::Nothing => {}
        }
    }
    Turn::Fetch(Held(None))
}

/// What Redis has by now.
enum Arrived {
    /// What was waited for.
    Usable(Arc<Entry>),
    /// Something new that does not help this request: another variant, or what each has to ask about for himself.
    ForOthers,
    /// Nothing new.
    Nothing,
}

async fn arrived(shared: &Shared, fetch: &Fetch, since: SystemTime) -> Arrived {
    let now = shared.clock.now();
    let found = shared
        .store
        .lookup_outer(&fetch.key, &fetch.asked, now)
        .await;
    let (entry, standing) = match found {
        Lookup::Hit(Found {
            entry, standing, ..
        }) => (entry, standing),
        Lookup::VaryMiss => return Arrived::ForOthers,
        Lookup::Miss => return Arrived::Nothing,
    };
    let policy = &shared.routes.get(fetch.route).route.policy;
    let came = entry.head.freshness.response_time;
    let is_newer = fetch
        .stored
        .as_ref()
        .is_none_or(|stored| came > stored.head.freshness.response_time);
    let usable = reuse(&entry.head, &fetch.asked, policy, standing, now) == Reuse::Serve;
    match (
        usable && is_newer && entry.head.part.is_none(),
        came >= since,
    ) {
        (true, _) => Arrived::Usable(entry),
        (false, true) => Arrived::ForOthers,
        (false, false) => Arrived::Nothing,
    }
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
            Some(until) if Instant::now() < until => match kept {
                true => shared.store.end_lease(&fetch.key, until),
                false => shared.store.mark_uncacheable(&fetch.key, REFUSED).await,
            },
            Some(_) | None => {}
        }
    }
}
