//! The answer to one request: already there, or on its way.

use super::body::Body;
use http::Response;
use std::{
    convert::Infallible,
    fmt,
    pin::Pin,
    task::{Context, Poll},
};

/// The answer to one request. Dropping it gives the request up.
pub struct ResponseFuture(Progress);

enum Progress {
    /// What most requests have: nothing is boxed for it.
    Ready(Option<Response<Body>>),
    Going(Pin<Box<dyn Future<Output = Response<Body>> + Send>>),
}

impl ResponseFuture {
    /// `response`, without waiting.
    pub fn ready(response: Response<Body>) -> Self {
        Self(Progress::Ready(Some(response)))
    }

    /// What `future` gives.
    pub fn going(future: impl Future<Output = Response<Body>> + Send + 'static) -> Self {
        Self(Progress::Going(Box::pin(future)))
    }
}

impl fmt::Debug for ResponseFuture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            Progress::Ready(_) => "ResponseFuture(ready)",
            Progress::Going(_) => "ResponseFuture(going)",
        })
    }
}

impl Future for ResponseFuture {
    type Output = Result<Response<Body>, Infallible>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match &mut self.0 {
            Progress::Ready(response) => Poll::Ready(Ok(response
                .take()
                .expect("a future is not polled after it was ready"))),
            Progress::Going(going) => going.as_mut().poll(cx).map(Ok),
        }
    }
}
