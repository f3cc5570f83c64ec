//! `route.key`: what makes requests ask for the same thing.

use http::{Method, uri::Authority};

use super::{
    keyed,
    problem::Problem,
    reader::Setting,
    section::Section,
    value::{Text, Value},
};
use crate::{
    cache::KeySpec,
    proxy::route::Template,
    semantics::query::{CountedQuery, Listed, ParameterPattern, TRACKING},
};

/// Stands in `except` for all names of the preset.
const PRESET: &str = "tracking";

/// What a route with these methods says of its key.
pub(super) fn read(section: Section<'_>, methods: &Setting<Vec<Method>>) -> KeySpec {
    let query = query(&section);
    let headers = section.list("headers", keyed::field);
    let host = section.read("host", host).value;
    let no_vary_search = section.boolean("no_vary_search", false);
    if no_vary_search.value && query.is_some() {
        let message =
            "`route.key.no_vary_search` has nothing to say beside `query`, which lists what counts";
        let problem = Problem::new(message, no_vary_search.at);
        section
            .reader
            .report(problem.help("leave one of the two out"));
    }
    let body = section.boolean("body", false);
    may_count_content(&section, &body, methods);
    section.finish();
    KeySpec {
        query,
        host: host.flatten(),
        headers: headers.value.unwrap_or_default(),
        no_vary_search: no_vary_search.value,
        body: body.value,
    }
}

/// Content counts of a POST, and of a QUERY in any case; that of a GET has no meaning
/// ([RFC 9110 §9.3.1](https://www.rfc-editor.org/rfc/rfc9110#section-9.3.1)).
fn may_count_content(section: &Section<'_>, body: &Setting<bool>, methods: &Setting<Vec<Method>>) {
    let has_content = |method: &Method| *method == Method::POST || method.as_str() == "QUERY";
    if body.value && methods.sound && !methods.value.iter().any(has_content) {
        let message =
            "`route.key.body` has no content to count: POST is none of this route's methods";
        let help =
            "write `methods = [\"POST\"]` if what is sent by POST only reads, or leave `body` out";
        section
            .reader
            .report(Problem::new(message, body.at).help(help));
    }
}

/// A list of the parameters that count, or a table that says which do.
fn query(key: &Section<'_>) -> Option<CountedQuery> {
    if !key.value("query")?.data.is_table() {
        let only = patterns(key, "query").value?;
        return Some(CountedQuery::new(Listed::Only(only.concat()), true));
    }
    let section = key.table("query");
    let only = patterns(&section, "only");
    let except = patterns(&section, "except");
    let preset = section.read("preset", preset);
    let sort = section.boolean("sort", false).value;
    if let (Some(at), true) = (only.at, except.at.or(preset.at).is_some()) {
        let message = "`route.key.query` says by `only` and by `except` or `preset` what counts";
        let help = "leave one out: what `only` does not list does not count in any case";
        section.reader.report(Problem::new(message, at).help(help));
    }
    section.finish();
    let except = except
        .value
        .into_iter()
        .chain(preset.value.map(|one| vec![one]));
    let except: Vec<ParameterPattern> = except.flatten().flatten().collect();
    let listed = match only.value {
        Some(only) => Listed::Only(only.concat()),
        None if except.is_empty() => Listed::All,
        None => Listed::Except(except),
    };
    let says_something = sort || listed != Listed::All;
    says_something.then(|| CountedQuery::new(listed, sort))
}

/// The names that each string of a list stands for.
fn patterns(
    section: &Section<'_>,
    key: &'static str,
) -> Setting<Option<Vec<Vec<ParameterPattern>>>> {
    section.list(key, |value, text| {
        if key == "except" && text.value == PRESET {
            return Some(tracking());
        }
        let spelt = text.value.contains(['&', ';', '=', '%']);
        let pattern = ParameterPattern::parse(&text.value).filter(|_| !spelt);
        pattern.map(|pattern| vec![pattern]).or_else(|| {
            let clause = "holds what is not the name of a parameter";
            let help = "write it as the origin reads it, like \"q\" or \"page[size]\", or with one star for many, like \"utm_*\"";
            value.fail_text(text, clause, help)
        })
    })
}

fn preset(value: &Value<'_>) -> Option<Vec<ParameterPattern>> {
    let text = value.text()?;
    super::typed::word(value, &text, &[(PRESET, ())]).map(|()| tracking())
}

fn tracking() -> Vec<ParameterPattern> {
    TRACKING
        .into_iter()
        .filter_map(ParameterPattern::parse)
        .collect()
}

/// `as-sent`, or the one name for all.
fn host(value: &Value<'_>) -> Option<Option<Box<str>>> {
    let text = value.text()?;
    if text.value == "as-sent" {
        return Some(None);
    }
    match name(&text) {
        Some(name) => Some(Some(name)),
        None => value.fail_text(
            &text,
            "is neither \"as-sent\" nor a host",
            "write a name, and a port where clients write one, like \"api.example\" or \"api.example:8080\"",
        ),
    }
}

/// A host with or without a port, in lower case.
fn name(text: &Text<'_>) -> Option<Box<str>> {
    let authority: Authority = text.value.parse().ok()?;
    let host = authority.host();
    let port = &authority.as_str()[host.len().min(authority.as_str().len())..];
    let sound_port = port.is_empty() || authority.port_u16().is_some_and(|port| port > 0);
    let sound = !host.is_empty() && authority.as_str().starts_with(host) && sound_port;
    sound.then(|| authority.as_str().to_ascii_lowercase().into())
}

/// What is stored once for many queries has the tags of whichever came first.
pub(super) fn may_tag(section: &Section<'_>, tags: &Setting<Option<Vec<Template>>>, key: &KeySpec) {
    let (Some(at), Some(templates), Some(counted)) = (tags.at, &tags.value, &key.query) else {
        return;
    };
    let left_out = |name: &&str| !counted.counts(name);
    if let Some(name) = templates
        .iter()
        .flat_map(Template::parameters)
        .find(left_out)
    {
        let message = format!("`{{?{name}}}` tags by a parameter that `key.query` leaves out");
        let help = if counted.is_of_listed() {
            format!("add \"{name}\" to `key.query`, or take it out of the tags")
        } else {
            format!("let `key.query` not leave out \"{name}\", or take it out of the tags")
        };
        section.reader.report(Problem::new(message, at).help(help));
    }
}
