//! `/api/conversations` and `/api/naive/conversations`

use axum::{Json, extract::State, http::StatusCode, response::Response};

use super::app::{App, created};
use crate::demo::{
    page::{List, Page},
    problem::Problem,
    queries::conversations::{self, Summary, Whole},
    receive::{Body, ConversationBody, Id, NewConversation, Parameters},
};

pub(crate) async fn list(
    State(app): State<App>,
    parameters: Parameters,
) -> Result<Json<Page<Summary>>, Problem> {
    let window = parameters.window(List::Conversations)?;
    conversations::list(&app.pools, &window).await.map(Json)
}

pub(crate) async fn naive_list(
    State(app): State<App>,
    parameters: Parameters,
) -> Result<Json<Page<Summary>>, Problem> {
    let window = parameters.window(List::Conversations)?;
    conversations::naive_list(&app.pools, &window)
        .await
        .map(Json)
}

pub(crate) async fn one(State(app): State<App>, Id(id): Id) -> Result<Json<Whole>, Problem> {
    conversations::one(&app.pools, id).await.map(Json)
}

pub(crate) async fn create(
    State(app): State<App>,
    Body(body): Body<NewConversation>,
) -> Result<Response, Problem> {
    let id = conversations::create(&app.pools, &body).await?;
    let conversation = conversations::one(&app.pools, id).await?;
    Ok(created(format!("/api/conversations/{id}"), conversation))
}

pub(crate) async fn update(
    State(app): State<App>,
    Id(id): Id,
    Body(body): Body<ConversationBody>,
) -> Result<Json<Whole>, Problem> {
    conversations::rename(&app.pools, id, &body.title).await?;
    conversations::one(&app.pools, id).await.map(Json)
}

pub(crate) async fn delete(State(app): State<App>, Id(id): Id) -> Result<StatusCode, Problem> {
    conversations::delete(&app.pools, id)
        .await
        .map(|()| StatusCode::NO_CONTENT)
}
