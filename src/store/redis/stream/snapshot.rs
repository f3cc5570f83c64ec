//! What a replica knows of the log, as one value in Redis: who starts reads that, and of the log only what came after it.
//!
//! ```text
//! magic 8 | server 8 | named at 16 | last record 16 | its digest 8 | clock 8 | intents 4 | each: length 4, record | index | checksum 8
//! ```

use super::{
    history::History,
    record::{Bytes, What},
};
use crate::store::{
    entry::StreamId,
    purge_log::{Intent, OpenIntents, Ticket},
};
use std::time::Duration;
use tokio::time::Instant;
use xxhash_rust::xxh3::xxh3_64;

/// Changes with the format. So does the name of the log, where its records do.
const MAGIC: &[u8; 8] = b"scpurge1";

/// Larger ones are not written, nor read, in bytes.
pub(super) const MOST: u64 = 32 << 20;

/// Records after which there is another one.
pub(super) const EVERY: usize = 10_000;

/// What is in one beside the index.
#[derive(Debug)]
pub(super) struct Head {
    /// The server that the log names, and where.
    pub(super) recorded: (u64, StreamId),
    /// The last record that it knows of, and a digest of that.
    pub(super) cursor: StreamId,
    pub(super) digest: u64,
    /// When it was taken, in milliseconds of the clock of Redis.
    pub(super) time: u64,
    /// Writes without an outcome by then, and what is left of their time.
    pub(super) intents: Vec<(Ticket, Intent)>,
}

impl Head {
    /// What is known at `now`, when the clock of Redis shows `time`.
    pub(super) fn of(
        history: &History,
        intents: &OpenIntents,
        (cursor, digest): (StreamId, u64),
        (now, time): (Instant, u64),
    ) -> Self {
        Self {
            recorded: history.recorded(),
            cursor,
            digest,
            time,
            intents: intents.all(now).collect(),
        }
    }

    /// With the `index` as it was at the same moment.
    pub(super) fn encode(&self, index: &[u8]) -> Vec<u8> {
        let mut out = MAGIC.to_vec();
        let (server, named) = self.recorded;
        let mut number = |number: u64| out.extend(number.to_be_bytes());
        number(server);
        for id in [named, self.cursor] {
            number(id.0);
            number(id.1);
        }
        number(self.digest);
        number(self.time);
        number(self.intents.len() as u64);
        for (ticket, intent) in &self.intents {
            let (_, record) = What::Intent(*ticket, intent.clone()).encode(0, 0);
            out.extend((record.len() as u64).to_be_bytes());
            out.extend(record);
        }
        out.extend_from_slice(index);
        let sum = xxh3_64(&out);
        out.extend(sum.to_be_bytes());
        out
    }

    /// Reads one, and the index in it. `None` where it is none of this format.
    pub(super) fn decode(bytes: &[u8]) -> Option<(Self, &[u8])> {
        let (body, sum) = bytes.split_last_chunk::<8>()?;
        let mut rest = Bytes(body.strip_prefix(MAGIC)?);
        if xxh3_64(body) != u64::from_be_bytes(*sum) {
            return None;
        }
        let recorded = (rest.number()?, rest.id()?);
        let (cursor, digest, time) = (rest.id()?, rest.number()?, rest.number()?);
        let mut intents = Vec::new();
        for _ in 0..rest.number()? {
            let length = usize::try_from(rest.number()?).ok()?;
            let mut record = Bytes(rest.take(length)?);
            record.id()?; // who wrote it
            let What::Intent(ticket, intent) = What::read(b"intent", record.0)? else {
                return None;
            };
            intents.push((ticket, intent));
        }
        let head = Self {
            recorded,
            cursor,
            digest,
            time,
            intents,
        };
        Some((head, rest.0))
    }

    /// How old it is when the clock of Redis shows `time`.
    pub(super) fn age(&self, time: u64) -> Duration {
        Duration::from_millis(time.saturating_sub(self.time))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::purge_log::{Purge, Selector};
    use proptest::prelude::*;

    fn head() -> Head {
        let (replica, number) = (7, 8);
        let purge = Purge {
            selector: Selector::tag("t"),
            hard: true,
        };
        let intent = Intent {
            purges: [purge].into(),
            limit: Duration::from_millis(1500),
        };
        Head {
            recorded: (1, StreamId(2, 3)),
            cursor: StreamId(4, 5),
            digest: 6,
            time: 1000,
            intents: vec![(Ticket { replica, number }, intent)],
        }
    }

    #[test]
    fn one_is_read_back_and_an_index_with_it() {
        let bytes = head().encode(b"index");
        let (read, index) = Head::decode(&bytes).unwrap();
        assert_eq!(index, b"index");
        assert_eq!(format!("{read:?}"), format!("{:?}", head()));
        assert_eq!(read.age(1250), Duration::from_millis(250));
    }

    proptest! {
        #[test]
        fn one_that_was_changed_is_none(at: prop::sample::Index, with in 1_u8..) {
            let mut bytes = head().encode(b"index");
            let at = at.index(bytes.len());
            bytes[at] ^= with;
            prop_assert!(Head::decode(&bytes).is_none());
            bytes.truncate(at);
            prop_assert!(Head::decode(&bytes).is_none());
        }

        #[test]
        fn no_bytes_panic(mut bytes: Vec<u8>) {
            let mut all = MAGIC.to_vec();
            all.append(&mut bytes);
            let sum = xxh3_64(&all);
            all.extend(sum.to_be_bytes());
            let _ = Head::decode(&all);
        }
    }
}
