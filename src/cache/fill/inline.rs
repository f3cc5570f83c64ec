//! A fetch for a key whose last answer was for nobody else: in the task of its client, as if the cache were not asked,
//! until the answer turns out to be for others too.

use super::{Begun, Fetch};
use crate::{
    semantics::{Refusal, Storability},
    service::{
        Shared,
        upstream::{UpstreamBody, UpstreamError},
    },
};
use http::Response;

/// What came.
#[derive(Debug)]
pub(in crate::service) enum Inline {
    /// Again something that may not be stored.
    Refused(Response<UpstreamBody>, Refusal),
    /// Something that may be.
    Storable(Box<(Begun, Fetch, Response<UpstreamBody>)>),
}

/// Asks the origin. Dropping it gives the request up.
pub(in crate::service) async fn inline(
    shared: &Shared,
    fetch: Fetch,
) -> Result<Inline, UpstreamError> {
    let begun = Begun::now(shared);
    let (request, fetch, _) = fetch.ready(shared);
    let mut response = match shared.upstream.send(request).await {
        Ok(response) => response,
        Err(error) => {
            fetch.note_failure(shared, &error);
            return Err(error);
        }
    };
    shared.receive(&mut response);
    let (status, headers) = (response.status(), response.headers());
    fetch.note(shared, status, headers);
    match fetch.storability(shared, begun.request_time, status, headers) {
        Storability::Refuse(refusal) => Ok(Inline::Refused(response, refusal)),
        Storability::Store(_) => Ok(Inline::Storable(Box::new((begun, fetch, response)))),
    }
}
