//! Which path is answered by whom.

mod app;
mod conversations;
mod extras;
mod messages;
mod users;

use axum::{Router, routing::get};

pub(super) use self::app::App;
use super::problem::Problem;

/// The whole API.
pub(super) fn router(app: App) -> Router {
    let users = get(users::one).put(users::update).delete(users::delete);
    let conversations = get(conversations::one)
        .put(conversations::update)
        .delete(conversations::delete);
    let messages = get(messages::one)
        .put(messages::update)
        .delete(messages::delete);
    Router::new()
        .route("/healthz", get(extras::health))
        .route("/__version__", get(extras::version))
        .route("/metrics", get(extras::metrics))
        .route("/api/users", get(users::list).post(users::create))
        .route("/api/users/{id}", users)
        .route(
            "/api/conversations",
            get(conversations::list).post(conversations::create),
        )
        .route("/api/conversations/{id}", conversations)
        .route(
            "/api/conversations/{id}/messages",
            get(messages::list).post(messages::create),
        )
        .route("/api/naive/conversations", get(conversations::naive_list))
        .route("/api/messages/{id}", messages)
        .route("/api/search", get(extras::search))
        .route("/api/me", get(extras::me))
        .route("/api/events", get(extras::events))
        .fallback(async || Problem::Route)
        .method_not_allowed_fallback(async || Problem::Method)
        .with_state(app)
}
