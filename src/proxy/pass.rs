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
use http::{
    HeaderMap, HeaderValue, Method, Request, StatusCode,
    header::{MAX_FORWARDS, TRANSFER_ENCODING},
};
use http_body::Body as _;

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
    if matches!(parts.method, Method::OPTIONS | Method::TRACE) {
        one_hop_less(request.headers_mut());
    }
    let (content, whole) = content::forwarded(content);
    if !content.is_end_stream() && content.size_hint().exact().is_none() {
        // Unless it is told so, the library sends no content of unknown length with a GET.
        let chunked = HeaderValue::from_static("chunked");
        request.headers_mut().insert(TRANSFER_ENCODING, chunked);
    }
    *request.body_mut() = content;
    let whom = update.as_ref().map_or(For::Client, |_| For::Cache);
    coding::forwarded(
        request.headers_mut(),
        &parts.method,
        &rule.settings.coding,
        whom,
    );
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
            let writing = async move { cache.write(write, sending, || whole.is_sent()).await };
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

/// Counts this hop in `Max-Forwards` ([RFC 9110 §7.6.2]); what is no number is left to the next.
///
/// [RFC 9110 §7.6.2]: https://www.rfc-editor.org/rfc/rfc9110#section-7.6.2
fn one_hop_less(request: &mut HeaderMap) {
    let hops = request.get(MAX_FORWARDS);
    let hops = hops.and_then(|hops| hops.to_str().ok()?.parse::<u32>().ok());
    if let Some(left) = hops.and_then(|hops| hops.checked_sub(1)) {
        request.insert(MAX_FORWARDS, HeaderValue::from(left));
    }
}
