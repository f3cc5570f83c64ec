//! What holds for every request to the admin port, whichever route it takes.
//!
//! It has an id and a span; time and body are limited; a panic ends it and nothing else; a refusal is a problem in JSON.

use super::{
    access::{self, Access},
    problem::{self, Problem},
};
use crate::message::{excerpt, problem::say_when_to_retry};
use axum::{
    Router,
    extract::Request,
    http::StatusCode,
    middleware::{from_fn_with_state, map_response},
    response::{IntoResponse, Response},
};
use std::{any::Any, borrow::Cow, sync::Arc, time::Duration};
use tower_http::{
    catch_panic::CatchPanicLayer,
    compression::{CompressionLayer, predicate::SizeAbove},
    limit::RequestBodyLimitLayer,
    request_id::{MakeRequestUuid, PropagateRequestIdLayer, RequestId, SetRequestIdLayer},
    timeout::TimeoutLayer,
    trace::TraceLayer,
};
use tracing::{Span, debug, debug_span, error};

/// What an answer may take. A purge of a thousand selectors waits a second for Redis, a dry run looks at all of memory.
const TIME_LIMIT: Duration = Duration::from_secs(10);

/// How many bytes a body may have: a thousand selectors of a kilobyte each.
const BODY_LIMIT: usize = 1 << 20;

/// Bytes from which on a body is worth the coding.
const WORTH_CODING: u64 = 1024;

/// What is logged of a text that came with a request, in bytes.
const MAX_LOGGED: usize = 512;

/// Puts `routes` inside the layers. Requests pass those below first.
pub(super) fn around(routes: Router, access: Access) -> Router {
    let overdue = StatusCode::SERVICE_UNAVAILABLE;
    let trace = TraceLayer::new_for_http()
        .make_span_with(|request: &Request| span(request))
        .on_request(())
        .on_response(|response: &Response<_>, took: Duration, _: &Span| {
            debug!(status = response.status().as_u16(), ?took, "answered");
        })
        .on_failure(());
    routes
        .layer(RequestBodyLimitLayer::new(BODY_LIMIT))
        .layer(TimeoutLayer::with_status_code(overdue, TIME_LIMIT))
        .layer(CatchPanicLayer::custom(panicked))
        .layer(from_fn_with_state(Arc::new(access), access::authorize))
        .layer(map_response(explained))
        .layer(map_response(retried))
        .layer(CompressionLayer::new().compress_when(SizeAbove::new(WORTH_CODING)))
        .layer(PropagateRequestIdLayer::x_request_id())
        .layer(trace)
        .layer(SetRequestIdLayer::x_request_id(MakeRequestUuid))
}

fn span(request: &Request) -> Span {
    let id = request.extensions().get::<RequestId>();
    let id = id.and_then(|id| id.header_value().to_str().ok());
    let id = id.map(logged);
    let (method, path) = (
        logged(request.method().as_str()),
        logged(request.uri().path()),
    );
    debug_span!("admin", %method, path = &*path, id = id.as_deref())
}

fn logged(text: &str) -> Cow<'_, str> {
    excerpt(text, MAX_LOGGED, Cow::Borrowed)
}

#[expect(
    clippy::needless_pass_by_value,
    reason = "the layer hands the panic over"
)]
fn panicked(panic: Box<dyn Any + Send>) -> Response {
    let message = panic.downcast_ref::<String>().map(String::as_str);
    let message = message.or_else(|| panic.downcast_ref::<&str>().copied());
    let message = message.map(logged);
    error!(
        panic = message.as_deref(),
        "a request to the admin port panicked"
    );
    let detail = "this is a defect of the proxy; its log says more";
    Problem::new(StatusCode::INTERNAL_SERVER_ERROR, detail).into_response()
}

/// Says of every 503 when to try again: of a drain and of a time limit.
async fn retried(mut response: Response) -> Response {
    say_when_to_retry(&mut response);
    response
}

/// Says in JSON why a layer or the router refuses.
async fn explained(response: Response) -> Response {
    if !problem::is_bare(&response) {
        return response;
    }
    let detail = match response.status() {
        StatusCode::NOT_FOUND => "there is nothing at this path".to_owned(),
        StatusCode::METHOD_NOT_ALLOWED => "this path has other methods; see Allow".to_owned(),
        StatusCode::PAYLOAD_TOO_LARGE => format!("the body has more than {BODY_LIMIT} bytes"),
        StatusCode::SERVICE_UNAVAILABLE => {
            format!("no answer within {TIME_LIMIT:?}; a purge that was begun holds")
        }
        _ => "the log says more".to_owned(),
    };
    problem::in_place_of(response, detail)
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::{
        body::{Body, to_bytes},
        http::header::{ACCEPT_ENCODING, ALLOW, CONTENT_LENGTH, CONTENT_TYPE, RETRY_AFTER},
        routing::{get, post},
    };
    use serde_json::Value;
    use std::io;
    use tower::ServiceExt as _;
    use tracing_subscriber::prelude::*;

    fn routes() -> Router {
        around(
            Router::new()
                .route("/", get("fine"))
                .route("/echo", post(async |body: String| body))
                .route(
                    "/panics",
                    get(async || -> StatusCode { panic!("on purpose") }),
                )
                .route("/hangs", get(std::future::pending::<StatusCode>)),
            Access::Open,
        )
    }

    async fn ask(request: axum::http::request::Builder, body: impl Into<Body>) -> Response {
        let request = request.body(body.into()).unwrap();
        routes().oneshot(request).await.unwrap()
    }

    async fn problem(response: Response) -> (u16, String) {
        assert_eq!(response.headers()[CONTENT_TYPE], "application/problem+json");
        assert!(response.headers().contains_key("x-request-id"));
        let status = response.status().as_u16();
        let body = to_bytes(response.into_body(), 4096).await.unwrap();
        let body: Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(body["status"], status);
        (status, body["detail"].as_str().unwrap().to_owned())
    }

    #[tokio::test]
    async fn a_body_over_the_limit_is_refused_announced_or_not() {
        let fits = ask(Request::post("/echo"), vec![b'a'; BODY_LIMIT]).await;
        assert_eq!(fits.status(), StatusCode::OK);
        let large = || vec![b'a'; BODY_LIMIT + 1];
        let announced = Request::post("/echo").header(CONTENT_LENGTH, BODY_LIMIT + 1);
        for request in [announced, Request::post("/echo")] {
            let (status, detail) = problem(ask(request, large()).await).await;
            assert_eq!((status, detail.contains("1048576 bytes")), (413, true));
        }
    }

    #[tokio::test]
    async fn a_panic_is_a_problem_of_one_request() {
        let (status, detail) = problem(ask(Request::get("/panics"), ()).await).await;
        assert_eq!((status, detail.contains("on purpose")), (500, false));
    }

    #[tokio::test(start_paused = true)]
    async fn a_request_that_hangs_ends_in_time() {
        let begun = tokio::time::Instant::now();
        let answer = ask(Request::get("/hangs"), ()).await;
        assert_eq!(answer.headers()[RETRY_AFTER], "1");
        let (status, detail) = problem(answer).await;
        assert_eq!((status, detail.contains("within 10s")), (503, true));
        assert_eq!(begun.elapsed().as_secs(), TIME_LIMIT.as_secs());
    }

    #[tokio::test]
    async fn the_routers_refusals_are_problems_too() {
        assert_eq!(problem(ask(Request::get("/none"), ()).await).await.0, 404);
        let other = ask(Request::delete("/"), ()).await;
        assert_eq!(other.headers()[ALLOW], "GET,HEAD");
        assert_eq!(problem(other).await.0, 405);
    }

    #[tokio::test]
    async fn what_is_short_is_not_coded() {
        let gzip = Request::get("/").header(ACCEPT_ENCODING, "gzip");
        let answer = ask(gzip, ()).await;
        assert!(!answer.headers().contains_key("content-encoding"));
    }

    #[tokio::test]
    async fn a_request_is_a_span_with_its_id() {
        let written = Written::default();
        let sink = Arc::clone(&written.0);
        let log = tracing_subscriber::fmt::layer()
            .with_writer(move || Written(Arc::clone(&sink)))
            .with_ansi(false);
        let _installed = tracing::subscriber::set_default(tracing_subscriber::registry().with(log));
        let line = r#"DEBUG admin{method=GET path="/" id="mine"}: sidecache::admin::layers: answered status=200"#;
        // Subscribers of tests beside this one may have switched the span off for a moment: that is remembered for all threads.
        for _ in 0..100 {
            tracing::callsite::rebuild_interest_cache();
            let asked = Request::get("/").header("x-request-id", "mine");
            let answer = ask(asked, ()).await;
            assert_eq!(answer.headers()["x-request-id"], "mine");
            if written.0.lock().contains(line) {
                return;
            }
        }
        panic!("{}", written.0.lock());
    }

    #[derive(Default)]
    struct Written(Arc<parking_lot::Mutex<String>>);

    impl io::Write for Written {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().push_str(&String::from_utf8_lossy(bytes));
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
}
