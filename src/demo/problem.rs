//! What a request can end with instead of its answer, as `application/problem+json` (RFC 9457).

use std::{borrow::Cow, error::Error, sync::Arc};

use axum::{
    Json,
    http::{HeaderValue, StatusCode, header::CONTENT_TYPE},
    response::{IntoResponse, Response},
};
use serde::Serialize;
use tracing::error;

/// Why a request has no answer.
#[derive(Debug)]
pub(super) enum Problem {
    /// A part of the URL is not what it has to be.
    Parameter { name: &'static str, allowed: String },
    /// The body could not be read, or a layer refuses; the status says in what way.
    Refused { status: StatusCode, detail: String },
    /// The body was read, but one of its fields has a value that is not allowed.
    Field {
        name: Cow<'static, str>,
        allowed: &'static str,
    },
    /// No such path.
    Route,
    /// The path has no such method.
    Method,
    /// No row has this id.
    Missing { what: &'static str, id: i64 },
    /// No row with this id is deleted.
    NotDeleted { what: &'static str, id: i64 },
    /// The request contradicts what is stored.
    Conflict(&'static str),
    /// The database failed.
    Database(Arc<sqlx::Error>),
}

#[derive(Serialize)]
struct Details {
    r#type: &'static str,
    title: &'static str,
    status: u16,
    detail: String,
}

/// Whether the database had no time: no connection, a lock that another writer holds, or its own limit.
fn is_busy(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::PoolTimedOut => true,
        sqlx::Error::Database(error) => {
            // SQLITE_BUSY; query_canceled, too_many_connections
            let code = error.code();
            code.is_some_and(|code| ["5", "57014", "53300"].contains(&&*code))
        }
        _ => false,
    }
}

impl Problem {
    fn status(&self) -> StatusCode {
        match self {
            Problem::Parameter { .. } => StatusCode::BAD_REQUEST,
            Problem::Refused { status, .. } => *status,
            Problem::Field { .. } => StatusCode::UNPROCESSABLE_ENTITY,
            Problem::Route | Problem::Missing { .. } | Problem::NotDeleted { .. } => {
                StatusCode::NOT_FOUND
            }
            Problem::Method => StatusCode::METHOD_NOT_ALLOWED,
            Problem::Conflict(_) => StatusCode::CONFLICT,
            Problem::Database(error) if is_busy(error) => StatusCode::SERVICE_UNAVAILABLE,
            Problem::Database(_) => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    fn detail(self) -> String {
        match self {
            Problem::Parameter { name, allowed } => format!("`{name}` must be {allowed}"),
            Problem::Refused { detail, .. } => detail,
            Problem::Field { name, allowed } => format!("`{name}` must be {allowed}"),
            Problem::Route => "there is nothing at this path".to_owned(),
            Problem::Method => "this path has other methods; see the Allow field".to_owned(),
            Problem::Missing { what, id } => format!("there is no {what} {id}"),
            Problem::NotDeleted { what, id } => format!("there is no deleted {what} {id}"),
            Problem::Conflict(detail) => detail.to_owned(),
            Problem::Database(error) => {
                error!(error = &error as &dyn Error, "the database failed");
                "the database did not answer".to_owned()
            }
        }
    }
}

impl From<sqlx::Error> for Problem {
    fn from(error: sqlx::Error) -> Self {
        Problem::Database(Arc::new(error))
    }
}

/// Of a statement that several have waited for.
impl From<Arc<sqlx::Error>> for Problem {
    fn from(error: Arc<sqlx::Error>) -> Self {
        Problem::Database(error)
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = self.status();
        let details = Details {
            r#type: "about:blank",
            title: status.canonical_reason().unwrap_or_default(),
            status: status.as_u16(),
            detail: self.detail(),
        };
        let mut response = (status, Json(details)).into_response();
        let problem = HeaderValue::from_static("application/problem+json");
        response.headers_mut().insert(CONTENT_TYPE, problem);
        response
    }
}
