//! What the handlers work with, and answers that several of them give.

use std::sync::Arc;

use axum::{
    Json,
    http::{
        HeaderValue, StatusCode,
        header::{CONTENT_TYPE, LOCATION},
    },
    response::{IntoResponse, Response},
};
use serde::Serialize;
use tokio_util::sync::CancellationToken;

use crate::demo::{
    caching::{CacheControl, Conditions, Label, Resource},
    pools::Pools,
    problem::Problem,
    profiler::Profiler,
};

#[derive(Clone)]
pub(crate) struct App {
    pub(crate) pools: Pools,
    pub(crate) profiler: Arc<Profiler>,
    pub(crate) speaks: CacheControl,
    /// Ends streams.
    pub(crate) shutdown: CancellationToken,
}

impl App {
    /// What shows one row: all of it, or that it is as the caller knows it.
    pub(super) fn row(
        &self,
        label: &Label,
        conditions: &Conditions,
        body: impl Serialize,
    ) -> Response {
        if label.is_known(conditions) {
            return label.not_modified(self.speaks);
        }
        label.on(Json(body).into_response(), self.speaks)
    }

    /// What shows a list.
    pub(super) fn list(
        &self,
        resource: Resource,
        keys: String,
        conditions: &Conditions,
        list: &impl Serialize,
    ) -> Result<Response, Problem> {
        let bytes = serde_json::to_vec(list).map_err(|error| sqlx::Error::Encode(error.into()))?;
        let label = Label::of_list(resource, &bytes, keys);
        if label.is_known(conditions) {
            return Ok(label.not_modified(self.speaks));
        }
        let kind = (CONTENT_TYPE, HeaderValue::from_static("application/json"));
        Ok(label.on(([kind], bytes).into_response(), self.speaks))
    }
}

/// 201 with where it is and what it is.
pub(super) fn created(location: String, body: impl Serialize) -> Response {
    (StatusCode::CREATED, [(LOCATION, location)], Json(body)).into_response()
}
