//! A proxy in this process, on free ports, with a clock that the test moves.

use super::{Answer, Origin, client};
use sidecache::{
    app::App,
    clock::{Clock, Manual},
    config::Config,
};
use std::{
    net::SocketAddr,
    sync::LazyLock,
    time::{Duration, SystemTime},
};

/// When the clocks of all proxies begin: replicas that were started one after the other agree what time it is, however busy the
/// machine is.
static START: LazyLock<SystemTime> = LazyLock::new(SystemTime::now);

/// See the module docs.
pub(crate) struct Proxy {
    app: App,
    clock: Manual,
}

impl Proxy {
    /// Before `origin`, with `toml` added to the smallest configuration.
    pub(crate) async fn to(origin: &Origin, toml: &str) -> Self {
        Self::to_address(origin.address(), toml).await
    }

    pub(crate) async fn to_address(origin: SocketAddr, toml: &str) -> Self {
        Self::with(config(origin, toml)).await
    }

    /// Before `origin`, with `server` added to `[server]`.
    pub(crate) async fn with_server(origin: &Origin, server: &str, toml: &str) -> Self {
        Self::with(config_with_server(origin.address(), server, toml)).await
    }

    pub(crate) async fn with(config: Config) -> Self {
        let clock = Manual::at(*START);
        let app = App::start(config, Clock::Manual(clock.clone()))
            .await
            .unwrap();
        Self { app, clock }
    }

    /// One that was started elsewhere.
    pub(crate) fn of(app: App, clock: Manual) -> Self {
        Self { app, clock }
    }

    pub(crate) fn app(&self) -> &App {
        &self.app
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.app.public_address()
    }

    pub(crate) fn admin(&self) -> SocketAddr {
        self.app.admin_address()
    }

    /// Time passes for freshness and age.
    pub(crate) fn advance(&self, seconds: u64) {
        self.clock.advance(Duration::from_secs(seconds));
    }

    pub(crate) fn clock(&self) -> &Manual {
        &self.clock
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.get_with(path, &[]).await
    }

    pub(crate) async fn get_with(&self, path: &str, headers: &[(&str, &str)]) -> Answer {
        client::get(self.address(), path, headers).await
    }

    pub(crate) async fn send(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> Answer {
        client::request(self.address(), method, path, headers, body.as_bytes()).await
    }

    /// The value of one line of the exposition, 0 where there is none.
    pub(crate) fn metric(&self, line: &str) -> f64 {
        let text = self.app.metrics().encode();
        let value = text
            .lines()
            .find_map(|l| l.strip_prefix(line)?.strip_prefix(' '));
        value.map_or(0.0, |value| value.parse().unwrap())
    }

    pub(crate) async fn drain(self) -> bool {
        self.app.drain().await
    }
}

/// The smallest configuration with `toml` added; what stands before its first section belongs to `[upstream]`.
pub(crate) fn config(origin: SocketAddr, toml: &str) -> Config {
    config_with_server(origin, "", toml)
}

/// As [`config`], with `server` added to `[server]`. The admin port is open, because tests ask by a name.
///
/// The clocks of tests jump, and with them the time since Redis was heard of: that is no gap, unless a test says what is one.
pub(crate) fn config_with_server(origin: SocketAddr, server: &str, toml: &str) -> Config {
    let is_silent = toml.contains("[cache.redis]") && !toml.contains("purge_gap");
    let patient = "[cache]\npurge_gap = \"720h\"\n";
    let toml = if is_silent {
        toml.replacen("[cache]\n", patient, 1)
    } else {
        toml.to_owned()
    };
    let text = format!(
        "[server]\nlisten = \"127.0.0.1:0\"\n{server}[admin]\nlisten = \"127.0.0.1:0\"\nopen = true\n[log]\naccess = false\n\
         [upstream]\nurl = \"http://{origin}\"\n{toml}"
    );
    Config::parse("test.toml", &text, &[], &|_| None).unwrap_or_else(|error| panic!("{error}"))
}

/// Until the purge log has been read once: before that Redis is not asked.
pub(crate) async fn synchronised(proxy: &Proxy) {
    super::until("redis is asked", async || {
        proxy.get("/probe").await;
        let asked = ["hit", "miss"]
            .map(|r| proxy.metric(&format!("sidecache_redis_calls_total{{result=\"{r}\"}}")));
        asked.iter().sum::<f64>() > 0.0
    })
    .await;
}
