//! What records mean for this process.

use super::{
    super::{
        inbox,
        record::{self, Record, What},
        reply::{self, Connection},
    },
    Reader,
};
use crate::store::{
    entry::StreamId,
    purge_log::{Message, Purge},
};
use ::redis::{RedisError, Value};
use std::time::Duration;
use tokio::time::Instant;

impl Reader {
    /// Takes records in, in order.
    pub(super) async fn take_in(
        &mut self,
        connection: &mut Connection,
        records: &[Value],
    ) -> Result<(), RedisError> {
        let mut purges = Vec::new();
        let Some(last) = records.last() else {
            return Ok(());
        };
        for value in records {
            let Some(record) = record::read(value) else {
                continue;
            };
            if self.cursor == StreamId::default() {
                self.log().begins_at(record.id); // what was before it has been trimmed, by whatever replica
            }
            let id = record.id;
            match record.what {
                What::Purge(_) | What::Intent(..) | What::Done(_) | What::Taken(_) => {
                    self.learn(record, &mut purges);
                }
                What::Begin(_) | What::Lost(..) | What::Server(_) => {
                    self.log().learn_all(&purges); // that may fail, and what was read is known
                    purges.clear();
                    self.hear(connection, &record, self.cursor).await?;
                }
            }
            self.cursor = id;
        }
        self.digest = Some(reply::digest_of(last));
        self.log().learn_all(&purges);
        self.log().read_up_to(self.cursor);
        Ok(())
    }

    /// One record of what replicas do; what is to be learned is added to `purges`.
    fn learn(&mut self, record: Record, purges: &mut Vec<(Purge, StreamId, Duration)>) {
        let Record {
            id, replica, seq, ..
        } = record;
        if replica == self.ours().replica() {
            let is_same = |message: &Message| What::of(message, replica) == record.what;
            self.log().read_back(seq, id, is_same);
        }
        match record.what {
            What::Purge(purge) if replica != self.ours().replica() => {
                purges.push((purge, id, self.time.age(id)));
            }
            What::Intent(ticket, intent) => {
                let age = self.time.age(id);
                self.intents.open(ticket, intent, age, Instant::now());
            }
            What::Done(ticket) => self.intents.close(ticket),
            What::Taken(up_to) => {
                self.inbox.taken(up_to);
                if replica == self.ours().replica() {
                    self.emptied = Some(up_to);
                }
            }
            _ => {}
        }
    }

    /// Moves what other programs want to be purged into the log, unless another replica does.
    pub(super) async fn take_from_inbox(&mut self, entries: &[Value]) {
        if let Some(up_to) = self.emptied.take() {
            self.shared.empty_inbox(up_to).await;
        }
        if entries.is_empty() {
            return;
        }
        let asked = inbox::read(entries);
        if !self.inbox.is_ours(&self.shared, asked.last).await {
            return;
        }
        if let Some(why) = asked.why {
            let count = asked.bad;
            tracing::warn!(
                count,
                why,
                "entries of the inbox cannot be read and are passed by"
            );
            self.shared.metrics.redis.bad_invalidations.add(count);
        }
        self.log()
            .append_then(asked.purges, Some(Message::Taken(asked.last)));
    }

    /// One record that is about the log itself, behind the one at `before`.
    async fn hear(
        &mut self,
        connection: &mut Connection,
        record: &Record,
        before: StreamId,
    ) -> Result<(), RedisError> {
        let (id, is_ours) = (record.id, record.replica == self.ours().replica());
        let known = before != StreamId::default();
        match record.what {
            What::Begin(server) => {
                self.history.names(server, id);
                // Replicas that start together on an empty Redis all begin the log: then it is still the same one.
                let there = reply::digest_at(connection, &self.shared.key, before);
                if known && !is_ours && there.await?.is_none() {
                    if self.history.doubt(before) {
                        tracing::warn!(
                            "the purge log in redis was begun anew: what is stored is confirmed anew"
                        );
                        self.log().doubt_before(id);
                    }
                    self.log().begins_at(id);
                }
            }
            What::Lost(after, server) => {
                self.history.names(server, id);
                if self.history.told_lost(after) && !is_ours {
                    self.log().doubt_before(id);
                }
            }
            What::Server(server) => self.history.names(server, id),
            _ => {}
        }
        Ok(())
    }

    /// What was trimmed before it was read was perhaps a purge.
    pub(super) async fn look_for_a_hole(
        &mut self,
        connection: &mut Connection,
        before: StreamId,
    ) -> Result<(), RedisError> {
        let first = reply::first(connection, &self.shared.key).await?;
        let Some(first) = first.filter(|first| *first > before) else {
            return Ok(());
        };
        if before == StreamId::default() {
            self.log().begins_at(first);
            return Ok(());
        }
        tracing::warn!(
            "purges were trimmed before they were read: what is stored is confirmed anew"
        );
        self.log().doubt_before(first);
        self.log().begins_at(first);
        Ok(())
    }
}
