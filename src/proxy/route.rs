//! Which policy applies to a request: the first route from the top that matches its path and method.

#[path = "route/methods.rs"]
pub mod methods;
#[path = "route/pattern.rs"]
pub mod pattern;
#[path = "route/purge.rs"]
pub mod purge;
#[path = "route/template.rs"]
pub mod template;

pub use self::{
    pattern::{Captures, Pattern, PatternError},
    purge::PurgeTemplate,
    template::Template,
};

use crate::{
    cache::{Collapse, KeySpec, Rule, Settings},
    metrics::{Metrics, RouteMetrics},
    semantics::Policy,
    store::Purge,
};
use http::Method;
use std::{collections::BTreeSet, sync::Arc, time::Duration};

/// The name under which requests are counted that no route matches.
pub const DEFAULT: &str = "default";

/// One `[[route]]`, checked and compiled.
#[derive(Clone, Debug)]
pub struct Route {
    /// Its name: a metric label.
    pub name: String,
    /// The paths that it matches.
    pub path: Pattern,
    /// The methods that it matches; others follow GET, see [`methods::matched`].
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
    /// Whether its answers are coded here, of which the origin is asked for identity; else the origin hears what clients accept.
    pub compress: bool,
}

/// A route as requests find it.
#[derive(Debug)]
pub(super) struct Compiled {
    pub(super) name: String,
    path: Pattern,
    methods: Vec<Method>,
    tags: Vec<Template>,
    purge: Vec<PurgeTemplate>,
    /// How the cache treats its requests.
    pub(super) rule: Arc<Rule>,
    pub(super) metrics: RouteMetrics,
}

impl Compiled {
    fn new(route: Route, settings: &Arc<Settings>, metrics: &Metrics) -> Self {
        let mut settings = Arc::clone(settings);
        if route.compress != settings.coding.enabled {
            Arc::make_mut(&mut settings).coding.enabled = route.compress;
        }
        let mut rule = Rule::new(route.policy, route.key, settings);
        rule.collapse = route.collapse;
        rule.ttl_jitter = route.ttl_jitter;
        rule.refresh_ahead = route.refresh_ahead;
        Self {
            metrics: metrics.route(&route.name),
            name: route.name,
            path: route.path,
            methods: route.methods,
            tags: route.tags,
            purge: route.purge,
            rule: Arc::new(rule),
        }
    }

    /// What purges can name the responses for a target by.
    pub(super) fn tags_of(&self, path: &str, query: Option<&str>) -> Vec<Box<str>> {
        if self.tags.is_empty() {
            return Vec::new();
        }
        let captures = self.path.capture(path, query);
        captures
            .iter()
            .flat_map(|captures| self.tags.iter().map(|tag| tag.expand(captures).into()))
            .collect()
    }

    /// What a successful write to a target purges, beside its own URI.
    pub(super) fn purges_of(&self, path: &str, query: Option<&str>) -> Vec<Purge> {
        let captures = self.path.capture(path, query);
        captures
            .iter()
            .flat_map(|captures| self.purge.iter().map(|purge| purge.expand(captures)))
            .collect()
    }
}

/// All routes, in order, and what applies where none matches.
#[derive(Debug)]
pub(super) struct Routes {
    routes: Vec<Arc<Compiled>>,
    default: Arc<Compiled>,
    key_hosts: Arc<[Box<str>]>,
}

impl Routes {
    pub(super) fn new(
        routes: Vec<Route>,
        default_policy: Policy,
        settings: &Arc<Settings>,
        metrics: &Metrics,
    ) -> Self {
        let written: Vec<_> = routes
            .iter()
            .map(|route| (&route.path, &route.methods[..]))
            .collect();
        let matched: Vec<_> = (0..written.len())
            .map(|at| methods::matched(&written, at))
            .collect();
        let compile = |route| Arc::new(Compiled::new(route, settings, metrics));
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
            compress: settings.coding.enabled,
        };
        let hosts = routes.iter().filter_map(|route| route.key.host.clone());
        let hosts: BTreeSet<_> = hosts.collect();
        Self {
            key_hosts: hosts.into_iter().collect(),
            routes: (routes.into_iter().zip(matched))
                .map(|(route, methods)| compile(Route { methods, ..route }))
                .collect(),
            default: compile(default),
        }
    }

    /// The first that matches.
    pub(super) fn find(&self, method: &Method, path: &str) -> &Arc<Compiled> {
        let matches =
            |route: &&Arc<Compiled>| route.methods.contains(method) && route.path.matches(path);
        self.routes.iter().find(matches).unwrap_or(&self.default)
    }

    /// The names of hosts under which routes keep answers, whatever clients call them.
    pub(super) fn key_hosts(&self) -> &Arc<[Box<str>]> {
        &self.key_hosts
    }

    /// What applies where none matches.
    pub(super) fn default(&self) -> &Arc<Compiled> {
        &self.default
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
            compress: true,
        }
    }

    #[test]
    fn the_first_route_that_matches_path_and_method_wins() {
        let routes = vec![
            route("one", "/a/{id}", &[Method::GET]),
            route("write", "/a/{id}", &[Method::PUT]),
            route("rest", "/a/{*rest}", &[Method::GET]),
        ];
        let settings = Arc::new(Settings::default());
        let routes = Routes::new(routes, Policy::default(), &settings, &Metrics::new());
        let name = |method, path| routes.find(&method, path).name.as_str();
        assert_eq!(name(Method::GET, "/a/1"), "one");
        assert_eq!(name(Method::PUT, "/a/1"), "write");
        assert_eq!(name(Method::GET, "/a/1/2"), "rest");
        assert_eq!(name(Method::DELETE, "/a/1"), DEFAULT);
        assert_eq!(name(Method::GET, "/b"), DEFAULT);
    }

    #[test]
    fn reading_by_another_method_finds_the_route_of_get() {
        let query = Method::from_bytes(b"QUERY").unwrap();
        let routes = vec![
            route("one", "/a/{id}", &[Method::GET]),
            route("own", "/a/{id}", std::slice::from_ref(&query)),
            route("rest", "/a/{*rest}", &[Method::GET, Method::HEAD]),
        ];
        let settings = Arc::new(Settings::default());
        let routes = Routes::new(routes, Policy::default(), &settings, &Metrics::new());
        let name = |method: &Method, path| routes.find(method, path).name.as_str();
        assert_eq!(name(&Method::HEAD, "/a/1"), "one");
        assert_eq!(name(&query, "/a/1"), "own");
        assert_eq!(name(&query, "/a/1/2"), "rest");
        assert_eq!(name(&Method::OPTIONS, "/a/1"), DEFAULT);
    }
}
