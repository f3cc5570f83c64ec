//! Fields that say who asks.
//!
//! HTTP knows one of them, `Authorization` ([RFC 9111 §3.5]). Backends answer by many more: keys, tokens, and what a gateway
//! in front found out about the caller. Whoever has one may get an answer of his own, so all of them are one list.
//!
//! [RFC 9111 §3.5]: https://www.rfc-editor.org/rfc/rfc9111#section-3.5

use super::{field_name::is_plain, name_pattern::NamePattern};
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
    "cookie2",
    "dpop",
    "client-cert",
    "client-cert-chain",
    "signature",
    "signature-input",
    // keys and tokens of APIs, by the ends that they have in common
    "*key",
    "*token",
    "*auth",
    "*authorization",
    "*authentication",
    "*jwt",
    "*bearer",
    "*secret",
    "*password",
    "*passwd",
    "*credential",
    "*credentials",
    "*-signature",
    "*-assertion",
    "*-nonce",
    "*session",
    "*session-id",
    "*sessionid",
    "x-api-*",
    "x-auth-*",
    "x-access-*",
    "x-parse-*",
    "x-hasura-*",
    "x-appwrite-*",
    "x-firebase-*",
    // what a gateway says of the caller
    "user",
    "*-user",
    "*user-id",
    "*userid",
    "*username",
    "*user-name",
    "*user-email",
    "*userinfo",
    "*user-info",
    "*-uid",
    "*-login",
    "*-principal",
    "*-identity",
    "*-claims",
    "*-actor",
    "*-caller",
    "*-caller-id",
    "*-clientcert",
    "*-client-cert",
    "*-client-dn",
    "x-user-*",
    "x-remote-*",
    "remote-*",
    "x-authenticated-*",
    "x-authentik-*",
    "x-webauth-*",
    "x-forwarded-user",
    "x-forwarded-email",
    "x-forwarded-groups",
    "x-forwarded-preferred-username",
    "x-forwarded-client-cert*",
    "x-forwarded-tls-client-cert*",
    "x-client-cert*",
    "x-client-id",
    "x-client-verify",
    "x-ssl-*",
    "ssl-*",
    "cf-access-*",
    "x-goog-*",
    "x-amzn-oidc-*",
    "x-amzn-mtls-*",
    "x-amz-security-*",
    "x-ms-client-principal*",
    "x-ms-token-*",
    "x-pomerium-*",
    "x-vouch-*",
    "x-sso-*",
    "x-oidc-*",
    "oidc-*",
    "x-saml-*",
    "x-shib-*",
    "shib-*",
    "mellon-*",
    "tailscale-user-*",
    "x-consumer-*",
    "x-credential-*",
    "x-anonymous-consumer",
    "x-jwt-*",
    "x-claim-*",
    "x-identity*",
    "x-impersonate-*",
    "impersonate-*",
    "x-on-behalf-of",
    "x-spiffe*",
    "x-email",
    "x-groups",
    "x-roles",
    "x-role",
    "x-scopes",
    "x-permissions",
    "x-sub",
    "x-sid",
    // for whom a caller asks
    "*-tenant",
    "*tenant-id",
    "*tenantid",
    "*-org-id",
    "*-orgid",
    "*-account-id",
    "*-customer-id",
    "*-member-id",
    "*-profile-id",
    "*-project-id",
    "*-workspace-id",
    "*-team-id",
    "*-company-id",
    "*-merchant-id",
    "*-partner-id",
    "*-employee-id",
    "*-patient-id",
    "*-person-id",
    "*-shop-id",
    "*-store-id",
    "*-site-id",
    "*-device-id",
    "*-visitor-id",
    "tenant",
    "workspace",
    "x-workspace",
    "x-company",
    "x-shop",
    "x-store",
    "x-merchant",
    "*-namespace",
    "*-realm",
    "x-tenant-*",
    "x-account",
    "x-account-*",
    "x-org",
    "x-org-*",
    "x-organization*",
    "x-customer*",
    "x-subject*",
];

/// Names of the program that asks, or of what it was made to ask by, and not of its user, although a pattern above has them.
const NO_CREDENTIALS: [&str; 4] = [
    "sec-fetch-user",
    "x-user-agent",
    "x-goog-api-client",
    "x-amz-user-agent",
];

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

    /// Whether a field of this name says who asks. `x_api_key` does where `x-api-key` does, and so does `x.api.key`: to CGI
    /// and its heirs they are one variable.
    pub fn has(&self, name: &HeaderName) -> bool {
        let name = name.as_str();
        let (Some(first), Some(last)) = (name.bytes().next(), name.bytes().next_back()) else {
            return false;
        };
        let candidates = [self.by_first.of(first), self.by_last.of(last)];
        if !self.all && candidates.iter().all(|patterns| patterns.is_empty()) {
            return false;
        }
        let dashed: Cow<'_, str> = if is_plain(name.as_bytes()) {
            name.into()
        } else {
            name.replace(|c: char| !c.is_ascii_alphanumeric(), "-")
                .into()
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

/// Patterns by an ASCII character; `_` and other signs count as `-`.
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
        usize::from(if byte.is_ascii_alphanumeric() {
            byte
        } else {
            b'-'
        })
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
            "X.Api.Key",
            "X!User!Id",
            "X-Authorization",
            "X-Serverless-Authorization",
            "Token",
            "Session-Id",
            "Auth",
            "User",
            "Username",
            "Kubeflow-Userid",
            "X-Apigateway-Api-Userinfo",
            "X-Proxy-User",
            "X-Amzn-Mtls-Clientcert-Subject",
            "X-Hasura-Role",
            "X-WP-Nonce",
            "OIDC_CLAIM_sub",
            "X-Scope-OrgID",
            "X-Workspace-Id",
            "X-Vault-Namespace",
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
            "sec-ch-ua-platform",
            "sec-fetch-dest",
            "sec-fetch-user",
            "sec-gpc",
            "sec-purpose",
            "priority",
            "save-data",
            "alt-used",
            "early-data",
            "from",
            "date",
            "expect",
            "prefer",
            "content-length",
            "tracestate",
            "baggage",
            "b3",
            "sentry-trace",
            "uber-trace-id",
            "x-b3-traceid",
            "x-amzn-trace-id",
            "x-cloud-trace-context",
            "x-correlation-id",
            "x-datadog-parent-id",
            "cdn-loop",
            "cf-ray",
            "cf-ipcountry",
            "x-real-ip",
            "x-forwarded-proto",
            "x-forwarded-port",
            "x-envoy-attempt-count",
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
        fn the_first_look_never_misses_what_the_list_has(name in "[a-z][a-z_.-]{0,12}(key|token|user|-id)?") {
            let header = HeaderName::from_bytes(name.as_bytes()).unwrap();
            let usual = Credentials::usual();
            let dashed = name.replace(['_', '.'], "-");
            let listed = usual.patterns().iter().any(|pattern| pattern.matches(&dashed));
            prop_assert_eq!(usual.has(&header), listed && !NO_CREDENTIALS.contains(&&*dashed));
        }
    }
}
