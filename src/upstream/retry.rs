//! One more try, where the upstream closed a kept connection just as it was used again, or had left something on it.

use super::error::broke_before_answering;
use crate::origin::RequestBody;
use http::{Method, Request};
use hyper_util::client::legacy;
use std::future::{Ready, ready};
use tower::retry::Policy;

/// At most one more try of a request that may be sent twice: idempotent and with its content at hand
/// ([RFC 9110 §9.2.2]). That the connection broke before any answer says nothing about the upstream's health.
///
/// [RFC 9110 §9.2.2]: https://www.rfc-editor.org/rfc/rfc9110#section-9.2.2
#[derive(Clone, Copy, Debug)]
pub(super) struct Once;

/// The mark of a request that is the second try.
#[derive(Clone, Copy, Debug)]
struct Second;

impl<R> Policy<Request<RequestBody>, R, legacy::Error> for Once {
    type Future = Ready<()>;

    fn retry(
        &mut self,
        request: &mut Request<RequestBody>,
        result: &mut Result<R, legacy::Error>,
    ) -> Option<Ready<()>> {
        let first = request.extensions().get::<Second>().is_none();
        let again = first && matches!(result, Err(error) if broke_before_answering(error));
        again.then(|| {
            request.extensions_mut().insert(Second);
            ready(())
        })
    }

    fn clone_request(&mut self, request: &Request<RequestBody>) -> Option<Request<RequestBody>> {
        let RequestBody::Whole(content) = request.body() else {
            return None;
        };
        let idempotent = matches!(
            *request.method(),
            Method::GET | Method::HEAD | Method::OPTIONS
        );
        idempotent.then(|| {
            let mut again = Request::new(RequestBody::Whole(content.clone()));
            *again.method_mut() = request.method().clone();
            *again.uri_mut() = request.uri().clone();
            *again.headers_mut() = request.headers().clone();
            *again.extensions_mut() = request.extensions().clone();
            again
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_may_be_sent_twice_is_tried_again() {
        let request = |method: &str, body| {
            let builder = Request::builder().method(method).uri("http://a/x");
            builder.body(body).unwrap()
        };
        let twice = |request| Once.clone_request_of::<()>(&request);
        for method in ["GET", "HEAD", "OPTIONS"] {
            assert!(twice(request(method, RequestBody::empty())), "{method}");
        }
        for method in ["POST", "PUT", "PATCH", "DELETE", "QUERY"] {
            assert!(!twice(request(method, RequestBody::empty())), "{method}");
        }
        let stream = http_body_util::Empty::new();
        let stream = http_body_util::BodyExt::map_err(stream, |never| match never {});
        assert!(!twice(request(
            "GET",
            RequestBody::Stream(Box::pin(stream))
        )));
    }

    impl Once {
        fn clone_request_of<R>(mut self, request: &Request<RequestBody>) -> bool {
            let again = Policy::<_, R, legacy::Error>::clone_request(&mut self, request);
            again.is_some_and(|again| {
                again.uri() == request.uri() && again.method() == request.method()
            })
        }
    }
}
