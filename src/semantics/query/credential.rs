//! Parameters that look like what a caller proves himself with. Whatever a route leaves out of its key, these stay in it: what one
//! caller gets for them is not for another.
//!
//! The list errs on the side of counting: that costs a stored answer more, where the other error shows it to a stranger. It is
//! wider than `is_secret` of the configuration, which hides values of our own keys: signed links and log-ins of others are here
//! too.

use crate::semantics::key::decoded;
use std::borrow::Cow;

/// What is behind more parameters is not shown: each is looked at.
const MOST_SHOWN: usize = 64;

/// What gives a name away, whatever else it says: the words that begin with `first`, in lower case.
const fn parts(first: u8) -> &'static [&'static str] {
    match first {
        b'a' => &["apikey", "accesskey", "accessid"],
        b'b' => &["bearer"],
        b'c' => &["credential"],
        b'j' => &["jwt"],
        b'p' => &["passwd", "password", "passphrase"],
        b's' => &["secret", "signature", "session", "sessid"],
        b't' => &["token"],
        _ => &[],
    }
}

/// Beginnings: signed links of clouds and of content delivery networks.
const BEGINNINGS: [&str; 5] = ["xamz", "xgoog", "xoss", "xcos", "hdn"];

/// Whole names.
const NAMES: [&str; 21] = [
    "key",
    "keyid",
    "keypairid",
    "sig",
    "sign",
    "hmac",
    "md5",
    "code",
    "ticket",
    "assertion",
    "samlart",
    "samlresponse",
    "sid",
    "pass",
    "pwd",
    "pin",
    "otp",
    "totp",
    "magic",
    "invite",
    "nonce",
];

/// Whether a parameter with this name, decoded, may be a credential.
pub(super) fn is_credential(name: &str) -> bool {
    let letters = name.bytes().filter(u8::is_ascii_alphanumeric);
    let all: Vec<u8> = letters.map(|byte| byte.to_ascii_lowercase()).collect();
    // Its letters up to what begins a key inside it; what stands before them is of no name.
    let ends = |byte: u8| matches!(byte, b'[' | b'.' | b' ' | b'\0' | b'%');
    let begun = name
        .bytes()
        .skip_while(|byte| !byte.is_ascii_alphanumeric());
    let own = begun.take_while(|byte| !ends(*byte));
    let own = &all[..own.filter(u8::is_ascii_alphanumeric).count()];
    NAMES.iter().any(|known| known.as_bytes() == own)
        || BEGINNINGS
            .iter()
            .any(|begins| own.starts_with(begins.as_bytes()))
        || (0..all.len()).any(|at| begins_with_one(&all[at..]))
}

/// Whether one of [`parts`] stands here, or `auth`, `oauth_verifier` or `authorization`, but not `author`.
fn begins_with_one(letters: &[u8]) -> bool {
    let [first, ..] = letters else { return false };
    let is_author = |rest: &[u8]| {
        rest.starts_with(b"or") && !rest.starts_with(b"oriz") && !rest.starts_with(b"oris")
    };
    // Two bytes tell nearly all of them apart, without a call.
    let begins = |part: &str| {
        let part = part.as_bytes();
        letters.get(1) == part.get(1) && letters.starts_with(part)
    };
    parts(*first).iter().any(|part| begins(part))
        || letters
            .strip_prefix(b"auth")
            .is_some_and(|rest| !is_author(rest))
}

/// The beginning of `query` for those who are not to read what callers prove themselves with: their values are gone. A path may
/// have such pairs too: `/cart;jsessionid=…`.
pub fn redacted(query: &str) -> Cow<'_, str> {
    let end = shown(query);
    if end == query.len() && !pairs(query).any(|(pair, _)| shows_credential(pair)) {
        return query.into();
    }
    let mut out = String::with_capacity(end + "…".len());
    for (pair, after) in pairs(&query[..end]) {
        match pair.split_once('=').filter(|_| shows_credential(pair)) {
            Some((name, _)) => {
                out.push_str(name);
                out.push_str("=…");
            }
            None => out.push_str(pair),
        }
        out.push_str(after);
    }
    if end < query.len() {
        out.push('…');
    }
    out.into()
}

/// The parameters of `query`, each with what ends it.
fn pairs(query: &str) -> impl Iterator<Item = (&str, &str)> {
    let mut rest = query;
    std::iter::from_fn(move || {
        let end = rest.bytes().position(ends_pair).unwrap_or(rest.len());
        let (pair, after) = rest.split_at(end);
        let (end, after) = after.split_at(after.len().min(1));
        rest = after;
        (!pair.is_empty() || !end.is_empty()).then_some((pair, end))
    })
}

fn ends_pair(byte: u8) -> bool {
    matches!(byte, b'&' | b';')
}

/// How much of `query` is shown, in bytes.
fn shown(query: &str) -> usize {
    let bytes = query.bytes().enumerate();
    let mut ends = bytes.filter(|(_, byte)| ends_pair(*byte));
    ends.nth(MOST_SHOWN - 1).map_or(query.len(), |(at, _)| at)
}

/// Whether the value of a pair is a credential, or a link or form with one in it: `to=https%3A%2F%2Fa%2F%3Ftoken%3D1`.
fn shows_credential(pair: &str) -> bool {
    let is_one = |name: &str, value: &str| !value.is_empty() && is_credential(&decoded(name));
    let Some((name, value)) = pair.split_once('=') else {
        return false;
    };
    is_one(name, value)
        // Pairs inside it have an `=` of their own, as it is or escaped.
        || value.contains(['=', '%'])
            && decoded(value)
                .split(['?', '&', ';', '#'])
                .filter_map(|inner| inner.split_once('='))
                .any(|(name, value)| is_one(name, value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_shown_of_a_query_has_no_credentials() {
        for (query, shown) in [
            ("q=1&page=2", "q=1&page=2"),
            ("q=1&access_token=hunter2", "q=1&access_token=…"),
            ("api%5Fkey=a&q=1;sig=b", "api%5Fkey=…&q=1;sig=…"),
            ("token=&token", "token=&token"),
            ("token=a=b&&q", "token=…&&q"),
            ("to=https://a/?q=1&a=2", "to=https://a/?q=1&a=2"),
            ("to=https%3A%2F%2Fa%2F%3Ftoken%3D1&a=2", "to=…&a=2"),
            ("a=1?access_token=2", "a=…"),
            ("/a/b;v=1", "/a/b;v=1"),
            ("/cart;jsessionid=1F/x;v=1", "/cart;jsessionid=…;v=1"),
        ] {
            assert_eq!(redacted(query), shown);
        }
    }

    #[test]
    fn the_first_of_many_parameters_are_shown() {
        let many = "a=1&".repeat(70);
        assert_eq!(redacted(&many), format!("{}a=1…", "a=1&".repeat(63)));
    }

    #[test]
    fn what_proves_who_asks_is_seen_however_it_is_spelt() {
        for name in [
            "api_key",
            "apikey",
            "X-API-Key",
            "access_token",
            "token",
            "auth",
            "authorization",
            "oauth_verifier",
            "key",
            "sig",
            "signature",
            "X-Amz-Signature",
            "X-Goog-Credential",
            "password",
            "session",
            "session_id",
            "PHPSESSID",
            "jsessionid",
            "jwt",
            "code",
            "token[]",
            "sig[0]",
            " key",
            "user.password",
            "Key-Pair-Id",
            "AWSAccessKeyId",
            "client_secret",
            "hdnts",
        ] {
            assert!(is_credential(name), "{name}");
        }
        for name in [
            "q",
            "page",
            "author",
            "authors",
            "author_id",
            "sort",
            "keyword",
            "zipcode",
            "design",
            "passenger",
            "utm_source",
            "gclid",
            "mkt_tok",
            "signal",
            "",
        ] {
            assert!(!is_credential(name), "{name}");
        }
        assert!(
            super::super::TRACKING
                .iter()
                .all(|name| !is_credential(name))
        );
    }
}
