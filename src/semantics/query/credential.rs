//! Parameters that look like what a caller proves himself with. Whatever a route leaves out of its key, these stay in it: what one
//! caller gets for them is not for another.
//!
//! The list errs on the side of counting: that costs a stored answer more, where the other error shows it to a stranger. It is
//! wider than `is_secret` of the configuration, which hides values of our own keys: signed links and log-ins of others are here
//! too.

use crate::semantics::key::decoded;
use std::borrow::Cow;

/// What gives it away, whatever else the name says.
const PARTS: [&str; 14] = [
    "token",
    "secret",
    "passwd",
    "password",
    "passphrase",
    "apikey",
    "accesskey",
    "accessid",
    "signature",
    "credential",
    "session",
    "sessid",
    "jwt",
    "bearer",
];

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
    let letters = |text: &str| -> String {
        let letters = text.chars().filter(char::is_ascii_alphanumeric);
        letters.map(|c| c.to_ascii_lowercase()).collect()
    };
    let all = letters(name);
    let own = name.trim_start_matches(|c: char| !c.is_ascii_alphanumeric());
    let own = own.split(['[', '.', ' ', '\0', '%']).next();
    let own = own.map_or_else(String::new, letters);
    NAMES.contains(&&*own)
        || BEGINNINGS.iter().any(|begins| own.starts_with(begins))
        || PARTS.iter().any(|part| all.contains(part))
        || is_of_authentication(&all)
}

/// `query` for those who are not to read what callers prove themselves with: their values are gone. A path may have such pairs
/// too: `/cart;jsessionid=…`.
pub fn redacted(query: &str) -> Cow<'_, str> {
    if !query.split(['&', ';']).any(shows_credential) {
        return query.into();
    }
    let mut out = String::with_capacity(query.len());
    for pair in query.split_inclusive(['&', ';']) {
        let bare = pair.trim_end_matches(['&', ';']);
        match bare.split_once('=').filter(|_| shows_credential(bare)) {
            Some((name, _)) => {
                out.push_str(name);
                out.push_str("=…");
                out.push_str(&pair[bare.len()..]);
            }
            None => out.push_str(pair),
        }
    }
    out.into()
}

/// Whether the value of a pair is a credential, or a link or form with one in it: `to=https%3A%2F%2Fa%2F%3Ftoken%3D1`.
fn shows_credential(pair: &str) -> bool {
    let is_one = |name: &str, value: &str| !value.is_empty() && is_credential(&decoded(name));
    let Some((name, value)) = pair.split_once('=') else {
        return false;
    };
    is_one(name, value)
        || decoded(value)
            .split(['?', '&', ';', '#'])
            .filter_map(|inner| inner.split_once('='))
            .any(|(name, value)| is_one(name, value))
}

/// `auth`, `oauth_verifier`, `authorization`, and not `author`.
fn is_of_authentication(name: &str) -> bool {
    let mut rest = name;
    while let Some(at) = rest.find("auth") {
        rest = &rest[at + "auth".len()..];
        let is_author =
            rest.starts_with("or") && !rest.starts_with("oriz") && !rest.starts_with("oris");
        if !is_author {
            return true;
        }
    }
    false
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
