//! A cache before a scripted origin.

use super::{
    origin::Script,
    reply::{Gate, Reply},
    request::{Client, Got, Request},
    until,
};
use crate::{
    cache::{Cache, KeySpec, Rule, Settings},
    clock::{Clock, Manual},
    metrics::Metrics,
    runtime::Runtime,
    semantics::{Policy, Refusal},
    store::{self, Purge, Selector, Store, memory},
};
use std::{
    sync::Arc,
    time::{Duration, UNIX_EPOCH},
};
use tokio_util::task::TaskTracker;

/// The host that all requests name.
pub(super) const HOST: &[u8] = b"test.example";

/// A rule that leaves everything to the origin. Objects of up to 1,000 bytes are stored.
pub(crate) fn rule() -> Rule {
    let settings = Settings {
        max_object: 1000,
        ..Settings::default()
    };
    Rule::new(Policy::default(), KeySpec::default(), Arc::new(settings))
}

/// See the module docs. Clones are the same scene.
#[derive(Clone, Debug)]
pub(crate) struct Scene {
    pub(crate) cache: Cache,
    pub(crate) origin: Arc<Script>,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) rule: Arc<Rule>,
    pub(super) clients: TaskTracker,
    clock: Manual,
}

impl Scene {
    /// By the rule of [`rule`].
    pub(crate) async fn new() -> Self {
        Self::by(rule()).await
    }

    /// By this rule, with memory alone.
    pub(crate) async fn by(rule: Rule) -> Self {
        Self::kept_for(rule, Duration::from_secs(7 * 24 * 3600)).await
    }

    /// By this rule, where nothing is kept longer than `max_lifetime`.
    pub(crate) async fn kept_for(rule: Rule, max_lifetime: Duration) -> Self {
        let settings = store::Settings {
            memory: memory::Settings { max: 64 << 20 },
            redis: None,
            purge_gap: Duration::from_secs(10),
            keep_stale: Duration::ZERO,
            max_lifetime,
            secret: None,
        };
        let manual = Manual::at(UNIX_EPOCH + Duration::from_secs(1_700_000_000));
        let (clock, metrics) = (Clock::Manual(manual.clone()), Metrics::new());
        let runtime = Runtime::start(clock.clone(), Arc::clone(&metrics));
        let max_object = rule.settings.max_object;
        let store = Store::start(&settings, max_object, &runtime).await;
        Self {
            cache: Cache::new(store.unwrap(), clock, Arc::clone(&metrics), runtime.tasks),
            origin: Arc::default(),
            metrics,
            rule: Arc::new(rule),
            clients: TaskTracker::new(),
            clock: manual,
        }
    }

    /// A GET for `path`, which may have a query.
    pub(crate) fn request(&self, path: &str) -> Request {
        Request::new(self, path)
    }

    /// The answer to a GET for `path`.
    pub(crate) async fn get(&self, path: &str) -> Got {
        self.request(path).get().await
    }

    /// Stores what `reply` brings for `path`.
    pub(crate) async fn store(&self, path: &str, reply: Reply) {
        self.origin.answer(reply);
        let got = self.get(path).await;
        let is_kept = got.says.contains("stored") || got.says.ends_with("arriving");
        assert!(is_kept, "{}", got.says);
        got.text().await;
    }

    /// Begins `leader`, which waits for `reply`, and then `follower`, which waits for the first one's fetch. What comes
    /// `later` than `reply` is for requests that go on alone.
    pub(crate) async fn together(
        &self,
        leader: Request,
        follower: Request,
        reply: Reply,
        later: Reply,
    ) -> (Client, Client, Gate) {
        let (reply, gate) = reply.held();
        self.origin.answers([reply, later]);
        let asked = self.origin.count() + 1;
        let leader = leader.begin();
        self.origin.asked(asked).await;
        let follower = follower.begin();
        self.followers(1).await;
        (leader, follower, gate)
    }

    /// Time passes for freshness and age.
    pub(crate) fn pass(&self, seconds: u64) {
        self.clock.advance(Duration::from_secs(seconds));
    }

    /// Purges `path` with all its queries and variants.
    pub(crate) async fn purge(&self, path: &str, hard: bool) {
        let selector = Selector::of_uri(HOST, path);
        self.cache.purge(vec![Purge { selector, hard }]).await;
    }

    /// Waits until so many requests wait for another one's fetch.
    pub(crate) async fn followers(&self, count: i64) {
        until("followers wait", || self.metrics.followers.get() == count).await;
    }

    /// Waits until no fetch is under way.
    pub(crate) async fn landed(&self) {
        self.landed_but(0).await;
    }

    /// Waits until only so many fetches are under way, and nobody waits.
    pub(crate) async fn landed_but(&self, count: i64) {
        until("the fetches have ended", || {
            self.metrics.flights.get() == count
        })
        .await;
        assert_eq!(self.metrics.followers.get(), 0, "nobody waits any more");
    }

    /// How many responses were refused for this reason, beside those whose own answer says so.
    pub(crate) fn refused(&self, refusal: Refusal) -> u64 {
        self.counted("refusals", refusal.as_str())
    }

    /// How many bodies were coded so.
    pub(crate) fn coded(&self, coding: &str) -> u64 {
        self.value(&format!("sidecache_codings_total{{coding=\"{coding}\"}} "))
    }

    /// How many bytes of bodies on their way are held.
    pub(crate) fn collecting(&self) -> i64 {
        self.metrics.collecting_bytes.get()
    }

    /// The counter `name` with the label `reason`.
    pub(crate) fn counted(&self, name: &str, reason: &str) -> u64 {
        self.value(&format!("sidecache_{name}_total{{reason=\"{reason}\"}} "))
    }

    /// The counter `name` without labels.
    pub(crate) fn total(&self, name: &str) -> u64 {
        self.value(&format!("sidecache_{name}_total "))
    }

    fn value(&self, line: &str) -> u64 {
        let text = self.metrics.encode();
        let value = text.lines().find_map(|text| text.strip_prefix(line));
        value.expect("it is exposed").parse().unwrap()
    }
}
