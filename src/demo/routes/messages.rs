//! `/api/messages` and `/api/conversations/{id}/messages`

use axum::{
    Json,
    extract::State,
    http::StatusCode,
    response::{IntoResponse as _, Response},
};
use serde_json::json;

use super::app::{App, created};
use crate::demo::{
    caching::{Conditions, Label, Resource},
    page::{List, Numbered},
    problem::Problem,
    queries::{
        bulk,
        deletion::{self, Kind},
        messages,
    },
    receive::{Body, Bulk, Id, MessageBody, NewMessage, Parameters},
};

/// How deep a list can be read by the number of its page.
const DEEPEST: u32 = 1_000_000;

pub(crate) async fn list(
    State(app): State<App>,
    conditions: Conditions,
    parameters: Parameters,
) -> Result<Response, Problem> {
    let window = parameters.window(List::NewestMessages)?;
    let page = messages::all(&app.pools, &window).await?;
    app.list(Resource::Message, "messages".to_owned(), &conditions, &page)
}

pub(crate) async fn naive_list(
    State(app): State<App>,
    conditions: Conditions,
    parameters: Parameters,
) -> Result<Response, Problem> {
    let place = parameters.place(DEEPEST)?;
    let rows = messages::all_by_offset(&app.pools, place.rows(), place.offset()).await?;
    let page = Numbered::new(rows, &place);
    app.list(Resource::Message, "messages".to_owned(), &conditions, &page)
}

pub(crate) async fn of_conversation(
    State(app): State<App>,
    Id(id): Id,
    conditions: Conditions,
    parameters: Parameters,
) -> Result<Response, Problem> {
    let window = parameters.window(List::Messages)?;
    let page = messages::of_conversation(&app.pools, id, &window).await?;
    let keys = format!("conversation:{id}");
    app.list(Resource::Conversation, keys, &conditions, &page)
}

pub(crate) async fn one(
    State(app): State<App>,
    Id(id): Id,
    conditions: Conditions,
) -> Result<Response, Problem> {
    let message = messages::one(&app.pools, id).await?;
    let keys = format!("message:{id}");
    let label = Label::of_row(Resource::Message, id, &message.revision, keys);
    Ok(app.row(&label, &conditions, message.value))
}

pub(crate) async fn create(
    State(app): State<App>,
    Id(conversation): Id,
    Body(body): Body<NewMessage>,
) -> Result<Response, Problem> {
    let id = messages::create(&app.pools, conversation, &body).await?;
    let message = messages::one(&app.pools, id).await?;
    Ok(created(format!("/api/messages/{id}"), message.value))
}

pub(crate) async fn bulk(
    State(app): State<App>,
    Id(conversation): Id,
    Body(body): Body<Bulk>,
) -> Result<Response, Problem> {
    let ids = bulk::insert(&app.pools, conversation, &body.messages).await?;
    Ok(written(conversation, &ids))
}

pub(crate) async fn naive_bulk(
    State(app): State<App>,
    Id(conversation): Id,
    Body(body): Body<Bulk>,
) -> Result<Response, Problem> {
    let ids = bulk::one_by_one(&app.pools, conversation, &body.messages).await?;
    Ok(written(conversation, &ids))
}

fn written(conversation: i64, ids: &[i64]) -> Response {
    let location = format!("/api/conversations/{conversation}/messages");
    created(location, json!({ "created": ids.len(), "ids": ids }))
}

pub(crate) async fn update(
    State(app): State<App>,
    Id(id): Id,
    Body(body): Body<MessageBody>,
) -> Result<Response, Problem> {
    messages::rewrite(&app.pools, id, &body.text).await?;
    show(&app, id).await
}

pub(crate) async fn delete(State(app): State<App>, Id(id): Id) -> Result<StatusCode, Problem> {
    deletion::delete(&app.pools, Kind::Message, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

pub(crate) async fn restore(State(app): State<App>, Id(id): Id) -> Result<Response, Problem> {
    deletion::restore(&app.pools, Kind::Message, id).await?;
    show(&app, id).await
}

async fn show(app: &App, id: i64) -> Result<Response, Problem> {
    let message = messages::one(&app.pools, id).await?;
    Ok(Json(message.value).into_response())
}
