//! The cache as a [`tower::Layer`]: in front of an axum router, or of any other service.
//!
//! The same core as the proxy's answers: what is fresh comes from memory (or Redis), concurrent misses share one call of the
//! inner service, validators are made and answered, writes purge what they change, and every answer says in `Cache-Status`
//! where it came from. `Cache-Control` of the inner service decides; [`Builder::ttl`] says how long the rest is fresh.
//!
//! ```
//! use axum::{Router, body::Body, http::Request, routing::get};
//! use sidecache::CacheLayer;
//! use std::time::Duration;
//! use tower::ServiceExt;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let cache = CacheLayer::builder()
//!     .ttl(Duration::from_secs(60))
//!     .build()
//!     .await?;
//! let app = Router::new()
//!     .route("/news", get(|| async { "something happened" }))
//!     .layer(cache.clone());
//!
//! let ask = || Request::get("/news").body(Body::empty());
//! let first = app.clone().oneshot(ask()?).await?;
//! assert_eq!(first.headers()["cache-status"], "sidecache; fwd=uri-miss; stored");
//! let second = app.oneshot(ask()?).await?;
//! assert!(second.headers()["cache-status"].to_str()?.starts_with("sidecache; hit; ttl="));
//!
//! cache.purge_all().await;
//! # Ok(())
//! # }
//! ```
//!
//! # Caveats
//!
//! * The inner service must take a request with any body, as axum's routes do: it is given [`RequestBody`].
//! * A miss calls the inner service in a task of its own, so that a client that leaves takes nobody's answer with it. It is
//!   given up after [`Builder::timeout`].
//!   Extensions of the request that began it go along. They are not part of the key: where an outer layer puts the caller
//!   there, the inner service has to say `Cache-Control: private`, or this layer goes outside of that one.
//! * A response with `Set-Cookie`, or to a request with `Authorization` or `Cookie`, is shared only where its own
//!   `Cache-Control` says so.
//! * The cache does not compress unless [`Builder::compress`] says so: put a compression layer outside of it.

mod builder;
mod call;
mod inner;

pub use self::builder::{BuildError, Builder};
pub use crate::origin::RequestBody;

use self::{
    call::{Call, Shared},
    inner::Inner,
};
use crate::{
    cache::{Lookup, Target},
    message::{Body, BodyError, ResponseFuture},
    semantics::{Reason, reached},
    store::{Purge, Reach, Selector},
};
use bytes::Bytes;
use http::{Request, Response, request::Parts};
use http_body_util::BodyExt;
use std::{
    convert::Infallible,
    error::Error,
    fmt,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};
use tower::{Layer, Service};

/// How long the end waits for purges that Redis has not taken yet.
const PURGE_FLUSH_TIMEOUT: Duration = Duration::from_secs(2);

/// See the module docs. Clones are the same cache.
#[derive(Clone)]
pub struct CacheLayer(Arc<Shared>);

impl fmt::Debug for CacheLayer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CacheLayer")
            .field("rule", &self.0.rule)
            .finish_non_exhaustive()
    }
}

impl CacheLayer {
    /// A cache in 64 MiB of memory that does what `Cache-Control` says.
    pub fn builder() -> Builder {
        Builder::default()
    }

    /// Purges every response that one of `tags` names (`Surrogate-Key` or `Cache-Tag` of the inner service), softly: it is
    /// stale from now on, and may be served only where `stale-while-revalidate` or `stale-if-error` allow that.
    ///
    /// Cancel safe: the purge has happened in this process before the first wait.
    pub async fn purge_tags<T: AsRef<str>>(&self, tags: impl IntoIterator<Item = T>) -> Reach {
        let soft = |tag: T| Purge {
            selector: Selector::tag(tag.as_ref()),
            hard: false,
        };
        self.purge(tags.into_iter().map(soft)).await
    }

    /// Purges everything, hard: nothing of it is served again.
    pub async fn purge_all(&self) -> Reach {
        let all = Purge {
            selector: Selector::All,
            hard: true,
        };
        self.purge([all]).await
    }

    /// Purges in this process at once, and tells the other replicas where there is Redis.
    pub async fn purge(&self, purges: impl IntoIterator<Item = Purge>) -> Reach {
        self.0.cache.purge(purges.into_iter().collect()).await
    }

    /// Everything that is counted, in the OpenMetrics text format.
    pub fn metrics(&self) -> String {
        self.0.metrics.encode()
    }

    /// Waits for the calls of the inner service that are under way, and then for at most two seconds until Redis has taken
    /// every purge. For a graceful end, after the server has stopped. Returns how many purges other processes will not learn
    /// of.
    pub async fn drain(&self) -> usize {
        self.0.tasks.close();
        self.0.tasks.wait().await;
        self.0.cache.store().flush_purges(PURGE_FLUSH_TIMEOUT).await
    }
}

impl Builder {
    /// Builds the layer; what it does in the background ends when its last clone is dropped. Must be called inside a tokio
    /// runtime. Waits for Redis for at most 50 ms.
    ///
    /// # Errors
    /// [`BuildError`]. A Redis that cannot be reached is not an error.
    pub async fn build(self) -> Result<CacheLayer, BuildError> {
        Ok(CacheLayer(Arc::new(self.start().await?)))
    }
}

impl<S> Layer<S> for CacheLayer {
    type Service = CacheService<S>;

    fn layer(&self, inner: S) -> CacheService<S> {
        CacheService {
            shared: Arc::clone(&self.0),
            inner,
        }
    }
}

/// A service with a cache in front; see [`CacheLayer`].
#[derive(Clone)]
pub struct CacheService<S> {
    shared: Arc<Shared>,
    inner: S,
}

impl<S: fmt::Debug> fmt::Debug for CacheService<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CacheService")
            .field("inner", &self.inner)
            .finish_non_exhaustive()
    }
}

impl<S, B, R> Service<Request<B>> for CacheService<S>
where
    S: Service<Request<RequestBody>, Response = Response<R>> + Clone + Send + 'static,
    S::Error: Into<Box<dyn Error + Send + Sync>>,
    S::Future: Send,
    B: http_body::Body<Data = Bytes> + Send + 'static,
    R: http_body::Body<Data = Bytes> + Send + 'static,
{
    type Response = Response<Body>;
    /// A failure of the inner service is an answer: a stale one where that is allowed, else 502 with the cause.
    type Error = Infallible;
    type Future = ResponseFuture;

    /// Always ready: most answers do not need the inner service. Its own readiness is waited for where it is called.
    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> ResponseFuture {
        let (mut parts, content) = request.into_parts();
        call::normalise(&mut parts);
        let shared = &self.shared;
        let call = |parts: &Parts| Call {
            shared: Arc::clone(shared),
            origin: Arc::new(Inner::new(self.inner.clone(), &shared.calling, parts)),
        };
        let pass = |reason, parts: Parts, content: B| {
            let call = call(&parts);
            let content = content.map_err(|_| BodyError::Broken);
            let content = RequestBody::Stream(Box::pin(content));
            ResponseFuture::going(async move { call.pass(reason, &parts, content).await })
        };
        let has_content = call::has_content(&parts, &content);
        if let Some(reason) = shared.bypass(&parts, has_content) {
            return pass(reason, parts, content);
        }
        let (rule, cache) = (&shared.rule, &shared.cache);
        rule.policy.cookies.take_ignored(&mut parts.headers);
        // Whom to believe is the server's to say: what the inner service gets may decide what it answers.
        let counted = reached::as_received(&parts.headers);
        let target = Target {
            counted: &counted,
            ..call::target(&parts)
        };
        let key = cache.key(rule, &target, &parts.headers);
        let key = key.map(|key| match call::rewritten(&parts) {
            Some(inner) => key.field(":inner", Some(inner.as_bytes())),
            None => key,
        });
        let Some(key) = key.filter(|key| key.is_whole()) else {
            return pass(Reason::TooLong, parts, content);
        };
        let key = key.build();
        match cache.lookup(rule, &key, &parts.method, &parts.headers) {
            Lookup::Hit(answered, refresh) => {
                if let Some(refresh) = refresh {
                    cache.refresh(rule, &key, &parts.headers, refresh, || {
                        call(&parts).ask(key.clone(), &parts)
                    });
                }
                ResponseFuture::ready(shared.finish(answered))
            }
            Lookup::Encode(hit) => {
                let call = call(&parts);
                ResponseFuture::going(async move { call.encode(key, hit, &parts).await })
            }
            Lookup::Miss(miss) => {
                let call = call(&parts);
                ResponseFuture::going(async move { call.fetch(key, miss, parts).await })
            }
        }
    }
}
