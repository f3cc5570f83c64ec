//! `/api/conversations`, and the lists of them in every form.

use axum::{
    Json,
    extract::State,
    http::StatusCode,
    response::{IntoResponse as _, Response},
};

use super::app::{App, created};
use crate::demo::{
    caching::{Conditions, Label, Resource},
    page::{List, Page},
    problem::Problem,
    queries::{
        conversations,
        deletion::{self, Kind},
        lists, threads,
    },
    receive::{Body, ConversationBody, Id, NewConversation, Parameters},
};
use serde::Serialize;

pub(crate) async fn list(
    State(app): State<App>,
    conditions: Conditions,
    parameters: Parameters,
) -> Result<Response, Problem> {
    let window = parameters.window(List::Conversations)?;
    let page = lists::batched(&app.pools, &window).await?;
    shown(&app, &conditions, &page)
}

pub(crate) async fn naive_list(
    State(app): State<App>,
    conditions: Conditions,
    parameters: Parameters,
) -> Result<Response, Problem> {
    let window = parameters.window(List::Conversations)?;
    let page = lists::naive(&app.pools, &window).await?;
    shown(&app, &conditions, &page)
}

pub(crate) async fn joined_list(
    State(app): State<App>,
    conditions: Conditions,
    parameters: Parameters,
) -> Result<Response, Problem> {
    let window = parameters.window(List::Conversations)?;
    let page = lists::joined(&app.pools, &window).await?;
    shown(&app, &conditions, &page)
}

pub(crate) async fn loaded_list(
    State(app): State<App>,
    conditions: Conditions,
    parameters: Parameters,
) -> Result<Response, Problem> {
    let window = parameters.window(List::Conversations)?;
    let page = lists::loaded(&app.pools, &window).await?;
    shown(&app, &conditions, &page)
}

pub(crate) async fn naive_threads(
    State(app): State<App>,
    conditions: Conditions,
    parameters: Parameters,
) -> Result<Response, Problem> {
    let window = parameters.window(List::Threads)?;
    let page = threads::naive(&app.pools, &window).await?;
    shown(&app, &conditions, &page)
}

pub(crate) async fn cached_threads(
    State(app): State<App>,
    conditions: Conditions,
    parameters: Parameters,
) -> Result<Response, Problem> {
    let window = parameters.window(List::Threads)?;
    let page = threads::naive(&app.pools.cached(), &window).await?;
    shown(&app, &conditions, &page)
}

pub(crate) async fn batched_threads(
    State(app): State<App>,
    conditions: Conditions,
    parameters: Parameters,
) -> Result<Response, Problem> {
    let window = parameters.window(List::Threads)?;
    let page = threads::batched(&app.pools, &window).await?;
    shown(&app, &conditions, &page)
}

pub(crate) async fn loaded_threads(
    State(app): State<App>,
    conditions: Conditions,
    parameters: Parameters,
) -> Result<Response, Problem> {
    let window = parameters.window(List::Threads)?;
    let page = threads::loaded(&app.pools, &window).await?;
    shown(&app, &conditions, &page)
}

fn shown<T: Serialize>(
    app: &App,
    conditions: &Conditions,
    page: &Page<T>,
) -> Result<Response, Problem> {
    let keys = "conversations".to_owned();
    app.list(Resource::Conversation, keys, conditions, page)
}

pub(crate) async fn one(
    State(app): State<App>,
    Id(id): Id,
    conditions: Conditions,
) -> Result<Response, Problem> {
    let conversation = conversations::one(&app.pools, id).await?;
    let keys = format!("conversation:{id}");
    let label = Label::of_row(Resource::Conversation, id, &conversation.revision, keys);
    if label.is_known(&conditions) {
        return Ok(label.not_modified(app.speaks)); // without a look at the messages
    }
    let whole = conversations::whole(&app.pools, conversation.value).await?;
    Ok(label.on(Json(whole).into_response(), app.speaks))
}

pub(crate) async fn create(
    State(app): State<App>,
    Body(body): Body<NewConversation>,
) -> Result<Response, Problem> {
    let id = conversations::create(&app.pools, &body).await?;
    let conversation = conversations::one(&app.pools, id).await?;
    let whole = conversations::whole(&app.pools, conversation.value).await?;
    Ok(created(format!("/api/conversations/{id}"), whole))
}

pub(crate) async fn update(
    State(app): State<App>,
    Id(id): Id,
    Body(body): Body<ConversationBody>,
) -> Result<Response, Problem> {
    conversations::rename(&app.pools, id, &body.title).await?;
    show(&app, id).await
}

pub(crate) async fn delete(State(app): State<App>, Id(id): Id) -> Result<StatusCode, Problem> {
    deletion::delete(&app.pools, Kind::Conversation, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

pub(crate) async fn restore(State(app): State<App>, Id(id): Id) -> Result<Response, Problem> {
    deletion::restore(&app.pools, Kind::Conversation, id).await?;
    show(&app, id).await
}

async fn show(app: &App, id: i64) -> Result<Response, Problem> {
    let conversation = conversations::one(&app.pools, id).await?;
    let whole = conversations::whole(&app.pools, conversation.value).await?;
    Ok(Json(whole).into_response())
}
