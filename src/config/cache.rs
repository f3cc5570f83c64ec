//! `[cache]` with its two tiers, and the durations that `[ttl]` names.

mod redis;

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use http::HeaderName;

use super::{
    env, lint,
    problem::{Problem, Where},
    reader::{Read, Setting},
    section::Section,
    sharing,
    typed::{self, ANY_DURATION, TIMEOUT, field_name, within},
    units::{self, KIB, MIB, print_duration, secs},
    value::{Scalar, Value},
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
    pub(super) max_lifetime: Setting<Duration>,
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
            max_lifetime: self.max_lifetime.value,
            ..Policy::default()
        }
    }
}

/// The durations that `[ttl]` names; `None` for one that is wrong.
pub(super) type Names<'a> = BTreeMap<&'a str, Option<Duration>>;

/// Reads `[cache]`.
pub(super) fn read(section: Section<'_>, coding: coding::Settings) -> Cache {
    let words = [
        ("ignore", ClientDirectives::Ignore),
        ("respect", ClientDirectives::Respect),
    ];
    let max_object = section.size("max_object", MIB, KIB..=u64::MAX);
    let (memory, collecting) = memory(section.table("memory"), &max_object);
    let prefix = section.read("prefix", redis::prefix);
    let max_lifetime = section.duration("max_lifetime", WEEK, secs(1)..=units::LONGEST);
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
        max_lifetime,
        has_redis,
    };
    section.finish();
    cache
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

/// Reads `[ttl]`.
pub(super) fn ttl<'a>(section: Section<'a>, cache: &Cache) -> Names<'a> {
    let mut names = Names::new();
    for (name, value) in section.entries() {
        // Even one that is wrong is a name: a route that uses it is not a second mistake.
        let ttl = lifetime(&value, cache);
        names.insert(name, if is_name(name, &value) { ttl } else { None });
    }
    names
}

fn is_name(name: &str, value: &Value<'_>) -> bool {
    let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    let message = if !(1..=32).contains(&name.len()) || !name.chars().all(allowed) {
        "a ttl is named with 1 to 32 of a to z, 0 to 9 and `_`"
    } else if name.starts_with(|c: char| c.is_ascii_digit()) {
        "a ttl is not named like a duration"
    } else {
        return true;
    };
    value.fail_at::<()>(
        value.key,
        message,
        "name it for what it is, such as `short`",
    );
    false
}

/// How long something may be kept: a duration, or a number of seconds as `max-age` has it.
pub(super) fn lifetime(value: &Value<'_>, cache: &Cache) -> Option<Duration> {
    let seconds = match value.scalar()? {
        Scalar::Integer(number) => Some(number),
        Scalar::Text(text) if text.expanded => text.value.trim().parse().ok().map(Some),
        Scalar::Text(_) | Scalar::Boolean(_) | Scalar::Other => None,
    };
    let ttl = match seconds {
        Some(Some(number)) if number < 0 => {
            return value.fail("must be at least 0s", "write `0` to revalidate every time");
        }
        // Whatever has more digits than that is above the limit too.
        Some(number) => {
            let seconds = number.and_then(|number| u64::try_from(number).ok());
            Duration::from_secs(seconds.unwrap_or(u64::MAX))
        }
        None => typed::duration(value)?,
    };
    let ttl = within(
        value,
        ttl,
        &ANY_DURATION,
        print_duration,
        "write a shorter one",
    )?;
    let longest = cache.max_lifetime;
    if longest.sound && ttl > longest.value {
        let limit = print_duration(longest.value);
        let message = format!(
            "`{}` is longer than `cache.max_lifetime`, {limit}",
            value.path
        );
        let problem = Problem::new(message, value.at);
        let problem = problem.help("shorten it, or raise `max_lifetime` under `[cache]`");
        value.report(match longest.at {
            Some(at) => problem.note("the limit is here", at),
            None => problem,
        });
        return None;
    }
    Some(ttl)
}
