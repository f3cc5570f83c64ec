//! What goes to the upstream without asking the cache, and what a write invalidates when it comes back.

mod reusable;

use super::{
    Shared,
    body::{Body, Stream},
    cache::Answered,
    coding, deliver,
    encode::{self, GZIP},
    fetch::Asked,
    fill::Begun,
    forward,
    rescue::Problem,
    upstream::{UpstreamBody, UpstreamError},
};
use crate::{
    semantics::{
        Decision, Reason,
        conditional::none_match_fails,
        directives::ResponseDirectives,
        invalidation::{
            CACHE_GROUP_INVALIDATION, clears_caches, group_tag, groups, invalidates, is_unsafe,
            named_paths,
        },
    },
    store::{Purge, Selector},
};
use http::{
    HeaderMap, HeaderValue, Method, Request, Response, StatusCode,
    header::{IF_MATCH, IF_NONE_MATCH, IF_RANGE},
};
use http_body_util::{Either, Full};
use hyper::body::Incoming;
use std::sync::Arc;

/// Forwards `request` with its body, and the response with its own, both as they arrive.
pub(super) async fn pass(
    asked: &Asked<'_>,
    reason: Reason,
    request: Request<Incoming>,
) -> Result<Answered, Problem> {
    let shared = asked.shared;
    let authority = shared.upstream.authority();
    let mut headers =
        forward::request_headers(&request, &asked.target, authority, &asked.id, asked.peer);
    name_what_the_origin_knows(&mut headers);
    let write = is_unsafe(request.method()).then(|| Write::of(asked, &request));
    let (mut parts, body) = request.into_parts();
    let client_headers = std::mem::replace(&mut parts.headers, headers);
    parts.uri = forward::upstream_uri(&asked.target, authority);
    parts.version = http::Version::HTTP_11;
    let method = parts.method.clone();
    if let Some(interim) = &asked.interim {
        let mut carrier = Request::new(());
        forward::pass_interim(&mut carrier, interim);
        parts.extensions = std::mem::take(carrier.extensions_mut());
    }
    let begun = Begun::now(shared);
    let sending = send(Arc::clone(shared), parts, body);
    let (response, purges) = match write {
        None => (sending.await?, 0),
        // In a task of its own: a write that reached the origin invalidates also when its client has left.
        Some(write) => {
            let task = shared
                .tasks
                .spawn(write.carry_out(Arc::clone(shared), sending));
            task.await.map_err(|_| UpstreamError::Abandoned)??
        }
    };
    if let Some(fetch) = reusable::fetch(asked, &method, &client_headers, &response)
        && let Some(begun) = begun.after_own(shared, purges).await
    {
        return reusable::keep(asked, begun, fetch, response, &client_headers).await;
    }
    Ok(Answered {
        response: finish(shared, response, &method, &client_headers),
        decision: Decision::new(reason.outcome_when_forwarded(), reason),
    })
}

async fn send(
    shared: Arc<Shared>,
    parts: http::request::Parts,
    body: Incoming,
) -> Result<Response<UpstreamBody>, UpstreamError> {
    let mut response = match http_body::Body::is_end_stream(&body) {
        true => {
            shared
                .upstream
                .send(Request::from_parts(parts, Either::Left(Full::default())))
                .await
        }
        false => shared.upstream.send_with(parts, body).await,
    }?;
    shared.receive(&mut response);
    Ok(response)
}

/// A tag that we gave out for a coding of ours is the origin's tag to the origin.
fn name_what_the_origin_knows(headers: &mut HeaderMap) {
    for name in [IF_MATCH, IF_NONE_MATCH, IF_RANGE] {
        let Some(value) = headers.get(&name).and_then(|value| value.to_str().ok()) else {
            continue;
        };
        let known = value.replace(&format!("-{GZIP}\""), "\"");
        if known != value {
            headers.insert(
                name,
                HeaderValue::try_from(known).expect("it was a valid value before"),
            );
        }
    }
}

/// The upstream's response with its body as it arrives, coded where the client likes that; 304 where it has it already.
pub(super) fn finish(
    shared: &Shared,
    response: Response<UpstreamBody>,
    method: &Method,
    client: &HeaderMap,
) -> Response<Body> {
    if *method == Method::HEAD {
        return response.map(|_| Body::empty());
    }
    let (parts, body) = response.into_parts();
    if *method == Method::GET
        && matches!(parts.status, StatusCode::OK | StatusCode::PARTIAL_CONTENT)
        && client.contains_key(IF_NONE_MATCH)
        && none_match_fails(client, &parts.headers, encode::CODINGS)
    {
        return deliver::not_modified(parts.headers);
    }
    let stream: Stream = Box::pin(body);
    let mut response = Response::from_parts(parts, Body::empty());
    let no_transform = ResponseDirectives::of(response.headers()).no_transform;
    let coded = deliver::code_stream(shared, &mut response, client, no_transform);
    *response.body_mut() = Body::stream(match coded {
        true => coding::gzip_stream(stream, shared.encode.level),
        false => stream,
    });
    response
}

/// A write, as far as it matters for what it makes invalid.
struct Write {
    method: Method,
    host: Vec<u8>,
    path: String,
    declared: Vec<Purge>,
}

impl Write {
    fn of<B>(asked: &Asked<'_>, request: &Request<B>) -> Self {
        let (route, path) = (
            &asked.shared.routes.get(asked.route).route,
            asked.target.path(),
        );
        let captures = route.path.capture(path, asked.target.query());
        let declared = captures
            .iter()
            .flat_map(|captures| route.purge.iter().map(|purge| purge.expand(captures)));
        Self {
            method: request.method().clone(),
            host: asked.target.host(request).to_vec(),
            path: path.to_owned(),
            declared: declared.collect(),
        }
    }

    /// Sends it and purges, before the client learns that it succeeded: its next read must not see what was before.
    /// Returns how many purges that were.
    async fn carry_out(
        self,
        shared: Arc<Shared>,
        sending: impl Future<Output = Result<Response<UpstreamBody>, UpstreamError>>,
    ) -> Result<(Response<UpstreamBody>, usize), UpstreamError> {
        let result = sending.await;
        let purges = match &result {
            Ok(response) if invalidates(&self.method, response.status()) => {
                self.purges(&shared, response.headers())
            }
            // It was sent and nobody knows what became of it.
            Err(UpstreamError::Timeout | UpstreamError::Broken(_) | UpstreamError::Request) => {
                self.purges(&shared, &HeaderMap::new())
            }
            Ok(_) | Err(_) => Vec::new(),
        };
        let count = purges.len();
        shared.store.purge(purges).await;
        result.map(|response| (response, count))
    }

    /// Its own URI and those that its answer names, hard; the groups that its answer names; what its route declares.
    fn purges(&self, shared: &Shared, response: &HeaderMap) -> Vec<Purge> {
        if shared.settings.clear_site_data && clears_caches(response) {
            return vec![Purge {
                selector: Selector::All,
                hard: true,
            }];
        }
        let target = |path: &String| Purge {
            selector: Selector::of_uri(&self.host, path),
            hard: true,
        };
        let named = named_paths(response, &self.host, &self.path);
        let paths = std::iter::once(&self.path).chain(&named);
        let uris = paths.map(target);
        let groups = groups(response, &CACHE_GROUP_INVALIDATION)
            .into_iter()
            .map(|group| Purge {
                selector: Selector::tag(&group_tag(&self.host, &group)),
                hard: true,
            });
        uris.chain(groups).chain(self.declared.clone()).collect()
    }
}
