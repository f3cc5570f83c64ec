//! One request of the layer that the store cannot answer at once.

use super::inner::Calling;
use crate::{
    cache::{
        Answered, Ask, Cache, Encode, HeadUpdate, Miss, Outer, Rule, Target, Unanswered, Write,
        coding::{self, For},
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
use http::{
    HeaderValue, Method, Response, Version,
    header::{CONTENT_LENGTH, HOST, TRANSFER_ENCODING, UPGRADE},
    request::Parts,
};
use std::sync::Arc;
use tokio_util::{sync::DropGuard, task::TaskTracker};

/// The state of one layer and its services.
pub(super) struct Shared {
    pub(super) cache: Cache,
    pub(super) rule: Arc<Rule>,
    pub(super) metrics: Arc<Metrics>,
    /// Calls of the inner service.
    pub(super) tasks: TaskTracker,
    pub(super) calling: Calling,
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

    /// Why the cache is not asked, if so.
    pub(super) fn bypass(&self, parts: &Parts, has_content: bool) -> Option<Reason> {
        if parts.extensions.get() == Some(&self.calling.within) {
            return Some(Reason::Disabled); // the same layer stands outside of this one, and waits for it
        }
        if !matches!(parts.method, Method::GET | Method::HEAD) {
            return Some(Reason::Method);
        }
        if has_content {
            return Some(Reason::Content);
        }
        // Another protocol is asked for under a condition too: that the inner service speaks it.
        let conditional = parts.headers.contains_key(UPGRADE) || is_for_the_origin(&parts.headers);
        conditional.then_some(Reason::Precondition)
    }
}

/// Whether a request has content. Wrapped bodies need not know that they have none; a message of HTTP/1.1 says it in its
/// fields (RFC 9112 §6).
pub(super) fn has_content<B: http_body::Body>(parts: &Parts, content: &B) -> bool {
    let length = parts.headers.get(CONTENT_LENGTH);
    let says = parts.headers.contains_key(TRANSFER_ENCODING)
        || length.is_some_and(|length| length.as_bytes() != b"0");
    !content.is_end_stream() && (says || parts.version > Version::HTTP_11)
}

/// Makes the target of a request what RFC 9112 §3.2.2 and RFC 9113 §8.3.1 say before anybody looks at it: the authority is the
/// host, whatever `Host` says, and for HTTP/1.1 the rest is a path.
pub(super) fn normalise(parts: &mut Parts) {
    let Some(authority) = parts.uri.authority() else {
        return;
    };
    if let Ok(host) = HeaderValue::from_str(authority.as_str()) {
        parts.headers.insert(HOST, host);
    }
    if parts.version > Version::HTTP_11 {
        return; // the scheme there is the connection's
    }
    let path = parts.uri.path_and_query().map_or("/", |path| path.as_str());
    if let Ok(path) = path.parse() {
        parts.uri = path;
    }
}

/// What a request is about (RFC 9110 §7.1): the URI that the client sent, of which a router may have taken a prefix away.
pub(super) fn target(parts: &Parts) -> Target<'_> {
    let original = parts.extensions.get::<OriginalUri>();
    let uri = original.map_or(&parts.uri, |original| &original.0);
    let host = parts.headers.get(HOST).map(|host| host.as_bytes());
    Target {
        scheme: parts.uri.scheme_str().unwrap_or("http"),
        host: host.unwrap_or_default(),
        own_host: host.unwrap_or_default(),
        path: uri.path(),
        query: uri.query(),
        counted: &[],
    }
}

/// What the inner service is asked for, where that is not what the client sent: part of the key too, because both may decide
/// what it answers.
pub(super) fn rewritten(parts: &Parts) -> Option<&str> {
    let OriginalUri(original) = parts.extensions.get::<OriginalUri>()?;
    let inner = parts.uri.path_and_query().map(|path| path.as_str());
    let sent = original.path_and_query().map(|path| path.as_str());
    inner.filter(|_| inner != sent)
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
            cache.refresh(rule, &key, &parts.headers, refresh, || {
                self.ask(key.clone(), parts)
            });
        }
        let answered = cache.encode(rule, hit, &parts.method, &parts.headers).await;
        self.shared.finish(answered)
    }

    /// Asks Redis, and then the inner service.
    pub(super) async fn fetch(&self, key: Key, miss: Miss, parts: Parts) -> Response<Body> {
        let ask = Arc::new(self.ask(key, &parts));
        let cache = &self.shared.cache;
        let head = (parts.method == Method::HEAD).then(|| Box::new(parts));
        let answer = match Box::pin(cache.lookup_outer(&ask, miss)).await {
            Err(unanswered) => Err(unanswered),
            Ok(Outer::Hit(answered)) => Ok(answered),
            Ok(Outer::Miss(miss)) => match head {
                Some(parts) => Box::pin(self.head(&ask, miss, &parts)).await,
                None => cache.fetch(&ask, miss).await,
            },
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
        self.forward(miss.reason, parts, RequestBody::empty(), Some(update))
            .await
    }

    /// Calls the inner service without asking the cache.
    pub(super) async fn pass(
        &self,
        reason: Reason,
        parts: &Parts,
        content: RequestBody,
    ) -> Response<Body> {
        let answer = self.forward(reason, parts, content, None).await;
        self.finish(answer)
    }

    async fn forward(
        &self,
        reason: Reason,
        parts: &Parts,
        content: RequestBody,
        update: Option<HeadUpdate>,
    ) -> Result<Answered, Unanswered> {
        let Shared {
            cache, rule, tasks, ..
        } = &*self.shared;
        let mut request = self.origin.request(&parts.headers);
        let whom = update.as_ref().map_or(For::Client, |_| For::Cache);
        coding::forwarded(
            request.headers_mut(),
            &parts.method,
            &rule.settings.coding,
            whom,
        );
        *request.method_mut() = parts.method.clone();
        *request.body_mut() = content;
        let sending = self.origin.send(request);
        let mut response = if is_unsafe(&parts.method) {
            let names: Arc<[Box<str>]> = rule.key.host.iter().cloned().collect();
            let write = Write::new(&parts.method, &target(parts)).known_as(&names);
            let cache = cache.clone();
            // In a task of its own: a write that was carried out invalidates also when its client has left.
            let writing = tasks.spawn(async move { cache.write(write, sending, || true).await });
            let (response, _) = writing.await.map_err(|_| FetchError::Abandoned)??;
            response
        } else {
            sending.await?
        };
        cache.receive(&rule.settings, &mut response);
        if let Some(update) = update {
            cache.freshen(update, response.status(), response.headers());
        }
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
