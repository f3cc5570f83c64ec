//! Pages of lists: where one starts and how the client asks for the next.
//!
//! A cursor is hexadecimal text with a check value. The check finds damage and mix-ups, it is no
//! protection: everything a cursor can reach is public.

use serde::Serialize;
use sha2::{Digest as _, Sha256};

use super::time;

/// Sorts after every time.
const LATER: &str = "9999";

/// A list of items and the cursor of those that follow.
#[derive(Serialize)]
pub(super) struct Page<T> {
    items: Vec<T>,
    next: Option<String>,
}

/// A list of items that is found by its number, and the number of the next one.
#[derive(Serialize)]
pub(super) struct Numbered<T> {
    items: Vec<T>,
    page: u32,
    next_page: Option<u32>,
}

/// At most `limit` items of page `page`, of which there are `pages` at most; pages count from 1.
pub(super) struct Place {
    pub(super) limit: u32,
    pub(super) page: u32,
    pub(super) pages: u32,
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
    NewestMessages,
    Documents,
    /// What belongs to one conversation, user or document, by ids.
    Memberships,
    Search,
    Threads,
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

// === impl Numbered ===

impl<T> Numbered<T> {
    /// The page of `rows`, which were asked for with [`Place::rows`].
    pub(super) fn new(mut rows: Vec<T>, place: &Place) -> Self {
        let limit = usize::try_from(place.limit).expect("the limit is at most 100");
        let more = rows.len() > limit && place.page < place.pages;
        rows.truncate(limit);
        Self {
            items: rows,
            page: place.page,
            next_page: more.then_some(place.page + 1),
        }
    }
}

// === impl Place ===

impl Place {
    /// How many rows to ask the database for.
    pub(super) fn rows(&self) -> u32 {
        self.limit + 1
    }

    /// How many rows stand before the page.
    pub(super) fn offset(&self) -> u32 {
        (self.page - 1).saturating_mul(self.limit)
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

    /// The id before which a list begins that has the latest first.
    pub(super) fn before_id(&self) -> i64 {
        self.after.as_ref().map_or(i64::MAX, |cursor| cursor.id)
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
        // Compares the list and the check value, and refuses any other spelling. The check value is no secret: what is a key is
        // looked at too.
        let is_key = cursor.key.is_empty() || time::seconds(&cursor.key).is_some();
        (is_key && cursor.encode(list) == text).then_some(cursor)
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
    fn a_cursor_that_somebody_made_has_a_time_or_nothing_for_a_key() {
        for key in ["", "2026-01-05T08:00:00Z"] {
            let key = key.to_owned();
            let made = Cursor { key, id: 7 }.encode(List::Threads);
            assert!(Cursor::decode(List::Threads, &made).is_some(), "{made}");
        }
        for key in ["\0", "x", "2026-13-05T08:00:00Z"] {
            let key = key.to_owned();
            let made = Cursor { key, id: 7 }.encode(List::Threads);
            assert_eq!(Cursor::decode(List::Threads, &made), None);
        }
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
