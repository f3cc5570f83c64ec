//! Bringing up to date in the background what was served stale: at most so many at a time, one per key.

use super::{
    Shared,
    cache::Refresh,
    fetch, fill,
    flight::{Boarding, Party},
    route::RouteId,
    target::Target,
};
use crate::semantics::Key;
use http::{HeaderValue, Request};
use quick_cache::sync::Cache;
use std::{fmt, hash::BuildHasher, net::SocketAddr, sync::Arc, time::Duration};
use tokio::{sync::Semaphore, time::Instant};

/// Refreshes under way at the same time; a stale answer that finds no slot leaves it to the next one.
const SLOTS: usize = 64;

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
    until: Instant,
    /// How many purges were known then: what is purged since must be asked for.
    purges: u64,
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
    /// Whether the origin may be asked for `key` again, as far as nobody waits for it; `purges` are known.
    fn may_ask(&self, key: &Key, purges: u64) -> bool {
        self.left_alone(key, purges).is_none()
    }

    /// Whether the origin has just failed for `key`, so that there is no use in waiting for it.
    pub(super) fn is_failing(&self, key: &Key, purges: u64) -> bool {
        self.left_alone(key, purges)
            .is_some_and(|failed| failed.is_failure)
    }

    fn left_alone(&self, key: &Key, purges: u64) -> Option<Failed> {
        if self.failed.is_empty() {
            return None; // nearly always, and then nothing is hashed
        }
        let failed = self.failed.get(&self.hasher.hash_one(key));
        failed.filter(|failed| failed.until > Instant::now() && failed.purges >= purges)
    }

    /// The origin failed for `key`, and wants to be left alone for `wish`.
    pub(super) fn failed(&self, key: &Key, purges: u64, wish: Option<Duration>) {
        self.leave_alone(key, purges, wish, true);
    }

    /// The origin declined to answer for `key`, perhaps only this one time or this caller.
    pub(super) fn declined(&self, key: &Key, purges: u64, wish: Option<Duration>) {
        self.leave_alone(key, purges, wish, false);
    }

    fn leave_alone(&self, key: &Key, purges: u64, wish: Option<Duration>, is_failure: bool) {
        let name = self.hasher.hash_one(key);
        let in_a_row = self.failed.get(&name).map_or(0, |failed| failed.in_a_row);
        let pause = BACK_OFF
            .0
            .saturating_mul(1 << in_a_row.min(16))
            .min(BACK_OFF.1);
        // Replicas, and keys that failed together, come back one after the other.
        let pause = pause.mul_f64(0.75 + fastrand::f64() / 2.0);
        let failed = Failed {
            in_a_row: in_a_row.saturating_add(1),
            until: Instant::now() + pause.max(wish.unwrap_or_default()),
            purges,
            is_failure,
        };
        self.failed.insert(name, failed);
    }

    /// The origin has answered for `key`.
    pub(super) fn answered(&self, key: &Key) {
        if !self.failed.is_empty() {
            self.failed.remove(&self.hasher.hash_one(key));
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
    let purges = shared.store.purges_seen();
    if !shared.refresher.may_ask(&refresh.key, purges) {
        return;
    }
    let Ok(slot) = Arc::clone(&shared.refresher.slots).try_acquire_owned() else {
        shared.metrics.refresh_skipped.inc();
        return;
    };
    let party = Party {
        key: refresh.key.clone(),
        private: false,
    };
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
        drop(slot);
    });
}
