//! The request that each index is for, without and with it.

use super::{Rig, repeat};
use crate::{
    Failure,
    client::Client,
    database::Database,
    error,
    figures::Index,
    sample::{Patience, Times, ms},
};
use http::Method;
use serde_json::{Value, json};
use std::time::Duration;
use tokio::time::Instant;

/// A word that no other message has.
const WORD: &str = "quokka";

/// What is asked, or [`DELETE`].
const REQUESTS: [(&str, &str); 10] = [
    ("live_conversations_by_update", "/api/conversations"),
    ("live_conversations_by_owner", DELETE),
    (
        "live_messages_by_conversation",
        "/api/conversations/1/messages",
    ),
    ("live_messages_by_author", "/api/users/1/messages"),
    ("live_documents_by_owner", "/api/users/1/documents"),
    ("live_documents_by_change", "/api/documents"),
    ("participants_by_user", "/api/users/1/conversations"),
    ("attachments_by_document", "/api/documents/1/conversations"),
    ("profiles_by_city", "/api/users?city=Bergen"),
    ("message_words", "/api/search?q=quokka"),
];
/// Of somebody new, who has nothing yet; restored each time.
const DELETE: &str = "DELETE /api/users/{id}";
/// What SQLite has for words is a table, which cannot be dropped alone; this is what asks without.
const WITHOUT_WORDS: &str = "/api/naive/search?q=quokka";

/// One index after the other is dropped and made again; the others stay.
pub(super) async fn measure(rig: &Rig<'_>) -> Result<Vec<Index>, Failure> {
    let last = rig.database.last_message().await?;
    let mut client = rig.backend.client().await?;
    let text = json!({ "author_id": 1, "text": format!("Look, a {WORD}!") });
    client
        .write(Method::POST, "/api/conversations/1/messages", &text)
        .await?;
    let user = somebody(&mut client).await?;
    let patience = Patience {
        time: rig.patience().time / 2,
        ..rig.patience()
    };
    let mut indexes = Vec::new();
    for (name, request) in REQUESTS {
        let state = rig.indexes.iter().find(|state| state.name == name);
        let state = state.ok_or_else(|| error(format!("there is no index {name}")))?;
        let with = ask(&mut client, request, user, patience).await?;
        let words = name == "message_words" && matches!(rig.database, Database::Sqlite(_));
        let (without, made_in_ms) = if words {
            (ask(&mut client, WITHOUT_WORDS, user, patience).await?, None)
        } else {
            let definition = rig.database.definition(name).await?;
            rig.database.run(&format!("DROP INDEX {name}")).await?;
            let without = ask(&mut client, request, user, patience).await?;
            let began = Instant::now();
            rig.database.run(&definition).await?;
            (without, Some(ms(began.elapsed())))
        };
        indexes.push(Index {
            name,
            serves: state.serves,
            bytes: state.size.unwrap_or_default(),
            made_in_ms,
            is_used: state.is_used(),
            without,
            with,
        });
    }
    rig.database.forget(&last).await?;
    Ok(indexes)
}

async fn ask(
    client: &mut Client,
    request: &str,
    user: i64,
    patience: Patience,
) -> Result<Times, Failure> {
    if request == DELETE {
        return repeat(patience, async |_| delete(client, user).await).await;
    }
    repeat(patience, async |_| Ok(client.get(request).await?.took)).await
}

async fn delete(client: &mut Client, user: i64) -> Result<Duration, Failure> {
    let path = format!("/api/users/{user}");
    let deleted = client.send(Method::DELETE, &path, &[], None).await?;
    client
        .send(Method::POST, &format!("{path}/restore"), &[], None)
        .await?;
    Ok(deleted.took)
}

async fn somebody(client: &mut Client) -> Result<i64, Failure> {
    let user = json!({
        "name": "Nobody Yet",
        "email": "nobody.yet@example.com",
        "profile": { "bio": "", "city": "Nowhere" },
    });
    let answer = client.write(Method::POST, "/api/users", &user).await?;
    let user: Value = serde_json::from_slice(&answer.body)?;
    user["id"]
        .as_i64()
        .ok_or_else(|| error("a new user has no id".to_owned()))
}
