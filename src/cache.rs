//! The cache: what is stored, who asks, and one fetch for all who wait.
//!
//! It answers from the store where the rules of [`crate::semantics`] allow that, and asks an [`Origin`] where they do not.
//! It knows neither routes nor sockets, so a script can drive all of it in a test. The order of a miss:
//!
//! ```text
//! lookup    memory, then Redis: a hit, or why it is none
//! fetch     leader or follower of a flight; the leader begins a fill
//! fill      asks the origin, judges the response, stores it and feeds who reads
//! deliver   from a stored response to one answer: conditional, range, coding, Age
//! refresh   a fill that nobody waits for
//! ```
//!
//! [`Origin`]: crate::origin::Origin

mod answer;
mod ask;
mod backoff;
mod caller;
pub mod coding;
mod core;
mod deliver;
mod fetch;
mod fill;
mod flight;
mod hit_for_miss;
mod invalidate;
mod key;
mod lookup;
mod query_rules;
mod refresh;
mod remembered;
mod rendition;
pub mod rule;
mod status;
pub mod tags;
#[cfg(test)]
mod tests;
mod variants;

pub use self::rule::{Collapse, KeySpec, Rule, Settings};
pub(crate) use self::{
    answer::{Answered, Unanswered},
    ask::Ask,
    fill::{FetchStart, HeadUpdate},
    invalidate::Write,
    key::Target,
    lookup::{Encode, Lookup, Miss, Outer},
    refresh::Refresh,
    status::mark,
};

use self::{caller::Caller, core::Core};
use crate::{
    clock::Clock,
    message::{Body, Stream},
    metrics::Metrics,
    origin::{FetchError, Sending},
    semantics::{Key, key::Builder},
    store::{Purge, Reach, Store},
};
use http::{HeaderMap, Method, Response, StatusCode};
use std::sync::Arc;
use tokio_util::task::TaskTracker;

/// The cache of one process. Clones are the same cache.
#[derive(Clone, Debug)]
pub struct Cache(Arc<Core>);

impl Cache {
    /// A cache over `store`. Fetches run under `tasks`, so that the drain can wait for them.
    pub fn new(store: Store, clock: Clock, metrics: Arc<Metrics>, tasks: TaskTracker) -> Self {
        Self(Arc::new(Core::new(store, clock, metrics, tasks)))
    }

    /// The tiers and the purge log.
    pub fn store(&self) -> &Store {
        &self.0.store
    }

    /// The key of a request for `target` with these fields, as far as those make it. `None` where it cannot be made: the request
    /// [is too long](crate::semantics::Reason::TooLong) for the cache.
    pub(crate) fn key(
        &self,
        rule: &Rule,
        target: &Target<'_>,
        request: &HeaderMap,
    ) -> Option<Builder<'_>> {
        key::of(&self.0, rule, target, request)
    }

    /// What memory has. Synchronous: nothing is waited for and no lock is held on return.
    pub(crate) fn lookup(
        &self,
        rule: &Rule,
        key: &Key,
        method: &Method,
        request: &HeaderMap,
    ) -> Lookup {
        lookup::memory(&self.0, rule, key, method, request)
    }

    /// The answer of a hit whose content coding has to be made first.
    pub(crate) async fn encode(
        &self,
        rule: &Rule,
        hit: Encode,
        method: &Method,
        request: &HeaderMap,
    ) -> Answered {
        lookup::encode(&self.0, rule, hit, method, request).await
    }

    /// What Redis has, where memory has nothing, or something expired or purged.
    pub(crate) async fn lookup_outer(
        &self,
        ask: &Arc<Ask>,
        miss: Miss,
    ) -> Result<Outer, Unanswered> {
        lookup::outer(&self.0, ask, miss).await
    }

    /// Waits for a fetch, the caller's own or that of another request. Dropping the future gives up the answer, but not a
    /// fetch that was begun.
    pub(crate) async fn fetch(&self, ask: &Arc<Ask>, miss: Miss) -> Result<Answered, Unanswered> {
        fetch::fetch(&self.0, ask, miss).await
    }

    /// Begins to bring up to date what a request with `key` was served, unless that is under way, has just failed, or no slot
    /// is free. `ask` is made only where it begins.
    pub(crate) fn refresh(
        &self,
        rule: &Rule,
        key: &Key,
        request: &HeaderMap,
        refresh: Refresh,
        ask: impl FnOnce() -> Ask,
    ) {
        let caller = Caller::of(key, &rule.policy, request);
        refresh::start(&self.0, rule, &caller, refresh, ask);
    }

    /// The moment before a request that bypasses the cache leaves, for [`Self::keep`] and [`Self::freshen`].
    pub(crate) fn start(&self) -> FetchStart {
        FetchStart::now(&self.0)
    }

    /// What `start` is for the answer to a write that caused `own` purges itself. `None` where there may have been others.
    pub(crate) async fn start_after_own(
        &self,
        start: FetchStart,
        own: usize,
    ) -> Option<FetchStart> {
        start.after_own(&self.0, own).await
    }

    /// Stores a response that has already come as the answer to `ask`, and answers with it.
    pub(crate) async fn keep(
        &self,
        ask: &Arc<Ask>,
        start: FetchStart,
        response: Response<Stream>,
    ) -> Result<Answered, Unanswered> {
        fetch::keep(&self.0, ask, start, response).await
    }

    /// Takes over what the response to a HEAD, for which `update` was begun, says of the stored response.
    pub(crate) fn freshen(&self, update: HeadUpdate, status: StatusCode, head: &HeaderMap) {
        update.end(&self.0, status, head);
    }

    /// What every response of the origin goes through first: its tags are for this cache.
    pub(crate) fn receive<B>(&self, settings: &Settings, response: &mut Response<B>) {
        tags::take(response, &settings.tags);
    }

    /// The answer that a response of the origin becomes which is not stored: coded, or 304.
    pub(crate) fn pass_on(
        &self,
        settings: &Settings,
        response: Response<Stream>,
        method: &Method,
        request: &HeaderMap,
    ) -> Response<Body> {
        deliver::passing(&self.0, &settings.coding, response, method, request)
    }

    /// Purges here at once and tells the other replicas; see [`Store::purge`].
    pub(crate) async fn purge(&self, purges: Vec<Purge>) -> Reach {
        self.0.store.purge(purges).await
    }

    /// Sends a write and purges what it makes invalid, before its client learns that it succeeded: its next read must not
    /// see what was before. Returns how many purges that were. To be run to its end, also when the client leaves.
    ///
    /// Other replicas know what it may change before it is sent, so that they purge that should this process not come to it.
    /// Where nobody knows what became of it, it invalidates if it `was_whole`: what never was a request has changed nothing, and
    /// else anybody could purge by breaking off.
    pub(crate) async fn write(
        &self,
        write: Write,
        sending: Sending,
        was_whole: impl FnOnce() -> bool,
    ) -> Result<(Response<Stream>, usize), FetchError> {
        let store = &self.0.store;
        let under_way = store.begin_write(write.intended(), write.limit()).await;
        let result = under_way.until(sending).await;
        let (purges, may_go_on) = write.purges(&result, was_whole());
        let count = purges.len();
        store.end_write(under_way, purges, may_go_on).await;
        result.map(|response| (response, count))
    }
}
