//! `/api/users`

use axum::{Json, extract::State, http::StatusCode, response::Response};

use super::app::{App, created};
use crate::demo::{
    page::{List, Page},
    problem::Problem,
    queries::users::{self, User, UserWithProfile},
    receive::{Body, Id, Parameters, UserBody},
};

pub(crate) async fn list(
    State(app): State<App>,
    parameters: Parameters,
) -> Result<Json<Page<User>>, Problem> {
    let window = parameters.window(List::Users)?;
    users::list(&app.pools, &window).await.map(Json)
}

pub(crate) async fn one(
    State(app): State<App>,
    Id(id): Id,
) -> Result<Json<UserWithProfile>, Problem> {
    users::one(&app.pools, id).await.map(Json)
}

pub(crate) async fn create(
    State(app): State<App>,
    Body(body): Body<UserBody>,
) -> Result<Response, Problem> {
    let id = users::create(&app.pools, &body).await?;
    let user = users::one(&app.pools, id).await?;
    Ok(created(format!("/api/users/{id}"), user))
}

pub(crate) async fn update(
    State(app): State<App>,
    Id(id): Id,
    Body(body): Body<UserBody>,
) -> Result<Json<UserWithProfile>, Problem> {
    users::update(&app.pools, id, &body).await?;
    users::one(&app.pools, id).await.map(Json)
}

pub(crate) async fn delete(State(app): State<App>, Id(id): Id) -> Result<StatusCode, Problem> {
    users::delete(&app.pools, id)
        .await
        .map(|()| StatusCode::NO_CONTENT)
}
