//! What every step of a fill reads, and what several of them do. Nothing here speaks to those who wait.

use super::job::{FetchStart, Job};
use crate::{
    cache::{
        ask::Ask,
        core::Core,
        query_rules::may_store,
        rule::{Rule, Settings},
        tags,
    },
    clock::Times,
    message::Stream,
    semantics::{
        Coding, Refusal, Reuse, Storability,
        accept_encoding::preferred,
        freshness::Source,
        range::is_asked_for,
        reuse::reuse,
        sharing::Carried,
        storability::{Exchange, Verdict, for_those_who_wait, storability},
        vary::Selects,
    },
    store::{self, Entry},
};
use http::{
    HeaderMap, Method, Response, StatusCode,
    header::{ACCEPT_ENCODING, VARY},
};
use std::sync::Arc;

#[derive(Clone, Copy, Debug)]
pub(super) struct Context<'a> {
    pub(super) core: &'a Core,
    pub(super) job: &'a Job,
    pub(super) start: FetchStart,
}

impl<'a> Context<'a> {
    pub(super) fn ask(&self) -> &'a Ask {
        &self.job.ask
    }

    pub(super) fn rule(&self) -> &'a Rule {
        &self.job.ask.rule
    }

    pub(super) fn settings(&self) -> &'a Settings {
        &self.job.ask.rule.settings
    }

    /// What every response of the origin goes through first: its tags are for this cache.
    pub(super) fn receive(&self, response: &mut Response<Stream>) {
        tags::take(response, &self.settings().tags);
    }

    /// Whether a response with this head may be stored ([RFC 9111 §3]).
    ///
    /// [RFC 9111 §3]: https://www.rfc-editor.org/rfc/rfc9111#section-3
    pub(super) fn storability(&self, status: StatusCode, headers: &HeaderMap) -> Storability {
        let mut storability = storability(&self.exchange(status, headers), &self.rule().policy);
        if let Storability::Store(verdict) = &mut storability {
            if let Some(refusal) = self.closes_windows(verdict) {
                return Storability::Refuse(refusal);
            }
            self.settle_coding(verdict, status);
        }
        storability
    }

    /// Why what was made for a caller with credentials is not stored in the place of what the others may still get in a stale
    /// window: it would have none.
    fn closes_windows(&self, verdict: &Verdict) -> Option<Refusal> {
        let (policy, stored) = (&self.rule().policy, self.job.stored.as_ref()?);
        let now = self.core.clock.now();
        let would = verdict.freshness.source == Source::StaleAtOnce
            && (stored.head.freshness).is_in_a_window_of_strangers(policy.stale_on_disconnect, now);
        let refusal = Carried::of(&self.ask().request, policy).refusal();
        refusal.filter(|_| would)
    }

    /// What those who have waited may be given of a response that was refused like this, as far as it alone says.
    pub(super) fn for_those_who_wait(
        &self,
        refusal: Refusal,
        status: StatusCode,
        headers: &HeaderMap,
    ) -> Option<Verdict> {
        if !matches!(refusal, Refusal::NoLifetime | Refusal::Aged) {
            return None;
        }
        let exchange = self.exchange(status, headers);
        let mut verdict = for_those_who_wait(&exchange, &self.rule().policy)?;
        self.settle_coding(&mut verdict, status);
        Some(verdict)
    }

    fn exchange<'e>(&'e self, status: StatusCode, headers: &'e HeaderMap) -> Exchange<'e> {
        let Times { now, wall } = self.core.clock.times();
        let method = &self.ask().method;
        Exchange {
            // All but a POST ask what a GET would.
            method: if *method == Method::POST {
                method
            } else {
                &Method::GET
            },
            request: &self.ask().request,
            status,
            response: headers,
            request_time: self.start.request_time,
            response_time: now,
            wall,
            veil: self.core.store.secret(),
        }
    }

    /// Whether what the client accepts selected the response, which its fields do not always say.
    fn settle_coding(&self, verdict: &mut Verdict, status: StatusCode) {
        let request = &self.ask().request;
        let selecting = &mut verdict.selecting;
        // Who asks for a part asks for one of identity.
        let is_part = status == StatusCode::PARTIAL_CONTENT;
        if self.ask().asks_for_identity {
            *selecting = std::mem::take(selecting).without(&ACCEPT_ENCODING); // ours, and always the same
        } else if !self.settings().coding.enabled
            && !is_part
            && preferred(request, &Coding::ALL).is_none()
        {
            // What comes uncoded to who accepts no coding says nothing of what others would get.
            let selects = Selects::new(request, self.core.store.secret());
            *selecting = std::mem::take(selecting).and(ACCEPT_ENCODING, &selects);
        }
    }

    /// Whether the key was made by the rule of this response, not only of an earlier one (`No-Vary-Search`).
    pub(super) fn has_its_own_key(&self, headers: &HeaderMap) -> bool {
        let ask = self.ask();
        !ask.rule.key.no_vary_search || may_store(&ask.key, ask.query.as_deref(), headers)
    }

    /// An error that does not say by which fields it was selected would be selected by every request ([RFC 9111 §4.1]).
    ///
    /// [RFC 9111 §4.1]: https://www.rfc-editor.org/rfc/rfc9111#section-4.1
    pub(super) fn would_hide_variants(
        &self,
        status: StatusCode,
        headers: &HeaderMap,
        verdict: &Verdict,
    ) -> bool {
        let is_error = status.is_client_error() || status.is_server_error();
        let says = headers.contains_key(VARY) || !verdict.selecting.is_empty();
        is_error && self.job.saw_variants() && !says
    }

    /// Neither the whole nor a part, and perhaps so because a part was asked for.
    pub(super) fn answers_a_range(&self, status: StatusCode) -> bool {
        is_asked_for(&self.ask().request)
            && !matches!(status, StatusCode::OK | StatusCode::PARTIAL_CONTENT)
    }

    /// What is stored in memory and would serve this request, which others may have brought since it began.
    pub(super) fn stored_by_now(&self) -> Option<Arc<Entry>> {
        let (ask, store, now) = (self.ask(), &self.core.store, self.core.clock.now());
        let store::Lookup::Hit(found) = store.lookup_memory(&ask.key, &ask.request, now) else {
            return None;
        };
        let (head, policy) = (&found.entry.head, &ask.rule.policy);
        let verdict = reuse(head, &ask.request, policy, found.standing, now);
        (verdict == Reuse::Serve).then_some(found.entry)
    }

    /// Whether the origin has answered this request otherwise since `stored` came.
    pub(super) fn is_superseded(&self, stored: &Arc<Entry>) -> bool {
        let came = |entry: &Entry| entry.head.freshness.response_time;
        self.stored_by_now()
            .is_some_and(|by_now| !Arc::ptr_eq(&by_now, stored) && came(&by_now) > came(stored))
    }

    pub(super) fn insert(&self, entry: &Arc<Entry>) {
        self.core.store.insert(entry);
    }

    /// The stored response is superseded: the origin has answered otherwise since.
    pub(super) fn forget(&self, stored: &Arc<Entry>) {
        self.core.store.forget(stored);
    }
}
