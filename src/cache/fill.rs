//! One fetch for the cache: ask the origin, judge its response, and fill the store and those who read with what comes.

mod context;
mod digest;
mod finish;
mod head_update;
mod inline;
mod job;
mod lease;
mod partial;
mod request;
mod stale;
mod stored_head;
mod unkept;
mod validated;
mod whole;

#[cfg(test)]
pub(super) use self::finish::UNREAD_TIMEOUT;
pub(crate) use self::{head_update::HeadUpdate, job::FetchStart};
pub(super) use self::{
    inline::{Inline, Storable, fetch_for_this_client},
    job::Job,
    stale::stands_in,
};

use self::{
    context::Context,
    finish::{Fill, Kept},
    lease::{Guard, Lease},
    validated::Confirmed,
};
use super::{
    core::Core,
    flight::{Leader, Provenance},
    tags::OriginTags,
};
use crate::{
    message::Stream,
    semantics::{
        Refusal, Storability, fields::is_event_stream, retry_after::is_for_later,
        storability::Verdict,
    },
};
use http::{HeaderMap, Response, StatusCode};
use http_body::Body;
use std::sync::Arc;

/// Runs to its end, whoever began it. Every path ends the flight.
pub(super) async fn run(core: Arc<Core>, mut leader: Leader, mut job: Job) {
    let guard = if leader.is_shared() {
        match lease::wait(&core, &job).await {
            Lease::Ours(guard) => guard,
            Lease::FetchedElsewhere(entry) => {
                leader.close();
                return leader.stored(entry, Provenance::Replica, HeaderMap::new());
            }
        }
    } else {
        Guard::none()
    };
    // First: what is purged from here on has changed what this fetch brings, or is seen by the next line.
    let start = FetchStart::now(&core);
    job.drop_purged(&core);
    let kept = carry_out(&core, &mut leader, &job, start).await;
    drop(leader);
    guard.end(&core, &job, kept).await;
}

/// Stores a response that has already come, and ends the flight with it.
pub(super) async fn keep(core: Arc<Core>, mut leader: Leader, storable: Storable) {
    let Storable {
        job,
        start,
        response,
    } = storable;
    let cx = Context {
        core: &core,
        job: &job,
        start,
    };
    let leader = &mut leader;
    judge(&mut Fill { cx, leader }, response).await;
}

/// Asks the origin, once more where its response cannot be used, and ends the flight.
async fn carry_out(core: &Core, leader: &mut Leader, job: &Job, start: FetchStart) -> Kept {
    let prepared = request::prepare(job);
    let answer = job.ask.origin.send(prepared.request).await;
    let cx = Context { core, job, start };
    let mut fill = Fill { cx, leader };
    let mut response = match answer {
        Err(error) => return fill.failed(error),
        Ok(response) => response,
    };
    cx.receive(&mut response);
    if prepared.for_the_rest && partial::is_about_a_range(response.status()) {
        if let Some((entry, withheld)) = partial::complete(&fill, &mut response).await {
            let entry = Arc::new(entry);
            cx.insert(&entry);
            fill.stored(entry, Provenance::Origin, withheld);
            return Kept::Stored;
        }
        fill.leader.buffer().clear();
        drop(response); // with its connection: the limit may allow no second one
        return ask_again(&mut fill).await;
    }
    let may_be_another = prepared.conditional || prepared.for_the_rest;
    if may_be_another && validated::is_about_another(&cx, &response) {
        drop(response);
        return ask_again(&mut fill).await;
    }
    answered(&mut fill, response, prepared.conditional).await
}

/// Once more, for the whole and without conditions.
async fn ask_again(fill: &mut Fill<'_>) -> Kept {
    let job = fill.cx.job;
    match job.ask.origin.send(request::unconditional(job)).await {
        Err(error) => fill.failed(error),
        Ok(mut response) => {
            fill.cx.receive(&mut response);
            answered(fill, response, false).await
        }
    }
}

/// The origin has answered: with an error, a confirmation or something new.
async fn answered(fill: &mut Fill<'_>, mut response: Response<Stream>, conditional: bool) -> Kept {
    let (cx, status) = (fill.cx, response.status());
    cx.job.note(cx.core, status, response.headers());
    if stale::is_failure(status)
        && let Some(entry) = stale::on_error(&cx, false)
    {
        let provenance = Provenance::StaleIfError(Some(status));
        fill.stored(entry, provenance, HeaderMap::new());
        return Kept::Nothing;
    }
    if let (StatusCode::NOT_MODIFIED, true, Some(stored)) = (status, conditional, &cx.job.stored) {
        let tags = OriginTags::of(response.extensions_mut());
        let Confirmed {
            entry,
            provenance,
            withheld,
        } = validated::confirm(&cx, stored, response.headers(), tags);
        fill.stored(entry, provenance, withheld);
        return if provenance == Provenance::Validated {
            Kept::Stored
        } else {
            Kept::Nothing
        };
    }
    judge(fill, response).await
}

/// Stores a response, or says why not.
async fn judge(fill: &mut Fill<'_>, response: Response<Stream>) -> Kept {
    let cx = fill.cx;
    let (status, headers) = (response.status(), response.headers());
    let verdict = match cx.storability(status, headers) {
        Storability::Refuse(refusal) => {
            let serves = is_for_later(status) && stale::still_serves(&cx);
            let refusal = match refusal {
                Refusal::OneRequest if serves => Refusal::StaleServes,
                refusal => refusal,
            };
            return match for_those_who_wait(&cx, refusal, &response) {
                Some(verdict) => unkept::share(fill, response, verdict, refusal).await,
                None => fill.refuse(refusal, response),
            };
        }
        Storability::Store(verdict) => *verdict,
    };
    if let Some(refusal) = refusal_of_this_fetch(&cx, &response, &verdict) {
        return fill.refuse(refusal, response);
    }
    if cx.rule().key.no_vary_search && status.is_success() {
        cx.core.query_rules.learn(&cx.ask().key, headers);
    }
    if !cx.has_its_own_key(headers) {
        return fill.refuse(Refusal::NoVarySearch, response);
    }
    if status == StatusCode::PARTIAL_CONTENT {
        partial::store(fill, response, verdict).await
    } else {
        whole::store(fill, response, verdict).await
    }
}

/// What those who have waited may be given of a response that was refused like this.
fn for_those_who_wait(
    cx: &Context<'_>,
    refusal: Refusal,
    response: &Response<Stream>,
) -> Option<Verdict> {
    let (status, headers) = (response.status(), response.headers());
    let verdict = cx.for_those_who_wait(refusal, status, headers)?;
    let length = response.body().size_hint().exact();
    let is_whole = status != StatusCode::PARTIAL_CONTENT
        && !is_event_stream(headers)
        && length.is_none_or(|length| length <= cx.settings().max_object);
    let may_share = is_whole
        && cx.has_its_own_key(headers)
        && refusal_of_this_fetch(cx, response, &verdict).is_none();
    may_share.then_some(verdict)
}

/// Why a response that may be stored must not be, because of how it was asked for and what is stored already.
fn refusal_of_this_fetch(
    cx: &Context<'_>,
    response: &Response<Stream>,
    verdict: &Verdict,
) -> Option<Refusal> {
    let (status, headers) = (response.status(), response.headers());
    if cx.answers_a_range(status) {
        return Some(Refusal::RangeAnswer);
    }
    if is_for_later(status) && stale::still_serves(cx) {
        return Some(Refusal::StaleServes);
    }
    if cx.would_hide_variants(status, headers, verdict) {
        return Some(Refusal::HidesVariants);
    }
    (response.extensions().get() == Some(&OriginTags::Unusable)).then_some(Refusal::Tags)
}
