//! Leases that have ended, in a short stream of their own, for those who wait for them: what is kept of the log is about purges.

use super::record;
use crate::store::{entry::StreamId, redis::landing::Landings};
use ::redis::Value;

/// How far this process has read it.
#[derive(Debug, Default)]
pub(super) struct Ended(StreamId);

impl Ended {
    /// Where the next read begins.
    pub(super) const fn after(&self) -> StreamId {
        self.0
    }

    /// Tells those who wait in this process. What cannot be read is about nobody.
    pub(super) fn tell(&mut self, landings: &Landings, records: &[Value]) {
        for record in records {
            let Some((at, fields)) = record::fields(record) else {
                continue;
            };
            self.0 = at;
            if let [(_, id)] = fields[..]
                && let Ok(id) = id.try_into()
            {
                landings.tell(&id);
            }
        }
    }
}
