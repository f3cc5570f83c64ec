//! Messages by their words, and by a part of their text.

use super::messages::Message;
use crate::demo::{
    page::{Cursor, List, Page, Window},
    pools::Pools,
    problem::Problem,
    sql::{Sql, Value, sql},
};

/// The words that are looked for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Words(String);

/// Those with all the words, the newest first, out of the index of words. The text is a query to both databases, in which nothing
/// but words is left.
pub(crate) const SEARCH: Sql = Sql {
    sqlite: "SELECT m.id, m.conversation_id, m.text, m.created_at, u.id AS person_id, u.name AS person_name
             FROM message_words w CROSS JOIN messages m ON m.id = w.rowid
             JOIN users u ON u.id = m.author_id JOIN conversations c ON c.id = m.conversation_id
             WHERE message_words MATCH $1 AND w.rowid < $2 AND c.deleted_at IS NULL
             ORDER BY w.rowid DESC LIMIT $3",
    // What matches is found first: PostgreSQL cannot tell how rare the words are, and to look for them in each message from the newest
    // on, which it does otherwise, is fast for frequent words and takes seconds for rare ones.
    postgres: "WITH m AS MATERIALIZED (
                 SELECT id, conversation_id, author_id, text, created_at FROM messages
                 WHERE words @@ plainto_tsquery('simple', $1) AND id < $2 AND deleted_at IS NULL
             )
             SELECT m.id, m.conversation_id, m.text, m.created_at, u.id AS person_id, u.name AS person_name
             FROM m
             JOIN users u ON u.id = m.author_id JOIN conversations c ON c.id = m.conversation_id
             WHERE c.deleted_at IS NULL
             ORDER BY m.id DESC LIMIT $3",
};

pub(crate) async fn search(
    pools: &Pools,
    Words(words): &Words,
    window: &Window,
) -> Result<Page<Message>, Problem> {
    let values = [
        words.as_str().into(),
        window.before_id().into(),
        window.rows().into(),
    ];
    let rows: Vec<Message> = pools.all(SEARCH, &values).await?;
    Ok(Page::new(rows, window, List::Search, |message| {
        Cursor::id(message.id)
    }))
}

/// Those that contain `text`, newest first: the database reads every message, and again for each page.
pub(crate) async fn scan(
    pools: &Pools,
    text: &str,
    limit: u32,
    offset: u32,
) -> Result<Vec<Message>, Problem> {
    let sql = sql!(
        MESSAGES
        " JOIN conversations c ON c.id = m.conversation_id
          WHERE m.text " LIKE " $1 ESCAPE '\\' AND m.deleted_at IS NULL AND c.deleted_at IS NULL
          ORDER BY m.id DESC LIMIT $2 OFFSET $3"
    );
    let values = [containing(text).into(), limit.into(), offset.into()];
    Ok(pools.all(sql, &values).await?)
}

/// The pattern of all texts with `text` in them, whatever characters it has.
fn containing(text: &str) -> String {
    let escaped = text
        .replace('\\', r"\\")
        .replace('%', r"\%")
        .replace('_', r"\_");
    format!("%{escaped}%")
}

// === impl Words ===

impl Words {
    /// The words of `text`, in small letters, so that none is an operator (`AND`); none if there is neither letter nor digit.
    pub(crate) fn of(text: &str) -> Option<Self> {
        let words: Vec<&str> = text
            .split(|character: char| !character.is_alphanumeric())
            .filter(|word| !word.is_empty())
            .collect();
        (!words.is_empty()).then(|| Self(words.join(" ").to_lowercase()))
    }
}

impl From<Words> for Value {
    fn from(Words(words): Words) -> Self {
        words.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_takes_every_character_literally() {
        assert_eq!(containing(r"50%_\"), r"%50\%\_\\%");
    }

    #[test]
    fn nothing_but_words_is_left_of_what_is_searched_for() {
        let words = |text| Words::of(text).map(|Words(words)| words);
        let cases = [
            ("Team lunch", Some("team lunch")),
            ("lunch* OR \"x\" NEAR(a b)", Some("lunch or x near a b")),
            ("text:a AND -b ^c & d | !e:*", Some("text a and b c d e")),
            ("50%_\\ ünd 12.50", Some("50 ünd 12 50")),
            ("'; DROP TABLE users; --", Some("drop table users")),
            ("\"", None),
            ("%_\0", None),
        ];
        for (text, expected) in cases {
            assert_eq!(words(text).as_deref(), expected, "{text}");
        }
    }
}
