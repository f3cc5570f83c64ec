//! What saves who starts most of the log: a snapshot of what a replica in step knows of it.

use super::{
    super::{
        reply::{self, Connection},
        snapshot::{EVERY, Head, MOST},
    },
    Reader,
};
use crate::store::{entry::StreamId, redis::error::CallError};
use ::redis::{Cmd, RedisError};
use std::{sync::Arc, time::Duration};
use tokio::time::Instant;

/// For so long nobody else begins one.
const TURN: Duration = Duration::from_secs(30);

/// What writing one may take: nobody waits for it.
const LIMIT: Duration = Duration::from_secs(5);

impl Reader {
    /// Takes in a snapshot of a log that begins at `first`, where there is one of that log: of the log itself what came after it is left
    /// to be read.
    pub(super) async fn restore(
        &mut self,
        connection: &mut Connection,
        first: StreamId,
    ) -> Result<(), RedisError> {
        let bytes = reply::value(connection, &self.shared.snapshot, MOST).await?;
        let time = self.time.now();
        let Some((head, index)) = Head::decode(&bytes) else {
            return Ok(());
        };
        // What has been trimmed since nobody has; and a record with that number may be of another log.
        let at = head.cursor;
        let there = reply::digest_at(connection, &self.shared.key, at).await?;
        if at < first || there != Some(head.digest) {
            return Ok(());
        }
        match self.log().restore(index, time) {
            Ok(holds) if holds == at => {}
            Ok(_) | Err(_) => return Ok(()), // all is read then, some of it twice
        }
        tracing::debug!(?at, bytes = bytes.len(), "a snapshot of the log was read");
        (self.cursor, self.digest) = (at, Some(head.digest));
        let (server, named) = head.recorded;
        self.history.names(server, named);
        let age = head.age(time);
        for (ticket, intent) in head.intents {
            self.intents.open(ticket, intent, age, Instant::now());
        }
        Ok(())
    }

    /// Leaves one for others, every some thousand records: one replica does.
    pub(super) async fn keep_a_snapshot(&mut self) {
        let Some(digest) = self.digest.filter(|_| self.unkept >= EVERY) else {
            return;
        };
        self.unkept = 0;
        let shared = Arc::clone(&self.shared);
        let turn = format!("{}:turn", shared.snapshot);
        let mut take = Cmd::new();
        take.arg("SET").arg(&turn).arg("").arg("NX").arg("PX");
        take.arg(TURN.as_secs() * 1000);
        let taking = shared
            .servers
            .call(&turn, super::super::APPEND_BUDGET, &take);
        let taken: Result<Option<String>, CallError> = taking.await;
        if !matches!(taken, Ok(Some(_))) {
            return;
        }
        // It is waited for, so that it knows of all that was read and of nothing else.
        let (log, time) = (Arc::clone(&shared.log), self.time.now());
        let taking = tokio::task::spawn_blocking(move || log.snapshot(time));
        let Ok(Some(index)) = taking.await else {
            return;
        };
        let last = (self.cursor, digest);
        let head = Head::of(&self.history, &self.intents, last, (Instant::now(), time));
        shared.tasks.clone().spawn(async move {
            let value = head.encode(&index);
            if value.len() as u64 > MOST {
                return;
            }
            let mut write = Cmd::new();
            write.arg("SET").arg(&shared.snapshot).arg(value);
            write.arg("EX").arg(shared.ttl());
            let writing = shared.servers.call_alone(&shared.snapshot, LIMIT, &write);
            let _: Result<(), CallError> = writing.await;
        });
    }
}
