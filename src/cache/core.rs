//! The state that all requests of one cache share.

use super::{
    backoff::Backoff,
    flight::{Flights, Limits},
    hit_for_miss::HitForMiss,
    query_rules::QueryRules,
    rule::Settings,
    variants::Variants,
};
use crate::{clock::Clock, metrics::Metrics, store::Store};
use std::{num::NonZero, sync::Arc, thread::available_parallelism};
use tokio::sync::Semaphore;
use tokio_util::task::TaskTracker;

/// Background refreshes under way at the same time; a stale answer that finds no slot leaves it to the next one.
pub(super) const REFRESHES: usize = 64;

/// See the module docs. Nothing here is configuration: that comes with each request, in its rule.
#[derive(Debug)]
pub(super) struct Core {
    /// The tiers and the purge log.
    pub(super) store: Store,
    /// Fetches under way.
    pub(super) flights: Flights,
    /// Keys whose last fetch failed.
    pub(super) backoff: Backoff,
    /// Keys whose last response was for one caller alone.
    pub(super) hit_for_miss: HitForMiss,
    /// By what keys have variants.
    pub(super) variants: Variants,
    /// What origins said of queries that make no other answer.
    pub(super) query_rules: QueryRules,
    /// The slots for background refreshes.
    pub(super) refreshes: Arc<Semaphore>,
    /// One for each core: so many large bodies are coded at the same time.
    pub(super) coders: Arc<Semaphore>,
    /// The same for what arrives: it does not wait for a large body.
    pub(super) stream_coders: Arc<Semaphore>,
    /// The time that HTTP is about.
    pub(super) clock: Clock,
    /// What is counted.
    pub(super) metrics: Arc<Metrics>,
    tasks: TaskTracker,
}

/// What may be collected.
pub(super) fn limits(settings: &Settings) -> Limits {
    Limits {
        object: settings.max_object,
        together: settings.collecting,
    }
}

impl Core {
    pub(super) fn new(
        store: Store,
        clock: Clock,
        metrics: Arc<Metrics>,
        tasks: TaskTracker,
    ) -> Self {
        let cores = available_parallelism().map_or(1, NonZero::get);
        Self {
            store,
            flights: Flights::new(Arc::clone(&metrics)),
            backoff: Backoff::default(),
            hit_for_miss: HitForMiss::default(),
            variants: Variants::default(),
            query_rules: QueryRules::default(),
            refreshes: Arc::new(Semaphore::new(REFRESHES)),
            coders: Arc::new(Semaphore::new(cores)),
            stream_coders: Arc::new(Semaphore::new(cores)),
            clock,
            metrics,
            tasks,
        }
    }

    /// Runs `job` to its end, whoever began it. The drain waits for it.
    pub(super) fn spawn(&self, job: impl Future<Output = ()> + Send + 'static) {
        self.tasks.spawn(job);
    }
}
