//! `[cache]` with its two tiers.

mod redis;

use std::{sync::Arc, time::Duration};

use http::HeaderName;

use super::{
    env,
    lifetimes::Lifetimes,
    lint,
    problem::{Problem, Where},
    reader::{Read, Setting},
    section::Section,
    sharing,
    typed::{ANY_DURATION, TIMEOUT, field_name},
    units::{self, KIB, MIB, secs},
    value::Value,
};
use crate::{
    cache::{self, coding, tags},
    proxy::{self, Token},
    semantics::{ClientDirectives, Policy, credentials::Credentials, targeted::CDN_CACHE_CONTROL},
    store,
};

const WEEK: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// What `[cache]` says, for the layers that it concerns.
pub(super) struct Cache {
    pub(super) proxy: proxy::Settings,
    pub(super) cache: cache::Settings,
    pub(super) store: store::Settings,
    pub(super) heuristic: bool,
    pub(super) client_directives: ClientDirectives,
    pub(super) stale_on_disconnect: Duration,
    pub(super) targeted: Arc<[HeaderName]>,
    pub(super) credentials: Arc<Credentials>,
    /// The `ttl` of what names none: routes, and what no route matches.
    pub(super) default_ttl: Option<Duration>,
    pub(super) max_lifetime: Duration,
    /// Whether `[cache.redis]` is written, also with an empty URL: that may be another environment's.
    pub(super) has_redis: bool,
}

impl Cache {
    /// What applies where no route matches.
    pub(super) fn default_policy(&self) -> Policy {
        Policy {
            heuristic: self.heuristic,
            client_directives: self.client_directives,
            stale_on_disconnect: self.stale_on_disconnect,
            targeted: Arc::clone(&self.targeted),
            credentials: Arc::clone(&self.credentials),
            max_lifetime: self.max_lifetime,
            ttl: self.default_ttl,
            ..Policy::default()
        }
    }
}

/// Reads `[cache]`, and `[ttl]`, whose names it may use.
pub(super) fn read<'a>(
    section: Section<'a>,
    named: Section<'a>,
    coding: coding::Settings,
) -> (Cache, Lifetimes<'a>) {
    let words = [
        ("ignore", ClientDirectives::Ignore),
        ("respect", ClientDirectives::Respect),
    ];
    let max_object = section.size("max_object", MIB, KIB..=u64::MAX);
    let (memory, collecting) = memory(section.table("memory"), &max_object);
    let prefix = section.read("prefix", redis::prefix);
    let max_lifetime = section.duration("max_lifetime", WEEK, secs(1)..=units::LONGEST);
    let lifetimes = Lifetimes::read(named, max_lifetime);
    let default_ttl = section.read("default_ttl", |value| lifetimes.ttl_or_none(value));
    let stale_on_disconnect = section
        .duration("stale_on_disconnect", Duration::ZERO, ANY_DURATION)
        .value;
    let redis_section = section.table("redis");
    let has_redis = redis_section.is_present();
    let redis = redis::read(redis_section, &prefix);
    let secret = sharing::secret(&section, redis.as_ref().map(|redis| &*redis.prefix));
    let cache = Cache {
        proxy: proxy::Settings {
            enabled: enabled(&section),
            clear_site_data: section.boolean("clear_site_data", false).value,
            bypass_token: section.read("bypass_token", token).value,
            purge_token: section.read("purge_token", token).value,
            trusted: proxy::Trusted::default(), // this and the next two are said under `[server]`
            trace: false,
            upgrade: Vec::new(),
        },
        cache: cache::Settings {
            max_object: max_object.value,
            collecting: collecting.value,
            body_timeout: None, // `upstream.body_timeout` sees to it
            tags: origin_tags(&section),
            keep_server_timing: section.boolean("keep_server_timing", false).value,
            coding,
        },
        store: store::Settings {
            memory: store::memory::Settings { max: memory.value },
            redis,
            purge_gap: section.duration("purge_gap", secs(5), TIMEOUT).value,
            keep_stale: stale_on_disconnect,
            max_lifetime: max_lifetime.value,
            secret,
        },
        credentials: sharing::credentials(&section),
        heuristic: section.boolean("heuristic", false).value,
        client_directives: section
            .choice("client_directives", ClientDirectives::Ignore, &words)
            .value,
        stale_on_disconnect,
        targeted: section.list("targeted", field_name).value.map_or_else(
            || Arc::new([CDN_CACHE_CONTROL]) as Arc<[HeaderName]>,
            Arc::from,
        ),
        default_ttl: default_ttl.value,
        max_lifetime: max_lifetime.value,
        has_redis,
    };
    section.finish();
    (cache, lifetimes)
}

/// What is stored, and what is on its way.
fn memory(section: Section<'_>, max_object: &Setting<u64>) -> (Setting<u64>, Setting<u64>) {
    let max = section.size("max", 64 * MIB, 0..=u64::MAX);
    lint::object_fits(section.reader, max_object, &max);
    let usual = cache::rule::usual_collecting(max_object.value);
    let collecting = section.size("collecting", usual, 0..=u64::MAX);
    lint::object_can_arrive(section.reader, max_object, &collecting);
    section.finish();
    (max, collecting)
}

/// `--set` wins over the environment, and that over the file.
fn enabled(section: &Section<'_>) -> bool {
    let written = section.boolean("enabled", true);
    let set = written.at.is_some_and(|at| at.is_overlay());
    match env::cache_enabled(section.reader.env) {
        Ok(Some(enabled)) if !set => enabled,
        Ok(_) => written.value,
        Err(value) => {
            let message = format!(
                "`CACHE_ENABLED` cannot be `{}`",
                super::document::clip(&value)
            );
            let problem = Problem::new(message, Where::Environment);
            section
                .reader
                .report(problem.help("set it to `true` or `false`, or unset it"));
            written.value
        }
    }
}

/// The fields by which the origin tags its responses.
fn origin_tags(section: &Section<'_>) -> tags::Settings {
    let usual = || {
        ["surrogate-key", "cache-tag"]
            .map(HeaderName::from_static)
            .to_vec()
    };
    tags::Settings {
        fields: section
            .list("tag_headers", field_name)
            .value
            .unwrap_or_else(usual),
        pass: section.boolean("pass_tag_headers", false).value,
    }
}

/// A word that proves something; empty is none.
pub(super) fn token(value: &Value<'_>) -> Read<Token> {
    let Some(text) = value.text() else {
        return Read::Wrong;
    };
    if text.value.is_empty() {
        return Read::Empty;
    }
    if (16..=256).contains(&text.value.len()) && text.value.bytes().all(|b| b.is_ascii_graphic()) {
        return Read::Value(Token::new(text.value));
    }
    let help = "make one with `openssl rand -hex 16`, or leave it out to have none";
    value
        .fail_secret("must be 16 to 256 visible ASCII characters", help)
        .into()
}
