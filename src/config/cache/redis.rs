//! `[cache.redis]`, and the prefix of its keys.

use std::time::Duration;

use crate::{
    config::{address, problem::Problem, section::Section, value::Value},
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
    let address = section
        .require("url", MISSING, address::redis)
        .or(None)
        .value;
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
    let ca = section.read("ca", |value| {
        let ca = pem(value)?;
        checked(value, Certificates { ca, client: None })
    });
    let key = section.read("key", pem);
    let client = section.read("cert", |value| {
        let client = match (pem(value)?, key.value.clone()) {
            (None, _) => None,
            (Some(_), None) if !key.sound => return None, // the key is wrong, and that was said
            (Some(_), None | Some(None)) => {
                let help = "write `key = \"….pem\"` too";
                return value.fail("is of no use without its key", help);
            }
            (Some(cert), Some(Some(key))) => Some((cert, key)),
        };
        checked(value, Certificates { ca: None, client })
    });
    let has_client = client.value.as_ref().is_some_and(|c| c.client.is_some());
    if let (Some(at), Some(Some(_)), false) = (key.at, &key.value, has_client || !client.sound) {
        let message = "`cache.redis.key` is of no use without its certificate";
        let problem = Problem::new(message, at).help("write `cert = \"….pem\"` too");
        section.reader.report(problem);
    }
    Certificates {
        ca: ca.value.unwrap_or_default().ca,
        client: client.value.unwrap_or_default().client,
    }
}

fn checked(value: &Value<'_>, certificates: Certificates) -> Option<Certificates> {
    match certificates.check() {
        Ok(()) => Some(certificates),
        Err(fault) => value.fail(fault, "name a file with `-----BEGIN …-----` lines"),
    }
}

/// What is in the file that `value` names; `None` inside for no name.
fn pem(value: &Value<'_>) -> Option<Option<Vec<u8>>> {
    let text = value.text()?;
    if text.value.is_empty() {
        return Some(None);
    }
    match std::fs::read(text.value.as_ref()) {
        Ok(bytes) => Some(Some(bytes)),
        Err(_) => value.fail_text(
            &text,
            "cannot be read",
            "name a file that this user may read",
        ),
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
