//! One request of the layer that the store cannot answer at once.

use crate::{
    cache::{
        Answered, Ask, Cache, Encode, HeadUpdate, Miss, Outer, Rule, Target, Unanswered, Write,
        mark,
    },
    message::{Body, names::X_REQUEST_ID, problem::problem},
    metrics::Metrics,
    origin::{FetchError, Origin, RequestBody},
    semantics::{
        Decision, Key, Reason, Storage, conditional::is_for_the_origin, invalidation::is_unsafe,
    },
};
use axum::extract::OriginalUri;
use http::{Method, Response, header::HOST, request::Parts};
use std::sync::Arc;
use tokio_util::{sync::DropGuard, task::TaskTracker};

/// The state of one layer and its services.
pub(super) struct Shared {
    pub(super) cache: Cache,
    pub(super) rule: Arc<Rule>,
    pub(super) metrics: Arc<Metrics>,
    /// Calls of the inner service.
    pub(super) tasks: TaskTracker,
    /// Ends what runs in the background when the last clone is dropped.
    pub(super) _stop: DropGuard,
}

impl Shared {
    /// Counts and marks the answer.
    pub(super) fn finish(&self, answered: Answered) -> Response<Body> {
        let Answered {
            mut response,
            decision,
        } = answered;
        self.metrics.decided(decision.reason);
        if let Storage::Refused(refusal) = decision.storage {
            self.metrics.refused(refusal);
        }
        let headers = response.headers_mut();
        // The proxy's renditions have a place for an id, which the layer has no use for.
        if headers.get(X_REQUEST_ID).is_some_and(|id| id.is_empty()) {
            headers.remove(X_REQUEST_ID);
        }
        mark(headers, decision);
        response
    }
}

/// Why the cache is not asked, if so.
pub(super) fn bypass(parts: &Parts) -> Option<Reason> {
    if !matches!(parts.method, Method::GET | Method::HEAD) {
        return Some(Reason::Method);
    }
    is_for_the_origin(&parts.headers).then_some(Reason::Precondition)
}

/// What a request is about (RFC 9110 §7.1).
///
/// A router that is nested in another one sees the path without its prefix; axum remembers the whole URI, and two nested
/// routers must not share a key.
pub(super) fn target(parts: &Parts) -> Target<'_> {
    let original = parts.extensions.get::<OriginalUri>();
    let uri = original.map_or(&parts.uri, |original| &original.0);
    let authority = uri.authority().map(|a| a.as_str().as_bytes());
    let host = parts.headers.get(HOST).map(|host| host.as_bytes());
    Target {
        scheme: uri.scheme_str().unwrap_or("http"),
        host: authority.or(host).unwrap_or_default(),
        path: uri.path(),
        query: uri.query(),
    }
}

/// See the module docs.
pub(super) struct Call {
    pub(super) shared: Arc<Shared>,
    pub(super) origin: Arc<dyn Origin>,
}

impl Call {
    /// What the cache is asked with `key`.
    pub(super) fn ask(&self, key: Key, parts: &Parts) -> Ask {
        let (rule, target) = (&self.shared.rule, target(parts));
        let (method, origin) = (parts.method.clone(), Arc::clone(&self.origin));
        Ask::new(rule, key, &target, method, &parts.headers, origin)
    }

    /// Serves what memory has, once it is coded.
    pub(super) async fn encode(&self, key: Key, mut hit: Encode, parts: &Parts) -> Response<Body> {
        let Shared { cache, rule, .. } = &*self.shared;
        if let Some(refresh) = hit.refresh.take() {
            cache.refresh(self.ask(key, parts), refresh);
        }
        let answered = cache.encode(rule, hit, &parts.method, &parts.headers).await;
        self.shared.finish(answered)
    }

    /// Asks Redis, and then the inner service.
    pub(super) async fn fetch(&self, key: Key, miss: Miss, parts: Parts) -> Response<Body> {
        let ask = Arc::new(self.ask(key, &parts));
        let cache = &self.shared.cache;
        let answer = match Box::pin(cache.lookup_outer(&ask, miss)).await {
            Err(unanswered) => Err(unanswered),
            Ok(Outer::Hit(answered)) => Ok(answered),
            Ok(Outer::Miss(miss)) if parts.method == Method::HEAD => {
                Box::pin(self.head(&ask, miss, &parts)).await
            }
            Ok(Outer::Miss(miss)) => cache.fetch(&ask, miss).await,
        };
        self.finish(answer)
    }

    /// There is no body to store, but the stored response may be freshened (RFC 9111 §4.3.5).
    async fn head(
        &self,
        ask: &Arc<Ask>,
        miss: Miss,
        parts: &Parts,
    ) -> Result<Answered, Unanswered> {
        let cache = &self.shared.cache;
        let update = HeadUpdate::new(ask, miss.stored, cache.start());
        let answered = self
            .forward(miss.reason, parts, RequestBody::empty())
            .await?;
        let (status, head) = (answered.response.status(), answered.response.headers());
        cache.freshen(update, status, head);
        Ok(answered)
    }

    /// Calls the inner service without asking the cache.
    pub(super) async fn pass(
        &self,
        reason: Reason,
        parts: &Parts,
        content: RequestBody,
    ) -> Response<Body> {
        let answer = self.forward(reason, parts, content).await;
        self.finish(answer)
    }

    async fn forward(
        &self,
        reason: Reason,
        parts: &Parts,
        content: RequestBody,
    ) -> Result<Answered, Unanswered> {
        let Shared {
            cache, rule, tasks, ..
        } = &*self.shared;
        let mut request = self.origin.request(&parts.headers);
        *request.method_mut() = parts.method.clone();
        *request.body_mut() = content;
        let sending = self.origin.send(request);
        let mut response = if is_unsafe(&parts.method) {
            let write = Write::new(&parts.method, &target(parts));
            let cache = cache.clone();
            // In a task of its own: a write that was carried out invalidates also when its client has left.
            let writing = tasks.spawn(async move { cache.write(write, sending).await });
            let (response, _) = writing.await.map_err(|_| FetchError::Abandoned)??;
            response
        } else {
            sending.await?
        };
        cache.receive(&rule.settings, &mut response);
        let (method, headers) = (&parts.method, &parts.headers);
        Ok(Answered {
            response: cache.pass_on(&rule.settings, response, method, headers),
            decision: Decision::forwarded(reason),
        })
    }

    fn finish(&self, answer: Result<Answered, Unanswered>) -> Response<Body> {
        let answered = answer.unwrap_or_else(|unanswered| {
            let error = &unanswered.error;
            Answered {
                response: problem(error.status(), error.cause(), &error.to_string()),
                decision: unanswered.decision(),
            }
        });
        self.shared.finish(answered)
    }
}
