//! `[cache.redis]`, and the prefix of its keys.

use std::time::Duration;

use crate::{
    config::{address, problem::Problem, reader::Read, section::Section, value::Value},
    store::redis::{Certificates, Settings},
};

/// Reads `[cache.redis]`; `None` where the section is absent or its URL is empty.
pub(super) fn read(section: Section<'_>, prefix: String) -> Option<Settings> {
    const MISSING: (&str, &str) = (
        "`cache.redis.url` is missing",
        "write `url = \"redis://127.0.0.1:6379\"`, or leave the section out to run on memory alone",
    );
    const CALL: std::ops::RangeInclusive<Duration> =
        Duration::from_millis(1)..=Duration::from_secs(10);
    if !section.is_present() {
        return None;
    }
    let address = section.require("url", MISSING, address::redis).value;
    let (budget, connect) = (Duration::from_millis(50), Duration::from_millis(250));
    let pool_size = section.count("pool_size", 16, 1..=1_024).value;
    let budget = section.duration("budget", budget, CALL).value;
    let connect_timeout = section.duration("connect_timeout", connect, CALL).value;
    let compress_above = section.optional_size("compress_above", 1..=u64::MAX).value;
    let certificates = certificates(&section);
    section.finish();
    Some(Settings {
        address: address?,
        certificates,
        prefix,
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

/// What every key in Redis begins with.
pub(super) fn prefix(value: &Value<'_>) -> Option<String> {
    let text = value.text()?;
    let allowed = |c: char| c.is_ascii_alphanumeric() || "_.:-".contains(c);
    if (1..=64).contains(&text.value.len()) && text.value.chars().all(allowed) {
        return Some(text.value.into_owned());
    }
    let help = "write letters, digits, `_`, `.`, `:` and `-`";
    value.fail_text(
        &text,
        "must be 1 to 64 characters that are safe in a key",
        help,
    )
}
