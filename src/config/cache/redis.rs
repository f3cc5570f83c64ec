//! `[cache.redis]`, and the prefix of its keys.

use std::time::Duration;

use crate::{
    config::{
        address,
        problem::Problem,
        reader::{Read, Setting},
        section::Section,
        value::Value,
    },
    store::redis::{Address, Certificates, Settings},
};

/// Reads `[cache.redis]`; `None` where the section is absent or its URL is empty.
pub(super) fn read(section: Section<'_>, prefix: &Setting<Option<String>>) -> Option<Settings> {
    const MISSING: (&str, &str) = (
        "`cache.redis.url` is missing",
        "write `url = \"redis://127.0.0.1:6379\"`, or leave the section out to run on memory alone",
    );
    const CALL: std::ops::RangeInclusive<Duration> =
        Duration::from_millis(1)..=Duration::from_secs(10);
    if !section.is_present() {
        return None;
    }
    let address = section.require("url", MISSING, address::redis);
    prefix_is_written(&section, prefix, &address);
    let (budget, connect) = (Duration::from_millis(50), Duration::from_millis(250));
    let pool_size = section.count("pool_size", 16, 1..=1_024).value;
    let budget = section.duration("budget", budget, CALL).value;
    let connect_timeout = section.duration("connect_timeout", connect, CALL).value;
    let compress_above = section.optional_size("compress_above", 1..=u64::MAX).value;
    let certificates = certificates(&section);
    section.finish();
    Some(Settings {
        address: address.value?,
        certificates,
        prefix: prefix.value.clone()?,
        pool_size,
        budget,
        connect_timeout,
        compress_above,
    })
}

/// The files that `ca`, `cert` and `key` name; an empty name is none.
fn certificates(section: &Section<'_>) -> Certificates {
    let ca = section.read("ca", |value| match pem(value) {
        Read::Value(ca) => checked(value, with_ca(ca)),
        Read::Empty => Read::Empty,
        Read::Wrong => Read::Wrong,
    });
    let key = section.read("key", pem);
    let client = section.read("cert", |value| match (pem(value), key.value.clone()) {
        (Read::Value(cert), Some(key)) => checked(value, with_client(cert, key)),
        (Read::Value(_), None) if key.sound => {
            let help = "write `key = \"….pem\"` too";
            value.fail("is of no use without its key", help).into()
        }
        (Read::Empty, _) => Read::Empty,
        (Read::Value(_) | Read::Wrong, _) => Read::Wrong, // where the key is wrong, that was said
    });
    if let (Some(at), Some(_), None, true) = (key.at, &key.value, &client.value, client.sound) {
        let message = "`cache.redis.key` is of no use without its certificate";
        let problem = Problem::new(message, at).help("write `cert = \"….pem\"` too");
        section.reader.report(problem);
    }
    Certificates {
        ca: ca.value.unwrap_or_default().ca,
        client: client.value.unwrap_or_default().client,
    }
}

fn with_ca(ca: Vec<u8>) -> Certificates {
    Certificates {
        ca: Some(ca),
        client: None,
    }
}

fn with_client(cert: Vec<u8>, key: Vec<u8>) -> Certificates {
    Certificates {
        ca: None,
        client: Some((cert, key)),
    }
}

fn checked(value: &Value<'_>, certificates: Certificates) -> Read<Certificates> {
    match certificates.check() {
        Ok(()) => Read::Value(certificates),
        Err(fault) => {
            let help = "name a file with `-----BEGIN …-----` lines";
            value.fail(fault, help).into()
        }
    }
}

/// What is in the file that `value` names.
fn pem(value: &Value<'_>) -> Read<Vec<u8>> {
    let Some(text) = value.text() else {
        return Read::Wrong;
    };
    if text.value.is_empty() {
        return Read::Empty;
    }
    match std::fs::read(text.value.as_ref()) {
        Ok(bytes) => Read::Value(bytes),
        Err(_) => {
            let help = "name a file that this user may read";
            value.fail_text(&text, "cannot be read", help).into()
        }
    }
}

/// What every key in Redis begins with; empty is as good as not written.
pub(super) fn prefix(value: &Value<'_>) -> Read<String> {
    let Some(text) = value.text() else {
        return Read::Wrong;
    };
    let allowed = |c: char| c.is_ascii_alphanumeric() || "_.:-".contains(c);
    if text.value.is_empty() {
        return Read::Empty;
    }
    if text.value.len() <= 64 && text.value.chars().all(allowed) {
        return Read::Value(text.value.into_owned());
    }
    let message = "must be 1 to 64 characters that are safe in a key";
    let help = "write letters, digits, `_`, `.`, `:` and `-`";
    value.fail_text(&text, message, help).into()
}

/// A key of the cache does not say which service answered, so two services on one Redis would serve each other's
/// answers: the prefix keeps them apart, and nobody but the operator knows a good one.
fn prefix_is_written(
    section: &Section<'_>,
    prefix: &Setting<Option<String>>,
    address: &Setting<Option<Address>>,
) {
    if address.value.is_none() || prefix.value.is_some() || !prefix.sound {
        return;
    }
    let reader = section.reader;
    if !reader.all_readable() {
        return; // it may be in what could not be read
    }
    let (message, at) = match prefix.at {
        Some(at) => (
            "`cache.prefix` is empty, and with a Redis it has to be written",
            Some(at),
        ),
        None => (
            "`cache.prefix` is missing: with a Redis it has to be written",
            address.at,
        ),
    };
    let mut help = "write `prefix = \"myapi\"` under `[cache]`, another for each service: \
        two services on one Redis never share one"
        .to_owned();
    if let Some(name) = reader.variable(prefix.at) {
        help = format!("set `{name}` in the environment, or {help}");
    }
    reader.report(Problem::new(message, at).key("cache.prefix").help(help));
}
