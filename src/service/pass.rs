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
        Decision, Outcome, Reason,
        directives::ResponseDirectives,
        invalidation::{
            CACHE_GROUP_INVALIDATION, group_tag, groups, invalidates, is_unsafe, named_paths,
        },
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
    let write = Write::of(asked, &request);
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
    if let Some(write) = write.filter(|_| invalidates(&method, response.status())) {
        // Before the client learns that its write succeeded: its next read must not see what was before.
        shared
            .store
            .purge(write.purges(asked, response.headers()))
            .await;
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

/// A write, as far as it matters for what it makes invalid.
struct Write {
    host: Vec<u8>,
}

impl Write {
    fn of<B>(asked: &Asked<'_>, request: &Request<B>) -> Option<Self> {
        is_unsafe(request.method()).then(|| Self {
            host: asked.target.host(request).to_vec(),
        })
    }

    /// Its own URI and those that its answer names, hard; the groups that its answer names; what its route declares.
    fn purges(&self, asked: &Asked<'_>, response: &HeaderMap) -> Vec<Purge> {
        let (route, path) = (
            &asked.shared.routes.get(asked.route).route,
            asked.target.path(),
        );
        let target = |path: &str| {
            let key = Builder::new("", &self.host, path).build();
            let target = key.target().map(|target| Selector::Target(target.into()));
            target.map(|selector| Purge {
                selector,
                hard: true,
            })
        };
        let named = named_paths(response, &self.host, path);
        let uris = std::iter::once(path)
            .chain(named.iter().map(String::as_str))
            .filter_map(target);
        let groups = groups(response, &CACHE_GROUP_INVALIDATION)
            .into_iter()
            .map(|group| Purge {
                selector: Selector::Tag(group_tag(&self.host, &group)),
                hard: true,
            });
        let captures = route.path.capture(path);
        let declared = captures
            .iter()
            .flat_map(|captures| route.purge.iter().map(move |purge| purge.expand(captures)));
        uris.chain(groups).chain(declared).collect()
    }
}
