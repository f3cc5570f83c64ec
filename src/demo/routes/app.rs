//! What the handlers work with, and an answer that several of them give.

use std::sync::Arc;

use axum::{
    Json,
    http::{StatusCode, header::LOCATION},
    response::{IntoResponse, Response},
};
use serde::Serialize;
use tokio_util::sync::CancellationToken;

use crate::demo::{pools::Pools, profiler::Profiler};

#[derive(Clone)]
pub(crate) struct App {
    pub(crate) pools: Pools,
    pub(crate) profiler: Arc<Profiler>,
    /// Ends streams.
    pub(crate) shutdown: CancellationToken,
}

/// 201 with where it is and what it is.
pub(super) fn created(location: String, body: impl Serialize) -> Response {
    (StatusCode::CREATED, [(LOCATION, location)], Json(body)).into_response()
}
