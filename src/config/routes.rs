//! `[[route]]`: from a table to a compiled route.

use std::{collections::BTreeMap, ops::RangeInclusive, sync::Arc, time::Duration};

use http::{Method, StatusCode};

use super::{
    cache::Cache,
    key,
    lifetimes::Lifetimes,
    nearest::{nearest, slip_of},
    problem::Problem,
    reader::Setting,
    section::Section,
    sharing,
    source::Place,
    typed::{self, ANY_DURATION},
    unreachable::{Candidate, Unreachable},
    value::{Text, Value},
};
use crate::{
    cache::Collapse,
    proxy::route::{Pattern, PatternError, PurgeTemplate, Route, Template},
    semantics::{
        Policy, SetCookie,
        invalidation::is_unsafe,
        policy::{KEPT_BY_NAME, StatusTtl, is_about_one_request},
    },
};

/// The first match wins, so that each costs a comparison.
const MOST_ROUTES: usize = 1_000;

const NO_NAME: (&str, &str) = (
    "`route.name` is missing",
    "write `name = \"…\"`: metrics and logs use it",
);
const NO_PATH: (&str, &str) = ("`route.path` is missing", "write `path = \"/…\"`");

/// Reads every route; those with a mistake are left out.
pub(super) fn read(root: &Section<'_>, cache: &Cache, lifetimes: &Lifetimes<'_>) -> Vec<Route> {
    let sections = root.tables("route");
    if let Some(section) = sections.get(MOST_ROUTES) {
        let message = format!(
            "there are {} routes, at most {MOST_ROUTES} fit",
            sections.len()
        );
        let help = "let one path such as `/api/{*rest}` stand for many";
        root.reader
            .report(Problem::new(message, section.at()).help(help));
    }
    let mut routes = Vec::new();
    let mut taken = BTreeMap::new();
    let mut candidates = Vec::new();
    for section in sections.into_iter().take(MOST_ROUTES) {
        routes.extend(route(
            section,
            cache,
            lifetimes,
            &mut taken,
            &mut candidates,
        ));
    }
    Unreachable::check(root.reader, &candidates);
    routes
}

fn route(
    section: Section<'_>,
    cache: &Cache,
    lifetimes: &Lifetimes<'_>,
    taken: &mut BTreeMap<String, Place>,
    candidates: &mut Vec<Candidate>,
) -> Option<Route> {
    let name = section.require("name", NO_NAME, |value| name(value, taken));
    let path = section.require("path", NO_PATH, path);
    let methods = section.list("methods", method);
    if methods.sound && methods.value.as_ref().is_some_and(Vec::is_empty) {
        let problem = Problem::new("`route.methods` is empty: nothing matches", methods.at);
        section
            .reader
            .report(problem.help("leave it out for GET and HEAD"));
    }
    let methods = methods.or(vec![Method::GET, Method::HEAD]);
    if let (Some(path), Some(at), true) = (&path.value, path.at, methods.sound) {
        candidates.push(Candidate {
            name: name.value.clone(),
            path: path.clone(),
            methods: methods.value.clone(),
            at,
        });
    }
    let captures = path.value.as_ref().map(Pattern::captures);
    let tags = section.list("tags", |value, text| {
        compile(value, text, Template::parse(&text.value, captures?))
    });
    let purge = section.list("purge", |value, text| {
        compile(value, text, PurgeTemplate::parse(&text.value, captures?))
    });
    may_purge(&section, &purge, &methods);
    let key = key::read(section.table("key"), &methods);
    key::may_tag(&section, &tags, &key);
    let default_ttl = cache.default_ttl.filter(|_| !key.body);
    let policy = policy(&section, cache, lifetimes, default_ttl);
    let collapse = collapse(&section, cache);
    let ttl_jitter = section.count("ttl_jitter", 0, 0..=50).value;
    let refresh_ahead = window(&section, "refresh_ahead").value;
    let compress = section.boolean("compress", cache.cache.coding.enabled);
    section.finish();
    Some(Route {
        name: name.value?,
        path: path.value?,
        methods: methods.value,
        policy,
        tags: tags.value.unwrap_or_default(),
        purge: purge.value.unwrap_or_default(),
        key,
        collapse,
        ttl_jitter: u8::try_from(ttl_jitter).unwrap_or(0),
        refresh_ahead,
        compress: compress.value,
    })
}

/// A duration of any length that is off unless it is written.
fn window(section: &Section<'_>, key: &'static str) -> Setting<Option<Duration>> {
    section.read(key, |value| {
        let found = typed::duration(value)?;
        let print = super::units::print_duration;
        typed::within(value, found, &ANY_DURATION, print, "write a shorter one")
    })
}

/// Which misses share a fetch; between replicas only where there is a Redis.
fn collapse(section: &Section<'_>, cache: &Cache) -> Collapse {
    let words = [
        ("off", Collapse::Off),
        ("local", Collapse::Local),
        ("cluster", Collapse::Cluster),
    ];
    let collapse = section.choice("collapse", Collapse::Local, &words);
    if collapse.value == Collapse::Cluster && !cache.has_redis {
        let message =
            "`collapse = \"cluster\"` needs a Redis, through which replicas agree who fetches";
        let problem = Problem::new(message, collapse.at);
        let help = "configure `[cache.redis]`, or write \"local\"";
        section.reader.report(problem.help(help));
    }
    collapse.value
}

fn name(value: &Value<'_>, taken: &mut BTreeMap<String, Place>) -> Option<String> {
    let text = value.text()?;
    let allowed = |c: char| c.is_ascii_alphanumeric() || "_.-".contains(c);
    if !(1..=64).contains(&text.value.len()) || !text.value.chars().all(allowed) {
        let help = "write letters, digits, `_`, `.` and `-`: metrics use it as a label";
        return value.fail_text(
            &text,
            "must be 1 to 64 characters that are safe in a label",
            help,
        );
    }
    let name = text.value.into_owned();
    if name == "default" {
        return value.fail(
            "cannot be `default`",
            "that is what no route matches; take another",
        );
    }
    if let Some(first) = taken.get(&name) {
        let problem = Problem::new(format!("two routes are named `{name}`"), value.at);
        let problem = problem.help("metrics tell routes by name; give each its own");
        value.report(problem.note("the first is here", *first));
        return None;
    }
    taken.insert(name.clone(), value.at);
    Some(name)
}

fn path(value: &Value<'_>) -> Option<Pattern> {
    let text = value.text()?;
    compile(value, &text, Pattern::parse(&text.value))
}

fn method(value: &Value<'_>, text: &Text<'_>) -> Option<Method> {
    const KNOWN: [&str; 9] = [
        "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "QUERY",
    ];
    let method = Method::from_bytes(text.value.as_bytes()).ok();
    let method = method.filter(|method| !method.as_str().contains(|c: char| c.is_lowercase()));
    let near = match &method {
        Some(method) if KNOWN.contains(&method.as_str()) => None,
        Some(method) => slip_of(method.as_str(), KNOWN),
        None => nearest(&text.value, KNOWN),
    };
    let help = match (method, near) {
        (Some(method), None) => return Some(method),
        (_, Some(near)) => format!("did you mean \"{near}\"?"),
        (None, None) => "write a method such as \"GET\", in upper case".to_owned(),
    };
    value.fail_text(text, "holds what is not a method", &help)
}

/// A purge follows a successful unsafe request
/// ([RFC 9111 §4.4](https://www.rfc-editor.org/rfc/rfc9111#section-4.4)), so one of the methods
/// has to be unsafe.
fn may_purge<T>(section: &Section<'_>, purge: &Setting<T>, methods: &Setting<Vec<Method>>) {
    let Some(at) = purge.at.filter(|_| methods.sound) else {
        return;
    };
    if !methods.value.iter().any(is_unsafe) {
        let message = "`route.purge` can never apply: no method of this route changes anything";
        let help = "write `methods = [\"POST\", \"PUT\", \"PATCH\", \"DELETE\"]`";
        section.reader.report(Problem::new(message, at).help(help));
    }
}

fn compile<T>(value: &Value<'_>, text: &Text<'_>, parsed: Result<T, PatternError>) -> Option<T> {
    parsed
        .map_err(|error| {
            let problem = Problem::new(error.message, text.place(error.at)).key(&value.path);
            value.report(match error.help {
                Some(help) => problem.help(help),
                None => problem,
            });
        })
        .ok()
}

/// `default_ttl` is that of what names none. What is read by POST says itself how long it is fresh: under 200 there are errors too.
fn policy(
    section: &Section<'_>,
    cache: &Cache,
    lifetimes: &Lifetimes<'_>,
    default_ttl: Option<Duration>,
) -> Policy {
    let cookies = [
        ("bypass", SetCookie::Bypass),
        ("strip", SetCookie::Strip),
        ("store", SetCookie::Store),
    ];
    let ttl = section.read("ttl", |value| lifetimes.ttl(value));
    let override_origin = section.boolean("override", false);
    if override_origin.value && ttl.at.is_none() {
        let message = "`override = true` has no `ttl` to put in the place of the origin's";
        let problem = Problem::new(message, override_origin.at);
        section
            .reader
            .report(problem.help("write `ttl = \"5m\"` here, for `cache.default_ttl` overrules nobody; or leave `override` out"));
    }
    Policy {
        status_ttl: status_ttl(section.table("ttl_by_status"), lifetimes),
        cache: section.boolean("cache", true).value,
        ttl: ttl.value.or(default_ttl),
        override_origin: override_origin.value,
        stale_while_revalidate: window(section, "stale_while_revalidate").value,
        stale_if_error: window(section, "stale_if_error").value,
        share: sharing::share(section),
        set_cookie: section
            .choice("set_cookie", SetCookie::Bypass, &cookies)
            .value,
        heuristic: cache.heuristic,
        client_directives: cache.client_directives,
        stale_on_disconnect: cache.stale_on_disconnect,
        targeted: Arc::clone(&cache.targeted),
        max_lifetime: cache.max_lifetime,
        credentials: Arc::clone(&cache.credentials),
        cookies: sharing::cookies(section.table("cookies")),
        keyed: Arc::new([]), // the rule sees to it
    }
}

/// What `ttl_by_status` says, exact statuses before classes.
fn status_ttl(section: Section<'_>, lifetimes: &Lifetimes<'_>) -> Arc<[StatusTtl]> {
    let mut found: Vec<StatusTtl> = Vec::new();
    for (status, value) in section.entries() {
        let statuses = statuses(status, &value);
        let ttl = lifetimes.ttl(&value);
        found.extend(
            statuses
                .zip(ttl)
                .map(|(statuses, ttl)| StatusTtl { statuses, ttl }),
        );
    }
    found.sort_by_key(|one| one.statuses.len());
    found.into()
}

/// Whether no route can keep what has this status.
fn is_never_kept(status: StatusCode) -> bool {
    matches!(
        status,
        StatusCode::PARTIAL_CONTENT | StatusCode::NOT_MODIFIED
    ) || (is_about_one_request(status) && !KEPT_BY_NAME.contains(&status.as_u16()))
}

/// `404`, or `4xx` for a class.
fn statuses(text: &str, value: &Value<'_>) -> Option<RangeInclusive<u16>> {
    let class = text
        .strip_suffix("xx")
        .and_then(|class| class.parse::<u16>().ok());
    let statuses = match class {
        Some(class) if text.len() == 3 => class * 100..=class * 100 + 99,
        _ => {
            let exact = text.parse().unwrap_or(0);
            exact..=exact
        }
    };
    let (first, last) = (*statuses.start(), *statuses.end());
    if first < 200 || last > 599 || text.len() != 3 {
        let help = "write one such as `404`, or a class such as `5xx`";
        return value.fail_at(
            value.key,
            &format!("`{}` is no final status", value.path),
            help,
        );
    }
    let named = StatusCode::from_u16(first).ok().filter(|_| first == last);
    if named.is_some_and(is_never_kept) {
        let message = format!(
            "`{}` speaks of one request, and is never kept for others",
            value.path
        );
        return value.fail_at(value.key, &message, "leave it out");
    }
    Some(statuses)
}
