//! What goes to the upstream without asking the cache.

use super::{
    content::{self, Content},
    post,
    problem::Problem,
    received::Received,
    tunnel,
};
use crate::{
    cache::{
        Answered, HeadUpdate,
        coding::{self, For},
    },
    origin::{FetchError, Origin},
    semantics::{Decision, Reason, invalidation::is_unsafe},
};
use http::{Request, StatusCode};

/// Forwards `request` with its body, and the response with its own, both as they arrive. A HEAD that may `update` what is stored
/// asks for what the cache would ask for.
pub(super) async fn pass<B: Content>(
    received: &Received,
    reason: Reason,
    mut request: Request<B>,
    update: Option<HeadUpdate>,
) -> Result<Answered, Problem> {
    let (shared, rule) = (&received.shared, &received.route.rule);
    let client = hyper::upgrade::on(&mut request);
    let (parts, content) = request.into_parts();
    let write = is_unsafe(&parts.method).then(|| received.write(&parts.method));
    let forwarding = received.forwarding();
    let mut request = forwarding.request(&parts.headers);
    *request.method_mut() = parts.method.clone();
    *request.body_mut() = content::forwarded(content);
    let whom = update.as_ref().map_or(For::Client, |_| For::Cache);
    coding::forwarded(request.headers_mut(), &rule.settings.coding, whom);
    let settings = &received.live.settings;
    let protocol = received
        .target
        .upgrade(&settings.upgrade)
        .filter(|_| reason == Reason::Upgrade);
    if let Some(protocol) = protocol {
        tunnel::ask(request.headers_mut(), protocol);
    }
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
    if let Some(protocol) = protocol
        && response.status() == StatusCode::SWITCHING_PROTOCOLS
    {
        return Ok(tunnel::open(received, client, protocol, response));
    }
    shared.cache.receive(&rule.settings, &mut response);
    if let Some(update) = update {
        shared
            .cache
            .freshen(update, response.status(), response.headers());
    }
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
