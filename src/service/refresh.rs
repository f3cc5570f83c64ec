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
const SLOTS: usize = 32;

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
    /// Whether the origin may be asked for `key` again, as far as nobody waits for it.
    pub(super) fn may_ask(&self, key: &Key) -> bool {
        // Nearly always there is none: then nothing is hashed.
        self.failed.is_empty()
            || self
                .failed
                .get(&self.hasher.hash_one(key))
                .is_none_or(|failed| failed.until <= Instant::now())
    }

    /// The origin failed for `key`, and wants to be left alone for `wish`.
    pub(super) fn failed(&self, key: &Key, wish: Option<Duration>) {
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
    if !shared.refresher.may_ask(&refresh.key) {
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
    let Boarding::Lead(departure) = shared.flights.board(party, shared.store.purges_seen()) else {
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
