//! One request through the proxy.
//!
//! The whole order can be read in [`Proxy::call`]: observe, check the target, find the route, ask the cache, and only
//! then go anywhere. Up to and including a memory hit nothing waits, nothing is boxed and no lock is held.

#[path = "message/body.rs"]
mod body;
#[path = "cache/lookup.rs"]
mod cache;
#[path = "message/gzip.rs"]
mod coding;
#[path = "message/compact.rs"]
mod compact;
#[path = "cache/deliver.rs"]
mod deliver;
#[path = "cache/coding.rs"]
pub mod encode;
#[path = "cache/fetch.rs"]
mod fetch;
#[path = "cache/fill.rs"]
mod fill;
#[path = "cache/flight.rs"]
mod flight;
#[path = "proxy/forward.rs"]
mod forward;
#[path = "cache/fill/lease.rs"]
mod lease;
#[path = "proxy/observe.rs"]
mod observe;
#[path = "proxy/pass.rs"]
mod pass;
#[path = "message/idle_timeout.rs"]
mod patience;
#[path = "proxy/purge.rs"]
mod purge;
#[path = "proxy/query.rs"]
mod query;
#[path = "cache/refresh.rs"]
mod refresh;
#[path = "proxy/rescue.rs"]
mod rescue;
#[path = "proxy/route.rs"]
pub mod route;
#[path = "cache/query_rules.rs"]
mod search;
#[path = "cache/tags.rs"]
pub mod tags;
#[path = "proxy/target.rs"]
mod target;
#[path = "upstream.rs"]
pub mod upstream;

pub use self::body::{Body, BodyError};

use self::{
    flight::Flights, observe::Observed, refresh::Refresher, route::Routes, search::Searches,
    upstream::Upstream,
};
use crate::{
    clock::Clock,
    interim::Interim,
    metrics::Metrics,
    semantics::{Policy, hop_by_hop},
    store::Store,
};
use http::{Request, Response, Version, header::CONNECTION};
use hyper::body::Incoming;
use std::{
    convert::Infallible,
    fmt,
    net::SocketAddr,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};
use tokio_util::task::TaskTracker;

/// What `[cache]` says about answering.
#[derive(Clone, PartialEq, Eq)]
pub struct Settings {
    /// Whether the cache is used at all.
    pub enabled: bool,
    /// Larger bodies pass through and are not stored, in bytes.
    pub max_object: u64,
    /// Whether the answer to a write with `Clear-Site-Data: "cache"` purges everything.
    pub clear_site_data: bool,
    /// A request whose `X-Sidecache-Bypass` holds it goes to the upstream.
    pub bypass_token: Option<String>,
    /// A PURGE whose `X-Sidecache-Purge` holds it purges; without one PURGE is a method like any other.
    pub purge_token: Option<String>,
    /// Tags that the origin gives.
    pub tags: tags::Settings,
}

impl fmt::Debug for Settings {
    /// Tokens are secrets, so only whether there is one is shown.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            enabled,
            max_object,
            clear_site_data,
            bypass_token,
            purge_token,
            tags,
        } = self;
        f.debug_struct("Settings")
            .field("enabled", enabled)
            .field("max_object", max_object)
            .field("clear_site_data", clear_site_data)
            .field("bypass_token", &bypass_token.is_some())
            .field("purge_token", &purge_token.is_some())
            .field("tags", tags)
            .finish()
    }
}

/// What a proxy is made of.
#[derive(Debug)]
pub struct Parts {
    /// See [`Settings`].
    pub settings: Settings,
    /// The routes, in order.
    pub routes: Vec<route::Route>,
    /// What applies where no route matches.
    pub default_policy: Policy,
    /// Content codings.
    pub encode: encode::Settings,
    /// The origin.
    pub upstream: upstream::Settings,
    /// The tiers.
    pub store: Store,
    /// The time.
    pub clock: Clock,
    /// What is counted.
    pub metrics: Arc<Metrics>,
    /// What runs in the background; the drain waits for it.
    pub tasks: TaskTracker,
    /// Whether each request is logged.
    pub access_log: bool,
}

/// Everything that requests share.
#[derive(Debug)]
struct Shared {
    settings: Settings,
    routes: Routes,
    encode: encode::Settings,
    upstream: Upstream,
    store: Store,
    flights: Flights,
    refresher: Refresher,
    searches: Searches,
    clock: Clock,
    metrics: Arc<Metrics>,
    tasks: TaskTracker,
    access_log: bool,
}

impl Shared {
    /// What every response of the upstream goes through first.
    fn receive<B>(&self, response: &mut Response<B>) {
        forward::prepare_response(response, self.clock.now());
        tags::take(response, &self.settings.tags);
    }
}

/// The proxy. Clones are the same proxy.
#[derive(Clone, Debug)]
pub struct Proxy(Arc<Shared>);

impl Proxy {
    /// A proxy made of `parts`. Connects to nothing yet.
    pub fn new(parts: Parts) -> Self {
        Self(Arc::new(Shared {
            routes: Routes::new(parts.routes, parts.default_policy, &parts.metrics),
            upstream: Upstream::new(parts.upstream, &parts.metrics),
            flights: Flights::new(Arc::clone(&parts.metrics)),
            refresher: Refresher::default(),
            searches: Searches::default(),
            settings: parts.settings,
            encode: parts.encode,
            store: parts.store,
            clock: parts.clock,
            metrics: parts.metrics,
            tasks: parts.tasks,
            access_log: parts.access_log,
        }))
    }

    /// The store, for the operator's side.
    pub fn store(&self) -> &Store {
        &self.0.store
    }

    /// Answers one request of `peer`. Dropping the answer gives the request up; a fetch for the cache goes on.
    pub fn call(
        &self,
        mut request: Request<Incoming>,
        peer: SocketAddr,
        interim: &Interim,
    ) -> Answer {
        let shared = &self.0;
        let observed = Observed::start(shared, &request);
        let target = match target::of(&request) {
            Ok(target) => target,
            Err(problem) => return Answer::ready(observed.refused(shared, &problem)),
        };
        if request.headers().contains_key(CONNECTION) {
            if forward::accepts_trailers(request.headers()) {
                request.extensions_mut().insert(forward::AcceptsTrailers);
            }
            // Before anything looks at the fields: key, variants and credentials are of what the upstream will see.
            hop_by_hop::remove(request.headers_mut());
        }
        let route = shared.routes.find(request.method(), target.path());
        match cache::begin(shared, shared.routes.get(route), &target, &request) {
            cache::Begin::Answered(answered) => {
                Answer::ready(observed.finish(shared, shared.routes.get(route), answered))
            }
            cache::Begin::Refreshing(answered, refresh) => {
                refresh::start(shared, route, &target, &request, peer, refresh);
                Answer::ready(observed.finish(shared, shared.routes.get(route), answered))
            }
            cache::Begin::Go(plan) => {
                let shared = Arc::clone(shared);
                let (mut observed, mut target) = (observed, target);
                if matches!(plan, cache::Plan::Ask { .. }) {
                    // Thousands may wait for one fetch.
                    *request.headers_mut() = compact::fields(request.headers());
                    *request.uri_mut() = compact::uri(request.uri());
                    target.detach();
                    observed.detach();
                }
                // Older clients do not know interim responses (RFC 9110 §15.2).
                let interim = (request.version() >= Version::HTTP_11).then(|| interim.clone());
                Answer(Progress::Going(Box::pin(async move {
                    let asked = fetch::Asked {
                        shared: &shared,
                        route,
                        target,
                        peer,
                        id: observed.request_id().clone(),
                        query: None,
                        interim: interim.clone(),
                    };
                    let going = Box::pin(fetch::proceed(asked, plan, request)); // once, and not in each future around it
                    let result = match &interim {
                        Some(interim) => interim.around(going).await,
                        None => going.await,
                    };
                    let answered = result.unwrap_or_else(|problem| rescue::answer(&problem));
                    observed.finish(&shared, shared.routes.get(route), answered)
                })))
            }
        }
    }
}

/// The proxy as one client sees it.
#[derive(Clone, Debug)]
pub struct ForPeer {
    proxy: Proxy,
    peer: SocketAddr,
    interim: Interim,
}

impl Proxy {
    /// The service for the connection of `peer`, which gets interim responses by `interim`.
    pub fn to(self, peer: SocketAddr, interim: Interim) -> ForPeer {
        ForPeer {
            proxy: self,
            peer,
            interim,
        }
    }
}

impl hyper::service::Service<Request<Incoming>> for ForPeer {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Answer;

    fn call(&self, request: Request<Incoming>) -> Answer {
        self.proxy.call(request, self.peer, &self.interim)
    }
}

/// The answer to one request: already there, or on its way.
pub struct Answer(Progress);

enum Progress {
    Ready(Option<Response<Body>>),
    Going(Pin<Box<dyn Future<Output = Response<Body>> + Send>>),
}

impl Answer {
    fn ready(response: Response<Body>) -> Self {
        Self(Progress::Ready(Some(response)))
    }
}

impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            Progress::Ready(_) => "Answer(ready)",
            Progress::Going(_) => "Answer(going)",
        })
    }
}

impl Future for Answer {
    type Output = Result<Response<Body>, Infallible>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match &mut self.0 {
            Progress::Ready(response) => Poll::Ready(Ok(response
                .take()
                .expect("a future is not polled after it was ready"))),
            Progress::Going(going) => going.as_mut().poll(cx).map(Ok),
        }
    }
}
