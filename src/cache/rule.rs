//! What the operator decided about one route, as far as the cache is concerned.

use super::{coding, tags};
use crate::semantics::{Policy, key::Builder, query::CountedQuery};
use http::{
    HeaderMap, HeaderName,
    header::{AUTHORIZATION, COOKIE, PROXY_AUTHORIZATION},
};
use sha2::{Digest, Sha256};
use std::{sync::Arc, time::Duration};
use tokio::sync::Semaphore;

/// As many background refreshes may be under way for one rule: one whose origin hangs leaves slots to the others.
pub const REFRESHES: usize = 32;

/// What holds for every rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Larger bodies pass through and are not stored, in bytes.
    pub max_object: u64,
    /// What may pass between two pieces of a body that is stored; `None` where the origin sees to that.
    pub body_timeout: Option<Duration>,
    /// Tags that the origin gives.
    pub tags: tags::Settings,
    /// Content codings.
    pub coding: coding::Settings,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            max_object: 1 << 20,
            body_timeout: None,
            tags: tags::Settings::default(),
            coding: coding::Settings::default(),
        }
    }
}

/// Which concurrent misses share one fetch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Collapse {
    /// None.
    Off,
    /// Those of one process.
    #[default]
    Local,
    /// Those of all replicas that share a Redis.
    Cluster,
}

/// How the cache treats requests. A request holds the rule that it began with, whatever is configured meanwhile.
#[derive(Debug)]
pub struct Rule {
    /// What RFC 9111 leaves to the operator.
    pub policy: Policy,
    /// What is added to or removed from the key.
    pub key: KeySpec,
    /// See [`Collapse`].
    pub collapse: Collapse,
    /// By up to so many per cent the route's `ttl` is shortened at random, so that what was stored at once does not expire
    /// at once.
    pub ttl_jitter: u8,
    /// The last part of a lifetime in which hits begin to refresh what they serve.
    pub refresh_ahead: Option<Duration>,
    /// What was configured together with this rule.
    pub settings: Arc<Settings>,
    /// Its part of the slots for background refreshes.
    pub(super) refreshes: Arc<Semaphore>,
}

impl Rule {
    /// A rule with this policy, which adds nothing to the key and shares fetches within the process.
    pub fn new(policy: Policy, settings: Arc<Settings>) -> Self {
        Self {
            policy,
            key: KeySpec::default(),
            collapse: Collapse::default(),
            ttl_jitter: 0,
            refresh_ahead: None,
            settings,
            refreshes: Arc::new(Semaphore::new(REFRESHES)),
        }
    }
}

/// What a route adds to or removes from the cache key.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KeySpec {
    /// What of the query counts; `None` means the query as received.
    pub query: Option<CountedQuery>,
    /// The one name under which answers are kept, whatever the host is called by clients; in lower case. `None` means as they
    /// call it.
    pub host: Option<Box<str>>,
    /// These request fields count.
    pub headers: Vec<HeaderName>,
    /// What the origin's `No-Vary-Search` says does not count, does not.
    pub no_vary_search: bool,
}

impl KeySpec {
    /// The host of a target in the key, where a client calls it `sent`.
    pub(super) fn host_of<'a>(&'a self, sent: &'a [u8]) -> &'a [u8] {
        self.host.as_ref().map_or(sent, |host| host.as_bytes())
    }

    /// Completes `key` with what this route counts of `query` and `headers`.
    pub(super) fn complete(
        &self,
        key: Builder,
        query: Option<&str>,
        headers: &HeaderMap,
    ) -> Builder {
        let mut key = match &self.query {
            None => key.query(query),
            Some(counted) => key.query(counted.of(query).as_deref()),
        };
        for name in &self.headers {
            let mut lines = headers.get_all(name).iter();
            let value = lines.next().map(|first| {
                lines.fold(first.as_bytes().to_vec(), |mut all, line| {
                    all.extend_from_slice(b", ");
                    all.extend_from_slice(line.as_bytes());
                    all
                })
            });
            // Keys are stored, also in Redis: what a caller proves himself with is not to be read there.
            let value = if SECRETS.contains(name) {
                value.map(|value| Sha256::digest([b"sidecache key ", &value[..]].concat()).to_vec())
            } else {
                value
            };
            key = key.field(name.as_str(), value.as_deref());
        }
        key
    }
}

/// Fields that prove who the caller is.
const SECRETS: [HeaderName; 5] = [
    AUTHORIZATION,
    COOKIE,
    PROXY_AUTHORIZATION,
    HeaderName::from_static("x-api-key"),
    HeaderName::from_static("x-auth-token"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_credential_is_not_readable_in_the_key() {
        let spec = KeySpec {
            headers: vec![AUTHORIZATION],
            ..KeySpec::default()
        };
        let key = |value: &'static str| {
            let headers = [(AUTHORIZATION, http::HeaderValue::from_static(value))]
                .into_iter()
                .collect();
            spec.complete(Builder::new("http", b"a", "/"), None, &headers)
                .build()
        };
        assert_ne!(key("Bearer one"), key("Bearer two"));
        assert!(!String::from_utf8_lossy(key("Bearer one").as_bytes()).contains("one"));
    }

    #[test]
    fn chosen_fields_are_part_of_the_key() {
        let spec = KeySpec {
            query: Some(CountedQuery::only(["q"])),
            headers: vec![http::header::ACCEPT_LANGUAGE],
            ..KeySpec::default()
        };
        let key = |query, language: Option<&'static str>| {
            let headers = language.map(|l| {
                (
                    http::header::ACCEPT_LANGUAGE,
                    http::HeaderValue::from_static(l),
                )
            });
            spec.complete(
                Builder::new("http", b"a", "/s"),
                query,
                &headers.into_iter().collect(),
            )
            .build()
        };
        assert_eq!(
            key(Some("q=1&x=2"), Some("en")),
            key(Some("x=3&q=1"), Some("en"))
        );
        assert_ne!(key(Some("q=1"), Some("en")), key(Some("q=1"), Some("de")));
        assert_ne!(key(Some("q=1"), Some("")), key(Some("q=1"), None));
    }
}
