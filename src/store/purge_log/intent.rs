//! What writes that are under way may change: who leaves one behind without an outcome has it purged by the others.

use super::selector::Purge;
use crate::store::entry::StreamId;
use std::{collections::HashMap, sync::Arc, time::Duration};
use tokio::time::Instant;

/// A write: of which replica, and which of those that it sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(in crate::store) struct Ticket {
    pub(in crate::store) replica: u64,
    pub(in crate::store) number: u64,
}

/// What a write may change as far as that is known before it is answered, and until when it may.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::store) struct Intent {
    pub(in crate::store) purges: Arc<[Purge]>,
    /// From its record on.
    pub(in crate::store) limit: Duration,
}

/// More intents at a time are not remembered one by one: when the last of them is due, everything is in doubt.
const MAX_OPEN: usize = 16_384;

/// Others wait so much longer than the deadline, about, so that one of them does it for all.
const SPREAD: Duration = Duration::from_millis(300);

#[derive(Clone, Debug)]
struct Open {
    purges: Arc<[Purge]>,
    due: Instant,
}

/// Intents that were read and have no outcome yet.
#[derive(Debug)]
pub(in crate::store) struct OpenIntents {
    replica: u64,
    open: HashMap<Ticket, Open>,
    /// When the last of those is due that had no room.
    unnamed: Option<Instant>,
    /// No earlier is anything due.
    next: Option<Instant>,
    most: usize,
}

/// An intent whose deadline has passed, and what is to be purged for it. No ticket where it had no room.
pub(in crate::store) type Overdue = (Option<Ticket>, Arc<[Purge]>);

impl OpenIntents {
    /// As `replica` keeps them.
    pub(in crate::store) fn new(replica: u64) -> Self {
        Self {
            replica,
            open: HashMap::new(),
            unnamed: None,
            next: None,
            most: MAX_OPEN,
        }
    }

    /// One that was appended `age` before `now`. The same ticket again is the same write, which goes on.
    pub(in crate::store) fn open(
        &mut self,
        ticket: Ticket,
        intent: Intent,
        age: Duration,
        now: Instant,
    ) {
        let mut due = now + intent.limit.saturating_sub(age);
        if ticket.replica != self.replica {
            due += SPREAD.mul_f64(fastrand::f64());
        }
        self.next = Some(self.next.map_or(due, |next| next.min(due)));
        if self.open.len() >= self.most && !self.open.contains_key(&ticket) {
            self.unnamed = Some(self.unnamed.map_or(due, |at| at.max(due)));
            return;
        }
        let purges = intent.purges;
        self.open.insert(ticket, Open { purges, due });
    }

    /// The outcome of `ticket` is known.
    pub(in crate::store) fn close(&mut self, ticket: Ticket) {
        self.open.remove(&ticket);
    }

    /// When the next one may be due.
    pub(in crate::store) fn next(&self) -> Option<Instant> {
        self.next
    }

    /// Takes out those whose time is over.
    pub(in crate::store) fn overdue(&mut self, now: Instant) -> Vec<Overdue> {
        if self.next.is_none_or(|next| now < next) {
            return Vec::new();
        }
        let due = self.open.extract_if(|_, open| open.due <= now);
        let mut due: Vec<Overdue> = due
            .map(|(ticket, open)| (Some(ticket), open.purges))
            .collect();
        if self.unnamed.is_some_and(|at| at <= now) {
            self.unnamed = None;
            due.push((None, [Purge::UNNAMED].into()));
        }
        let others = self.open.values().map(|open| open.due);
        self.next = others.chain(self.unnamed).min();
        due
    }

    /// All of them, with what is left of their time at `now`: for one who starts later.
    pub(in crate::store) fn all(&self, now: Instant) -> impl Iterator<Item = (Ticket, Intent)> {
        self.open.iter().map(move |(ticket, open)| {
            let limit = open.due.saturating_duration_since(now);
            let purges = Arc::clone(&open.purges);
            (*ticket, Intent { purges, limit })
        })
    }
}

/// A record of this process on its way to the shared log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::store) enum Message {
    /// A purge, by its number in this process.
    Purge(u64, Purge),
    /// A write of this process is about to be sent.
    Intent(u64, Intent),
    /// The outcome of a write is in the records before this one.
    Done(Ticket),
    /// What the inbox held at this place is in the records before this one.
    Taken(StreamId),
}

#[cfg(test)]
mod tests {
    use super::{super::Selector, *};

    const US: u64 = 1;
    const LIMIT: Duration = Duration::from_secs(10);

    fn ticket(replica: u64, number: u64) -> Ticket {
        Ticket { replica, number }
    }

    fn intent(tag: &str) -> Intent {
        let purge = Purge {
            selector: Selector::tag(tag),
            hard: true,
        };
        Intent {
            purges: [purge].into(),
            limit: LIMIT,
        }
    }

    fn open(most: usize) -> OpenIntents {
        OpenIntents {
            most,
            ..OpenIntents::new(US)
        }
    }

    #[test]
    fn one_without_an_outcome_is_overdue_once() {
        let (mut intents, now) = (open(10), Instant::now());
        for number in [1, 2] {
            intents.open(ticket(US, number), intent("t"), Duration::ZERO, now);
        }
        intents.close(ticket(US, 1));
        assert!(intents.overdue(now + LIMIT / 2).is_empty());
        let due = intents.overdue(now + LIMIT);
        assert_eq!(due, [(Some(ticket(US, 2)), intent("t").purges)]);
        assert!(intents.overdue(now + LIMIT * 2).is_empty());
        assert_eq!(intents.next(), None);
    }

    #[test]
    fn what_goes_on_has_its_time_anew_and_what_is_old_has_less() {
        let (mut intents, now) = (open(10), Instant::now());
        intents.open(ticket(US, 1), intent("t"), Duration::ZERO, now);
        intents.open(ticket(US, 1), intent("t"), Duration::ZERO, now + LIMIT / 2);
        assert!(intents.overdue(now + LIMIT).is_empty());
        assert_eq!(intents.overdue(now + LIMIT * 3 / 2).len(), 1);
        intents.open(ticket(US, 2), intent("t"), LIMIT * 2, now);
        assert_eq!(intents.overdue(now).len(), 1, "read by who starts later");
    }

    #[test]
    fn those_of_others_wait_a_little_longer() {
        let (mut intents, now) = (open(10), Instant::now());
        intents.open(ticket(2, 1), intent("t"), Duration::ZERO, now);
        assert!(intents.next() >= Some(now + LIMIT));
        assert_eq!(intents.overdue(now + LIMIT + SPREAD).len(), 1);
    }

    #[test]
    fn more_than_have_room_put_everything_in_doubt() {
        let (mut intents, now) = (open(2), Instant::now());
        for number in 0..5 {
            intents.open(ticket(US, number), intent("t"), Duration::ZERO, now);
        }
        let due = intents.overdue(now + LIMIT);
        assert_eq!(due.len(), 3);
        assert!(due.contains(&(None, [Purge::UNNAMED].into())));
    }
}
