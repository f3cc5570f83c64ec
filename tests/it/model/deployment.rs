//! What a walk goes through: one proxy, or three with a Redis.

use super::operators::{OPERATORS, Operator};
use crate::support::{
    Origin, Proxy,
    proxy::{config_with_server, synchronised},
    redis::Redis,
};
use sidecache::{
    app::App,
    clock::{Clock, Manual},
};
use std::{
    collections::HashMap,
    time::{Duration, SystemTime},
};

/// Of the two addresses from which callers come one may speak for others.
const TRUSTED: &str = "trusted = [\"127.0.0.1/32\"]\n";

/// The oldest version of what is at a host and a path that a replica may still serve, and the step that made it so.
type Versions = HashMap<(String, String), (usize, usize)>;

/// One process, and what it has been told.
pub(super) struct Replica {
    pub(super) proxy: Proxy,
    pub(super) oldest: Versions,
}

/// See the module docs.
pub(super) struct Deployment {
    origin: Origin,
    clock: Manual,
    pub(super) redis: Option<Redis>,
    pub(super) replicas: Vec<Replica>,
    pub(super) operator: &'static Operator,
    /// Without memory everything is read from Redis.
    memory: bool,
}

impl Deployment {
    pub(super) async fn start(origin: Origin, operator: usize, shared: bool, memory: bool) -> Self {
        let mut deployment = Self {
            origin,
            clock: Manual::at(SystemTime::now()),
            redis: shared.then(Redis::start),
            replicas: Vec::new(),
            operator: &OPERATORS[operator],
            memory: memory || !shared,
        };
        deployment.run(Versions::new()).await;
        deployment
    }

    async fn run(&mut self, oldest: Versions) {
        let store = match &self.redis {
            None => String::new(),
            Some(redis) => format!(
                "[cache]\nprefix = \"t\"\n[cache.memory]\nmax = \"{}\"\n[cache.redis]\nurl = \"{}\"\nbudget = \"1s\"\n",
                if self.memory { "64MiB" } else { "0" },
                redis.url()
            ),
        };
        let toml = format!("{store}{}", self.operator.toml);
        for _ in 0..if self.redis.is_some() { 3 } else { 1 } {
            let config = config_with_server(self.origin.address(), TRUSTED, &toml);
            let clock = Clock::Manual(self.clock.clone());
            let app = App::start(config, clock).await.unwrap();
            let proxy = Proxy::of(app, self.clock.clone());
            if self.redis.is_some() {
                synchronised(&proxy).await;
            }
            let oldest = oldest.clone();
            self.replicas.push(Replica { proxy, oldest });
        }
    }

    /// Starts all processes again, with the file of another operator.
    pub(super) async fn restart(&mut self, operator: usize) {
        self.operator = &OPERATORS[operator];
        let mut oldest = Versions::new();
        for replica in self.replicas.drain(..) {
            replica.proxy.drain().await;
            for (name, version) in replica.oldest {
                let known = oldest.entry(name).or_default();
                *known = version.max(*known);
            }
        }
        self.run(oldest).await;
    }

    pub(super) fn advance(&self, seconds: u64) {
        self.clock.advance(Duration::from_secs(seconds));
    }
}
