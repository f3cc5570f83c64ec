//! One fetch for the cache: ask the origin, decide, and fill store and readers with what comes.

#[path = "fill/job.rs"]
mod asked;
#[path = "fill/head_update.rs"]
mod freshening;
#[path = "fill/stored_head.rs"]
mod head;
#[path = "fill/inline.rs"]
mod inline;
#[path = "fill/partial.rs"]
mod partial;

pub(super) use self::{
    asked::{Begun, Fetch},
    freshening::Freshening,
    inline::{Inline, inline},
};

use self::head::{generated_etag, is_event_stream};
use super::{
    Shared,
    body::BodyError,
    flight::{Departure, Fetched, Landing, Overflow},
    lease::{self, Held, Turn},
    route::Compiled,
    search::may_store,
    tags::OriginTags,
    upstream::{RequestBody, UpstreamBody, UpstreamError},
};
use crate::{
    semantics::{
        Refusal, Storability, StoredHead,
        policy::is_about_one_request,
        range::is_asked_for,
        retry_after::is_for_later,
        reuse::{may_serve_disconnected, may_serve_on_error},
        storability::Verdict,
        validation,
    },
    store::Entry,
};
use http::{
    HeaderMap, HeaderValue, Request, Response, StatusCode,
    header::{CONTENT_LENGTH, ETAG, VARY},
};
use http_body::Body;
use http_body_util::BodyExt;
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::Duration,
};

/// A body that is at most this long is waited for, so that its first answer has an `ETag` and its coding too, in bytes.
const AT_HAND: u64 = 64 << 10;

/// For how long it is waited for.
const AT_HAND_PATIENCE: Duration = Duration::from_millis(50);

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
    let begun = Begun::now(shared);
    let (request, fetch, conditional) = fetch.ready(shared);
    let is_rest = partial::is_rest(&request, &fetch);
    let again = (is_rest || conditional)
        .then(|| partial::unconditional(&request))
        .flatten();
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
        let purged = self.shared.store.standing(entry, now)?.stale_for();
        let allowed = may_serve_on_error(freshness, purged, now)
            || (self.fetch.only_in_doubt && freshness.is_fresh(now))
            || (disconnected
                && may_serve_disconnected(freshness, purged, &self.route().route.policy, now));
        let enough = partial::is_enough(entry, &self.fetch.asked);
        (allowed && enough).then(|| Arc::clone(entry))
    }

    /// Whether what is stored still serves others while the origin cannot answer: then an error does not take its place,
    /// however long errors may be kept.
    fn still_serves(&self) -> bool {
        let now = self.shared.clock.now();
        self.fetch.stored.as_ref().is_some_and(|entry| {
            let freshness = &entry.head.freshness;
            let standing = self.shared.store.standing(entry, now);
            let purged = standing.map(|standing| standing.stale_for());
            let stale =
                purged.map(|purged| freshness.staleness(now).max(purged.unwrap_or_default()));
            let window = freshness.while_revalidate.max(freshness.if_error);
            stale.is_some_and(|stale| stale <= window)
        })
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
            Storability::Store(_)
                if self.answers_a_range(status)
                    || (is_for_later(status) && self.still_serves())
                    || self.would_hide_variants(status, headers) =>
            {
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

    /// An error that does not say by which fields it was selected would be selected by every request.
    fn would_hide_variants(&self, status: StatusCode, headers: &HeaderMap) -> bool {
        let is_error = status.is_client_error() || status.is_server_error();
        self.fetch.has_variants && is_error && !headers.contains_key(VARY)
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
        if is_about_one_request(response.status()) {
            // It says nothing of what others get.
            self.departure.close();
            return self.departure.flight.refuse(refusal, response);
        }
        self.departure.close_as_uncacheable();
        if self.fetch.private && self.fetch.stored.is_some() {
            // It stays for others; this caller's next stale answer need not try to refresh it at once.
            self.shared.refresher.declined(&self.fetch.party(), None);
        }
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
                if !self.fetch.private {
                    self.shared.store.forget(stored);
                }
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
        self.close_behind(&entry);
        self.departure.flight.buffer.end(Ok(()));
        entry
    }

    /// Nobody joins from now on; and nobody waits for the next one where each has to ask for himself in any case.
    fn close_behind(&self, entry: &Entry) {
        let freshness = &entry.head.freshness;
        match freshness.is_fresh(freshness.response_time) {
            true => self.departure.close(),
            false => self.departure.close_as_uncacheable(),
        }
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
