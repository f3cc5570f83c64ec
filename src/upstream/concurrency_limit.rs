//! How many requests are under way at the same time.
//!
//! A place is taken until the body of the response ends, because until then the connection is in use: the library's limit
//! would give it back with the head.

use crate::origin::FetchError;
use http::Response;
use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::timeout,
};
use tower::{Layer, Service};

/// A request's place among those under way. Dropping it lets another one in.
#[derive(Debug)]
pub(super) struct Place(#[expect(dead_code, reason = "held until dropped")] OwnedSemaphorePermit);

#[derive(Clone, Debug)]
pub(super) struct ConcurrencyLimitLayer {
    places: Arc<Semaphore>,
    wait: Duration,
}

impl ConcurrencyLimitLayer {
    /// At most `places` at the same time; more wait for at most `wait`.
    pub(super) fn new(places: usize, wait: Duration) -> Self {
        Self {
            places: Arc::new(Semaphore::new(places)),
            wait,
        }
    }
}

impl<S> Layer<S> for ConcurrencyLimitLayer {
    type Service = ConcurrencyLimit<S>;

    fn layer(&self, inner: S) -> ConcurrencyLimit<S> {
        ConcurrencyLimit {
            inner,
            limit: self.clone(),
        }
    }
}

#[derive(Clone, Debug)]
pub(super) struct ConcurrencyLimit<S> {
    inner: S,
    limit: ConcurrencyLimitLayer,
}

impl<S, R, B> Service<R> for ConcurrencyLimit<S>
where
    S: Service<R, Response = Response<B>, Error = FetchError> + Clone + Send + 'static,
    S::Future: Send,
    R: Send + 'static,
{
    type Response = Response<(B, Place)>;
    type Error = FetchError;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, FetchError>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), FetchError>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: R) -> Self::Future {
        // The one that is ready goes; its clone has to become so.
        let clone = self.inner.clone();
        let mut inner = std::mem::replace(&mut self.inner, clone);
        let (places, wait) = (Arc::clone(&self.limit.places), self.limit.wait);
        Box::pin(async move {
            let place = timeout(wait, places.acquire_owned())
                .await
                .map_err(|_| FetchError::Overloaded)?
                .expect("the semaphore is never closed");
            let response = inner.call(request).await?;
            Ok(response.map(|body| (body, Place(place))))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tower::{ServiceBuilder, ServiceExt, service_fn};

    #[tokio::test(start_paused = true)]
    async fn a_place_is_taken_until_the_body_is_dropped() {
        let service = ServiceBuilder::new()
            .layer(ConcurrencyLimitLayer::new(1, Duration::from_secs(1)))
            .service(service_fn(|()| async { Ok(Response::new("body")) }));
        let first = service.clone().oneshot(()).await.unwrap();
        let second = service.clone().oneshot(()).await;
        assert!(matches!(second, Err(FetchError::Overloaded)));
        drop(first);
        assert!(service.oneshot(()).await.is_ok());
    }
}
