//! Who takes part in a conversation, and what lies in it.

use axum::{extract::State, http::StatusCode, response::Response};

use super::app::App;
use crate::demo::{
    caching::{Conditions, Resource},
    page::List,
    problem::Problem,
    queries::{
        documents,
        members::{self, Change, Member},
        touch,
    },
    receive::{Id, Ids, Parameters},
};

pub(crate) async fn participants(
    State(app): State<App>,
    Id(id): Id,
    conditions: Conditions,
    parameters: Parameters,
) -> Result<Response, Problem> {
    let window = parameters.window(List::Memberships)?;
    touch::must_exist(&app.pools, id).await?;
    let page = members::participants(&app.pools, id, &window).await?;
    let keys = format!("conversation:{id}");
    app.list(Resource::Conversation, keys, &conditions, &page)
}

pub(crate) async fn documents(
    State(app): State<App>,
    Id(id): Id,
    conditions: Conditions,
    parameters: Parameters,
) -> Result<Response, Problem> {
    let window = parameters.window(List::Memberships)?;
    touch::must_exist(&app.pools, id).await?;
    let page = documents::of_conversation(&app.pools, id, &window).await?;
    let keys = format!("conversation:{id} documents");
    app.list(Resource::Conversation, keys, &conditions, &page)
}

pub(crate) async fn add_participant(
    State(app): State<App>,
    Ids(id, user): Ids,
) -> Result<StatusCode, Problem> {
    add(&app, Member::Participant, id, user).await
}

pub(crate) async fn add_document(
    State(app): State<App>,
    Ids(id, document): Ids,
) -> Result<StatusCode, Problem> {
    add(&app, Member::Document, id, document).await
}

/// 201 if it was not so before.
async fn add(app: &App, member: Member, id: i64, other: i64) -> Result<StatusCode, Problem> {
    Ok(match members::add(&app.pools, member, id, other).await? {
        Change::Made => StatusCode::CREATED,
        Change::WasSo => StatusCode::NO_CONTENT,
    })
}

pub(crate) async fn remove_participant(
    State(app): State<App>,
    Ids(id, user): Ids,
) -> Result<StatusCode, Problem> {
    members::remove(&app.pools, Member::Participant, id, user).await?;
    Ok(StatusCode::NO_CONTENT)
}

pub(crate) async fn remove_document(
    State(app): State<App>,
    Ids(id, document): Ids,
) -> Result<StatusCode, Problem> {
    members::remove(&app.pools, Member::Document, id, document).await?;
    Ok(StatusCode::NO_CONTENT)
}
