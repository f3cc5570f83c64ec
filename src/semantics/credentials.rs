//! Fields that say who asks.
//!
//! HTTP knows one of them, `Authorization` ([RFC 9111 §3.5]). Backends answer by many more: keys, tokens, and what a gateway
//! in front found out about the caller. Whoever has one may get an answer of his own, so all of them are one list.
//!
//! [RFC 9111 §3.5]: https://www.rfc-editor.org/rfc/rfc9111#section-3.5

use super::name_pattern::NamePattern;
use http::HeaderName;
use std::{
    borrow::Cow,
    sync::{Arc, LazyLock},
};

/// What is a credential unless the operator says otherwise. A name too many costs a hit, one that is missing is a leak.
pub const USUAL: &[&str] = &[
    // HTTP's own, and proofs that go with it (RFC 9449, RFC 9440, RFC 9421)
    "authorization",
    "proxy-authorization",
    "cookie",
    "dpop",
    "client-cert",
    "client-cert-chain",
    "signature",
    "signature-input",
    // keys and tokens of APIs, by the ends that they have in common
    "*-key",
    "*apikey",
    "*-token",
    "*-auth",
    "*-jwt",
    "*-secret",
    "*-password",
    "*-signature",
    "*-assertion",
    "*-session",
    "*-session-id",
    "*-sessionid",
    "x-api-*",
    "x-auth-*",
    "x-access-*",
    "x-parse-*",
    // what a gateway says of the caller
    "x-user",
    "x-user-*",
    "x-userid",
    "x-username",
    "x-remote-*",
    "remote-*",
    "x-authenticated-*",
    "x-authentik-*",
    "x-webauth-*",
    "x-forwarded-user",
    "x-forwarded-email",
    "x-forwarded-groups",
    "x-forwarded-preferred-username",
    "x-forwarded-client-cert",
    "x-forwarded-tls-client-cert*",
    "x-client-cert*",
    "x-arr-clientcert",
    "x-amzn-mtls-*",
    "x-client-id",
    "x-client-verify",
    "x-ssl-*",
    "ssl-*",
    "cf-access-*",
    "x-goog-*",
    "x-amzn-oidc-*",
    "x-amz-security-*",
    "x-ms-client-principal*",
    "x-ms-token-*",
    "x-pomerium-*",
    "tailscale-user-*",
    "x-consumer-*",
    "x-credential-*",
    "x-anonymous-consumer",
    "x-jwt-*",
    "x-identity*",
    "x-impersonate-*",
    "impersonate-*",
    "x-spiffe*",
    "x-email",
    "x-groups",
    "x-roles",
    "x-role",
    "x-scopes",
    "x-permissions",
    // for whom a caller asks
    "x-tenant",
    "x-tenant-*",
    "x-tenantid",
    "x-account",
    "x-account-*",
    "x-org",
    "x-org-*",
    "x-organization*",
    "x-customer*",
    "x-subject*",
];

/// Names of the program that asks and not of its user, although a pattern above has them.
const NO_CREDENTIALS: [&str; 3] = ["x-user-agent", "x-goog-api-client", "x-amz-user-agent"];

/// A list of names and patterns, in lower case.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Credentials {
    patterns: Box<[NamePattern]>,
    /// Those that begin with a byte, and those that only end with one: every field of a request is looked up here.
    by_first: ByByte,
    by_last: ByByte,
    /// The list has `*`.
    all: bool,
}

impl Credentials {
    /// These names and patterns, in lower case.
    pub fn new(patterns: Vec<NamePattern>) -> Self {
        let (mut by_first, mut by_last) = (ByByte::default(), ByByte::default());
        let mut all = false;
        for pattern in &patterns {
            match pattern.ends() {
                (Some(first), _) => by_first.add(first, pattern),
                (None, Some(last)) => by_last.add(last, pattern),
                (None, None) => all = true,
            }
        }
        Self {
            patterns: patterns.into(),
            by_first,
            by_last,
            all,
        }
    }

    /// Whether a field of this name says who asks. `x_api_key` does where `x-api-key` does: to CGI and its heirs the two are
    /// one variable.
    pub fn has(&self, name: &HeaderName) -> bool {
        let name = name.as_str();
        let (Some(first), Some(last)) = (name.bytes().next(), name.bytes().next_back()) else {
            return false;
        };
        let candidates = [self.by_first.of(first), self.by_last.of(last)];
        if !self.all && candidates.iter().all(|patterns| patterns.is_empty()) {
            return false;
        }
        let dashed: Cow<'_, str> = if name.contains('_') {
            name.replace('_', "-").into()
        } else {
            name.into()
        };
        let mut candidates = candidates.into_iter().flatten();
        (self.all || candidates.any(|pattern| pattern.matches(&dashed)))
            && !NO_CREDENTIALS.contains(&&*dashed)
    }

    /// Every name and pattern.
    pub fn patterns(&self) -> &[NamePattern] {
        &self.patterns
    }

    /// The usual ones.
    pub fn usual() -> Arc<Self> {
        static LIST: LazyLock<Arc<Credentials>> = LazyLock::new(|| {
            let parse = |text: &&str| NamePattern::parse(text).ok();
            Arc::new(Credentials::new(USUAL.iter().filter_map(parse).collect()))
        });
        Arc::clone(&LIST)
    }
}

/// Patterns by an ASCII character; `_` counts as `-`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct ByByte(Box<[Vec<NamePattern>]>);

impl ByByte {
    fn add(&mut self, byte: u8, pattern: &NamePattern) {
        self.0[Self::at(byte)].push(pattern.clone());
    }

    fn of(&self, byte: u8) -> &[NamePattern] {
        &self.0[Self::at(byte)]
    }

    fn at(byte: u8) -> usize {
        usize::from(if byte == b'_' { b'-' } else { byte & 127 })
    }
}

impl Default for ByByte {
    fn default() -> Self {
        Self(vec![Vec::new(); 128].into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn usual(name: &str) -> bool {
        Credentials::usual().has(&HeaderName::from_bytes(name.as_bytes()).unwrap())
    }

    #[test]
    fn what_proves_or_names_the_caller_is_a_credential() {
        for name in [
            "Authorization",
            "Cookie",
            "Proxy-Authorization",
            "X-Api-Key",
            "X-Auth-Token",
            "X-Access-Token",
            "X-User-Id",
            "X-User",
            "X-Auth-Request-User",
            "X-Auth-Request-Email",
            "X-Forwarded-User",
            "X-Forwarded-Email",
            "X-Forwarded-Access-Token",
            "X-Forwarded-Client-Cert",
            "Cf-Access-Jwt-Assertion",
            "Remote-User",
            "X-Remote-User",
            "Api-Key",
            "ApiKey",
            "X-ApiKey",
            "Ocp-Apim-Subscription-Key",
            "X-RapidAPI-Key",
            "X-CSRF-Token",
            "Private-Token",
            "X-Amzn-Oidc-Data",
            "X-Goog-Authenticated-User-Email",
            "X-Ms-Client-Principal",
            "X-Consumer-Username",
            "X-Tenant-Id",
            "X_API_KEY",
            "X_User_Id",
        ] {
            assert!(usual(name), "{name}");
        }
    }

    #[test]
    fn what_every_client_sends_is_none() {
        for name in [
            "accept",
            "accept-encoding",
            "accept-language",
            "cache-control",
            "connection",
            "content-type",
            "dnt",
            "host",
            "if-none-match",
            "origin",
            "pragma",
            "range",
            "referer",
            "sec-ch-ua",
            "sec-fetch-mode",
            "te",
            "traceparent",
            "upgrade-insecure-requests",
            "user-agent",
            "via",
            "x-forwarded-for",
            "x-forwarded-host",
            "x-request-id",
            "x-requested-with",
            "x-user-agent",
        ] {
            assert!(!usual(name), "{name}");
        }
    }

    #[test]
    fn a_list_of_the_operator_takes_the_place_of_the_usual_one() {
        let list = ["x-badge", "acme-*"].map(|text| NamePattern::parse(text).unwrap());
        let list = Credentials::new(list.to_vec());
        let has = |name| list.has(&HeaderName::from_static(name));
        assert!(has("x-badge") && has("acme-user") && !has("authorization"));
    }

    #[test]
    fn every_field_can_be_one() {
        let all = Credentials::new(vec![NamePattern::parse("*").unwrap()]);
        assert!(all.has(&http::header::ACCEPT));
    }

    proptest! {
        #[test]
        fn the_first_look_never_misses_what_the_list_has(name in "[a-z][a-z_-]{0,12}(key|token|user|-id)?") {
            let header = HeaderName::from_bytes(name.as_bytes()).unwrap();
            let usual = Credentials::usual();
            let dashed = name.replace('_', "-");
            let listed = usual.patterns().iter().any(|pattern| pattern.matches(&dashed));
            prop_assert_eq!(usual.has(&header), listed && !NO_CREDENTIALS.contains(&&*dashed));
        }
    }
}
