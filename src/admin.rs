//! The operator's HTTP, on a listener of its own: alive, ready, metrics, purge.

mod access;
mod bearer;
mod layers;
mod problem;
mod purge;
mod service;
mod subject;

pub use self::subject::Subject;

use self::{access::Access, service::Service};
use crate::{proxy::Token, server, store::Health};
use axum::{
    Json, Router,
    extract::State,
    http::{StatusCode, header::CONTENT_TYPE},
    response::IntoResponse,
    routing::{get, post},
};
use std::{net::SocketAddr, time::Duration};
use tokio::net::TcpListener;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// What `[admin]` says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Where the operator connects; never the public port.
    pub listen: SocketAddr,
    /// What every request but those of probes has to prove itself with.
    pub token: Option<Token>,
    /// Whether others than this machine may connect although there is no token, and ask by any name.
    pub open: bool,
}

/// Connections that are open at the same time: those of probes, of a scrape or two, and of people. Where there are more, those
/// without a request make room, and probes get through.
const MOST_CONNECTIONS: usize = 64;

/// For how long a connection may be silent or not read, and what the head of a request may take: longer than the minute that
/// usually is between two scrapes.
const IDLE_TIMEOUT: Duration = Duration::from_secs(90);

/// What clients have to read of an answer in a second, in bytes.
const MIN_RATE: u64 = 1 << 10;

/// The limit for the head of a request, in bytes.
const MAX_HEADER_BYTES: usize = 32 << 10;

/// What is left of the drain when this port closes: its end waits that long for it.
pub const DRAIN_TIMEOUT: Duration = Duration::from_secs(2);

/// Serves until `stop`: with a token those who know it, and probes. Connections run under `connections`.
pub async fn run(
    listener: TcpListener,
    settings: Settings,
    subject: Subject,
    connections: TaskTracker,
    stop: CancellationToken,
) {
    let limits = server::Settings {
        listen: settings.listen,
        workers: 0,
        max_connections: MOST_CONNECTIONS,
        idle_timeout: IDLE_TIMEOUT,
        min_rate: MIN_RATE,
        drain_timeout: DRAIN_TIMEOUT,
        max_header_bytes: MAX_HEADER_BYTES,
    };
    let routes = Router::new()
        .route("/healthz", get(alive))
        .route("/readyz", get(ready))
        .route("/metrics", get(metrics))
        .route("/api/purge", post(purge::purge))
        .with_state(subject);
    let access = Access::new(settings.token, settings.open);
    let service = Service(layers::around(routes, access));
    let serve = move |_, _| service.clone();
    let meters = server::Meters::unshown("64 connections of the admin port");
    server::run(listener, limits, serve, meters, connections, stop).await;
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
            Health::Starting => (
                StatusCode::SERVICE_UNAVAILABLE,
                "starting",
                Some("reading the purge log"),
            ),
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
