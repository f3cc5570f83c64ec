//! `/api/conversations/{id}/messages` and `/api/messages/{id}`

use axum::{Json, extract::State, http::StatusCode, response::Response};

use super::app::{App, created};
use crate::demo::{
    page::{List, Page},
    problem::Problem,
    queries::messages::{self, Message},
    receive::{Body, Id, MessageBody, NewMessage, Parameters},
};

pub(crate) async fn list(
    State(app): State<App>,
    Id(conversation): Id,
    parameters: Parameters,
) -> Result<Json<Page<Message>>, Problem> {
    let window = parameters.window(List::Messages)?;
    messages::list(&app.pools, conversation, &window)
        .await
        .map(Json)
}

pub(crate) async fn one(State(app): State<App>, Id(id): Id) -> Result<Json<Message>, Problem> {
    messages::one(&app.pools, id).await.map(Json)
}

pub(crate) async fn create(
    State(app): State<App>,
    Id(conversation): Id,
    Body(body): Body<NewMessage>,
) -> Result<Response, Problem> {
    let id = messages::create(&app.pools, conversation, &body).await?;
    let message = messages::one(&app.pools, id).await?;
    Ok(created(format!("/api/messages/{id}"), message))
}

pub(crate) async fn update(
    State(app): State<App>,
    Id(id): Id,
    Body(body): Body<MessageBody>,
) -> Result<Json<Message>, Problem> {
    messages::rewrite(&app.pools, id, &body.text).await?;
    messages::one(&app.pools, id).await.map(Json)
}

pub(crate) async fn delete(State(app): State<App>, Id(id): Id) -> Result<StatusCode, Problem> {
    messages::delete(&app.pools, id)
        .await
        .map(|()| StatusCode::NO_CONTENT)
}
