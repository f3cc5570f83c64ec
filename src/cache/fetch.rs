//! A miss: its own fetch, or that of another request.

mod answer;

use self::answer::{Followed, Reply};
use super::{
    answer::{Answered, Unanswered},
    ask::Ask,
    caller::Caller,
    core::Core,
    fill::{self, FetchStart, Inline, Job, Storable},
    flight::{Leader, Own, Provenance, Role},
    lookup::Miss,
    rule::Collapse,
};
use crate::{
    message::Stream,
    semantics::{Reason, Refusal, Storability, conditional::is_conditional, range::is_asked_for},
};
use http::Response;
use std::sync::Arc;

/// Whose fetch a request waits for, in the end.
enum Way {
    /// Another one's, which has answered it.
    Followed(Box<Result<Answered, Unanswered>>),
    /// Its own.
    Lead(Box<(Leader, Own)>),
}

/// Waits for the response to `ask`. Dropping the future gives the answer up, but not a fetch that was begun.
pub(super) async fn fetch(
    core: &Arc<Core>,
    ask: &Arc<Ask>,
    miss: Miss,
) -> Result<Answered, Unanswered> {
    let caller = ask.caller();
    let reply = Reply {
        core,
        ask,
        reason: miss.reason,
    };
    if let Some(answered) = stale_while_failing(&reply, &caller, &miss).await {
        return Ok(answered);
    }
    // A part is not what others wait for.
    let is_part = is_asked_for(&ask.request);
    let mut alone = ask.alone || is_part || ask.rule.collapse == Collapse::Off;
    if !is_part && let Some(last) = core.hit_for_miss.last(&caller) {
        let told = last.why.filter(|_| is_conditional(&ask.request));
        let is_recent = !alone && last.is_recent();
        if miss.stored.is_none() && (is_recent || told.is_some()) {
            return Box::pin(for_this_client(&reply, caller, miss, told)).await;
        }
        alone |= is_recent;
    }
    match lead_or_follow(&reply, &caller, alone).await {
        Way::Followed(answer) => *answer,
        Way::Lead(lead) => {
            let (leader, own) = *lead;
            let job = Job {
                ask: Arc::clone(ask),
                stored: miss.stored,
                why: miss.reason,
            };
            core.spawn(fill::run(Arc::clone(core), leader, job));
            reply.of_own(own).await
        }
    }
}

/// How often a request waits for a response that turns out to be another one's: from the first it learns what selects the
/// variants, and origins that select each by other fields are asked by each request.
const MOST_VARIANTS_WAITED_FOR: usize = 2;

/// Follows the fetch of another request, and leads where there is none, or where what it brings is not for this one.
async fn lead_or_follow(reply: &Reply<'_>, caller: &Caller, mut alone: bool) -> Way {
    let core = reply.core;
    let mut boarding = reply.boarding(caller);
    let (mut second, mut others) = (false, 0);
    loop {
        let purges = core.store.purges_seen();
        if alone {
            return Way::Lead(Box::new(core.flights.lead_alone(purges)));
        }
        match core.flights.join_or_lead(boarding.clone(), purges) {
            Role::Leader(leader, own) => return Way::Lead(Box::new((leader, own))),
            Role::Follower(flight, seat) => match reply.of_flight(&flight, seat, second).await {
                Followed::Answered(answer) => return Way::Followed(answer),
                // What it brought is not for this caller, or it broke on something in its leader's request.
                Followed::Alone => alone = true,
                Followed::Again => second = true,
                Followed::OfAnother(selecting) => {
                    core.variants.learn(caller, &selecting);
                    let known = std::mem::replace(&mut boarding, reply.boarding(caller));
                    others += 1;
                    alone = boarding == known || others > MOST_VARIANTS_WAITED_FOR;
                }
            },
        }
    }
}

/// The stored response, where the origin has just failed for this key and that is reason enough (RFC 5861 §4).
async fn stale_while_failing(reply: &Reply<'_>, caller: &Caller, miss: &Miss) -> Option<Answered> {
    let core = reply.core;
    // Whoever wants the origin's word is not spared waiting for it.
    let is_doubtful = matches!(
        miss.reason,
        Reason::Expired | Reason::Purged | Reason::PurgeGap
    );
    let stored = miss.stored.as_ref().filter(|_| is_doubtful)?;
    let is_purged_since = |number| core.store.is_purged_since(stored, number);
    let serves = core.backoff.is_failing(caller, is_purged_since)
        && fill::stands_in(core, reply.ask, stored, miss.reason, false)
        && stored.head.part.is_none();
    if !serves {
        return None;
    }
    let provenance = Provenance::StaleIfError(None);
    let mut answered = reply.of_stored(stored, provenance).await;
    answered.decision.backs_off = true;
    Some(answered)
}

/// For a key whose last response was for nobody else: without a task, and without anybody who waits. The origin is `told`
/// what the client has already where the last response was not kept, and why.
async fn for_this_client(
    reply: &Reply<'_>,
    caller: Caller,
    miss: Miss,
    told: Option<Refusal>,
) -> Result<Answered, Unanswered> {
    let core = reply.core;
    let job = Job {
        ask: Arc::clone(reply.ask),
        stored: miss.stored,
        why: miss.reason,
    };
    match fill::fetch_for_this_client(core, job, told.is_some()).await? {
        Inline::Refused(response, refusal) => {
            core.hit_for_miss.add(&caller, Some(refusal));
            Ok(reply.of_refused(response, refusal))
        }
        Inline::NotModified(response, of_the_whole) => {
            let refusal = match (of_the_whole, told) {
                (Storability::Refuse(refusal), _) => refusal,
                // Nothing in a 304 says how large the whole is; it was this one.
                (Storability::Store(_), Some(Refusal::TooLarge)) => Refusal::TooLarge,
                (Storability::Store(_), _) => {
                    core.hit_for_miss.forget(&caller); // the next one brings it, to be kept
                    return Ok(reply.of_refused(response, Refusal::Status));
                }
            };
            core.hit_for_miss.add(&caller, Some(refusal));
            Ok(reply.of_refused(response, refusal))
        }
        Inline::Unkept(response, refusal) => Ok(reply.of_refused(response, refusal)),
        Inline::Storable(storable) => store_and_answer(reply, *storable).await,
    }
}

/// Stores a response that has already come, and answers with it.
pub(super) async fn keep(
    core: &Arc<Core>,
    ask: &Arc<Ask>,
    start: FetchStart,
    response: Response<Stream>,
) -> Result<Answered, Unanswered> {
    let why = Reason::Method;
    let reply = Reply {
        core,
        ask,
        reason: why,
    };
    let job = Job {
        ask: Arc::clone(ask),
        stored: None,
        why,
    };
    let storable = Storable {
        job,
        start,
        response,
    };
    store_and_answer(&reply, storable).await
}

async fn store_and_answer(reply: &Reply<'_>, storable: Storable) -> Result<Answered, Unanswered> {
    let core = reply.core;
    let (leader, own) = core.flights.lead_alone(core.store.purges_seen());
    core.spawn(fill::keep(Arc::clone(core), leader, storable));
    reply.of_own(own).await
}
