//! Who fetches a key for all replicas. A hint: where Redis does not say, each fetches for itself.
//!
//! Whoever waits for a lease says so beside it. Who ends one that is waited for tells all replicas by one record of a short
//! stream, which they read together with the purge log; one for which nobody waits costs no record.

use super::{
    commands::{get_at_most, millis},
    landing::{Id, Landing, Landings},
    servers::Servers,
};
use ::redis::Pipeline;
use bytes::Bytes;
use std::time::Duration;
use xxhash_rust::xxh3::xxh3_128;

/// More than any mark of a lease has, in bytes.
const MAX_MARK: u64 = 64;

/// More leases that have ended are not kept, about: replicas read them at once.
const MAX_ENDED: usize = 1000;

/// For how long, in seconds, so that nothing is without a TTL.
const ENDED_TTL: u64 = 60;

/// Who fetches a key for all replicas.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lease {
    /// This replica.
    Ours,
    /// Another one.
    Theirs,
    /// Somebody did, and the answer was for nobody else.
    NotForOthers,
    /// Redis does not say: each for itself.
    Unknown,
}

/// In Redis while somebody fetches. Never empty: that is how no lease reads.
const FETCHING: &str = "fetching";

/// After somebody did, where the response was not shareable.
const NOT_SHAREABLE: &str = "not-shareable";

/// Takes and ends leases.
#[derive(Debug)]
pub(super) struct Leases {
    pub(super) servers: Servers,
    pub(super) budget: Duration,
    /// The stream of those that have ended.
    pub(super) ended: String,
    pub(super) landings: Landings,
}

/// Where a lease is, and where whoever waits for it says so.
#[derive(Debug)]
pub(super) struct Place {
    pub(super) lease: String,
    pub(super) waited: String,
}

impl Place {
    fn id(&self) -> Id {
        xxh3_128(self.lease.as_bytes()).to_be_bytes()
    }
}

impl Leases {
    /// Takes the lease at `place`, for `ttl`, where nobody has it; else says for so long that somebody waits for it.
    pub(super) async fn take(&self, place: &Place, ttl: Duration) -> Lease {
        let Place { lease, waited } = place;
        let (servers, budget, ttl) = (&self.servers, self.budget, millis(ttl));
        let mut take = Pipeline::new();
        take.cmd("SET")
            .arg(lease)
            .arg(FETCHING)
            .arg("PX")
            .arg(ttl)
            .arg("NX");
        match servers
            .call_many::<(Option<String>,)>(lease, budget, &take)
            .await
        {
            Ok((Some(_),)) => return Lease::Ours,
            Ok((None,)) => {}
            Err(_) => return Lease::Unknown,
        }
        // In this order: what is still there now is not ended without a look at who waits for it.
        let mut wait = Pipeline::new();
        wait.cmd("SET")
            .arg(waited)
            .arg(1)
            .arg("PX")
            .arg(ttl)
            .ignore();
        wait.add_command(get_at_most(lease, MAX_MARK));
        match servers.call_many::<(Bytes,)>(lease, budget, &wait).await {
            Ok((mark,)) if mark == NOT_SHAREABLE => Lease::NotForOthers,
            Ok(_) => Lease::Theirs, // it may have ended meanwhile: the next try takes it
            Err(_) => Lease::Unknown,
        }
    }

    /// Is told when the lease at `place` ends.
    pub(super) fn landing(&self, place: &Place) -> Landing {
        self.landings.wait_for(place.id())
    }

    /// Gives the lease at `place` back.
    pub(super) async fn end(&self, place: &Place) {
        let mut end = Pipeline::new();
        end.cmd("DEL").arg(&place.lease).arg(&place.waited);
        let ending = self.servers.call_many(&place.lease, self.budget, &end);
        if let Ok((2,)) = ending.await {
            self.tell(place).await;
        }
    }

    /// Says for `ttl` that the response was for nobody else, whoever has the lease.
    pub(super) async fn refuse(&self, place: &Place, ttl: Duration) {
        let mut refuse = Pipeline::new();
        refuse
            .cmd("SET")
            .arg(&place.lease)
            .arg(NOT_SHAREABLE)
            .arg("PX")
            .arg(millis(ttl))
            .ignore();
        refuse.cmd("DEL").arg(&place.waited);
        let refusing = self.servers.call_many(&place.lease, self.budget, &refuse);
        if let Ok((1,)) = refusing.await {
            self.tell(place).await;
        }
    }

    /// Tells those who wait. One that does not hear it looks once in a while.
    async fn tell(&self, place: &Place) {
        let id = place.id();
        self.landings.tell(&id);
        let mut tell = Pipeline::new();
        let add = tell.cmd("XADD").arg(&self.ended);
        add.arg("MAXLEN").arg("~").arg(MAX_ENDED).arg("*");
        add.arg("id").arg(&id[..]).ignore();
        tell.cmd("EXPIRE").arg(&self.ended).arg(ENDED_TTL).ignore();
        let telling = self
            .servers
            .call_many::<()>(&self.ended, self.budget, &tell);
        if let Err(error) = telling.await {
            tracing::debug!(
                ?error,
                "replicas that wait are not told that a fetch has ended"
            );
        }
    }
}
