//! Who there is and who writes what when, as pure functions of the size.

use std::ops::Range;

use serde::Serialize;

use super::texts::{BIOS, CITIES, MESSAGES, NAMES, OCCASIONS, SUBJECTS};
use crate::demo::time;

/// 2026-01-05T08:00:00Z, in seconds: the first day of the default size. Larger ones begin earlier and end with it.
const START: usize = 1_767_600_000;
const DAY: usize = 86_400;
/// A message every four minutes. Of two neighbours the last messages are of the same second, so
/// that the order of the list needs the id as well.
const BETWEEN_MESSAGES: usize = 240;
const BETWEEN_NEIGHBOURS: usize = 5400;
/// How many neighbours the default size has.
const NEIGHBOURS: usize = SUBJECTS.len() * OCCASIONS.len() / 2;

/// Every third conversation has a message that was deleted, and a document, which lies in the next one too. Of the documents every
/// tenth is deleted.
const BETWEEN_DELETED: usize = 3;
pub(super) const BETWEEN_DOCUMENTS: usize = 3;
const BETWEEN_DELETED_DOCUMENTS: usize = 10;
/// How many people a conversation has.
const PEOPLE: usize = 4;

/// See the module docs.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) conversations: usize,
    users: usize,
    start: usize,
}

#[derive(Debug, Serialize)]
pub(super) struct User {
    id: usize,
    name: String,
    email: String,
    at: String,
    bio: &'static str,
    city: &'static str,
}

#[derive(Debug, Serialize)]
pub(super) struct Conversation {
    id: usize,
    title: String,
    owner: usize,
    at: String,
}

#[derive(Debug, Serialize)]
pub(super) struct Message {
    id: usize,
    conversation: usize,
    author: usize,
    text: &'static str,
    at: String,
    deleted_at: Option<String>,
}

#[derive(Debug, Serialize)]
pub(super) struct Participant {
    conversation: usize,
    user: usize,
    at: String,
}

#[derive(Debug, Serialize)]
pub(super) struct Document {
    id: usize,
    owner: usize,
    title: String,
    content: String,
    at: String,
    deleted_at: Option<String>,
}

#[derive(Debug, Serialize)]
pub(super) struct Attachment {
    conversation: usize,
    document: usize,
    at: String,
}

impl Plan {
    /// Of this many messages that are not deleted, or a few more. Ten conversations have a hundred.
    pub(super) fn of(messages: u32) -> Self {
        let messages = usize::try_from(messages).unwrap_or(usize::MAX);
        let conversations = messages.div_ceil(100) * 10;
        let earlier = (conversations / 2).saturating_sub(NEIGHBOURS) * BETWEEN_NEIGHBOURS;
        Self {
            conversations,
            users: (messages / 400).max(NAMES.len()),
            start: START - earlier,
        }
    }

    pub(super) fn users(&self) -> Vec<User> {
        (0..self.users).map(|index| self.user(index)).collect()
    }

    /// The first bear the names of the list, later ones mix them.
    fn user(&self, index: usize) -> User {
        let round = index / NAMES.len();
        let first = NAMES[index % NAMES.len()].split(' ').next();
        let last = NAMES[(index + round) % NAMES.len()].split(' ').next_back();
        let name = format!("{} {}", first.unwrap_or("A"), last.unwrap_or("Person"));
        User {
            id: index + 1,
            email: format!("{}@example.com", name.to_lowercase().replace(' ', ".")),
            name,
            at: text(self.start - (self.users - index) * DAY),
            bio: BIOS[index % BIOS.len()],
            city: CITIES[index * 3 % CITIES.len()],
        }
    }

    pub(super) fn conversations(&self, which: Range<usize>) -> Vec<Conversation> {
        which.map(|index| self.conversation(index)).collect()
    }

    fn conversation(&self, index: usize) -> Conversation {
        let subject = SUBJECTS[index % SUBJECTS.len()];
        let occasion = OCCASIONS[index / SUBJECTS.len() % OCCASIONS.len()];
        let title = match index / (NEIGHBOURS * 2) {
            0 => format!("{subject} {occasion}"),
            round => format!("{subject} {occasion}, {}", round + 1),
        };
        Conversation {
            id: index + 1,
            title,
            owner: self.member(index, 0),
            at: text(self.last_message_at(index)),
        }
    }

    /// The messages of these conversations in the order of their times; `before` were written earlier. No conversation of the
    /// rest has one that is older, if the first of these has an even index.
    pub(super) fn messages(&self, which: Range<usize>, before: usize) -> Vec<Message> {
        let mut all: Vec<(usize, Message)> = which.flat_map(|index| self.of_one(index)).collect();
        all.sort_by_key(|(at, _)| *at);
        let ids = before + 1..;
        ids.zip(all)
            .map(|(id, (_, message))| Message { id, ..message })
            .collect()
    }

    /// The messages of one conversation with their times, without ids.
    fn of_one(&self, conversation: usize) -> impl Iterator<Item = (usize, Message)> {
        let last = self.last_message_at(conversation);
        let count = 8 + conversation * 7 % 5;
        let message = move |place: usize, at| Message {
            id: 0,
            conversation: conversation + 1,
            author: self.member(conversation, place % PEOPLE),
            // 7 shares no factor with the number of texts: no text comes twice in a conversation.
            text: MESSAGES[(conversation * 5 + place * 7) % MESSAGES.len()],
            at: text(at),
            deleted_at: None,
        };
        let deleted = conversation.is_multiple_of(BETWEEN_DELETED).then(|| {
            let at = last - BETWEEN_MESSAGES / 2;
            let deleted_at = Some(text(last));
            (
                at,
                Message {
                    deleted_at,
                    ..message(count, at)
                },
            )
        });
        let live = (0..count).map(move |place| {
            let at = last - (count - 1 - place) * BETWEEN_MESSAGES;
            (at, message(place, at))
        });
        live.chain(deleted)
    }

    pub(super) fn participants(&self, which: Range<usize>) -> Vec<Participant> {
        let all = which.flat_map(|conversation| {
            let at = self.last_message_at(conversation) - 12 * BETWEEN_MESSAGES;
            (0..PEOPLE).map(move |number| Participant {
                conversation: conversation + 1,
                user: self.member(conversation, number),
                at: text(at),
            })
        });
        all.collect()
    }

    pub(super) fn documents(&self, which: Range<usize>) -> Vec<Document> {
        let with_one = which.step_by(BETWEEN_DOCUMENTS);
        with_one
            .map(|conversation| self.document(conversation))
            .collect()
    }

    fn document(&self, conversation: usize) -> Document {
        let number = conversation / BETWEEN_DOCUMENTS;
        let at = text(self.last_message_at(conversation));
        let line = |place: usize| MESSAGES[(number * 11 + place * 5) % MESSAGES.len()];
        let deleted = number % BETWEEN_DELETED_DOCUMENTS == BETWEEN_DELETED_DOCUMENTS - 1;
        Document {
            id: number + 1,
            owner: self.member(conversation, 1),
            title: format!("Minutes: {}", self.conversation(conversation).title),
            content: (0..6).map(line).collect::<Vec<_>>().join("\n"),
            deleted_at: deleted.then(|| at.clone()),
            at,
        }
    }

    pub(super) fn attachments(&self, which: Range<usize>) -> Vec<Attachment> {
        let all = which.step_by(BETWEEN_DOCUMENTS).flat_map(|conversation| {
            let both = conversation..self.conversations.min(conversation + 2);
            both.map(move |place| Attachment {
                conversation: place + 1,
                document: conversation / BETWEEN_DOCUMENTS + 1,
                at: text(self.last_message_at(conversation)),
            })
        });
        all.collect()
    }

    /// The id of one of the people in a conversation; the owner is the first.
    fn member(&self, conversation: usize, number: usize) -> usize {
        (conversation * 3 + number * 11) % self.users + 1
    }

    fn last_message_at(&self, conversation: usize) -> usize {
        self.start + 3600 + conversation / 2 * BETWEEN_NEIGHBOURS
    }
}

fn text(seconds: usize) -> String {
    time::text(u64::try_from(seconds).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn a_plan_has_the_size_that_was_asked_for_and_ends_on_the_same_day() {
        for (messages, conversations, users) in [
            (100, 10, 50),
            (1200, 120, 50),
            (10_001, 1010, 50),
            (1_000_000, 100_000, 2500),
        ] {
            let plan = Plan::of(messages);
            assert_eq!((plan.conversations, plan.users), (conversations, users));
            let last = plan.conversation(conversations - 1).at;
            assert!(last.as_str() < "2026-01-10", "{messages}: {last}");
        }
        let messages = Plan::of(1200).messages(0..120, 0);
        let deleted = messages.iter().filter(|m| m.deleted_at.is_some());
        assert_eq!((messages.len(), deleted.count()), (1240, 40));
    }

    #[test]
    fn ids_of_messages_follow_their_times_from_part_to_part() {
        let plan = Plan::of(10_000);
        let first = plan.messages(0..500, 0);
        let second = plan.messages(500..1000, first.len());
        let all: Vec<_> = first.iter().chain(&second).collect();
        assert!(all.is_sorted_by_key(|message| (&message.at, message.id)));
        assert_eq!(all.len(), all[all.len() - 1].id);
    }

    #[test]
    fn names_and_addresses_are_unique_in_the_largest_size() {
        let users = Plan::of(1_000_000).users();
        let emails: HashSet<_> = users.iter().map(|user| &user.email).collect();
        assert_eq!(emails.len(), users.len());
        assert_eq!(users[0].name, "Ada Winter");
    }
}
