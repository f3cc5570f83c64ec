//! The routes beside the messenger: health, version, metrics, a private answer, a stream.

use std::{convert::Infallible, time::Duration};

use axum::{
    Json,
    body::{Body, Bytes},
    extract::State,
    http::{
        HeaderMap,
        header::{AUTHORIZATION, CACHE_CONTROL, CONTENT_TYPE},
    },
    response::{IntoResponse, Response},
};
use futures_util::stream;
use serde_json::json;
use tokio::time::interval;

use super::app::App;
use crate::demo::{migrations, page::short_hash};

const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
/// How many events a stream has, one each second.
const EVENTS: u32 = 60;

/// Says that requests are answered; asks the database nothing.
pub(crate) async fn health() -> Response {
    Json(json!({ "status": "ok" })).into_response()
}

/// What runs here.
pub(crate) async fn version(State(app): State<App>) -> Response {
    Json(json!({
        "name": concat!(env!("CARGO_PKG_NAME"), " demo"),
        "version": env!("CARGO_PKG_VERSION"),
        "database": app.pools.kind(),
        "schema": migrations::LATEST,
    }))
    .into_response()
}

/// What was counted since the start.
pub(crate) async fn metrics(State(app): State<App>) -> Response {
    let text = app.profiler.meters.text(&app.pools.used());
    ([(CONTENT_TYPE, OPEN_METRICS)], text).into_response()
}

/// Tells the caller which `Authorization` came in, by its hash: an answer for nobody else.
pub(crate) async fn me(headers: HeaderMap) -> Response {
    let hash = headers
        .get(AUTHORIZATION)
        .map(|value| short_hash(value.as_bytes()));
    let body = Json(json!({ "authorization_sha256": hash }));
    ([(CACHE_CONTROL, "private, no-store")], body).into_response()
}

/// Server-sent events; axum's own type for them would add a `Cache-Control`.
pub(crate) async fn events(State(app): State<App>) -> Response {
    let seconds = interval(Duration::from_secs(1)); // the first tick is at once
    let events = stream::unfold((1, seconds), move |(number, mut seconds)| {
        let shutdown = app.shutdown.clone();
        async move {
            if number > EVENTS || shutdown.run_until_cancelled(seconds.tick()).await.is_none() {
                return None;
            }
            let event = format!("id: {number}\nevent: tick\ndata: {{\"number\":{number}}}\n\n");
            Some((
                Ok::<_, Infallible>(Bytes::from(event)),
                (number + 1, seconds),
            ))
        }
    });
    (
        [(CONTENT_TYPE, "text/event-stream")],
        Body::from_stream(events),
    )
        .into_response()
}
