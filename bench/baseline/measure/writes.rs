//! A thousand messages: in one bulk, in one request one by one, and in a request each.

use super::Rig;
use crate::{
    Failure,
    figures::{Way, Write},
    sample::{Patience, Times},
};
use http::Method;
use serde_json::{Value, json};
use std::time::Duration;
use tokio::time::Instant;

/// They all go into the oldest conversation, which nobody reads here, and are taken back.
const CONVERSATION: &str = "conversations/1/messages";

pub(super) async fn measure(rig: &Rig<'_>) -> Result<Vec<Write>, Failure> {
    let last = rig.database.last_message().await?;
    let messages = rig.settings.bulk();
    let many = json!({ "messages": vec![message(); messages] });
    let mut writes = Vec::new();
    for (way, path, body, requests) in [
        (
            Way::Bulk,
            format!("/api/{CONVERSATION}/bulk"),
            many.clone(),
            1,
        ),
        (
            Way::OneByOne,
            format!("/api/naive/{CONVERSATION}/bulk"),
            many,
            1,
        ),
        (
            Way::RequestEach,
            format!("/api/{CONVERSATION}"),
            message(),
            messages,
        ),
    ] {
        let (statements, time) = write(rig, &path, &body, requests).await?;
        writes.push(Write {
            way,
            messages,
            statements,
            time,
        });
    }
    rig.database.forget(&last).await?;
    Ok(writes)
}

fn message() -> Value {
    json!({ "author_id": 1, "text": "The train leaves at nine, so let us meet at half past eight." })
}

async fn write(
    rig: &Rig<'_>,
    path: &str,
    body: &Value,
    requests: usize,
) -> Result<(u64, Times), Failure> {
    let mut client = rig.backend.client().await?;
    let few = Patience {
        samples: 20,
        ..rig.patience()
    };
    let began = Instant::now();
    let before = rig.backend.statements().await?;
    let mut samples = Vec::new();
    while few.wants(samples.len(), began) {
        let mut took = Duration::ZERO;
        for _ in 0..requests {
            took += client.write(Method::POST, path, body).await?.took;
        }
        samples.push(took);
    }
    let statements = rig.backend.statements().await? - before;
    Ok((statements / samples.len() as u64, Times::of(samples)))
}
