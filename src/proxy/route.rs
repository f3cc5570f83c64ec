//! Which policy applies to a request: the first route from the top that matches its path and method.

#[path = "route/pattern.rs"]
pub mod pattern;
#[path = "route/template.rs"]
pub mod template;

pub use self::{
    pattern::{Captures, Pattern, PatternError},
    template::{PurgeTemplate, Template},
};

use super::refresh;
use crate::{
    metrics::{Metrics, RouteMetrics},
    semantics::{Policy, key::Builder},
};
use http::{
    HeaderMap, HeaderName, Method,
    header::{AUTHORIZATION, COOKIE, PROXY_AUTHORIZATION},
};
use sha2::{Digest, Sha256};
use std::{sync::Arc, time::Duration};
use tokio::sync::Semaphore;

/// The name under which requests are counted that no route matches.
pub const DEFAULT: &str = "default";

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

/// One `[[route]]`, checked and compiled.
#[derive(Clone, Debug)]
pub struct Route {
    /// Its name: a metric label.
    pub name: String,
    /// The paths that it matches.
    pub path: Pattern,
    /// The methods that it matches.
    pub methods: Vec<Method>,
    /// What the operator decided about caching.
    pub policy: Policy,
    /// What purges can name its responses by.
    pub tags: Vec<Template>,
    /// What a successful write through it purges, beside its own URI.
    pub purge: Vec<PurgeTemplate>,
    /// What it adds to the key.
    pub key: KeySpec,
    /// See [`Collapse`].
    pub collapse: Collapse,
    /// By up to so many per cent its `ttl` is shortened at random, so that what was stored at once does not expire at once.
    pub ttl_jitter: u8,
    /// The last part of a lifetime in which hits begin to refresh it.
    pub refresh_ahead: Option<Duration>,
}

/// What a route adds to or removes from the cache key.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KeySpec {
    /// Only these query parameters count, sorted; `None` means the query as received.
    pub query: Option<Vec<String>>,
    /// These request fields count.
    pub headers: Vec<HeaderName>,
    /// What the origin's `No-Vary-Search` says does not count, does not.
    pub no_vary_search: bool,
}

impl KeySpec {
    /// Completes `key` with what this route counts of `query` and `headers`.
    pub(super) fn complete(
        &self,
        key: Builder,
        query: Option<&str>,
        headers: &HeaderMap,
    ) -> Builder {
        let mut key = match &self.query {
            None => key.query(query),
            Some(names) => key.chosen_query(query, names),
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
            let value = match SECRETS.contains(name) {
                true => value
                    .map(|value| Sha256::digest([b"sidecache key ", &value[..]].concat()).to_vec()),
                false => value,
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

/// A route with the handles of its metrics.
#[derive(Debug)]
pub(super) struct Compiled {
    pub(super) route: Route,
    pub(super) metrics: RouteMetrics,
    /// Its part of the slots for background refreshes: a route whose backend hangs leaves some to the others.
    pub(super) refreshes: Arc<Semaphore>,
}

/// Which route was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct RouteId(usize);

impl RouteId {
    /// What applies where none matches.
    pub(super) const DEFAULT: Self = Self(usize::MAX);
}

/// All routes, in order, and what applies where none matches.
#[derive(Debug)]
pub(super) struct Routes {
    routes: Vec<Compiled>,
    default: Compiled,
}

impl Routes {
    pub(super) fn new(routes: Vec<Route>, default_policy: Policy, metrics: &Metrics) -> Self {
        let compile = |route: Route| Compiled {
            metrics: metrics.route(&route.name),
            refreshes: Arc::new(Semaphore::new(refresh::SLOTS_OF_A_ROUTE)),
            route,
        };
        let default = Route {
            name: DEFAULT.to_owned(),
            path: Pattern::parse("/{*rest}").expect("this pattern is well formed"),
            methods: Vec::new(),
            policy: default_policy,
            tags: Vec::new(),
            purge: Vec::new(),
            key: KeySpec::default(),
            collapse: Collapse::default(),
            ttl_jitter: 0,
            refresh_ahead: None,
        };
        Self {
            routes: routes.into_iter().map(compile).collect(),
            default: compile(default),
        }
    }

    /// The first that matches.
    pub(super) fn find(&self, method: &Method, path: &str) -> RouteId {
        let matches = |compiled: &Compiled| {
            compiled.route.methods.contains(method) && compiled.route.path.matches(path)
        };
        self.routes
            .iter()
            .position(matches)
            .map_or(RouteId::DEFAULT, RouteId)
    }

    /// The route that was found.
    pub(super) fn get(&self, id: RouteId) -> &Compiled {
        self.routes.get(id.0).unwrap_or(&self.default)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn route(name: &str, path: &str, methods: &[Method]) -> Route {
        Route {
            name: name.to_owned(),
            path: Pattern::parse(path).unwrap(),
            methods: methods.to_vec(),
            policy: Policy::default(),
            tags: Vec::new(),
            purge: Vec::new(),
            key: KeySpec::default(),
            collapse: Collapse::default(),
            ttl_jitter: 0,
            refresh_ahead: None,
        }
    }

    #[test]
    fn the_first_route_that_matches_path_and_method_wins() {
        let routes = vec![
            route("one", "/a/{id}", &[Method::GET]),
            route("write", "/a/{id}", &[Method::PUT]),
            route("rest", "/a/{*rest}", &[Method::GET]),
        ];
        let routes = Routes::new(routes, Policy::default(), &Metrics::new());
        let name = |method, path| routes.get(routes.find(&method, path)).route.name.as_str();
        assert_eq!(name(Method::GET, "/a/1"), "one");
        assert_eq!(name(Method::PUT, "/a/1"), "write");
        assert_eq!(name(Method::GET, "/a/1/2"), "rest");
        assert_eq!(name(Method::DELETE, "/a/1"), DEFAULT);
        assert_eq!(name(Method::GET, "/b"), DEFAULT);
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
            spec.complete(Builder::new("http", b"a", "/"), None, &headers)
                .build()
        };
        assert_ne!(key("Bearer one"), key("Bearer two"));
        assert!(!String::from_utf8_lossy(key("Bearer one").as_bytes()).contains("one"));
    }

    #[test]
    fn chosen_fields_are_part_of_the_key() {
        let spec = KeySpec {
            query: Some(vec!["q".into()]),
            headers: vec![http::header::ACCEPT_LANGUAGE],
            no_vary_search: false,
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
