//! The time that may pass until the head of the response.
//!
//! It counts from the end of the client's content, which may take as long as it keeps coming: the library's timeout would
//! count from the beginning and cut slow uploads off.

use crate::{
    message::IdleTimeout,
    origin::{FetchError, OriginError, RequestBody},
};
use http::Request;
use std::{
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};
use tokio::time::sleep;
use tower::{Layer, Service};

#[derive(Clone, Copy, Debug)]
pub(super) struct TimeLimitLayer {
    head: Duration,
    content: Duration,
}

impl TimeLimitLayer {
    /// At most `head` until the head of the response, and at most `content` between two pieces of the request's content.
    pub(super) fn new(head: Duration, content: Duration) -> Self {
        Self { head, content }
    }
}

impl<S> Layer<S> for TimeLimitLayer {
    type Service = TimeLimit<S>;

    fn layer(&self, inner: S) -> TimeLimit<S> {
        TimeLimit {
            inner,
            limits: *self,
        }
    }
}

#[derive(Clone, Debug)]
pub(super) struct TimeLimit<S> {
    inner: S,
    limits: TimeLimitLayer,
}

impl<S> Service<Request<RequestBody>> for TimeLimit<S>
where
    S: Service<Request<RequestBody>, Error = FetchError>,
    S::Future: Send + 'static,
{
    type Response = S::Response;
    type Error = FetchError;
    type Future = Pin<Box<dyn Future<Output = Result<S::Response, FetchError>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), FetchError>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<RequestBody>) -> Self::Future {
        let (parts, body) = request.into_parts();
        let (body, end) = match body {
            RequestBody::Whole(_) => (body, None),
            RequestBody::Stream(stream) => {
                let (stream, end) = IdleTimeout::with_end(stream, self.limits.content);
                (RequestBody::Stream(Box::pin(stream)), Some(end))
            }
        };
        let answer = self.inner.call(Request::from_parts(parts, body));
        let head = self.limits.head;
        Box::pin(async move {
            let too_late = async {
                if let Some(end) = end {
                    let _ = end.await;
                }
                sleep(head).await;
            };
            tokio::select! {
                answer = answer => answer,
                () = too_late => Err(OriginError::Timeout.into()),
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::BodyError;
    use bytes::Bytes;
    use http_body_util::{BodyExt, channel::Channel};
    use tower::{ServiceBuilder, ServiceExt, service_fn};

    const LIMIT: Duration = Duration::from_secs(10);

    /// An upstream that reads the content and then answers after `pause`.
    async fn ask(body: RequestBody, pause: Duration) -> Result<usize, FetchError> {
        let service = service_fn(move |request: Request<RequestBody>| async move {
            let content = request.into_body().collect().await;
            let content = content.map_err(|_| FetchError::ClientBody)?.to_bytes();
            sleep(pause).await;
            Ok(content.len())
        });
        ServiceBuilder::new()
            .layer(TimeLimitLayer::new(LIMIT, LIMIT))
            .service(service)
            .oneshot(Request::new(body))
            .await
    }

    #[tokio::test(start_paused = true)]
    async fn a_head_that_does_not_come_in_time_is_given_up() {
        assert!(ask(RequestBody::empty(), LIMIT / 2).await.is_ok());
        let late = ask(RequestBody::empty(), LIMIT * 2).await;
        assert!(matches!(
            late,
            Err(FetchError::Origin(OriginError::Timeout))
        ));
    }

    #[tokio::test(start_paused = true)]
    async fn content_may_take_as_long_as_it_keeps_coming() {
        let (mut sender, body) = Channel::<Bytes, BodyError>::new(1);
        let uploading = async move {
            for _ in 0..5 {
                sleep(LIMIT * 2 / 3).await;
                sender.send_data(Bytes::from_static(b"x")).await.unwrap();
            }
        };
        let asking = ask(RequestBody::Stream(Box::pin(body)), LIMIT / 2);
        let ((), answer) = tokio::join!(uploading, asking);
        assert_eq!(answer.unwrap(), 5);
    }
}
