//! What goes to the upstream without asking the cache, and what a write invalidates when it comes back.

use super::{
    Shared,
    body::{Body, Stream},
    cache::Answered,
    coding, deliver,
    fetch::Asked,
    forward,
    rescue::Problem,
    upstream::UpstreamBody,
};
use crate::{
    semantics::{
        Decision, Outcome, Reason, directives::ResponseDirectives, invalidation::invalidates,
        key::Builder,
    },
    store::{Purge, Selector},
};
use http::{HeaderMap, Method, Request, Response};
use http_body_util::Either;
use hyper::body::Incoming;

/// Forwards `request` with its body, and the response with its own, both as they arrive.
pub(super) async fn pass(
    asked: &Asked<'_>,
    reason: Reason,
    request: Request<Incoming>,
) -> Result<Answered, Problem> {
    let shared = asked.shared;
    let authority = shared.upstream.authority();
    let headers =
        forward::request_headers(&request, &asked.target, authority, &asked.id, asked.peer);
    let invalidation = Invalidation::of(asked, &request);
    let (mut parts, body) = request.into_parts();
    let client_headers = std::mem::replace(&mut parts.headers, headers);
    parts.uri = forward::upstream_uri(&asked.target, authority);
    parts.version = http::Version::HTTP_11;
    let has_body = !http_body::Body::is_end_stream(&body);
    let method = parts.method.clone();
    let upstream = Request::from_parts(
        parts,
        if has_body {
            shared.upstream.request_body(body)
        } else {
            Either::Left(http_body_util::Empty::new())
        },
    );
    let mut response = shared.upstream.send(upstream).await?;
    forward::prepare_response(&mut response, shared.clock.now());
    if let Some(invalidation) = invalidation.filter(|_| invalidates(&method, response.status())) {
        // Before the client learns that its write succeeded: its next read must not see what was before.
        shared.store.purge(invalidation.purges).await;
    }
    let outcome = match reason {
        Reason::Disabled
        | Reason::Route
        | Reason::Token
        | Reason::Precondition
        | Reason::Method => Outcome::Bypass,
        _ => Outcome::Miss,
    };
    let response = match method == Method::HEAD {
        true => response.map(|_| Body::empty()),
        false => finish(shared, response, &client_headers),
    };
    Ok(Answered {
        response,
        decision: Decision::new(outcome, reason),
    })
}

/// The upstream's response with its body as it arrives, coded where the client likes that.
pub(super) fn finish(
    shared: &Shared,
    response: Response<UpstreamBody>,
    client: &HeaderMap,
) -> Response<Body> {
    let (parts, body) = response.into_parts();
    let stream: Stream = Box::pin(body);
    let mut response = Response::from_parts(parts, Body::empty());
    let no_transform = ResponseDirectives::of(response.headers()).no_transform;
    let coded = deliver::code_stream(shared, &mut response, client, no_transform);
    *response.body_mut() = Body::stream(if coded {
        coding::gzip_stream(stream, shared.encode.level)
    } else {
        stream
    });
    response
}

/// What a write through a route makes invalid, should it succeed.
struct Invalidation {
    purges: Vec<Purge>,
}

impl Invalidation {
    fn of<B>(asked: &Asked<'_>, request: &Request<B>) -> Option<Self> {
        if !crate::semantics::invalidation::is_unsafe(request.method()) {
            return None;
        }
        let route = &asked.shared.routes.get(asked.route).route;
        let key = Builder::new("", asked.target.host(request), asked.target.path()).build();
        let own = key.target().map(|target| Purge {
            selector: Selector::Target(target.into()),
            hard: true,
        });
        let captures = route.path.capture(asked.target.path());
        let declared = captures
            .iter()
            .flat_map(|captures| route.purge.iter().map(move |purge| purge.expand(captures)));
        Some(Self {
            purges: own.into_iter().chain(declared).collect(),
        })
    }
}
