//! Each section of the file: its keys, their defaults and their limits.

use std::{net::SocketAddr, ops::RangeInclusive};

use http::uri::Authority;
use tracing_subscriber::EnvFilter;

use super::{
    address, admin as admin_section, cache, compress, lint,
    nearest::nearest,
    reader::Setting,
    routes,
    section::Section,
    trusted,
    typed::{ANY_DURATION, TIMEOUT},
    units::{KIB, secs},
    upgrade,
    value::Value,
    written::Written,
};
use crate::{
    admin,
    proxy::{self, route::Route},
    semantics::Policy,
    server, store, telemetry, upstream,
};

/// Nobody has more connections or threads to give.
const MOST_CONNECTIONS: usize = 1_000_000;
const MOST_WORKERS: usize = 1_024;
/// What clients can be asked to send or read in a second.
const LEAST_RATES: RangeInclusive<u64> = 0..=1024 * KIB;

/// Everything that was configured.
#[derive(Clone, Debug)]
pub struct Config {
    /// `[server]`
    pub server: server::Settings,
    /// `[admin]`
    pub admin: admin::Settings,
    /// `[log]`
    pub log: telemetry::Settings,
    /// `[upstream]`
    pub upstream: upstream::Settings,
    /// `[cache]`: who may ask it for what
    pub proxy: proxy::Settings,
    /// `[cache]` and `[compress]`: what it makes of responses
    pub cache: crate::cache::Settings,
    /// `[cache]`, for keeping
    pub store: store::Settings,
    /// Each `[[route]]`, in the order in which they are tried.
    pub routes: Vec<Route>,
    /// What applies where no route matches: the origin's own headers decide, then `cache.default_ttl`.
    pub default_policy: Policy,
    /// Where all that is written.
    pub(super) written: Written,
}

/// Reads everything; `None` where something that has no default is missing.
pub(super) fn read(root: Section<'_>, written: Written) -> Option<Config> {
    let (server, believed, public) = server(root.table("server"));
    let (admin, private) = admin_section::read(root.table("admin"));
    let log = log(root.table("log"));
    let (upstream, url) = upstream(root.table("upstream"));
    let compress = compress::read(root.table("compress"));
    let (cache, lifetimes) = cache::read(root.table("cache"), root.table("ttl"), compress);
    let routes = routes::read(&root, &cache, &lifetimes);
    lint::listeners(root.reader, &public, &private);
    lint::upstream_is_another(root.reader, &url, &public, &private);
    root.finish();
    let default_policy = cache.default_policy();
    Some(Config {
        server,
        admin,
        log,
        upstream: upstream?,
        proxy: proxy::Settings {
            trusted: believed.trusted,
            trace: believed.trace,
            upgrade: believed.upgrade,
            ..cache.proxy
        },
        cache: cache.cache,
        store: cache.store,
        routes,
        default_policy,
        written,
    })
}

/// What `[server]` says of requests and not of connections.
struct Believed {
    trusted: proxy::Trusted,
    trace: bool,
    upgrade: Vec<Box<str>>,
}

fn server(section: Section<'_>) -> (server::Settings, Believed, Setting<SocketAddr>) {
    let default = SocketAddr::from(([127, 0, 0, 1], 8080));
    let listen = section.read("listen", address::listen).or(default);
    let header_bytes = section
        .size("max_header_bytes", 32 * KIB, 8 * KIB..=256 * KIB)
        .value;
    let settings = server::Settings {
        listen: listen.value,
        workers: section.count("workers", 0, 0..=MOST_WORKERS).value,
        max_connections: section
            .count("max_connections", 10_000, 1..=MOST_CONNECTIONS)
            .value,
        idle_timeout: section.duration("idle_timeout", secs(60), TIMEOUT).value,
        min_rate: section.size("min_rate", KIB, LEAST_RATES).value,
        drain_timeout: section
            .duration("drain_timeout", secs(30), ANY_DURATION)
            .value,
        max_header_bytes: usize::try_from(header_bytes).expect("its limit is 256KiB"),
    };
    let believed = Believed {
        trusted: trusted::read(&section),
        trace: section.boolean("trace", false).value,
        upgrade: upgrade::read(&section),
    };
    section.finish();
    (settings, believed, listen)
}

fn log(section: Section<'_>) -> telemetry::Settings {
    let formats = [
        ("pretty", telemetry::Format::Pretty),
        ("json", telemetry::Format::Json),
    ];
    let settings = telemetry::Settings {
        format: section
            .choice("format", telemetry::Format::Pretty, &formats)
            .value,
        level: section.read("level", level).or("info".to_owned()).value,
        access: section.boolean("access", true).value,
    };
    section.finish();
    settings
}

fn upstream(section: Section<'_>) -> (Option<upstream::Settings>, Setting<Option<Authority>>) {
    const HELP: &str = "write `url = \"http://127.0.0.1:9000\"` under `[upstream]`";
    let missing = if section.reader.file_is_empty {
        "this file is empty: it says nothing about which upstream to use"
    } else {
        "`upstream.url` is missing"
    };
    let url = section.require("url", (missing, HELP), address::upstream);
    // The other keys are read also when this one is wrong.
    let connect_timeout = section.duration("connect_timeout", secs(1), TIMEOUT).value;
    let timeout = section.duration("timeout", secs(30), TIMEOUT).value;
    let body_timeout = section.duration("body_timeout", secs(30), TIMEOUT).value;
    let tunnel_timeout = section
        .duration("tunnel_timeout", secs(600), ANY_DURATION)
        .value;
    let min_rate = section.size("min_rate", KIB, LEAST_RATES).value;
    let idle_timeout = section
        .duration("idle_timeout", secs(4), ANY_DURATION)
        .value;
    let max_connections = section
        .count("max_connections", 512, 1..=MOST_CONNECTIONS)
        .value;
    section.finish();
    let settings = url.value.clone().map(|authority| upstream::Settings {
        authority,
        connect_timeout,
        timeout,
        body_timeout,
        min_rate,
        tunnel_timeout,
        idle_timeout,
        max_connections,
    });
    (settings, url)
}

/// A level, or directives such as `info,sidecache::store=debug`.
fn level(value: &Value<'_>) -> Option<String> {
    const LEVELS: [&str; 6] = ["off", "error", "warn", "info", "debug", "trace"];
    let text = value.text()?;
    // A filter takes a lone word for a target, and shows everything of it.
    let is_level = |word: &str| LEVELS.iter().any(|level| level.eq_ignore_ascii_case(word));
    let words = text.value.split(',').map(str::trim);
    let stray = words
        .filter(|word| !word.contains(['=', '[']))
        .find(|word| !is_level(word));
    if let Some(stray) = stray {
        let help = match nearest(stray, LEVELS) {
            Some(near) => format!("did you mean \"{near}\"?"),
            None => format!("the levels are {}", LEVELS.join(", ")),
        };
        return value.fail_text(&text, "names a level that does not exist", &help);
    }
    match EnvFilter::builder().parse(&text.value) {
        Ok(_) => Some(text.value.into_owned()),
        Err(_) => value.fail_text(
            &text,
            "is not a filter",
            "write a level, or directives such as \"info,sidecache::store=debug\"",
        ),
    }
}
