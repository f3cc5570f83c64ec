//! What the scenarios are made of: an origin that follows a script, a cache in front of it, and requests.

mod origin;
mod reply;
mod request;
mod scene;

pub(super) use self::{
    reply::Reply,
    request::{Client, Got, Request},
    scene::{Scene, rule},
};

/// Waits until `condition` holds. No time passes meanwhile: the runtime is never idle.
pub(super) async fn until(what: &str, mut condition: impl FnMut() -> bool) {
    for _ in 0..100_000 {
        if condition() {
            return;
        }
        tokio::task::yield_now().await;
    }
    panic!("waited in vain until {what}");
}

/// Lets everybody go on who can, and no time pass: for what is not to happen.
pub(super) async fn settle() {
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
}
