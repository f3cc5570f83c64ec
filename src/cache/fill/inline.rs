//! A fetch for a key whose last response was for nobody else: in the task of its client, as if the cache were not asked,
//! until the response turns out to be for others too.

use super::{
    context::Context,
    job::{FetchStart, Job},
    request,
};
use crate::{
    cache::{coding, core::Core},
    message::Stream,
    origin::FetchError,
    semantics::{Refusal, Storability},
};
use http::{Response, StatusCode};

/// What came.
pub(in crate::cache) enum Inline {
    /// Again something that may not be stored.
    Refused(Response<Stream>, Refusal),
    /// Something that others might have shared, had they waited for it.
    Unkept(Response<Stream>, Refusal),
    /// Something that may be.
    Storable(Box<Storable>),
    /// The client has it already.
    NotModified(Response<Stream>, Storability),
}

/// A response that has come and has a fill to begin.
pub(in crate::cache) struct Storable {
    pub(in crate::cache) job: Job,
    pub(in crate::cache) start: FetchStart,
    pub(in crate::cache) response: Response<Stream>,
}

/// Asks the origin, and says what the client has already where that is `told`. Dropping it gives the request up.
pub(in crate::cache) async fn fetch_for_this_client(
    core: &Core,
    job: Job,
    told: bool,
) -> Result<Inline, FetchError> {
    let start = FetchStart::now(core);
    let mut request = request::prepare(&job).request;
    if told {
        let (asked, settings) = (&job.ask.request, &job.ask.rule.settings.coding);
        coding::say_what_the_client_has(request.headers_mut(), asked, settings);
    }
    let mut response = match job.ask.origin.send(request).await {
        Ok(response) => response,
        Err(error) => {
            job.note_failure(core, &error);
            return Err(error);
        }
    };
    let cx = Context {
        core,
        job: &job,
        start,
    };
    cx.receive(&mut response);
    let (status, headers) = (response.status(), response.headers());
    job.note(core, status, headers);
    if told && status == StatusCode::NOT_MODIFIED {
        // It has the fields by which the whole would be judged (RFC 9110 §15.4.5).
        let of_the_whole = cx.storability(StatusCode::OK, headers);
        return Ok(Inline::NotModified(response, of_the_whole));
    }
    match cx.storability(status, headers) {
        Storability::Refuse(refusal) => {
            let might_be_shared = cx.for_those_who_wait(refusal, status, headers).is_some();
            Ok(if might_be_shared {
                Inline::Unkept(response, refusal)
            } else {
                Inline::Refused(response, refusal)
            })
        }
        Storability::Store(_) => Ok(Inline::Storable(Box::new(Storable {
            job,
            start,
            response,
        }))),
    }
}
