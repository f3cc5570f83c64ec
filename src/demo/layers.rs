//! What holds for every request, whichever route it takes.
//!
//! It has an id and a span, in which its statements are counted; time and body are limited; a panic ends it and nothing
//! else. Nothing is compressed: that is what the proxy in front is there to show.

use std::{any::Any, sync::Arc, time::Duration};

use axum::{
    Router,
    extract::{DefaultBodyLimit, Request},
    http::{StatusCode, header::CONTENT_TYPE},
    middleware::{from_fn_with_state, map_response},
    response::{IntoResponse, Response},
    routing::MethodRouter,
};
use tower_http::{
    catch_panic::CatchPanicLayer,
    limit::RequestBodyLimitLayer,
    request_id::{MakeRequestUuid, PropagateRequestIdLayer, SetRequestIdLayer},
    timeout::TimeoutLayer,
    trace::TraceLayer,
};
use tracing::error;

use super::{
    problem::Problem,
    profiler::{self, Profiler},
};

const BODY_LIMIT: usize = 64 * 1024;
/// Of a body that brings many things at once.
const LARGER_LIMIT: usize = 1024 * 1024;

/// Puts `routes` inside the layers. Requests pass those below first. An answer may take `longest` until it begins.
pub(super) fn around(routes: Router, profiler: Arc<Profiler>, longest: Duration) -> Router {
    let overdue = StatusCode::SERVICE_UNAVAILABLE;
    let trace = TraceLayer::new_for_http()
        .make_span_with(|request: &Request| profiler::span(request))
        .on_request(())
        .on_response(()) // the profiler does that
        .on_failure(());
    routes
        .layer(DefaultBodyLimit::max(BODY_LIMIT))
        .layer(RequestBodyLimitLayer::new(LARGER_LIMIT))
        .layer(TimeoutLayer::with_status_code(overdue, longest))
        .layer(CatchPanicLayer::custom(panicked))
        .layer(map_response(move |response| explained(response, longest)))
        .layer(PropagateRequestIdLayer::x_request_id())
        .layer(from_fn_with_state(profiler, profiler::profile))
        .layer(trace)
        .layer(SetRequestIdLayer::x_request_id(MakeRequestUuid))
}

/// A route whose bodies may be larger than those of others.
pub(super) fn larger<S: Clone + Send + Sync + 'static>(route: MethodRouter<S>) -> MethodRouter<S> {
    route.layer(DefaultBodyLimit::max(LARGER_LIMIT))
}

#[expect(
    clippy::needless_pass_by_value,
    reason = "the layer hands the panic over"
)]
fn panicked(panic: Box<dyn Any + Send>) -> Response {
    let message = panic.downcast_ref::<String>().map(String::as_str);
    let message = message.or_else(|| panic.downcast_ref::<&str>().copied());
    error!(panic = message, "a request to the demo panicked");
    Problem::Refused {
        status: StatusCode::INTERNAL_SERVER_ERROR,
        detail: "this is a defect of the demo; its log says more".to_owned(),
    }
    .into_response()
}

/// Says why a layer refuses: they do it in plain text or without words.
async fn explained(response: Response, longest: Duration) -> Response {
    let status = response.status();
    let kind = response.headers().get(CONTENT_TYPE);
    let plain = kind.is_none_or(|kind| kind.as_bytes().starts_with(b"text/plain"));
    let detail = match status {
        StatusCode::PAYLOAD_TOO_LARGE => format!("the limit of a body is {LARGER_LIMIT} bytes"),
        StatusCode::SERVICE_UNAVAILABLE => format!("no answer within {longest:?}"),
        _ => return response,
    };
    if plain {
        Problem::Refused { status, detail }.into_response()
    } else {
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::{
        body::{Body, to_bytes},
        http::{header::CONTENT_LENGTH, request::Builder},
        routing::{get, post},
    };
    use serde_json::Value;
    use tower::ServiceExt as _;

    use crate::demo::receive;

    #[derive(serde::Deserialize)]
    struct Any {}

    impl receive::Check for Any {
        fn check(&self) -> Result<(), Problem> {
            Ok(())
        }
    }

    async fn ask(request: Builder, body: impl Into<Body>) -> Response {
        let routes = Router::new()
            .route("/", get("fine"))
            .route("/take", post(async |_: receive::Body<Any>| "taken"))
            .route(
                "/take-many",
                larger(post(async |_: receive::Body<Any>| "taken")),
            )
            .route(
                "/panics",
                get(async || -> StatusCode { panic!("on purpose") }),
            )
            .route("/hangs", get(std::future::pending::<StatusCode>));
        let routes = around(routes, Arc::default(), Duration::from_secs(10));
        let request = request.body(body.into()).unwrap();
        routes.oneshot(request).await.unwrap()
    }

    async fn problem(response: Response) -> (u16, String) {
        assert_eq!(response.headers()[CONTENT_TYPE], "application/problem+json");
        assert!(response.headers().contains_key("x-request-id"));
        let body = to_bytes(response.into_body(), 4096).await.unwrap();
        let body: Value = serde_json::from_slice(&body).unwrap();
        let status = u16::try_from(body["status"].as_u64().unwrap()).unwrap();
        (status, body["detail"].as_str().unwrap().to_owned())
    }

    #[tokio::test]
    async fn a_body_over_the_limit_is_refused_announced_or_not() {
        let post = || Request::post("/take").header(CONTENT_TYPE, "application/json");
        let body = |length: usize| format!("{{{}}}", " ".repeat(length - 2));
        assert_eq!(ask(post(), body(BODY_LIMIT)).await.status(), StatusCode::OK);
        let announced = post().header(CONTENT_LENGTH, BODY_LIMIT + 1);
        for request in [announced, post()] {
            let (status, detail) = problem(ask(request, body(BODY_LIMIT + 1)).await).await;
            assert_eq!((status, detail.contains("limit")), (413, true), "{detail}");
        }
    }

    #[tokio::test]
    async fn a_route_for_many_things_takes_a_larger_body() {
        let post = || Request::post("/take-many").header(CONTENT_TYPE, "application/json");
        let body = |length: usize| format!("{{{}}}", " ".repeat(length - 2));
        let taken = ask(post(), body(LARGER_LIMIT)).await;
        assert_eq!(taken.status(), StatusCode::OK);
        let announced = post().header(CONTENT_LENGTH, LARGER_LIMIT + 1);
        for request in [announced, post()] {
            let (status, detail) = problem(ask(request, body(LARGER_LIMIT + 1)).await).await;
            assert_eq!((status, detail.contains("limit")), (413, true), "{detail}");
        }
    }

    #[tokio::test]
    async fn a_panic_is_a_problem_of_one_request() {
        let (status, detail) = problem(ask(Request::get("/panics"), ()).await).await;
        assert_eq!((status, detail.contains("on purpose")), (500, false));
    }

    #[tokio::test(start_paused = true)]
    async fn a_request_that_hangs_ends_in_time() {
        let (status, detail) = problem(ask(Request::get("/hangs"), ()).await).await;
        assert_eq!((status, detail.contains("within 10s")), (503, true));
    }

    #[tokio::test]
    async fn a_request_gets_its_id_back() {
        let given = Request::get("/").header("x-request-id", "mine");
        assert_eq!(ask(given, ()).await.headers()["x-request-id"], "mine");
        let made = ask(Request::get("/"), ()).await;
        assert!(!made.headers()["x-request-id"].is_empty());
    }
}
