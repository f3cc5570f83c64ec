//! Requests that wait for what another replica fetches: they are told that it has landed, and look once.
//!
//! Who waits says so beside the lease, and who ends a lease that somebody waits for adds one record to a short stream that each
//! replica reads together with the log. A lease for which nobody waits costs no record.

use parking_lot::Mutex;
use std::{collections::HashMap, sync::Arc, time::Duration};
use tokio::sync::watch;

/// Keys that are waited for at the same time; those who wait for more look once in a while.
const MOST: usize = 10_000;

/// What stands for a lease.
pub(super) type Id = [u8; 16];

type Waiting = Arc<Mutex<HashMap<Id, watch::Sender<()>>>>;

/// All who wait in this process.
#[derive(Clone, Debug, Default)]
pub(in crate::store) struct Landings(Waiting);

impl Landings {
    /// From now on who has this is told what becomes of the lease `id`.
    pub(super) fn wait_for(&self, id: Id) -> Landing {
        let mut waiting = self.0.lock();
        let has_room = waiting.len() < MOST || waiting.contains_key(&id);
        let told = has_room.then(|| {
            let sender = waiting.entry(id).or_insert_with(|| watch::Sender::new(()));
            sender.subscribe()
        });
        Landing {
            id,
            told,
            waiting: Arc::clone(&self.0),
        }
    }

    /// The lease `id` has ended.
    pub(super) fn tell(&self, id: &Id) {
        if let Some(sender) = self.0.lock().get(id) {
            sender.send_replace(());
        }
    }
}

/// The end of a lease that is waited for.
#[derive(Debug)]
pub struct Landing {
    id: Id,
    told: Option<watch::Receiver<()>>,
    waiting: Waiting,
}

impl Landing {
    /// Returns once the lease has ended since the last call, or after `limit`: that may not be told. Cancel safe.
    pub async fn ended(&mut self, limit: Duration) {
        let Some(told) = &mut self.told else {
            return tokio::time::sleep(limit).await;
        };
        let _ = tokio::time::timeout(limit, told.changed()).await;
    }
}

impl Drop for Landing {
    fn drop(&mut self) {
        let mut waiting = self.waiting.lock();
        self.told = None;
        if waiting
            .get(&self.id)
            .is_some_and(|sender| sender.receiver_count() == 0)
        {
            waiting.remove(&self.id);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::time::Instant;

    const LONG: Duration = Duration::from_secs(60);

    async fn waits(landing: &mut Landing) -> bool {
        let begun = Instant::now();
        landing.ended(LONG).await;
        begun.elapsed() >= LONG
    }

    #[tokio::test(start_paused = true)]
    async fn who_waits_is_told_once_and_also_what_happened_before_it_looked() {
        let landings = Landings::default();
        let (mut one, mut same) = (landings.wait_for([1; 16]), landings.wait_for([1; 16]));
        let mut other = landings.wait_for([2; 16]);
        landings.tell(&[1; 16]);
        assert!(!waits(&mut one).await && !waits(&mut same).await);
        assert!(waits(&mut one).await && waits(&mut other).await);
    }

    #[tokio::test(start_paused = true)]
    async fn nothing_is_left_of_who_has_gone_and_more_than_there_is_room_for_are_not_told() {
        let landings = Landings::default();
        let id = |n: usize| {
            let mut id = [0; 16];
            id[..8].copy_from_slice(&n.to_be_bytes());
            id
        };
        let most: Vec<_> = (0..MOST).map(|n| landings.wait_for(id(n))).collect();
        let (mut untold, mut known) = (landings.wait_for(id(MOST)), landings.wait_for(id(0)));
        landings.tell(&id(MOST));
        landings.tell(&id(0));
        assert!(waits(&mut untold).await && !waits(&mut known).await);
        drop((most, untold));
        assert_eq!(landings.0.lock().len(), 1);
        drop(known);
        assert!(landings.0.lock().is_empty());
    }
}
