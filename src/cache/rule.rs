//! What the operator decided about one route, as far as the cache is concerned.

use super::{coding, tags};
use crate::semantics::{Policy, key::Builder, query::CountedQuery};
use http::{HeaderMap, HeaderName};
use std::{
    hash::{Hash, Hasher},
    sync::Arc,
    time::Duration,
};
use tokio::sync::Semaphore;
use xxhash_rust::xxh3::Xxh3;

/// As many background refreshes may be under way for one rule: one whose origin hangs leaves slots to the others.
pub const REFRESHES: usize = 32;

/// What holds for every rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Larger bodies pass through and are not stored, in bytes.
    pub max_object: u64,
    /// What all bodies on their way may hold together, in bytes; what comes on top is not stored.
    pub collecting: u64,
    /// What may pass between two pieces of a body that is stored; `None` where the origin sees to that.
    pub body_timeout: Option<Duration>,
    /// Tags that the origin gives.
    pub tags: tags::Settings,
    /// Whether `Server-Timing` is stored: what an answer once took, hits do not take.
    pub keep_server_timing: bool,
    /// Content codings.
    pub coding: coding::Settings,
}

/// What bodies on their way may hold together where the operator does not say, in bytes: 64 MiB, and some of the largest.
pub fn usual_collecting(max_object: u64) -> u64 {
    max_object.saturating_mul(4).max(64 << 20)
}

impl Default for Settings {
    fn default() -> Self {
        let max_object = 1 << 20;
        Self {
            max_object,
            collecting: usual_collecting(max_object),
            body_timeout: None,
            tags: tags::Settings::default(),
            keep_server_timing: false,
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
    /// See [`sharing_rules`].
    pub(super) sharing: u64,
    /// Its part of the slots for background refreshes.
    pub(super) refreshes: Arc<Semaphore>,
}

impl Rule {
    /// A rule with this policy and key, which shares fetches within the process.
    pub fn new(policy: Policy, key: KeySpec, settings: Arc<Settings>) -> Self {
        let policy = Policy {
            keyed: key.headers.as_slice().into(),
            ..policy
        };
        Self {
            sharing: sharing_rules(&policy, &key),
            policy,
            key,
            collapse: Collapse::default(),
            ttl_jitter: 0,
            refresh_ahead: None,
            settings,
            refreshes: Arc::new(Semaphore::new(REFRESHES)),
        }
    }
}

/// A digest of all that decides who may be given what is stored. It is part of every key: an operator who tightens one of
/// these rules is obeyed at once, by every tier, whatever was stored before.
fn sharing_rules(policy: &Policy, key: &KeySpec) -> u64 {
    let mut hash = Xxh3::new();
    policy.share.hash(&mut hash);
    policy.set_cookie.hash(&mut hash);
    policy.override_origin.hash(&mut hash);
    policy.credentials.hash(&mut hash);
    policy.cookies.hash(&mut hash);
    policy.targeted.hash(&mut hash); // what they forbid was not seen before
    key.hash(&mut hash);
    hash.finish()
}

/// What a route adds to or removes from the cache key.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
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
    /// A POST is a read, and its content counts. The proxy alone does this: a [`CacheLayer`](crate::CacheLayer) passes every POST.
    pub body: bool,
}

impl KeySpec {
    /// The host of a target in the key, where a client calls it `sent`.
    pub(super) fn host_of<'a>(&'a self, sent: &'a [u8]) -> &'a [u8] {
        self.host.as_ref().map_or(sent, |host| host.as_bytes())
    }

    /// Completes `key` with what this route counts of `query` and `headers`.
    pub(super) fn complete<'v>(
        &self,
        key: Builder<'v>,
        query: Option<&str>,
        headers: &HeaderMap,
    ) -> Builder<'v> {
        let mut key = match &self.query {
            None => key.query(query),
            Some(counted) => key.query(counted.of(query).as_deref()),
        };
        for name in &self.headers {
            let mut lines = headers.get_all(name).iter();
            let value = lines.next().map(|first| {
                lines.fold(first.as_bytes().to_vec(), |mut all, line| {
                    all.push(b'\n'); // of none: servers that read one line do not read several as one
                    all.extend_from_slice(line.as_bytes());
                    all
                })
            });
            key = key.field(name.as_str(), value.as_deref());
        }
        key
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        semantics::{SetCookie, Share, cookies::Cookies, credentials::Credentials},
        store::Secret,
    };
    use http::header::AUTHORIZATION;

    #[test]
    fn every_rule_of_sharing_makes_another_key() {
        let rule = |change: fn(&mut Policy, &mut KeySpec)| {
            let (mut policy, mut key) = (Policy::default(), KeySpec::default());
            change(&mut policy, &mut key);
            Rule::new(policy, key, Arc::new(Settings::default())).sharing
        };
        let usual = rule(|_, _| {});
        assert_eq!(usual, rule(|policy, _| policy.ttl = Some(Duration::ZERO)));
        let others = [
            rule(|policy, _| policy.share = Share::All),
            rule(|policy, _| policy.set_cookie = SetCookie::Store),
            rule(|policy, _| policy.override_origin = true),
            rule(|policy, _| policy.credentials = Arc::new(Credentials::new(Vec::new()))),
            rule(|policy, _| {
                policy.cookies = Arc::new(Cookies {
                    key: ["lang".into()].into(),
                    ..Cookies::default()
                });
            }),
            rule(|policy, _| policy.targeted = Arc::new([])),
            rule(|_, key| key.headers = vec![AUTHORIZATION]),
            rule(|_, key| key.query = Some(CountedQuery::only([]))),
        ];
        for (at, other) in others.iter().enumerate() {
            assert_ne!(*other, usual);
            assert!(!others[at + 1..].contains(other));
        }
    }

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
            let secret = Secret::new("one");
            let key = Builder::new("http", b"a", "/").veiled_by(&secret);
            spec.complete(key, None, &headers).build()
        };
        assert_ne!(key("Bearer one"), key("Bearer two"));
        assert!(!String::from_utf8_lossy(key("Bearer one").as_bytes()).contains("one"));
    }

    /// Some servers read the first line, others the last.
    #[test]
    fn two_lines_are_not_one() {
        let spec = KeySpec {
            headers: vec![AUTHORIZATION],
            ..KeySpec::default()
        };
        let key = |lines: &[&'static str]| {
            let lines = lines
                .iter()
                .map(|line| http::HeaderValue::from_static(line));
            let headers = lines.map(|line| (AUTHORIZATION, line)).collect();
            let key = Builder::new("http", b"a", "/");
            spec.complete(key, None, &headers).build()
        };
        assert_ne!(key(&["a", "b"]), key(&["a, b"]));
        assert_ne!(key(&["a", "b"]), key(&["b", "a"]));
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
