//! Who may get what was made for somebody else. It knows the rules of RFC 9111 and what operators mean, and nothing of the
//! proxy's code.

use super::{
    asks::{Ask, CREDENTIALS, FORWARDING, is_cookie},
    kinds::{Kind, kind},
    operators::{Operator, Query, Rule, SetCookie, Share},
    origin::resolve,
};
use std::collections::BTreeMap;

/// Where a freshness lifetime comes from.
#[derive(Clone, Copy, PartialEq)]
enum Source {
    Origin,
    Route,
}

/// Why `reader` must not get what was made for `owner`. `is_head` where it is the head that was made for `owner`, and the body
/// may be older.
pub(super) fn objection(
    operator: &Operator,
    reader: &Ask,
    owner: &Ask,
    is_head: bool,
) -> Option<&'static str> {
    let kind = kind(owner.kind);
    let rule = operator.rule(&resolve(&owner.path));
    if reader.step == owner.step {
        return None;
    }
    let no_cache = is_head && kind.no_cache && !rule.overrides;
    let objections = [
        (!rule.cache, "the route is not cached"),
        (no_cache, "it has to be confirmed each time"),
        (
            !rule.one_host && !owner.host.eq_ignore_ascii_case(reader.host),
            "another host",
        ),
        (
            resolve(&owner.path) != resolve(&reader.path),
            "another resource",
        ),
        (query(rule, owner) != query(rule, reader), "another query"),
        (!same_question(owner, reader, kind), "another method"),
        (
            how_reached(rule, owner) != how_reached(rule, reader),
            "reached in another way",
        ),
        (is_restricted(kind, rule), "it is restricted"),
        (!same_keyed(rule, owner, reader), "another key"),
        (
            !same_selection(rule, kind, owner, reader),
            "another variant",
        ),
        (
            kind.echoes_origin
                && owner.field("origin").is_some()
                && owner.field("origin") != reader.field("origin"),
            "for another site",
        ),
    ];
    let found = objections.into_iter().find(|(holds, _)| *holds);
    found
        .map(|(_, why)| why)
        .or_else(|| by_credentials(rule, kind, owner, reader))
        .or_else(|| stale_at_once(rule, kind, owner, reader).filter(|_| is_head))
}

fn by_credentials(rule: &Rule, kind: &Kind, owner: &Ask, reader: &Ask) -> Option<&'static str> {
    let by_route = rule.statuses.contains(&owner.status) || (rule.ttl && owner.status == 200);
    let of_one_request = owner.status == 400 && !rule.statuses.contains(&400);
    let source = match (kind.explicit && !of_one_request, by_route) {
        (_, true) if rule.overrides => Source::Route,
        (true, _) => Source::Origin,
        (false, true) if owner.method != "POST" => Source::Route,
        _ => return Some("nobody says that it lasts"),
    };
    let lifted = source == Source::Origin && kind.lifts;
    let others = |ask| credentials(rule, ask).iter().any(|name| *name != "cookie");
    let any = |ask| !credentials(rule, ask).is_empty();
    if others(owner) && !lifted {
        return Some("it was made under a credential");
    }
    if source == Source::Route && any(owner) {
        return Some("it was made for a cookie");
    }
    (source == Source::Route && any(reader)).then_some("the reader may get one of its own")
}

/// It may only be confirmed to whoever has credentials, and then its head is theirs.
fn stale_at_once(rule: &Rule, kind: &Kind, owner: &Ask, reader: &Ask) -> Option<&'static str> {
    let any = |ask| !credentials(rule, ask).is_empty();
    let objects = kind.stale_at_once && !rule.overrides && (any(owner) || any(reader));
    objects.then_some("nobody says that it may be shared")
}

/// The fields that say who asks, but for those that the route has in its key or lets its callers share.
fn credentials<'a>(rule: &Rule, ask: &'a Ask) -> Vec<&'a str> {
    let shared = |name: &str| match rule.share {
        Share::All => true,
        Share::Those(names) => names.contains(&name),
        Share::Anonymous => false,
    };
    let matters = |name: &str| {
        CREDENTIALS.contains(&name)
            && !rule.keyed.contains(&name)
            && !shared(name)
            && (name != "cookie"
                || !ask
                    .cookies(&[rule.ignored_cookies, rule.keyed_cookies].concat())
                    .is_empty())
    };
    let names = ask.heard().map(|(name, _)| name);
    names.filter(|name| matters(name)).collect()
}

/// The query as far as it counts.
fn query(rule: &Rule, ask: &Ask) -> Vec<&'static str> {
    let query = ask.query.unwrap_or_default();
    let pairs = query.split('&').filter(|pair| !pair.is_empty());
    let named = |pair: &str, names: &[&str]| names.iter().any(|name| is_cookie(pair, name));
    let mut kept: Vec<&str> = match rule.query {
        // Where servers disagree about names, all of it counts.
        _ if query.contains([';', '[', '%']) => return vec![query],
        Query::AsReceived => return pairs.collect(),
        Query::Only(names) => pairs
            .filter(|pair| named(pair, names) || named(pair, &["access_token"]))
            .collect(),
        Query::Except(names) => pairs.filter(|pair| !named(pair, names)).collect(),
    };
    kept.sort_unstable();
    kept
}

/// A GET and a HEAD ask the same, equal QUERYs do, and a POST may bring what a GET would.
fn same_question(owner: &Ask, reader: &Ask, kind: &Kind) -> bool {
    let reads = ["GET", "HEAD"];
    match owner.method {
        "GET" | "HEAD" => reads.contains(&reader.method),
        "POST" => kind.of_itself && reads.contains(&reader.method),
        "QUERY" => reader.method == "QUERY" && owner.content == reader.content,
        _ => false,
    }
}

/// What the upstream was told of it, but for what it would be told anyway.
pub(super) fn how_reached<'a>(rule: &Rule, ask: &'a Ask) -> BTreeMap<&'a str, &'a str> {
    let said = FORWARDING
        .iter()
        .filter_map(|(name, _)| Some((*name, ask.field(name)?)));
    said.filter(|(name, value)| match *name {
        "x-forwarded-proto" => *value != "http",
        "x-forwarded-host" => !rule.one_host && !value.eq_ignore_ascii_case(ask.host),
        _ => true,
    })
    .collect()
}

fn is_restricted(kind: &Kind, rule: &Rule) -> bool {
    (kind.private && !(rule.overrides && rule.share == Share::All))
        || (kind.no_store && !rule.overrides)
        || (kind.set_cookie && rule.set_cookie == SetCookie::Bypass)
        || kind.vary.contains(&"*")
}

/// Both spellings of a field are one variable to the servers that know no other.
fn variable<'a>(ask: &'a Ask, name: &str) -> Vec<&'a str> {
    let spellings = [ask.field(name), ask.field(&name.replace('-', "_"))];
    spellings.into_iter().flatten().collect()
}

fn same_keyed(rule: &Rule, owner: &Ask, reader: &Ask) -> bool {
    let cookie = |ask: &'_ Ask, name: &str| -> Vec<String> {
        let same = ask.cookies(&[]).into_iter().filter(|c| is_cookie(c, name));
        same.map(str::to_owned).collect()
    };
    rule.keyed
        .iter()
        .all(|name| variable(owner, name) == variable(reader, name))
        && rule
            .keyed_cookies
            .iter()
            .all(|name| cookie(owner, name) == cookie(reader, name))
}

/// RFC 9111 §4.1, as far as it concerns the fields that are sent here.
fn same_selection(rule: &Rule, kind: &Kind, owner: &Ask, reader: &Ask) -> bool {
    let preferred = |ask: &Ask| ask.field("accept-language").unwrap_or("en")[..2].to_owned();
    kind.vary.iter().all(|name| match *name {
        // An origin that has a language gives it to whoever likes it best.
        "accept-language" => preferred(owner) == preferred(reader),
        "cookie" => {
            let left = |ask: &'_ Ask| ask.cookies(rule.ignored_cookies).join("; ");
            left(owner) == left(reader)
        }
        name => owner.field(name) == reader.field(name),
    })
}
