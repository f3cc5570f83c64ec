//! The inner service as the cache's origin.

use crate::{
    clock::Clock,
    message::BodyError,
    origin::{FetchError, Origin, OriginError, RequestBody, Sending},
    semantics::{date, hop_by_hop},
};
use bytes::Bytes;
use http::{
    Extensions, HeaderMap, HeaderValue, Request, Response, Uri, Version, header::DATE,
    request::Parts,
};
use http_body_util::BodyExt;
use parking_lot::Mutex;
use std::{error::Error, fmt, sync::Arc};
use tower::{Service, ServiceExt};

/// The inner service, for one request.
pub(super) struct Inner<S> {
    /// Services need not be `Sync`, and the origin of a fetch is shared with who waits for it.
    service: Mutex<S>,
    uri: Uri,
    version: Version,
    extensions: Extensions,
}

impl<S> Inner<S> {
    pub(super) fn new(service: S, parts: &Parts) -> Self {
        Self {
            service: Mutex::new(service),
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
        request
    }

    fn send(&self, request: Request<RequestBody>) -> Sending {
        let service = self.service.lock().clone();
        Box::pin(async move {
            let response = service.oneshot(request).await;
            let response = response.map_err(|error| {
                FetchError::Origin(OriginError::Broken(Arc::from(error.into())))
            })?;
            let mut response = response.map(|body| {
                Box::pin(body.map_err(|_| BodyError::Broken)) as crate::message::Stream
            });
            let headers = response.headers_mut();
            hop_by_hop::remove(headers);
            // A recipient with a clock adds the date where there is none (RFC 9110 §6.6.1).
            headers.entry(DATE).or_insert_with(|| {
                HeaderValue::from_bytes(&date::format(Clock::System.now()))
                    .expect("a date is visible ASCII")
            });
            Ok(response)
        })
    }
}
