//! One fetch for the cache: ask the origin, decide, and fill store and readers with what comes.

mod freshening;
mod head;
mod inline;
mod partial;

pub(super) use self::{
    freshening::Freshening,
    inline::{Inline, inline},
};

use self::head::{generated_etag, is_event_stream};
use super::{
    Shared,
    body::BodyError,
    flight::{Departure, Fetched, Landing, Overflow},
    lease::{self, Held, Turn},
    route::{Compiled, RouteId},
    search::may_store,
    tags::OriginTags,
    upstream::{RequestBody, UpstreamBody, UpstreamError},
};
use crate::{
    semantics::{
        Key, Refusal, Storability, StoredHead,
        range::is_asked_for,
        retry_after::{is_for_later, retry_after},
        reuse::{may_serve_disconnected, may_serve_on_error},
        storability::{Exchange, Verdict, storability},
        validation,
    },
    store::{Entry, Position},
};
use http::{
    HeaderMap, HeaderValue, Method, Request, Response, StatusCode,
    header::{ACCEPT_ENCODING, CONTENT_LENGTH, ETAG},
};
use http_body::Body;
use http_body_util::BodyExt;
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::{Duration, SystemTime},
};

/// A body that is at most this long is waited for, so that its first answer has an `ETag` and its coding too, in bytes.
const AT_HAND: u64 = 64 << 10;

/// For how long it is waited for.
const AT_HAND_PATIENCE: Duration = Duration::from_millis(50);

/// What is fetched.
#[derive(Debug)]
pub(super) struct Fetch {
    pub(super) key: Key,
    pub(super) route: RouteId,
    /// What goes upstream, still with the client's preconditions.
    pub(super) request: Request<RequestBody>,
    /// What the client sent: later requests are compared with it.
    pub(super) asked: HeaderMap,
    /// The host and the path of the target, for tags.
    pub(super) host: Vec<u8>,
    pub(super) path: String,
    /// What is stored and may be confirmed, or served if the origin fails.
    pub(super) stored: Option<Arc<Entry>>,
    /// The caller may get an answer of his own: it says nothing about what is stored for others.
    pub(super) private: bool,
    /// The query as received: not all of it may be in the key.
    pub(super) query: Option<String>,
    /// What is stored is fresh, and asked about only because a purge may have been missed.
    pub(super) only_in_doubt: bool,
}

/// The moment before a request leaves: whatever is purged from then on may have changed its answer.
#[derive(Clone, Copy, Debug)]
pub(super) struct Begun {
    position: Position,
    request_time: SystemTime,
}

impl Begun {
    pub(super) fn now(shared: &Shared) -> Self {
        Self {
            position: shared.store.position(),
            request_time: shared.clock.now(),
        }
    }

    /// For what a write itself brought: after the `own` purges that it caused. `None` where there may have been others.
    pub(super) async fn after_own(self, shared: &Shared, own: usize) -> Option<Self> {
        let position = shared.store.position_after_own(self.position, own).await?;
        Some(Self { position, ..self })
    }
}

/// Runs to its end, whoever began it. Every path lands the flight.
pub(super) async fn run(shared: Arc<Shared>, departure: Departure, fetch: Fetch) {
    let held = match departure.is_shared() {
        true => match lease::wait(&shared, &fetch).await {
            Turn::Fetch(held) => held,
            Turn::Elsewhere(entry) => {
                departure.close();
                let landing = Landing::Stored(entry, Fetched::Elsewhere);
                return departure.flight.land(landing);
            }
        },
        false => Held::none(),
    };
    let (fetch, kept) = carry_out(&shared, &departure, fetch).await;
    held.end(&shared, &fetch, kept).await;
}

/// Asks the origin and lands the flight. Returns whether something was stored.
async fn carry_out(shared: &Arc<Shared>, departure: &Departure, fetch: Fetch) -> (Fetch, bool) {
    let (request, fetch, conditional) = fetch.ready(shared);
    let is_rest = partial::is_rest(&request, &fetch);
    let again = (is_rest || conditional)
        .then(|| partial::unconditional(&request))
        .flatten();
    let begun = Begun::now(shared);
    let answer = shared.upstream.send(request).await;
    let filling = Filling {
        shared,
        departure,
        fetch: &fetch,
        begun,
        kept: AtomicBool::new(false),
    };
    match (answer, again) {
        (Err(error), _) => filling.failed(error),
        (Ok(response), Some(again)) if is_rest && partial::is_about_a_range(response.status()) => {
            filling.completed(response, again).await;
        }
        (Ok(response), Some(again)) if filling.is_about_another(&response) => {
            drop(response);
            filling.ask_again(again).await;
        }
        (Ok(response), _) => filling.answered(response, conditional).await,
    }
    let kept = filling.kept.into_inner();
    (fetch, kept)
}

/// Keeps an answer that has already come, and lands the flight with it.
pub(super) async fn keep(
    shared: Arc<Shared>,
    departure: Departure,
    begun: Begun,
    fetch: Fetch,
    response: Response<UpstreamBody>,
) {
    let filling = Filling {
        shared: &shared,
        departure: &departure,
        fetch: &fetch,
        begun,
        kept: AtomicBool::new(false),
    };
    filling.judge(response).await;
}

impl Fetch {
    /// The request as it goes upstream, beside the rest; whether a 304 may be its answer.
    fn ready(mut self, shared: &Shared) -> (Request<RequestBody>, Self, bool) {
        let headers = self.request.headers_mut();
        if shared.encode.enabled {
            headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity")); // one body serves all codings
        }
        let conditional = partial::ask(headers, &self.asked, self.stored.as_deref());
        let empty = Request::new(RequestBody::Left(http_body_util::Full::default()));
        let request = std::mem::replace(&mut self.request, empty);
        (request, self, conditional)
    }

    /// Whether an answer to it may be stored.
    fn storability(
        &self,
        shared: &Shared,
        request_time: SystemTime,
        status: StatusCode,
        headers: &HeaderMap,
    ) -> Storability {
        let exchange = Exchange {
            method: &Method::GET,
            request: &self.asked,
            status,
            response: headers,
            request_time,
            response_time: shared.clock.now(),
        };
        storability(&exchange, &shared.routes.get(self.route).route.policy)
    }

    /// Remembers whether the origin could answer.
    fn note(&self, shared: &Shared, status: StatusCode, headers: &HeaderMap) {
        match is_for_later(status) {
            true => {
                let wish = retry_after(headers, shared.clock.now());
                shared.refresher.failed(&self.key, wish);
            }
            false => shared.refresher.answered(&self.key),
        }
    }

    /// Remembers that it could not.
    fn note_failure(&self, shared: &Shared, error: &UpstreamError) {
        if error.is_of_the_upstream() {
            shared.refresher.failed(&self.key, None);
        }
    }
}

struct Filling<'a> {
    shared: &'a Shared,
    departure: &'a Departure,
    fetch: &'a Fetch,
    begun: Begun,
    /// Whether something was stored.
    kept: AtomicBool,
}

impl Filling<'_> {
    fn route(&self) -> &Compiled {
        self.shared.routes.get(self.fetch.route)
    }

    fn insert(&self, entry: &Arc<Entry>) {
        self.kept.store(true, Relaxed);
        self.shared.store.insert(entry);
    }

    fn land(&self, landing: Landing) {
        self.departure.flight.land(landing);
    }

    /// What is stored, where it may be served although the origin failed. Asked anew: it may have been purged meanwhile.
    fn stale_on_error(&self, disconnected: bool) -> Option<Arc<Entry>> {
        let entry = self.fetch.stored.as_ref()?;
        let freshness = &entry.head.freshness;
        let now = self.shared.clock.now();
        let allowed = may_serve_on_error(freshness, now)
            || (self.fetch.only_in_doubt && freshness.is_fresh(now))
            || (disconnected && may_serve_disconnected(freshness, &self.route().route.policy, now));
        let usable =
            partial::is_enough(entry, &self.fetch.asked) && self.shared.store.is_usable(entry);
        (allowed && usable).then(|| Arc::clone(entry))
    }

    fn failed(&self, error: UpstreamError) {
        self.departure.close();
        self.fetch.note_failure(self.shared, &error);
        match self.stale_on_error(true) {
            Some(entry) => self.land(Landing::Stored(entry, Fetched::StaleOnError(None))),
            None => self.land(Landing::Failed(error)),
        }
    }

    async fn answered(&self, mut response: Response<UpstreamBody>, conditional: bool) {
        self.shared.receive(&mut response);
        let status = response.status();
        self.fetch.note(self.shared, status, response.headers());
        if is_failure(status)
            && let Some(entry) = self.stale_on_error(false)
        {
            self.departure.close();
            return self.land(Landing::Stored(entry, Fetched::StaleOnError(Some(status))));
        }
        if let (StatusCode::NOT_MODIFIED, true, Some(stored)) =
            (status, conditional, &self.fetch.stored)
        {
            let tags = OriginTags::of(response.extensions_mut());
            return self.confirmed(stored, response.headers(), tags);
        }
        self.judge(response).await;
    }

    /// A 304 with another strong tag than what is stored confirms something that this cache does not have
    /// ([RFC 9111 §4.3.4]).
    ///
    /// [RFC 9111 §4.3.4]: https://www.rfc-editor.org/rfc/rfc9111#section-4.3.4
    fn is_about_another(&self, response: &Response<UpstreamBody>) -> bool {
        let stored = self.fetch.stored.as_ref();
        response.status() == StatusCode::NOT_MODIFIED
            && stored
                .is_some_and(|stored| validation::is_of_another(&stored.head, response.headers()))
    }

    /// Once more, for the whole and without conditions.
    async fn ask_again(&self, again: Request<RequestBody>) {
        match self.shared.upstream.send(again).await {
            Err(error) => self.failed(error),
            Ok(response) => self.answered(response, false).await,
        }
    }

    async fn judge(&self, response: Response<UpstreamBody>) {
        let (status, headers) = (response.status(), response.headers());
        match self.storability(status, headers) {
            Storability::Refuse(refusal) => self.refuse(refusal, response),
            Storability::Store(_) if self.answers_a_range(status) => {
                self.refuse(Refusal::Status, response);
            }
            Storability::Store(_) if response.extensions().get() == Some(&OriginTags::Unusable) => {
                self.refuse(Refusal::Tags, response);
            }
            Storability::Store(verdict) => {
                if self.route().route.key.no_vary_search && status.is_success() {
                    self.shared.searches.learn(&self.fetch.key, headers);
                }
                match self.has_its_own_key(headers) {
                    true => self.store(response, *verdict).await,
                    false => self.refuse(Refusal::Search, response),
                }
            }
        }
    }

    /// Neither the whole nor a part, and perhaps so because a part was asked for.
    fn answers_a_range(&self, status: StatusCode) -> bool {
        is_asked_for(&self.fetch.asked)
            && !matches!(status, StatusCode::OK | StatusCode::PARTIAL_CONTENT)
    }

    /// Whether the key was made by the rule of this response, not only of an earlier one.
    fn has_its_own_key(&self, headers: &HeaderMap) -> bool {
        !self.route().route.key.no_vary_search
            || may_store(&self.fetch.key, self.fetch.query.as_deref(), headers)
    }

    fn storability(&self, status: StatusCode, headers: &HeaderMap) -> Storability {
        let request_time = self.begun.request_time;
        self.fetch
            .storability(self.shared, request_time, status, headers)
    }

    fn refuse(&self, refusal: Refusal, response: Response<UpstreamBody>) {
        self.departure.close_as_uncacheable();
        if let Some(stored) = self
            .fetch
            .stored
            .as_ref()
            .filter(|_| !self.fetch.private && !is_for_later(response.status()))
        {
            self.shared.store.forget(stored); // the origin has answered anew: what was stored is superseded
        }
        self.departure.flight.refuse(refusal, response);
    }

    /// The origin confirmed what is stored (RFC 9111 §4.3.4).
    fn confirmed(&self, stored: &Arc<Entry>, not_modified: &HeaderMap, tags: OriginTags) {
        let headers = validation::freshened(&stored.head, not_modified);
        let mut fetched = Fetched::Confirmed;
        let storability = self.storability(stored.head.status, &headers);
        let entry = match (storability, tags.or(&stored.head.tags)) {
            (Storability::Store(verdict), Some(tags)) if self.has_its_own_key(&headers) => {
                let mut head = self.head(stored.head.status, headers, *verdict, tags);
                head.generated_etag = stored.head.generated_etag;
                head.part = stored.head.part;
                let entry = Arc::new(stored.freshened(head, self.begun.position));
                self.insert(&entry);
                entry
            }
            (Storability::Store(_) | Storability::Refuse(_), _) => {
                fetched = Fetched::ConfirmedOnce;
                self.shared.store.forget(stored);
                let mut head = StoredHead {
                    headers,
                    ..stored.head.clone()
                };
                head.freshness.validate_always = true;
                Arc::new(stored.freshened(head, self.begun.position))
            }
        };
        self.departure.close();
        self.land(Landing::Stored(entry, fetched));
    }

    async fn store(&self, response: Response<UpstreamBody>, verdict: Verdict) {
        if response.status() == StatusCode::PARTIAL_CONTENT {
            return self.store_part(response, verdict).await;
        }
        if is_event_stream(response.headers()) {
            return self.refuse(Refusal::Endless, response); // it would be collected for as long as it lasts
        }
        let max = self.shared.settings.max_object;
        let length = response.body().size_hint().exact();
        if length.is_some_and(|length| length > max) {
            return self.refuse(Refusal::TooLarge, response);
        }
        let (mut parts, mut body) = response.into_parts();
        let tags = OriginTags::of(&mut parts.extensions)
            .alone()
            .unwrap_or_default();
        let head = self.head(parts.status, parts.headers, verdict, tags);
        if length.is_some_and(|length| length <= AT_HAND) {
            let collected = tokio::time::timeout(AT_HAND_PATIENCE, self.collect(&mut body)).await;
            if let Ok(Ok(Collected::Whole)) = collected {
                let entry = self.keep(head);
                return self.land(Landing::Stored(entry, Fetched::New));
            }
            if let Ok(Err(error)) = collected {
                self.broken(error.clone());
                return self.failed(UpstreamError::Broken(Arc::new(error))); // nothing was sent to anyone yet
            }
        }
        self.land(Landing::Streaming(Arc::new(head.clone())));
        match self.collect(&mut body).await {
            Ok(Collected::Whole) => drop(self.keep(head)),
            Ok(Collected::TooLarge) => self.pass_on(body).await,
            Err(error) => self.broken(error),
        }
    }

    /// Reads into the buffer until the end or the limit. Cancel safe: what was read is in the buffer.
    async fn collect(&self, body: &mut UpstreamBody) -> Result<Collected, BodyError> {
        while let Some(frame) = body.frame().await {
            let Ok(data) = frame?.into_data() else {
                continue;
            };
            if self
                .departure
                .flight
                .buffer
                .collect(data, self.shared.settings.max_object)
                == Err(Overflow)
            {
                return Ok(Collected::TooLarge);
            }
        }
        Ok(Collected::Whole)
    }

    /// Puts the whole response into the store, and only then lets the readers come to its end.
    fn keep(&self, mut head: StoredHead) -> Arc<Entry> {
        let body = self.departure.flight.buffer.whole();
        if head.status == StatusCode::OK && !head.headers.contains_key(ETAG) {
            head.headers.insert(ETAG, generated_etag(&body));
            head.generated_etag = true;
        }
        if !head.headers.contains_key(CONTENT_LENGTH) && head.status != StatusCode::NO_CONTENT {
            head.headers
                .insert(CONTENT_LENGTH, HeaderValue::from(body.len()));
        }
        let entry = Arc::new(Entry::new(
            self.fetch.key.clone(),
            head,
            body,
            self.begun.position,
        ));
        self.insert(&entry);
        self.departure.close();
        self.departure.flight.buffer.end(Ok(()));
        entry
    }

    fn broken(&self, error: BodyError) {
        self.shared.metrics.refused(Refusal::Incomplete);
        self.departure.close();
        self.departure.flight.buffer.end(Err(error));
    }

    /// Larger than may be stored, as it turned out: whoever reads gets the rest, with back-pressure.
    async fn pass_on(&self, mut body: UpstreamBody) {
        self.shared.metrics.refused(Refusal::TooLarge);
        self.departure.close_as_uncacheable();
        let buffer = &self.departure.flight.buffer;
        buffer.stop_collecting();
        while buffer.room().await {
            match body.frame().await {
                Some(Ok(frame)) => {
                    if let Ok(data) = frame.into_data() {
                        buffer.pass(data);
                    }
                }
                Some(Err(error)) => return buffer.end(Err(error)),
                None => return buffer.end(Ok(())),
            }
        }
    }
}

enum Collected {
    Whole,
    TooLarge,
}

/// The statuses that `stale-if-error` speaks of ([RFC 5861 §4]).
///
/// [RFC 5861 §4]: https://www.rfc-editor.org/rfc/rfc5861#section-4
fn is_failure(status: StatusCode) -> bool {
    matches!(status.as_u16(), 500 | 502 | 503 | 504)
}
