//! Who is connected, and who makes room where no more can be.
//!
//! A connection that carries no request, or still sends the head of one, is closed for a client that wants to connect: of
//! the party with the most connections, the oldest first. So are answers that are not read, if that makes the shares more
//! even. Whoever has a request under way stays (docs/adr/0018).

use super::io::{Presence, Watch};
use crate::{
    message::Party,
    metrics::{Counter, CutOff, Gauge, Metrics},
};
use parking_lot::Mutex;
use std::{
    cmp::Reverse,
    collections::{BTreeMap, HashMap},
    sync::Arc,
    time::Duration,
};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{Instant, timeout},
};
use tokio_util::sync::CancellationToken;

/// How often somebody who waits looks for one that can make room.
const LOOK: Duration = Duration::from_millis(50);

/// How often the log says that nobody else can connect.
const TELL: Duration = Duration::from_secs(60);

/// At most one in so many is closed at once, so that not every newcomer has to look at all.
const AT_ONCE: usize = 64;

/// What is counted of one listener, and what the log calls its limit.
#[derive(Clone, Debug)]
pub struct Meters {
    limit: &'static str,
    open: Gauge,
    full: Counter,
    crowded: Counter,
    pub(super) not_reading: Counter,
}

impl Meters {
    /// Of the public listener.
    pub fn public(metrics: &Metrics) -> Self {
        Self {
            limit: "server.max_connections",
            open: metrics.connections.clone(),
            full: metrics.shares.connections_full.clone(),
            crowded: metrics.shares.cut_off(CutOff::Crowded),
            not_reading: metrics.shares.cut_off(CutOff::NotReading),
        }
    }

    /// Of a listener that only the log speaks of.
    pub fn unshown(limit: &'static str) -> Self {
        Self {
            limit,
            open: Gauge::default(),
            full: Counter::default(),
            crowded: Counter::default(),
            not_reading: Counter::default(),
        }
    }
}

/// The connections that are open. Clones are of the same ones.
#[derive(Clone, Debug)]
pub(super) struct Crowd(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    most: usize,
    seats: Arc<Semaphore>,
    members: Mutex<Members>,
    meters: Meters,
}

#[derive(Debug, Default)]
struct Members {
    /// By number: the oldest first.
    all: BTreeMap<u64, Member>,
    next: u64,
    /// How often some were asked to leave, when they last were, and how many of them are still here.
    round: u64,
    asked_at: Option<Instant>,
    asked: usize,
    told_at: Option<Instant>,
}

impl Members {
    /// Whether the log says now that nobody else can connect.
    fn tells(&mut self, now: Instant) -> bool {
        let tells = self.told_at.is_none_or(|at| now - at >= TELL);
        if tells {
            self.told_at = Some(now);
        }
        tells
    }
}

#[derive(Debug)]
struct Member {
    party: Party,
    watch: Watch,
    leave: CancellationToken,
    /// When it was asked to leave; 0: never.
    asked_in: u64,
}

/// A place among the connections. Dropping it lets another one in.
#[derive(Debug)]
pub(super) struct Seat {
    crowd: Crowd,
    number: u64,
    /// Cancelled where the connection has to end, be it for another one or with all.
    pub(super) leave: CancellationToken,
    _seat: OwnedSemaphorePermit,
}

impl Crowd {
    /// Of at most so many.
    pub(super) fn new(most: usize, meters: Meters) -> Self {
        Self(Arc::new(Shared {
            most,
            seats: Arc::new(Semaphore::new(most)),
            members: Mutex::default(),
            meters,
        }))
    }

    /// A place for a client of `party`, as soon as there is one. It has to leave when `stop` says so.
    pub(super) async fn enter(
        &self,
        party: Party,
        presence: &Presence,
        stop: &CancellationToken,
    ) -> Seat {
        let seat = self.seat(party).await;
        let leave = stop.child_token();
        let member = Member {
            party,
            watch: presence.watch(),
            leave: leave.clone(),
            asked_in: 0,
        };
        self.0.meters.open.inc();
        let mut members = self.0.members.lock();
        let number = members.next;
        members.next += 1;
        members.all.insert(number, member);
        Seat {
            crowd: self.clone(),
            number,
            leave,
            _seat: seat,
        }
    }

    async fn seat(&self, party: Party) -> OwnedSemaphorePermit {
        let seats = &self.0.seats;
        if let Ok(seat) = Arc::clone(seats).try_acquire_owned() {
            return seat;
        }
        self.0.meters.full.inc();
        loop {
            self.make_room(party);
            if let Ok(seat) = timeout(LOOK, Arc::clone(seats).acquire_owned()).await {
                return seat.expect("the semaphore is never closed");
            }
        }
    }

    /// Asks some to leave, unless some who were asked just now are about to.
    fn make_room(&self, newcomer: Party) {
        let now = Instant::now();
        let mut members = self.0.members.lock();
        if members.asked > 0 && members.asked_at.is_some_and(|at| now - at < LOOK) {
            return;
        }
        let here = members.all.iter();
        let here: Vec<_> = here
            .map(|(number, member)| (*number, member.party, State::of(&member.watch)))
            .collect();
        let leaving = leaving(&here, newcomer, (self.0.most / AT_ONCE).max(1));
        members.round += 1;
        members.asked_at = Some(now);
        members.asked = leaving.len();
        let round = members.round;
        for number in &leaving {
            if let Some(member) = members.all.get_mut(number) {
                member.asked_in = round;
                member.leave.cancel();
            }
        }
        if members.tells(now) {
            drop(members);
            let shares = shares(&here);
            let largest = shares.values().max().copied().unwrap_or_default();
            tracing::warn!(
                connections = here.len(),
                addresses = shares.len(),
                most_of_one = largest,
                closed = leaving.len(),
                "{} are open: some that carry no request make room, or others wait",
                self.0.meters.limit
            );
        }
    }
}

impl Seat {
    /// The connection is closed for another one.
    pub(super) fn makes_room(&self) {
        self.crowd.0.meters.crowded.inc();
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut members = self.crowd.0.members.lock();
        let member = members.all.remove(&self.number);
        if member.is_some_and(|member| member.asked_in == members.round) {
            members.asked = members.asked.saturating_sub(1);
        }
        drop(members);
        self.crowd.0.meters.open.dec();
    }
}

/// What a connection does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// It carries no request, or not the whole head of one.
    Quiet,
    /// Its answer is not read.
    Stalled,
    /// It has a request under way.
    Busy,
}

impl State {
    fn of(watch: &Watch) -> Self {
        if watch.is_stalled() {
            Self::Stalled
        } else if watch.is_quiet() {
            Self::Quiet
        } else {
            Self::Busy
        }
    }
}

/// How many connections each party has.
fn shares(here: &[(u64, Party, State)]) -> HashMap<Party, usize, foldhash::fast::RandomState> {
    let mut shares = HashMap::default();
    for (_, party, _) in here {
        *shares.entry(*party).or_default() += 1;
    }
    shares
}

/// Who makes room for one of `newcomer`: of the party with the most, the oldest without a request, of those `at_once`; else
/// one that is not read, of a party that has more even so.
fn leaving(here: &[(u64, Party, State)], newcomer: Party, at_once: usize) -> Vec<u64> {
    let shares = shares(here);
    let has = |party: &Party| shares.get(party).copied().unwrap_or_default();
    let own = has(&newcomer);
    let may = |party: &Party, state: State| match state {
        State::Quiet => true,
        State::Stalled => own + 2 <= has(party),
        State::Busy => false,
    };
    let leaving = here.iter().filter(|(_, party, state)| may(party, *state));
    let mut leaving: Vec<_> = leaving
        .map(|(number, party, state)| (Reverse(has(party)), *state == State::Stalled, *number))
        .collect();
    leaving.sort_unstable();
    let quiet = leaving
        .iter()
        .take_while(|(_, stalled, _)| !stalled)
        .count();
    leaving.truncate(quiet.clamp(1, at_once));
    leaving.into_iter().map(|(_, _, number)| number).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use State::{Busy, Quiet, Stalled};

    fn party(last: u8) -> Party {
        Party::at([192, 0, 2, last].into())
    }

    /// Who makes room for one of the party 9, of those with these parties and states.
    fn leave(here: &[(u8, State)], at_once: usize) -> Vec<u64> {
        let here = here.iter().zip(0..);
        let here: Vec<_> = here
            .map(|((last, state), number)| (number, party(*last), *state))
            .collect();
        leaving(&here, party(9), at_once)
    }

    #[test]
    fn the_oldest_without_a_request_of_the_party_with_most_makes_room() {
        let here = [(1, Quiet), (2, Busy), (2, Quiet), (2, Quiet)];
        assert_eq!(leave(&here, 1), [2]);
        assert_eq!(leave(&here, 8), [2, 3, 0]);
        assert_eq!(leave(&[(2, Busy), (2, Busy), (1, Quiet)], 8), [2]);
        assert_eq!(leave(&[(9, Quiet), (1, Busy)], 8), [0], "its own too");
    }

    #[test]
    fn who_does_not_read_makes_room_for_a_party_that_has_less() {
        assert_eq!(leave(&[(1, Stalled), (1, Stalled)], 8), [0]);
        assert_eq!(leave(&[(1, Stalled), (1, Quiet)], 8), [1]);
        assert_eq!(leave(&[(1, Stalled), (2, Stalled)], 8), [0; 0]);
        assert_eq!(leave(&[(1, Stalled), (1, Stalled), (9, Busy)], 8), [0; 0]);
    }

    #[test]
    fn who_has_a_request_under_way_stays() {
        assert_eq!(leave(&[(1, Busy), (1, Busy)], 8), [0; 0]);
    }

    #[test]
    fn the_log_says_so_once_a_minute() {
        let (mut members, now) = (Members::default(), Instant::now());
        let told = (0..180).filter(|second| members.tells(now + Duration::from_secs(*second)));
        assert_eq!(told.collect::<Vec<_>>(), [0, 60, 120]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_newcomer_gets_the_seat_of_one_that_was_asked_to_leave() {
        let metrics = Metrics::new();
        let crowd = Crowd::new(1, Meters::public(&metrics));
        let stop = CancellationToken::new();
        let presence = Presence::default();
        let first = crowd.enter(party(1), &presence, &stop).await;
        let _under_way = [presence.clone(), presence.clone()];
        let second = crowd.enter(party(2), &presence, &stop);
        let mut second = std::pin::pin!(second);
        assert!(timeout(TELL, second.as_mut()).await.is_err(), "it is busy");
        drop(_under_way);
        let leaving = async {
            first.leave.cancelled().await;
            drop(first);
        };
        let ((), second) = tokio::join!(leaving, second);
        assert_eq!(metrics.connections.get(), 1);
        assert_eq!(metrics.shares.connections_full.value(), 1);
        drop(second);
        assert_eq!(metrics.connections.get(), 0);
    }
}
