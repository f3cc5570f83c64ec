//! One replica fetches for all: a lease in Redis decides which, where a route says `collapse = "cluster"`, and for each refresh
//! in the background, for which nobody waits.
//!
//! Whoever does not get it waits until it is told that the lease has ended, and looks into Redis. It waits no longer than
//! [`TIMEOUT`]: then, or where Redis does not answer, each replica fetches for itself, as without a lease.

use super::{finish::Kept, job::Job};
use crate::{
    cache::{core::Core, rule::Collapse},
    clock::back_off,
    semantics::reuse::{Reuse, reuse},
    store::{self, Entry, Found, Lookup},
};
use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};
use tokio::time::Instant;

/// How long a lease holds, and how long anybody waits for one: a replica that dies with it delays nobody longer.
const TIMEOUT: Duration = Duration::from_secs(5);

/// For how long all replicas know that an answer was not for others, or that there was none.
const REFUSED: Duration = Duration::from_secs(1);

/// So much before its end a lease is left alone: Redis has its own clock.
const MARGIN: Duration = Duration::from_millis(500);

/// What Redis has is newer than what this replica has if it came so much later at least: an entry that is read again seems to
/// have come a little sooner or later than it did, as clocks run.
const NEWER: Duration = Duration::from_millis(100);

/// The pause between two looks at Redis of who is told nothing: the holder may have died, or its word may be lost.
const PAUSE: (Duration, Duration) = (Duration::from_millis(2500), Duration::from_millis(2500));

/// Who fetches for all replicas.
#[derive(Debug)]
pub(super) enum Lease {
    /// This replica, with the lease or without one.
    Ours(Guard),
    /// Another one did.
    FetchedElsewhere(Arc<Entry>),
}

/// A lease until then, if there is one. It is given back by [`Guard::end`], and otherwise by its TTL.
#[derive(Debug)]
pub(super) struct Guard(Option<Instant>);

/// Waits for the turn of this replica to fetch, or for what another one brings.
pub(super) async fn wait(core: &Core, job: &Job) -> Lease {
    let (begun, since) = (Instant::now(), core.clock.now());
    // Requests have looked into Redis before they came here.
    if job.is_refresh()
        && let Arrived::Usable(entry) = arrived(core, job, since).await
    {
        return Lease::FetchedElsewhere(entry);
    }
    let is_for_all = job.is_refresh() || job.ask.rule.collapse == Collapse::Cluster;
    if !is_for_all || job.ask.credentials {
        return Lease::Ours(Guard(None));
    }
    let Some(mut landing) = core.store.landing(&job.ask.key) else {
        return Lease::Ours(Guard(None));
    };
    while begun.elapsed() < TIMEOUT {
        match core.store.take_lease(&job.ask.key, TIMEOUT).await {
            store::Lease::Ours => {
                let until = Instant::now() + TIMEOUT - MARGIN;
                // Whoever had it before may have brought it since this request looked.
                return match arrived(core, job, since).await {
                    Arrived::Usable(entry) => {
                        core.store.end_lease(&job.ask.key, until);
                        Lease::FetchedElsewhere(entry)
                    }
                    Arrived::Nothing | Arrived::ForOthers => Lease::Ours(Guard(Some(until))),
                };
            }
            store::Lease::NotForOthers | store::Lease::Unknown => break,
            store::Lease::Theirs => {}
        }
        let left = TIMEOUT.saturating_sub(begun.elapsed());
        landing.ended(back_off(PAUSE, 0).min(left)).await;
        match arrived(core, job, since).await {
            Arrived::Usable(entry) => return Lease::FetchedElsewhere(entry),
            Arrived::ForOthers => break,
            Arrived::Nothing => {}
        }
    }
    Lease::Ours(Guard(None))
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

async fn arrived(core: &Core, job: &Job, since: SystemTime) -> Arrived {
    let (ask, now) = (&job.ask, core.clock.now());
    let found = core.store.lookup_outer(&ask.key, &ask.request, now).await;
    let (entry, standing) = match found {
        Lookup::Hit(Found {
            entry, standing, ..
        }) => (entry, standing),
        Lookup::VaryMiss => return Arrived::ForOthers,
        Lookup::Miss => return Arrived::Nothing,
    };
    let came = entry.head.freshness.response_time;
    let stored = job.stored.as_ref();
    let is_newer = stored.is_none_or(|stored| came > stored.head.freshness.response_time + NEWER);
    let verdict = reuse(&entry.head, &ask.request, &ask.rule.policy, standing, now);
    if verdict == Reuse::Serve && is_newer && entry.head.part.is_none() {
        Arrived::Usable(entry)
    } else if came >= since {
        Arrived::ForOthers
    } else {
        Arrived::Nothing
    }
}

impl Guard {
    /// No lease.
    pub(super) const fn none() -> Self {
        Self(None)
    }

    /// The fetch has ended, and this is what came of it.
    pub(super) async fn end(self, core: &Core, job: &Job, kept: Kept) {
        // One that has expired may be another replica's by now.
        let Some(until) = self.0.filter(|until| Instant::now() < *until) else {
            return;
        };
        match kept {
            Kept::Stored => core.store.end_lease(&job.ask.key, until),
            Kept::Nothing => core.store.mark_uncacheable(&job.ask.key, REFUSED).await,
        }
    }
}
