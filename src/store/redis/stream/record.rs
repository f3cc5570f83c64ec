//! The records of the log, as they are in Redis: one field, whose name is the kind.
//!
//! ```text
//! XADD log * tag <replica 8><number 8><hard 1><digest 16>
//! ```
//!
//! What cannot be read may concern everything: it puts what is stored in doubt.

use crate::store::{
    entry::StreamId,
    purge_log::{Intent, Message, Purge, Ticket},
};
use ::redis::Value;
use std::{sync::Arc, time::Duration};

/// Who wrote a record, and which of its own it was: 16 bytes.
const BY: usize = 16;

/// More purges than these are one of everything, in doubt, in an intent: their record stays small.
const MAX_INTENDED: usize = 64;

/// One record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Record {
    pub(super) id: StreamId,
    pub(super) replica: u64,
    /// See `Pending::seq`.
    pub(super) seq: u64,
    pub(super) what: What,
}

/// What a record says. Servers are digests of their run ids, 0 where that is not known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum What {
    /// A purge.
    Purge(Purge),
    /// A write is under way.
    Intent(Ticket, Intent),
    /// Its outcome is known.
    Done(Ticket),
    /// What the inbox held up to here was taken from there.
    Taken(StreamId),
    /// The log begins here, on this server.
    Begin(u64),
    /// Records after this one may have been lost. From here on the log is this server's.
    Lost(StreamId, u64),
    /// Nothing was lost, and the log is this server's.
    Server(u64),
}

/// As it is sent: the name of the field, and its value.
pub(super) type Encoded = (&'static str, Vec<u8>);

impl What {
    /// What `message` of `replica` is as a record.
    pub(super) fn of(message: &Message, replica: u64) -> Self {
        match message {
            Message::Purge(_, purge) => Self::Purge(purge.clone()),
            Message::Intent(number, intent) => {
                let number = *number;
                let mut intent = intent.clone();
                if intent.purges.len() > MAX_INTENDED {
                    intent.purges = Arc::new([Purge::UNNAMED]);
                }
                // In whole milliseconds, as it is read back.
                let limit = intent.limit.as_millis();
                intent.limit = Duration::from_millis(u64::try_from(limit).unwrap_or(u64::MAX));
                Self::Intent(Ticket { replica, number }, intent)
            }
            Message::Done(ticket) => Self::Done(*ticket),
            Message::Taken(id) => Self::Taken(*id),
        }
    }

    /// As record `seq` of `replica`.
    pub(super) fn encode(&self, replica: u64, seq: u64) -> Encoded {
        let mut value = Vec::with_capacity(BY + 17);
        value.extend(replica.to_be_bytes());
        value.extend(seq.to_be_bytes());
        let mut id = |id: &StreamId| {
            value.extend(id.0.to_be_bytes());
            value.extend(id.1.to_be_bytes());
        };
        let kind = match self {
            Self::Purge(purge) => {
                let (kind, text, hard) = purge.fields();
                value.push(u8::from(hard));
                value.extend_from_slice(&text);
                kind
            }
            Self::Intent(ticket, intent) => {
                id(&StreamId(ticket.replica, ticket.number));
                let limit = u64::try_from(intent.limit.as_millis()).unwrap_or(u64::MAX);
                value.extend(limit.to_be_bytes());
                for purge in intent.purges.iter() {
                    encode_within(purge, &mut value);
                }
                "intent"
            }
            Self::Done(ticket) => {
                id(&StreamId(ticket.replica, ticket.number));
                "done"
            }
            Self::Taken(up_to) => {
                id(up_to);
                "taken"
            }
            Self::Begin(server) => {
                value.extend(server.to_be_bytes());
                "begin"
            }
            Self::Lost(after, server) => {
                id(after);
                value.extend(server.to_be_bytes());
                "lost"
            }
            Self::Server(server) => {
                value.extend(server.to_be_bytes());
                "server"
            }
        };
        (kind, value)
    }

    /// Reads `value` of a field called `kind`, without who wrote it.
    pub(super) fn read(kind: &[u8], value: &[u8]) -> Option<Self> {
        let mut rest = Bytes(value);
        let what = match kind {
            b"intent" => {
                let ticket = rest.ticket()?;
                let limit = Duration::from_millis(rest.number()?);
                let mut purges = Vec::new();
                while !rest.0.is_empty() {
                    purges.push(rest.purge()?);
                }
                let purges = purges.into();
                Self::Intent(ticket, Intent { purges, limit })
            }
            b"done" => Self::Done(rest.ticket()?),
            b"taken" => Self::Taken(rest.id()?),
            b"begin" => Self::Begin(rest.number()?),
            b"lost" => Self::Lost(rest.id()?, rest.number()?),
            b"server" => Self::Server(rest.number()?),
            kind => {
                let [hard, text @ ..] = rest.0 else {
                    return None;
                };
                rest.0 = &[];
                Self::Purge(Purge::from_fields(kind, text, *hard != 0))
            }
        };
        rest.0.is_empty().then_some(what)
    }
}

/// With its lengths, so that others may follow.
fn encode_within(purge: &Purge, into: &mut Vec<u8>) {
    let (kind, text, hard) = purge.fields();
    // Kinds are words, and texts have 512 bytes at most.
    into.push(u8::try_from(kind.len()).unwrap_or(0));
    into.extend_from_slice(kind.as_bytes());
    into.push(u8::from(hard));
    into.extend(u16::try_from(text.len()).unwrap_or(0).to_be_bytes());
    into.extend_from_slice(&text);
}

/// What is left to be read.
pub(super) struct Bytes<'b>(pub(super) &'b [u8]);

impl<'b> Bytes<'b> {
    pub(super) fn take(&mut self, count: usize) -> Option<&'b [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    pub(super) fn number(&mut self) -> Option<u64> {
        Some(u64::from_be_bytes(self.take(8)?.try_into().ok()?))
    }

    pub(super) fn id(&mut self) -> Option<StreamId> {
        Some(StreamId(self.number()?, self.number()?))
    }

    fn ticket(&mut self) -> Option<Ticket> {
        let StreamId(replica, number) = self.id()?;
        Some(Ticket { replica, number })
    }

    fn purge(&mut self) -> Option<Purge> {
        let length = usize::from(*self.take(1)?.first()?);
        let kind = self.take(length)?;
        let hard = *self.take(1)?.first()? != 0;
        let length = u16::from_be_bytes(self.take(2)?.try_into().ok()?);
        let text = self.take(usize::from(length))?;
        Some(Purge::from_fields(kind, text, hard))
    }
}

/// Reads one record of a reply. `None` where even its number cannot be read.
pub(super) fn read(value: &Value) -> Option<Record> {
    let Value::Array(pair) = value else {
        return None;
    };
    let [Value::BulkString(id), fields] = &pair[..] else {
        return None;
    };
    let id = parse_id(id)?;
    let read = || {
        let Value::Array(fields) = fields else {
            return None;
        };
        let [Value::BulkString(kind), Value::BulkString(value)] = &fields[..] else {
            return None;
        };
        let mut rest = Bytes(value);
        let (replica, seq) = (rest.number()?, rest.number()?);
        Some((replica, seq, What::read(kind, rest.0)?))
    };
    let (replica, seq, what) = read().unwrap_or((0, 0, What::Purge(Purge::UNNAMED)));
    Some(Record {
        id,
        replica,
        seq,
        what,
    })
}

/// Names and values.
pub(super) type Fields<'v> = Vec<(&'v [u8], &'v [u8])>;

/// The fields of a record that somebody else wrote.
pub(super) fn fields(value: &Value) -> Option<(StreamId, Fields<'_>)> {
    let Value::Array(pair) = value else {
        return None;
    };
    let [Value::BulkString(id), Value::Array(fields)] = &pair[..] else {
        return None;
    };
    let fields = fields.chunks_exact(2).map(|pair| match pair {
        [Value::BulkString(name), Value::BulkString(value)] => Some((&name[..], &value[..])),
        _ => None,
    });
    Some((parse_id(id)?, fields.collect::<Option<_>>()?))
}

/// Reads `1700000000000-0`.
pub(super) fn parse_id(text: &[u8]) -> Option<StreamId> {
    let (ms, seq) = std::str::from_utf8(text).ok()?.split_once('-')?;
    Some(StreamId(ms.parse().ok()?, seq.parse().ok()?))
}

/// The reverse of [`parse_id`].
pub(super) fn text_of(id: StreamId) -> String {
    format!("{}-{}", id.0, id.1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Selector;
    use proptest::prelude::*;

    fn in_redis((kind, value): Encoded) -> Value {
        let text = |text: &[u8]| Value::BulkString(text.to_vec());
        Value::Array(vec![
            text(b"17-3"),
            Value::Array(vec![text(kind.as_bytes()), text(&value)]),
        ])
    }

    #[test]
    fn each_record_is_read_back_and_rubbish_puts_everything_in_doubt() {
        let purge = |selector| Purge {
            selector,
            hard: false,
        };
        let (replica, number) = (7, u64::MAX);
        let ticket = Ticket { replica, number };
        let purges = [
            purge(Selector::tag("t")),
            purge(Selector::All),
            Purge::UNNAMED,
        ];
        let intent = Intent {
            purges: purges.clone().into(),
            limit: Duration::from_millis(31_000),
        };
        let after = StreamId(3, u64::MAX);
        for what in [
            What::Purge(purges[0].clone()),
            What::Intent(ticket, intent),
            What::Done(ticket),
            What::Taken(after),
            What::Begin(9),
            What::Lost(after, 0),
            What::Server(9),
        ] {
            let read = read(&in_redis(what.encode(7, 42))).unwrap();
            let expected = Record {
                id: StreamId(17, 3),
                replica: 7,
                seq: 42,
                what: what.clone(),
            };
            assert_eq!(read, expected);
            let (kind, mut value) = what.encode(7, 42);
            value.truncate(value.len() - 1);
            let cut = super::read(&in_redis((kind, value))).unwrap();
            assert_ne!(cut.what, what);
        }
        let cut = read(&in_redis(("tag", vec![0; 15]))).unwrap();
        assert_eq!(cut.what, What::Purge(Purge::UNNAMED));
    }

    #[test]
    fn an_intent_of_more_than_it_may_name_is_of_anything() {
        let many: Vec<Purge> = (0..=MAX_INTENDED)
            .map(|n| Purge {
                selector: Selector::tag(&n.to_string()),
                hard: true,
            })
            .collect();
        let intent = Intent {
            purges: many.into(),
            limit: Duration::from_secs(1),
        };
        let What::Intent(_, intent) = What::of(&Message::Intent(1, intent), 7) else {
            unreachable!("it is one");
        };
        assert_eq!(*intent.purges, [Purge::UNNAMED]);
    }

    proptest! {
        #[test]
        fn no_bytes_panic(kind in "(intent|done|taken|begin|lost|server|tag|x)", value: Vec<u8>) {
            let kind: &'static str = Box::leak(kind.into_boxed_str());
            prop_assert!(read(&in_redis((kind, value))).is_some());
        }
    }
}
