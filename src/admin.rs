//! The operator's HTTP, on a listener of its own: alive, ready, metrics, purge.

mod bearer;
mod layers;
mod problem;
mod purge;
mod subject;

pub use self::subject::Subject;

use crate::{proxy::Token, store::Health};
use axum::{
    Json, Router,
    extract::State,
    http::{StatusCode, header::CONTENT_TYPE},
    response::IntoResponse,
    routing::{get, post},
};
use std::{io, net::SocketAddr};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// What `[admin]` says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Where the operator connects; never the public port.
    pub listen: SocketAddr,
    /// What every request but those of probes has to prove itself with.
    pub token: Option<Token>,
    /// Whether others than this machine may connect although there is no token.
    pub open: bool,
}

/// Serves until `stop`; with a `token` those who know it, and probes.
///
/// # Errors
/// Where the listener fails for good.
pub async fn run(
    listener: TcpListener,
    token: Option<Token>,
    subject: Subject,
    stop: CancellationToken,
) -> io::Result<()> {
    let routes = Router::new()
        .route("/healthz", get(alive))
        .route("/readyz", get(ready))
        .route("/metrics", get(metrics))
        .route("/api/purge", post(purge::purge))
        .with_state(subject);
    axum::serve(listener, layers::around(routes, token))
        .with_graceful_shutdown(stop.cancelled_owned())
        .await
}

/// The process answers. Nothing else: a failing tier is no reason to restart it.
async fn alive() -> &'static str {
    "ok\n"
}

/// Whether requests should be sent here, and how well they are served.
async fn ready(State(subject): State<Subject>) -> impl IntoResponse {
    let (status, word, redis) = if subject.draining.is_cancelled() {
        (StatusCode::SERVICE_UNAVAILABLE, "draining", None)
    } else {
        match subject.proxy.store().health() {
            Health::WithoutRedis => (StatusCode::OK, "degraded", Some("out")),
            Health::WithPartOfRedis => (StatusCode::OK, "degraded", Some("partial")),
            Health::WithoutPurges => (StatusCode::OK, "degraded", Some("purges")),
            Health::Good if subject.proxy.store().has_outer() => {
                (StatusCode::OK, "ready", Some("up"))
            }
            Health::Good => (StatusCode::OK, "ready", None),
        }
    };
    (
        status,
        Json(serde_json::json!({ "status": word, "redis": redis })),
    )
}

async fn metrics(State(subject): State<Subject>) -> impl IntoResponse {
    (
        [(
            CONTENT_TYPE,
            "application/openmetrics-text; version=1.0.0; charset=utf-8",
        )],
        subject.metrics.encode(),
    )
}
