//! `/api/users`

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
        documents, messages, users,
    },
    receive::{Body, Id, Parameters, UserBody},
};

const CITY_LENGTH: usize = 80;

pub(crate) async fn list(
    State(app): State<App>,
    conditions: Conditions,
    parameters: Parameters,
) -> Result<Response, Problem> {
    let window = parameters.window(List::Users)?;
    let page = match parameters.maybe_text("city", CITY_LENGTH)? {
        Some(city) => users::of_city(&app.pools, city, &window).await?,
        None => users::list(&app.pools, &window).await?,
    };
    app.list(Resource::User, "users".to_owned(), &conditions, &page)
}

pub(crate) async fn one(
    State(app): State<App>,
    Id(id): Id,
    conditions: Conditions,
) -> Result<Response, Problem> {
    let user = users::one(&app.pools, id).await?;
    let label = Label::of_row(Resource::User, id, &user.revision, key(id));
    Ok(app.row(&label, &conditions, user.value))
}

fn key(id: i64) -> String {
    format!("user:{id}")
}

/// What the user takes part in.
pub(crate) async fn conversations(
    State(app): State<App>,
    Id(id): Id,
    conditions: Conditions,
    parameters: Parameters,
) -> Result<Response, Problem> {
    let window = parameters.window(List::Memberships)?;
    users::must_exist(&app.pools, id).await?;
    let page = conversations::of_user(&app.pools, id, &window).await?;
    let keys = format!("{} conversations", key(id));
    app.list(Resource::Conversation, keys, &conditions, &page)
}

/// What the user has written.
pub(crate) async fn messages(
    State(app): State<App>,
    Id(id): Id,
    conditions: Conditions,
    parameters: Parameters,
) -> Result<Response, Problem> {
    let window = parameters.window(List::NewestMessages)?;
    users::must_exist(&app.pools, id).await?;
    let page = messages::of_user(&app.pools, id, &window).await?;
    let keys = format!("{} messages", key(id));
    app.list(Resource::Message, keys, &conditions, &page)
}

/// What belongs to the user.
pub(crate) async fn documents(
    State(app): State<App>,
    Id(id): Id,
    conditions: Conditions,
    parameters: Parameters,
) -> Result<Response, Problem> {
    let window = parameters.window(List::Memberships)?;
    users::must_exist(&app.pools, id).await?;
    let page = documents::of_user(&app.pools, id, &window).await?;
    let keys = format!("{} documents", key(id));
    app.list(Resource::Document, keys, &conditions, &page)
}

pub(crate) async fn create(
    State(app): State<App>,
    Body(body): Body<UserBody>,
) -> Result<Response, Problem> {
    let id = users::create(&app.pools, &body).await?;
    let user = users::one(&app.pools, id).await?;
    Ok(created(format!("/api/users/{id}"), user.value))
}

pub(crate) async fn update(
    State(app): State<App>,
    Id(id): Id,
    Body(body): Body<UserBody>,
) -> Result<Response, Problem> {
    users::update(&app.pools, id, &body).await?;
    show(&app, id).await
}

pub(crate) async fn delete(State(app): State<App>, Id(id): Id) -> Result<StatusCode, Problem> {
    deletion::delete(&app.pools, Kind::User, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

pub(crate) async fn restore(State(app): State<App>, Id(id): Id) -> Result<Response, Problem> {
    deletion::restore(&app.pools, Kind::User, id).await?;
    show(&app, id).await
}

/// What it is after a write. Without a tag: it says more than the client has sent (RFC 9110 §9.3.4).
async fn show(app: &App, id: i64) -> Result<Response, Problem> {
    let user = users::one(&app.pools, id).await?;
    Ok(Json(user.value).into_response())
}
