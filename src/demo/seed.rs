//! The first data: always the same, so that sizes, pages and search results can be relied on.

mod texts;

use serde_json::{Value, json};
use sqlx::{query, query_scalar};

use self::texts::{BIOS, CITIES, MESSAGES, NAMES, OCCASIONS, SUBJECTS};
use super::schema::Pools;

const CONVERSATIONS: usize = SUBJECTS.len() * OCCASIONS.len();
/// 2026-01-05T08:00:00Z, in seconds.
const START: usize = 1_767_600_000;
/// A message every four minutes. Of two neighbours the last messages are of the same second, so
/// that the order of the list needs the id as well.
const BETWEEN_MESSAGES: usize = 240;
const BETWEEN_NEIGHBOURS: usize = 5400;

/// Writes users, profiles, conversations and messages in one transaction if there are no users.
pub(super) async fn fill_if_empty(pools: &Pools) -> Result<(), sqlx::Error> {
    // Takes the lock before it looks: of two processes on one file only one seeds.
    let mut transaction = pools.writer.begin_with("BEGIN IMMEDIATE").await?;
    let filled: bool = query_scalar("SELECT EXISTS (SELECT 1 FROM users)")
        .fetch_one(&mut *transaction)
        .await?;
    if filled {
        return Ok(());
    }
    let steps = [
        (
            "INSERT INTO users (id, name, email, created_at)
             SELECT value->>'id', value->>'name', value->>'email',
                    strftime('%Y-%m-%dT%H:%M:%SZ', value->>'at', 'unixepoch')
             FROM json_each(?1)",
            users(),
        ),
        (
            "INSERT INTO profiles (user_id, bio, city)
             SELECT value->>'id', value->>'bio', value->>'city' FROM json_each(?1)",
            users(),
        ),
        (
            "INSERT INTO conversations (id, title, owner_id, updated_at)
             SELECT value->>'id', value->>'title', value->>'owner',
                    strftime('%Y-%m-%dT%H:%M:%SZ', value->>'at', 'unixepoch')
             FROM json_each(?1)",
            conversations(),
        ),
        (
            "INSERT INTO messages (conversation_id, author_id, text, created_at)
             SELECT value->>'conversation', value->>'author', value->>'text',
                    strftime('%Y-%m-%dT%H:%M:%SZ', value->>'at', 'unixepoch')
             FROM json_each(?1) ORDER BY value->>'at', key",
            messages(),
        ),
    ];
    for (statement, rows) in steps {
        query(statement)
            .bind(rows.to_string())
            .execute(&mut *transaction)
            .await?;
    }
    transaction.commit().await
}

fn users() -> Value {
    let user = |(index, name): (usize, &&str)| {
        json!({
            "id": index + 1,
            "name": name,
            "email": format!("{}@example.com", name.to_lowercase().replace(' ', ".")),
            "at": START - (NAMES.len() - index) * 86_400,
            "bio": BIOS[index % BIOS.len()],
            "city": CITIES[index * 3 % CITIES.len()],
        })
    };
    NAMES.iter().enumerate().map(user).collect()
}

fn conversations() -> Value {
    let conversation = |index| {
        let subject = SUBJECTS[index % SUBJECTS.len()];
        let occasion = OCCASIONS[index / SUBJECTS.len()];
        json!({
            "id": index + 1,
            "title": format!("{subject} {occasion}"),
            "owner": member(index, 0),
            "at": last_message_at(index),
        })
    };
    (0..CONVERSATIONS).map(conversation).collect()
}

fn messages() -> Value {
    let message = |conversation, place, count| {
        json!({
            "conversation": conversation + 1,
            "author": member(conversation, place % 4),
            // 7 shares no factor with the number of texts: no text comes twice in a conversation.
            "text": MESSAGES[(conversation * 5 + place * 7) % MESSAGES.len()],
            "at": last_message_at(conversation) - (count - 1 - place) * BETWEEN_MESSAGES,
        })
    };
    (0..CONVERSATIONS)
        .flat_map(|conversation| {
            let count = 8 + conversation * 7 % 5;
            (0..count).map(move |place| message(conversation, place, count))
        })
        .collect()
}

/// The id of one of the people in a conversation; the owner is the first.
fn member(conversation: usize, number: usize) -> usize {
    (conversation * 3 + number * 11) % NAMES.len() + 1
}

fn last_message_at(conversation: usize) -> usize {
    START + 3600 + conversation / 2 * BETWEEN_NEIGHBOURS
}
