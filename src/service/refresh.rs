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
use std::{net::SocketAddr, sync::Arc};
use tokio::sync::Semaphore;

/// Refreshes under way at the same time; a stale answer that finds no slot leaves it to the next one.
const SLOTS: usize = 32;

/// The slots.
#[derive(Debug)]
pub(super) struct Refresher(Arc<Semaphore>);

impl Default for Refresher {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(SLOTS)))
    }
}

/// Begins a refresh, unless one of this key is under way or no slot is free.
pub(super) fn start<B>(
    shared: &Arc<Shared>,
    route: RouteId,
    target: &Target,
    request: &Request<B>,
    peer: SocketAddr,
    refresh: Refresh,
) {
    let Ok(slot) = Arc::clone(&shared.refresher.0).try_acquire_owned() else {
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
