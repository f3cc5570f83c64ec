//! What goes to the upstream without asking the cache.

use super::{content::Content, post, problem::Problem, received::Received};
use crate::{
    cache::Answered,
    message::BodyError,
    origin::{FetchError, Origin, RequestBody},
    semantics::{Decision, Reason, coding::NAMES, etag, invalidation::is_unsafe},
};
use http::{
    HeaderMap, Request,
    header::{IF_MATCH, IF_NONE_MATCH},
};
use http_body_util::BodyExt;

/// Forwards `request` with its body, and the response with its own, both as they arrive.
pub(super) async fn pass<B: Content>(
    received: &Received,
    reason: Reason,
    request: Request<B>,
) -> Result<Answered, Problem> {
    let (shared, rule) = (&received.shared, &received.route.rule);
    let (parts, content) = request.into_parts();
    let write = is_unsafe(&parts.method).then(|| received.write(&parts.method));
    let forwarding = received.forwarding();
    let mut request = forwarding.request(&parts.headers);
    *request.method_mut() = parts.method.clone();
    *request.body_mut() = body(content);
    name_what_the_origin_knows(request.headers_mut());
    let start = shared.cache.start();
    let sending = forwarding.send(request);
    let (mut response, purges) = match write {
        None => (sending.await?, 0),
        // In a task of its own: a write that reached the origin invalidates also when its client has left.
        Some(write) => {
            let cache = shared.cache.clone();
            let writing = async move { cache.write(write, sending).await };
            let task = shared.tasks.spawn(writing);
            task.await.map_err(|_| FetchError::Abandoned)??
        }
    };
    shared.cache.receive(&rule.settings, &mut response);
    if let Some(ask) = post::ask(received, &parts, &response)
        && let Some(start) = shared.cache.start_after_own(start, purges).await
    {
        return post::keep(received, ask, start, response).await;
    }
    let settings = &rule.settings;
    Ok(Answered {
        response: shared
            .cache
            .pass_on(settings, response, &parts.method, &parts.headers),
        decision: Decision::forwarded(reason),
    })
}

fn body<B: Content>(content: B) -> RequestBody {
    if content.is_end_stream() {
        RequestBody::empty()
    } else {
        RequestBody::Stream(Box::pin(content.map_err(|_| BodyError::Broken)))
    }
}

/// A tag that we gave out for a coding of ours is the origin's tag to the origin.
fn name_what_the_origin_knows(headers: &mut HeaderMap) {
    for name in [IF_MATCH, IF_NONE_MATCH] {
        if let Some(named) = etag::with_uncoded(headers, &name, &NAMES) {
            headers.insert(name, named);
        }
    }
}
