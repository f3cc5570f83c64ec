//! The inner service as the cache's origin.

use crate::{
    clock::Clock,
    message::{BodyError, IdleTimeout, Stream},
    origin::{FetchError, Origin, OriginError, RequestBody, Sending},
    semantics::{date, hop_by_hop},
};
use bytes::Bytes;
use futures_util::FutureExt;
use http::{
    Extensions, HeaderMap, HeaderValue, Request, Response, StatusCode, Uri, Version, header::DATE,
    request::Parts,
};
use http_body_util::BodyExt;
use parking_lot::Mutex;
use std::{error::Error, fmt, panic::AssertUnwindSafe, sync::Arc, time::Duration};
use tokio::sync::oneshot;
use tower::{Service, ServiceExt};

/// What every call of an inner service has.
#[derive(Clone, Debug)]
pub(super) struct Calling {
    pub(super) clock: Clock,
    /// What may pass between the end of the request's content and the head of the response, and between two pieces of that
    /// content.
    pub(super) timeout: Duration,
    pub(super) within: Within,
}

/// The mark of a request that has come through a layer: it must not wait for itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Within(pub(super) u64);

/// The inner service, for one request.
pub(super) struct Inner<S> {
    /// Services need not be `Sync`, and the origin of a fetch is shared with who waits for it.
    service: Mutex<S>,
    calling: Calling,
    uri: Uri,
    version: Version,
    extensions: Extensions,
}

impl<S> Inner<S> {
    pub(super) fn new(service: S, calling: &Calling, parts: &Parts) -> Self {
        Self {
            service: Mutex::new(service),
            calling: calling.clone(),
            uri: parts.uri.clone(),
            version: parts.version,
            extensions: parts.extensions.clone(),
        }
    }
}

impl<S> fmt::Debug for Inner<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inner")
            .field("uri", &self.uri)
            .finish_non_exhaustive()
    }
}

impl<S, R> Origin for Inner<S>
where
    S: Service<Request<RequestBody>, Response = Response<R>> + Clone + Send + 'static,
    S::Error: Into<Box<dyn Error + Send + Sync>>,
    S::Future: Send,
    R: http_body::Body<Data = Bytes> + Send + 'static,
{
    fn request(&self, fields: &HeaderMap) -> Request<RequestBody> {
        let mut request = Request::new(RequestBody::empty());
        *request.uri_mut() = self.uri.clone();
        *request.version_mut() = self.version;
        *request.headers_mut() = fields.clone();
        *request.extensions_mut() = self.extensions.clone();
        request.extensions_mut().insert(self.calling.within);
        request
    }

    fn send(&self, request: Request<RequestBody>) -> Sending {
        let service = self.service.lock().clone();
        let Calling { clock, timeout, .. } = self.calling.clone();
        let (request, end) = with_end(request, timeout);
        Box::pin(async move {
            let too_late = async {
                if let Some(end) = end {
                    let _ = end.await;
                }
                tokio::time::sleep(timeout).await;
            };
            // A handler that panicked may have done its work: nobody knows, as with a connection that broke.
            let calling = AssertUnwindSafe(async { service.oneshot(request).await }).catch_unwind();
            let answer = tokio::select! {
                answer = calling => answer.map_err(|_| FetchError::broken(BodyError::Broken))?,
                () = too_late => return Err(OriginError::Timeout.into()),
            };
            let response = answer.map_err(|error| OriginError::Broken(Arc::from(error.into())))?;
            let mut response =
                response.map(|body| Box::pin(body.map_err(|_| BodyError::Broken)) as Stream);
            if response.status() == StatusCode::SWITCHING_PROTOCOLS {
                return Ok(response); // what follows is no HTTP, and its fields are about this connection
            }
            let headers = response.headers_mut();
            hop_by_hop::remove(headers);
            // A recipient with a clock adds the date where there is none (RFC 9110 §6.6.1).
            headers.entry(DATE).or_insert_with(|| {
                HeaderValue::from_bytes(&date::format(clock.wall()))
                    .expect("a date is visible ASCII")
            });
            Ok(response)
        })
    }

    fn in_background(self: Arc<Self>) -> Arc<dyn Origin> {
        self
    }
}

/// The request, and what ends with its content: a slow upload is no slow answer.
fn with_end(
    request: Request<RequestBody>,
    timeout: Duration,
) -> (Request<RequestBody>, Option<oneshot::Receiver<()>>) {
    let (parts, body) = request.into_parts();
    match body {
        RequestBody::Whole(_) => (Request::from_parts(parts, body), None),
        RequestBody::Stream(stream) => {
            let (stream, end) = IdleTimeout::with_end(stream, timeout);
            let body = RequestBody::Stream(Box::pin(stream));
            (Request::from_parts(parts, body), Some(end))
        }
    }
}
