//! An origin that answers by everything it is sent, as careless servers do, and says for whom each answer was made.

use super::{
    asks::{CREDENTIALS, FORWARDING},
    kinds::kind,
};
use crate::support::{Reply, origin::Received};
use flate2::{Compression, write::GzEncoder};
use parking_lot::Mutex;
use std::{
    collections::HashMap,
    hash::{DefaultHasher, Hash, Hasher},
    io::Write,
};

/// The field in which an answer says for whom it was made; its body says the same.
pub(super) const MADE: &str = "x-made";

/// The field in which the walk tells the origin how to answer.
pub(super) const WALK: &str = "x-walk";

/// What an answer says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Made {
    /// The request for which it was made.
    pub(super) step: usize,
    pub(super) kind: usize,
    pub(super) version: usize,
    pub(super) resource: String,
    /// What the origin saw of who asked and how.
    pub(super) seen: Vec<String>,
}

impl Made {
    pub(super) fn parse(text: &str) -> Option<Self> {
        let mut parts = text.trim_end().split('~');
        let mut number = || parts.next()?.parse().ok();
        Some(Self {
            step: number()?,
            kind: number()?,
            version: number()?,
            resource: parts.next()?.to_owned(),
            seen: parts.map(str::to_owned).collect(),
        })
    }

    fn text(&self) -> String {
        let Self {
            step,
            kind,
            version,
            resource,
            seen,
        } = self;
        format!("{step}~{kind}~{version}~{resource}~{}", seen.join("~"))
    }

    /// What it saw of the field `name`.
    pub(super) fn seen(&self, name: &str) -> Option<&str> {
        let mut values = self.seen.iter();
        values.find_map(|one| one.strip_prefix(name)?.strip_prefix('='))
    }
}

/// How often each resource was written.
#[derive(Debug, Default)]
pub(super) struct Versions(Mutex<HashMap<(String, String), usize>>);

impl Versions {
    pub(super) fn of(&self, host: &str, resource: &str) -> usize {
        let name = (host.to_lowercase(), resource.to_owned());
        self.0.lock().get(&name).copied().unwrap_or(0)
    }

    /// It is something else from now on.
    pub(super) fn write(&self, host: &str, resource: &str) -> usize {
        let mut versions = self.0.lock();
        let name = (host.to_lowercase(), resource.to_owned());
        let version = versions.entry(name).or_default();
        *version += 1;
        *version
    }
}

/// The path as many servers understand it: escapes first, then parameters and dot segments.
pub(super) fn resolve(path: &str) -> String {
    let mut decoded = Vec::new();
    let mut rest = path.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let escape = after.get(..2).and_then(|two| std::str::from_utf8(two).ok());
        let escape = escape.and_then(|two| u8::from_str_radix(two, 16).ok());
        match escape.filter(|_| *first == b'%') {
            Some(byte) => {
                decoded.push(byte);
                rest = &after[2..];
            }
            None => {
                decoded.push(*first);
                rest = after;
            }
        }
    }
    let decoded = String::from_utf8(decoded).unwrap().replace('\\', "/");
    let mut kept = Vec::new();
    for segment in decoded.split('/') {
        match segment.split(';').next().unwrap() {
            "" | "." => {}
            ".." => drop(kept.pop()),
            name => kept.push(name),
        }
    }
    format!("/{}", kept.join("/"))
}

/// Everything by which it answers.
fn seen(received: &Received) -> Vec<String> {
    const OTHERS: [&str; 5] = ["x-user", "x_user", "accept-language", "origin", "host"];
    let forwarding = FORWARDING.iter().map(|(name, _)| *name);
    let names = CREDENTIALS.iter().copied().chain(forwarding).chain(OTHERS);
    let value = |name| Some(format!("{name}={}", received.header(name)?));
    let mut seen: Vec<String> = names.filter_map(value).collect();
    seen.push(format!(
        "content={}",
        String::from_utf8_lossy(&received.body)
    ));
    seen
}

/// Its answer.
pub(super) fn answer(versions: &Versions, received: &Received) -> Reply {
    let mut line = received.line.split(' ');
    let (method, target) = (line.next().unwrap(), line.next().unwrap());
    let Some(walk) = received.header(WALK) else {
        // Not to be stored: who asks for it wants to see that Redis is asked.
        let reply = Reply::ok("not of the walk").status(404);
        return reply.header("cache-control", "no-store");
    };
    let numbers: Vec<usize> = walk.split(' ').map(|n| n.parse().unwrap()).collect();
    let [step, at, status, coded] = numbers[..] else {
        panic!("{walk}")
    };
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let resource = resolve(received.header("x-original-url").unwrap_or(path));
    let host = received.header("host").unwrap();
    let kind = kind(at);
    let version = match method {
        "PUT" | "PATCH" | "DELETE" if status < 400 => versions.write(host, &resource),
        _ => versions.of(host, &resource),
    };
    let made = Made {
        step,
        kind: at,
        version,
        resource,
        seen: seen(received),
    };
    let mut hasher = DefaultHasher::new();
    (query, version, status, &made.resource, method == "QUERY").hash(&mut hasher);
    if !kind.common_tag {
        made.seen.hash(&mut hasher);
    }
    let hash = hasher.finish();
    let fields = |reply: Reply| {
        let reply = reply.header(MADE, made.text());
        kind.fields
            .iter()
            .filter_map(|(name, value)| Some((name, filled(value, step, target, received)?)))
            .fold(reply, |reply, (name, value)| reply.header(name, value))
    };
    let confirmed = kind.tagged.then(|| confirmed(received, hash, at)).flatten();
    if let (Some(tag), 200) = (confirmed, status) {
        return fields(Reply::ok("").status(304)).header("etag", tag);
    }
    let coded = coded == 1
        && (received.header("accept-encoding")).is_some_and(|codings| codings.contains("gzip"));
    let reply = if coded {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(made.text().as_bytes()).unwrap();
        Reply::ok(encoder.finish().unwrap()).header("content-encoding", "gzip")
    } else {
        Reply::ok(made.text())
    };
    let reply = fields(reply).status(u16::try_from(status).unwrap());
    if kind.tagged {
        reply.header("etag", format!("\"{hash:x}-{at}\""))
    } else {
        reply
    }
}

/// The tag of the request that is still right.
fn confirmed(received: &Received, hash: u64, at: usize) -> Option<String> {
    let condition = received.header("if-none-match")?;
    let tags = condition.split(", ").map(|tag| tag.trim_matches('"'));
    let mut right = tags.filter_map(|tag| {
        let (stored_hash, stored_kind) = tag.split_once('-')?;
        let stored_kind: usize = stored_kind.parse().ok()?;
        let same = u64::from_str_radix(stored_hash, 16).ok()? == hash;
        (same && kind(at).replaces(kind(stored_kind))).then(|| format!("\"{tag}\""))
    });
    right.next()
}

/// `None` where the request lacks what the value is made of.
fn filled(value: &str, step: usize, target: &str, received: &Received) -> Option<String> {
    Some(match value {
        "{origin}" => received.header("origin")?.to_owned(),
        "{self}" => target.to_owned(),
        "{language}" => {
            let preferred = received.header("accept-language").unwrap_or("en");
            preferred[..2].to_owned()
        }
        value => value.replace("{step}", &step.to_string()),
    })
}
