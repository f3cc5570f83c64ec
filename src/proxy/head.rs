//! A HEAD that memory cannot answer.

use super::{content::Content, pass::pass, problem::Problem, received::Received};
use crate::{
    cache::{Answered, HeadUpdate, Miss, Outer},
    semantics::Key,
};
use http::Request;
use std::sync::Arc;

/// Asks Redis, and passes the request on: there is no body to store, but the stored response may be freshened by it
/// ([RFC 9111 §4.3.5]).
///
/// [RFC 9111 §4.3.5]: https://www.rfc-editor.org/rfc/rfc9111#section-4.3.5
pub(super) async fn answer<B: Content>(
    received: &Received,
    key: Key,
    miss: Miss,
    request: Request<B>,
) -> Result<Answered, Problem> {
    let cache = &received.shared.cache;
    let ask = Arc::new(received.ask(key, request.method(), request.headers(), None));
    let miss = match cache.lookup_outer(&ask, miss).await? {
        Outer::Hit(answered) => return Ok(answered),
        Outer::Miss(miss) => miss,
    };
    let update = HeadUpdate::new(&ask, miss.stored, cache.start());
    pass(received, miss.reason, request, Some(update)).await
}
