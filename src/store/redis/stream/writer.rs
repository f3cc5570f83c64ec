//! What this process has for the log, in order, again and again until each record was read back.

use super::{
    APPEND_BUDGET, Over, SharedLog,
    record::{Encoded, What},
};
use crate::{
    clock::back_off,
    store::{
        purge_log::{Message, Pending},
        redis::error::CallError,
    },
};
use ::redis::Cmd;
use std::{sync::Arc, sync::atomic::Ordering::Relaxed, time::Duration};
use tokio_util::sync::CancellationToken;

/// Records that are appended in one round trip.
const APPEND_BATCH: usize = 200;

/// The first and the longest pause before records are sent again that Redis did not take.
const BACK_OFF: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(2));

/// The same while it is out, which costs nobody anything.
const WHILE_OUT: Duration = Duration::from_millis(200);

/// How often a Redis that refuses records is asked whether it still does, when there is none to be sent.
const PROBE: Duration = Duration::from_secs(1);

impl SharedLog {
    /// Writes what the process has for the log, until `stop`.
    pub(in crate::store) async fn write(self: Arc<Self>, stop: CancellationToken) {
        let Some(shared) = self.log.shared() else {
            return;
        };
        let mut failures = 0;
        loop {
            let batch = shared.next_batch(APPEND_BATCH);
            let sent = self.send(&batch).await;
            self.stuck.store(sent.is_err(), Relaxed);
            let pause = match sent {
                Ok(()) if !batch.is_empty() => {
                    shared.sent(&batch);
                    failures = 0;
                    continue;
                }
                Ok(()) if self.is_refused() => PROBE,
                Ok(()) => Duration::MAX,
                Err(CallError::Out) => WHILE_OUT,
                Err(error) => {
                    self.note(error, &batch).await;
                    failures += 1;
                    back_off(BACK_OFF, failures)
                }
            };
            let is_idle = batch.is_empty();
            tokio::select! {
                () = shared.woken(), if is_idle => {}
                () = tokio::time::sleep(pause) => {}
                () = stop.cancelled() => return,
            }
            if is_idle && self.is_refused() {
                self.probe().await;
            }
        }
    }

    async fn send(&self, batch: &[Pending]) -> Result<(), CallError> {
        if batch.is_empty() {
            return Ok(());
        }
        let replica = self.replica();
        let encoded = batch
            .iter()
            .map(|record| What::of(&record.message, replica).encode(replica, record.seq));
        let encoded: Vec<Encoded> = encoded.collect();
        if self.append(&encoded).await?.is_some() {
            return Ok(());
        }
        self.begin(Over::Lanes, self.log.position().shared).await?;
        match self.append(&encoded).await? {
            Some(_) => Ok(()),
            None => Err(CallError::Failed),
        }
    }

    /// Redis answers and does not take `batch`.
    async fn note(&self, error: CallError, batch: &[Pending]) {
        let holds_a_purge = batch
            .iter()
            .any(|record| matches!(record.message, Message::Purge(..)));
        match error {
            CallError::WrongType => self.remove_what_is_no_log().await,
            // It allows no script either. Nobody may go on as if nothing were purged, and a DEL needs no room: without the log
            // every replica puts what it has in doubt, until the log can be begun anew.
            CallError::Full if holds_a_purge => {
                if self.delete().await {
                    tracing::error!(
                        "redis is full and takes no purges: the log was deleted, so that no replica trusts it"
                    );
                }
            }
            // Its own trouble: other replicas can write.
            CallError::Refused => tracing::debug!("redis does not let this replica write purges"),
            CallError::Full
            | CallError::Out
            | CallError::Timeout
            | CallError::Busy
            | CallError::NoScript
            | CallError::Failed
            | CallError::Moved => {}
        }
    }

    /// Whether records would be taken again.
    async fn probe(&self) {
        let mut write = Cmd::new();
        write.arg("SET").arg(format!("{}:probe", self.key));
        write.arg("").arg("PX").arg(1000);
        let written: Result<(), CallError> =
            self.servers.call(&self.key, APPEND_BUDGET, &write).await;
        if written.is_ok() {
            self.refuses.store(false, Relaxed);
        }
    }
}
