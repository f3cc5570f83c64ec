//! Bringing up to date in the background what was served stale: at most so many at a time, one per key.

use super::{
    Shared,
    cache::Refresh,
    fetch, fill,
    flight::{Boarding, Party},
    route::RouteId,
    target::Target,
};
use http::{HeaderValue, Request};
use quick_cache::sync::Cache;
use std::{fmt, hash::BuildHasher, net::SocketAddr, sync::Arc, time::Duration};
use tokio::{sync::Semaphore, time::Instant};

/// Refreshes under way at the same time; a stale answer that finds no slot leaves it to the next one.
const SLOTS: usize = 64;

/// As many of them may be of one route.
pub(super) const SLOTS_OF_A_ROUTE: usize = 32;

/// Keys whose last fetch failed that are remembered; by hash, and one that collides is only refreshed later.
const MAX_FAILED: usize = 10_000;

/// For how long a key is left alone after its first failure in a row, and at most without a `Retry-After`.
const BACK_OFF: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(60));

/// Who may refresh, and when.
pub(super) struct Refresher {
    slots: Arc<Semaphore>,
    failed: Cache<u64, Failed>,
    hasher: foldhash::quality::RandomState,
}

/// What is remembered of a key whose last fetch failed.
#[derive(Clone, Copy, Debug)]
struct Failed {
    in_a_row: u32,
    at: Instant,
    until: Instant,
    /// It failed; else it only declined, and may answer others.
    is_failure: bool,
}

impl Default for Refresher {
    fn default() -> Self {
        Self {
            slots: Arc::new(Semaphore::new(SLOTS)),
            failed: Cache::new(MAX_FAILED),
            hasher: foldhash::quality::RandomState::default(),
        }
    }
}

impl fmt::Debug for Refresher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Refresher").finish_non_exhaustive()
    }
}

impl Refresher {
    /// Whether the origin may be asked for `party` again, as far as nobody waits for it. What was purged softly so long
    /// ago must be asked for, if that was after it failed.
    fn may_ask(&self, party: &Party, purged: Option<Duration>) -> bool {
        let failed = self.left_alone(party);
        failed.is_none_or(|failed| purged.is_some_and(|since| since < failed.at.elapsed()))
    }

    /// Whether the origin has just failed for `party`, so that there is no use in waiting for it.
    pub(super) fn is_failing(&self, party: &Party) -> bool {
        self.left_alone(party)
            .is_some_and(|failed| failed.is_failure)
    }

    fn left_alone(&self, party: &Party) -> Option<Failed> {
        if self.failed.is_empty() {
            return None; // nearly always, and then nothing is hashed
        }
        let failed = self.failed.get(&self.hasher.hash_one(party));
        failed.filter(|failed| failed.until > Instant::now())
    }

    /// The origin failed for `party`, and wants to be left alone for `wish`.
    pub(super) fn failed(&self, party: &Party, wish: Option<Duration>) {
        self.leave_alone(party, wish, true);
    }

    /// The origin declined to answer for `party`, perhaps only this one time or this caller.
    pub(super) fn declined(&self, party: &Party, wish: Option<Duration>) {
        self.leave_alone(party, wish, false);
    }

    fn leave_alone(&self, party: &Party, wish: Option<Duration>, is_failure: bool) {
        let name = self.hasher.hash_one(party);
        let in_a_row = self.failed.get(&name).map_or(0, |failed| failed.in_a_row);
        let pause = BACK_OFF
            .0
            .saturating_mul(1 << in_a_row.min(16))
            .min(BACK_OFF.1);
        // Replicas, and keys that failed together, come back one after the other.
        let pause = pause.mul_f64(0.75 + fastrand::f64() / 2.0);
        let at = Instant::now();
        let failed = Failed {
            in_a_row: in_a_row.saturating_add(1),
            at,
            until: at + pause.max(wish.unwrap_or_default()),
            is_failure,
        };
        self.failed.insert(name, failed);
    }

    /// The origin has answered for `party`.
    pub(super) fn answered(&self, party: &Party) {
        if !self.failed.is_empty() {
            self.failed.remove(&self.hasher.hash_one(party));
        }
    }
}

/// Begins a refresh, unless one of this key is under way or has just failed, or no slot is free.
pub(super) fn start<B>(
    shared: &Arc<Shared>,
    route: RouteId,
    target: &Target,
    request: &Request<B>,
    peer: SocketAddr,
    refresh: Refresh,
) {
    let party = Party {
        key: refresh.key.clone(),
        private: fetch::has_credentials(&shared.routes.get(route).route.policy, request.headers()),
    };
    if !shared.refresher.may_ask(&party, refresh.purged) {
        return;
    }
    let of_route = Arc::clone(&shared.routes.get(route).refreshes).try_acquire_owned();
    let of_all = Arc::clone(&shared.refresher.slots).try_acquire_owned();
    let (Ok(of_route), Ok(of_all)) = (of_route, of_all) else {
        shared.metrics.refresh_skipped.inc();
        return;
    };
    let purges = shared.store.purges_seen();
    let Boarding::Lead(departure) = shared.flights.board(party, purges) else {
        return;
    };
    let id = HeaderValue::from_static("refresh");
    let fetch = fetch::fetch_for(
        shared,
        route,
        target,
        request,
        peer,
        &id,
        refresh.key,
        Some(refresh.entry),
    );
    let running = fill::run(Arc::clone(shared), departure, fetch);
    shared.tasks.spawn(async move {
        running.await;
        drop((of_route, of_all));
    });
}
