//! `/api/documents`

use axum::{
    Json,
    extract::State,
    http::StatusCode,
    response::{IntoResponse as _, Response},
};

use super::app::{App, created};
use crate::demo::{
    caching::{Conditions, Label, Resource},
    page::List,
    problem::Problem,
    queries::{
        conversations,
        deletion::{self, Kind},
        documents,
    },
    receive::{Body, DocumentBody, Id, NewDocument, Parameters},
};

pub(crate) async fn list(
    State(app): State<App>,
    conditions: Conditions,
    parameters: Parameters,
) -> Result<Response, Problem> {
    let window = parameters.window(List::Documents)?;
    let page = documents::list(&app.pools, &window).await?;
    app.list(
        Resource::Document,
        "documents".to_owned(),
        &conditions,
        &page,
    )
}

pub(crate) async fn one(
    State(app): State<App>,
    Id(id): Id,
    conditions: Conditions,
) -> Result<Response, Problem> {
    let document = documents::one(&app.pools, id).await?;
    let keys = format!("document:{id}");
    let label = Label::of_row(Resource::Document, id, &document.revision, keys);
    Ok(app.row(&label, &conditions, document.value))
}

/// Where it lies.
pub(crate) async fn conversations(
    State(app): State<App>,
    Id(id): Id,
    conditions: Conditions,
    parameters: Parameters,
) -> Result<Response, Problem> {
    let window = parameters.window(List::Memberships)?;
    documents::must_exist(&app.pools, id).await?;
    let page = conversations::of_document(&app.pools, id, &window).await?;
    let keys = format!("document:{id} conversations");
    app.list(Resource::Conversation, keys, &conditions, &page)
}

pub(crate) async fn create(
    State(app): State<App>,
    Body(body): Body<NewDocument>,
) -> Result<Response, Problem> {
    let id = documents::create(&app.pools, &body).await?;
    let document = documents::one(&app.pools, id).await?;
    Ok(created(format!("/api/documents/{id}"), document.value))
}

pub(crate) async fn update(
    State(app): State<App>,
    Id(id): Id,
    Body(body): Body<DocumentBody>,
) -> Result<Response, Problem> {
    documents::rewrite(&app.pools, id, &body).await?;
    show(&app, id).await
}

pub(crate) async fn delete(State(app): State<App>, Id(id): Id) -> Result<StatusCode, Problem> {
    deletion::delete(&app.pools, Kind::Document, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

pub(crate) async fn restore(State(app): State<App>, Id(id): Id) -> Result<Response, Problem> {
    deletion::restore(&app.pools, Kind::Document, id).await?;
    show(&app, id).await
}

async fn show(app: &App, id: i64) -> Result<Response, Problem> {
    let document = documents::one(&app.pools, id).await?;
    Ok(Json(document.value).into_response())
}
