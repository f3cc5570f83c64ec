//! Which path is answered by whom.

mod app;
mod conversations;
mod documents;
mod extras;
mod members;
mod messages;
mod search;
mod users;

use axum::{
    Router,
    routing::{get, post, put},
};

pub(super) use self::app::App;
use super::{layers::larger, problem::Problem};

/// The whole API.
pub(super) fn router(app: App) -> Router {
    Router::new()
        .route("/healthz", get(extras::health))
        .route("/__version__", get(extras::version))
        .route("/metrics", get(extras::metrics))
        .route("/api/search", get(search::by_words))
        .route("/api/naive/search", get(search::naive))
        .route("/api/me", get(extras::me))
        .route("/api/events", get(extras::events))
        .merge(users())
        .merge(conversations())
        .merge(messages())
        .merge(documents())
        .fallback(async || Problem::Route)
        .method_not_allowed_fallback(async || Problem::Method)
        .with_state(app)
}

fn users() -> Router<App> {
    let one = get(users::one).put(users::update).delete(users::delete);
    Router::new()
        .route("/api/users", get(users::list).post(users::create))
        .route("/api/users/{id}", one)
        .route("/api/users/{id}/restore", post(users::restore))
        .route("/api/users/{id}/conversations", get(users::conversations))
        .route("/api/users/{id}/messages", get(users::messages))
        .route("/api/users/{id}/documents", get(users::documents))
}

fn conversations() -> Router<App> {
    use conversations as c;
    let one = get(c::one).put(c::update).delete(c::delete);
    let participant = put(members::add_participant).delete(members::remove_participant);
    let document = put(members::add_document).delete(members::remove_document);
    Router::new()
        .route("/api/conversations", get(c::list).post(c::create))
        .route("/api/naive/conversations", get(c::naive_list))
        .route("/api/joined/conversations", get(c::joined_list))
        .route("/api/batched/conversations", get(c::list))
        .route("/api/loaded/conversations", get(c::loaded_list))
        .route("/api/threads", get(c::loaded_threads))
        .route("/api/naive/threads", get(c::naive_threads))
        .route("/api/cached/threads", get(c::cached_threads))
        .route("/api/batched/threads", get(c::batched_threads))
        .route("/api/loaded/threads", get(c::loaded_threads))
        .route("/api/conversations/{id}", one)
        .route("/api/conversations/{id}/restore", post(c::restore))
        .route(
            "/api/conversations/{id}/participants",
            get(members::participants),
        )
        .route("/api/conversations/{id}/participants/{member}", participant)
        .route("/api/conversations/{id}/documents", get(members::documents))
        .route("/api/conversations/{id}/documents/{member}", document)
}

fn messages() -> Router<App> {
    let one = get(messages::one)
        .put(messages::update)
        .delete(messages::delete);
    let bulk = "/api/conversations/{id}/messages/bulk";
    let naive_bulk = "/api/naive/conversations/{id}/messages/bulk";
    Router::new()
        .route("/api/messages", get(messages::list))
        .route("/api/naive/messages", get(messages::naive_list))
        .route("/api/messages/{id}", one)
        .route("/api/messages/{id}/restore", post(messages::restore))
        .route(
            "/api/conversations/{id}/messages",
            get(messages::of_conversation).post(messages::create),
        )
        .route(bulk, larger(post(messages::bulk)))
        .route(naive_bulk, larger(post(messages::naive_bulk)))
}

fn documents() -> Router<App> {
    let one = get(documents::one)
        .put(documents::update)
        .delete(documents::delete);
    Router::new()
        .route(
            "/api/documents",
            get(documents::list).post(documents::create),
        )
        .route("/api/documents/{id}", one)
        .route("/api/documents/{id}/restore", post(documents::restore))
        .route(
            "/api/documents/{id}/conversations",
            get(documents::conversations),
        )
}
