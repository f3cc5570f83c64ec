//! Pages of lists: where one starts and how the client asks for the next.
//!
//! A cursor is hexadecimal text with a check value. The check finds damage and mix-ups, it is no
//! protection: everything a cursor can reach is public.

use serde::Serialize;
use sha2::{Digest as _, Sha256};

/// Sorts after every time.
const LATER: &str = "9999";

/// A list of items and the cursor of those that follow.
#[derive(Serialize)]
pub(super) struct Page<T> {
    items: Vec<T>,
    next: Option<String>,
}

/// At most `limit` items, those after `after`.
pub(super) struct Window {
    pub(super) limit: u32,
    pub(super) after: Option<Cursor>,
}

/// Which list a cursor belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum List {
    Users,
    Conversations,
    Messages,
}

/// The last item of a page.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Cursor {
    /// What the list is ordered by before the id; empty if by nothing.
    pub(super) key: String,
    pub(super) id: i64,
}

/// The first eight hexadecimal digits of the SHA-256 of `bytes`.
pub(super) fn short_hash(bytes: &[u8]) -> String {
    hexadecimal(&Sha256::digest(bytes)[..4])
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

// === impl Page ===

impl<T> Page<T> {
    /// The page of `rows`, which were asked for with [`Window::rows`]: one too many is how the
    /// end of the list is known.
    pub(super) fn new(
        mut rows: Vec<T>,
        window: &Window,
        list: List,
        cursor: impl Fn(&T) -> Cursor,
    ) -> Self {
        let limit = usize::try_from(window.limit).expect("the limit is at most 100");
        let more = rows.len() > limit;
        rows.truncate(limit);
        let next = rows
            .last()
            .filter(|_| more)
            .map(|last| cursor(last).encode(list));
        Self { items: rows, next }
    }

    pub(super) fn map<U>(self, change: impl FnMut(T) -> U) -> Page<U> {
        Page {
            items: self.items.into_iter().map(change).collect(),
            next: self.next,
        }
    }

    pub(super) fn items(&self) -> &[T] {
        &self.items
    }
}

// === impl Window ===

impl Window {
    /// How many rows to ask the database for.
    pub(super) fn rows(&self) -> u32 {
        self.limit + 1
    }

    /// The id after which a list begins that is ordered by it.
    pub(super) fn after_id(&self) -> i64 {
        self.after.as_ref().map_or(0, |cursor| cursor.id)
    }

    /// Time and id before which a list begins that has the latest first.
    pub(super) fn after_time(&self) -> (&str, i64) {
        match &self.after {
            Some(cursor) => (&cursor.key, cursor.id),
            None => (LATER, i64::MAX),
        }
    }
}

// === impl Cursor ===

impl Cursor {
    pub(super) fn id(id: i64) -> Self {
        Self {
            key: String::new(),
            id,
        }
    }

    fn encode(&self, list: List) -> String {
        let plain = format!("{list:?}|{}|{}", self.id, self.key);
        hexadecimal(plain.as_bytes()) + &short_hash(plain.as_bytes())
    }

    /// Reads what [`Cursor::encode`] wrote for the same list; nothing else.
    pub(super) fn decode(list: List, text: &str) -> Option<Self> {
        let bytes = text
            .as_bytes()
            .chunks(2)
            .map(|digits| u8::from_str_radix(str::from_utf8(digits).ok()?, 16).ok())
            .collect::<Option<Vec<u8>>>()?;
        let (plain, _check) = bytes.split_last_chunk::<4>()?;
        let mut parts = str::from_utf8(plain).ok()?.splitn(3, '|').skip(1);
        let cursor = Self {
            id: parts.next()?.parse().ok()?,
            key: parts.next()?.to_owned(),
        };
        // Compares the list and the check value, and refuses any other spelling.
        (cursor.encode(list) == text).then_some(cursor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_comes_back_as_it_was() {
        let cursor = Cursor {
            key: "2026-01-05T08:00:00Z".to_owned(),
            id: 7,
        };
        let text = cursor.encode(List::Conversations);
        assert_eq!(Cursor::decode(List::Conversations, &text), Some(cursor));
    }

    #[test]
    fn a_damaged_or_foreign_cursor_is_refused() {
        let text = Cursor::id(7).encode(List::Users);
        assert_eq!(Cursor::decode(List::Messages, &text), None);
        assert_eq!(Cursor::decode(List::Users, &text.to_uppercase()), None);
        assert_eq!(Cursor::decode(List::Users, ""), None);
        assert_eq!(Cursor::decode(List::Users, "ééé"), None);
        for at in 0..text.len() {
            let mut damaged = text.clone().into_bytes();
            damaged[at] ^= 1;
            let damaged = String::from_utf8(damaged).unwrap();
            assert_eq!(Cursor::decode(List::Users, &damaged), None, "{damaged}");
            assert_eq!(Cursor::decode(List::Users, &text[..at]), None);
        }
    }
}
