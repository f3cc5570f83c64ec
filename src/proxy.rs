//! One request through the proxy.
//!
//! The whole order can be read here. [`Proxy::call`] observes, makes the effective request, finds the route, classifies, and
//! serves what memory has: up to there nothing waits, nothing is boxed and no lock is held. `answer` is the rest: what
//! has to wait for a coding, for Redis, or for the upstream.

mod access;
mod circle;
mod content;
mod dispatch;
mod forward;
mod forwarding;
mod head;
mod live;
mod observe;
mod party;
mod pass;
mod peer;
mod post;
mod problem;
mod purge;
mod query;
mod received;
mod rescue;
pub mod route;
mod shared;
mod target;
mod token;
mod tunnel;

pub use self::{
    content::Content,
    live::{Live, Settings},
    peer::{Network, Peer, Trusted},
    shared::{Parts, Tunnels},
    token::Token,
};

use self::{
    dispatch::Plan, observe::Observed, problem::Problem, query::Question, received::Received,
    route::Compiled, shared::Shared, target::Target,
};
use crate::{
    cache::{Answered, Ask, Cache, Encode, Lookup, Miss, Outer},
    message::{Body, Interim, ResponseFuture},
    semantics::{Key, Reason},
    store::Store,
};
use bytes::Bytes;
use http::{Method, Request, Response, request};
use std::{convert::Infallible, net::SocketAddr, pin::Pin, sync::Arc};

/// The proxy. Clones are the same proxy.
#[derive(Clone, Debug)]
pub struct Proxy(Arc<Shared>);

/// What a request has to wait for.
enum Step {
    /// The purge log.
    Purge,
    /// The upstream: the cache is not asked.
    Pass(Reason),
    /// Its own content, which is part of its key.
    Question,
    /// A coding of what is stored.
    Encode(Key, Encode),
    /// Redis, and then the upstream: there is no body to store.
    Head(Key, Miss),
    /// Redis, and then a fetch.
    Fetch(Key, Miss),
}

impl Proxy {
    /// A proxy made of `parts`. Connects to nothing yet.
    pub fn new(parts: Parts) -> Self {
        Self(Arc::new(Shared::new(parts)))
    }

    /// The store, for the operator's side.
    pub fn store(&self) -> &Store {
        self.0.cache.store()
    }

    /// The names of hosts under which routes keep answers, whatever clients call them: what is purged by URL is purged under
    /// each of them too.
    pub fn key_hosts(&self) -> Arc<[Box<str>]> {
        Arc::clone(self.0.live.load().routes.key_hosts())
    }

    /// Replaces routes, settings and codings for the requests that come from now on. Those under way, and the fetches that
    /// they began, keep what they began with.
    pub fn replace(&self, live: Live) {
        self.0.live.store(Arc::new(live));
    }

    /// Answers one request of `peer`. Dropping the answer gives the request up; a fetch for the cache goes on.
    pub fn call<B: Content>(
        &self,
        mut request: Request<B>,
        peer: Peer,
        interim: &Interim,
    ) -> ResponseFuture {
        let Peer {
            address: peer,
            is_trusted,
        } = peer;
        let shared = &self.0;
        let live = shared.live.load();
        let observed = Observed::start(shared, &request);
        // From here on the fields are those of the effective request: the ones of its hop are gone, and those by which a
        // stranger speaks for others.
        let target = match Target::of(&mut request, is_trusted) {
            Ok(target) => target,
            Err(problem) => return rescued(shared, observed, live.routes.default(), &problem),
        };
        let route = live.routes.find(request.method(), target.canonical_path());
        let step = match dispatch::plan(&live.settings, &route.rule, &target, &request) {
            Plan::Purge => Step::Purge,
            Plan::Trace => return rescued(shared, observed, route, &Problem::Trace),
            Plan::Itself => return rescued(shared, observed, route, &Problem::Itself),
            Plan::Pass(reason) => Step::Pass(reason),
            Plan::Question => Step::Question,
            Plan::Cached => 'step: {
                let (rule, cache) = (&route.rule, &shared.cache);
                rule.policy.cookies.take_ignored(request.headers_mut());
                let (method, headers) = (request.method(), request.headers());
                let Some(key) = cache.key(rule, &target.parts(), headers) else {
                    break 'step Step::Pass(Reason::TooLong);
                };
                let key = key.build();
                match cache.lookup(rule, &key, method, headers) {
                    Lookup::Hit(answered, refresh) => {
                        if let Some(refresh) = refresh {
                            cache.refresh(rule, &key, headers, refresh, || {
                                Received::of(shared, &live, route, target, peer, &observed).ask(
                                    key.clone(),
                                    method,
                                    headers,
                                    None,
                                )
                            });
                        }
                        return ResponseFuture::ready(observed.finish(shared, route, answered));
                    }
                    Lookup::Encode(hit) => Step::Encode(key, hit),
                    Lookup::Miss(miss) if *method == Method::HEAD => Step::Head(key, miss),
                    Lookup::Miss(miss) => Step::Fetch(key, miss),
                }
            }
        };
        let received = Received::of(shared, &live, route, target, peer, &observed);
        wait(
            received.with_interim(interim, &request),
            observed,
            step,
            request,
        )
    }

    /// The client at `address`, whose forwarding fields count if the present settings trust it.
    pub fn peer(&self, address: SocketAddr) -> Peer {
        self.0.live.load().settings.trusted.peer(address)
    }

    /// The service for the connection of the client at `address`, which gets interim responses by `interim`. Whether it is
    /// trusted is decided here, once for all of its requests.
    pub fn to(self, address: SocketAddr, interim: Interim) -> ForPeer {
        let peer = self.peer(address);
        ForPeer {
            proxy: self,
            peer,
            interim,
        }
    }
}

/// The answer of a request that gets none but from here.
fn rescued(
    shared: &Arc<Shared>,
    observed: Observed,
    route: &Arc<Compiled>,
    problem: &Problem,
) -> ResponseFuture {
    ResponseFuture::ready(observed.finish(shared, route, rescue::answer(problem)))
}

/// The answer of a request that has to wait. Dropping it gives up the request, but not a fetch that was begun for the cache.
fn wait<B: Content>(
    mut received: Received,
    mut observed: Observed,
    step: Step,
    request: Request<B>,
) -> ResponseFuture {
    // Thousands may wait for one fetch: they hold nothing but what they are answered by.
    if let Step::Fetch(..) = step {
        observed.detach();
        received.target.detach();
    }
    let upgrading = matches!(step, Step::Pass(Reason::Upgrade));
    let received = Arc::new(received);
    let of = Arc::clone(&received);
    let answer: Pin<Box<dyn Future<Output = Result<Answered, Problem>> + Send>> = match step {
        Step::Fetch(key, miss) => {
            let ask = of.ask(key, request.method(), request.headers(), None);
            Box::pin(fetch(of.shared.cache.clone(), Arc::new(ask), miss))
        }
        step => Box::pin(answer(of, step, request)),
    };
    ResponseFuture::going(async move {
        let result = match &received.interim {
            Some(interim) => interim.around(answer).await,
            None => answer.await,
        };
        let mut answered = result.unwrap_or_else(|problem| rescue::answer(&problem));
        if upgrading {
            tunnel::conclude(&mut answered.response);
        }
        observed.finish(&received.shared, &received.route, answered)
    })
}

/// What waits for something else than a fetch.
async fn answer<B: Content>(
    received: Arc<Received>,
    step: Step,
    request: Request<B>,
) -> Result<Answered, Problem> {
    let received = &received;
    match step {
        Step::Purge => {
            let (parts, _content) = request.into_parts();
            purge::answer(received, &parts.headers).await
        }
        Step::Pass(reason) => pass::pass(received, reason, request, None).await,
        Step::Question => ask_question(received, request).await,
        Step::Encode(key, hit) => {
            let (parts, _content) = request.into_parts();
            Ok(encode(received, key, hit, &parts, None).await)
        }
        Step::Head(key, miss) => head::answer(received, key, miss, request).await,
        Step::Fetch(key, miss) => {
            let ask = received.ask(key, request.method(), request.headers(), None);
            fetch(received.shared.cache.clone(), Arc::new(ask), miss).await
        }
    }
}

/// A QUERY, or a POST that is a read: as a GET, with its content in the key. A POST that may be none goes on as any other does.
async fn ask_question<B: Content>(
    received: &Received,
    request: Request<B>,
) -> Result<Answered, Problem> {
    let party = received.party(request.headers());
    let mut question = query::read(&received.shared.upstream, request, party).await?;
    let (cache, rule) = (&received.shared.cache, &received.route.rule);
    let target = received.target.parts();
    if !question.is_a_read(target.query) {
        return pass::pass(received, Reason::NotARead, question.into_request(), None).await;
    }
    question.ask_for_the_whole();
    let cookies = &rule.policy.cookies;
    cookies.take_ignored(&mut question.parts.headers);
    let key = cache.key(rule, &target, &question.parts.headers);
    let Some(key) = key.and_then(|key| question.key(key)) else {
        return pass::pass(received, Reason::TooLong, question.into_request(), None).await;
    };
    let Question { parts, content } = question;
    match cache.lookup(rule, &key, &parts.method, &parts.headers) {
        Lookup::Hit(answered, refresh) => {
            if let Some(refresh) = refresh {
                cache.refresh(rule, &key, &parts.headers, refresh, || {
                    received.ask(key.clone(), &parts.method, &parts.headers, Some(content))
                });
            }
            Ok(answered)
        }
        Lookup::Encode(hit) => Ok(encode(received, key, hit, &parts, Some(content)).await),
        Lookup::Miss(miss) => {
            let ask = received.ask(key, &parts.method, &parts.headers, Some(content));
            fetch(cache.clone(), Arc::new(ask), miss).await
        }
    }
}

/// Serves what memory has, once it is coded.
async fn encode(
    received: &Received,
    key: Key,
    mut hit: Encode,
    parts: &request::Parts,
    content: Option<Bytes>,
) -> Answered {
    let (cache, rule) = (&received.shared.cache, &received.route.rule);
    if let Some(refresh) = hit.refresh.take() {
        cache.refresh(rule, &key, &parts.headers, refresh, || {
            received.ask(key.clone(), &parts.method, &parts.headers, content)
        });
    }
    cache.encode(rule, hit, &parts.method, &parts.headers).await
}

/// Asks Redis, and then the upstream.
async fn fetch(cache: Cache, ask: Arc<Ask>, miss: Miss) -> Result<Answered, Problem> {
    match Box::pin(cache.lookup_outer(&ask, miss)).await? {
        Outer::Hit(answered) => Ok(answered),
        Outer::Miss(miss) => Ok(cache.fetch(&ask, miss).await?),
    }
}

/// The proxy as one client sees it.
#[derive(Clone, Debug)]
pub struct ForPeer {
    proxy: Proxy,
    peer: Peer,
    interim: Interim,
}

impl<B: Content> hyper::service::Service<Request<B>> for ForPeer {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = ResponseFuture;

    fn call(&self, request: Request<B>) -> ResponseFuture {
        self.proxy.call(request, self.peer, &self.interim)
    }
}
