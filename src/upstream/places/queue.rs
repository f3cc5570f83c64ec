//! Who has a place, who waits for one, and who is next.

use super::hold::Hold;
use crate::message::Party;
use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};
use tokio::time::Instant;

/// How many places and waiting requests a party had when this one came, and its number among all: who has least is next.
pub(super) type Rank = (usize, u64);

/// See the module docs. `T` is how somebody who waits is told that it is their turn.
#[derive(Debug)]
pub(super) struct Queue<T> {
    free: usize,
    parties: HashMap<Party, Count, foldhash::fast::RandomState>,
    waiting: BTreeMap<Rank, (Party, T)>,
    held: Vec<Option<Arc<Hold>>>,
    /// The slots of `held` that are empty.
    vacant: Vec<usize>,
    number: u64,
}

#[derive(Clone, Copy, Debug, Default)]
struct Count {
    held: usize,
    waiting: usize,
}

/// Who came in vain, for now.
pub(super) struct Full;

impl<T> Queue<T> {
    pub(super) fn new(places: usize) -> Self {
        Self {
            free: places,
            parties: HashMap::default(),
            waiting: BTreeMap::new(),
            held: Vec::new(),
            vacant: Vec::new(),
            number: 0,
        }
    }

    /// A place at once.
    pub(super) fn take(&mut self, party: Party) -> Result<Arc<Hold>, Full> {
        self.free = self.free.checked_sub(1).ok_or(Full)?;
        Ok(self.hold(party))
    }

    fn hold(&mut self, party: Party) -> Arc<Hold> {
        self.parties.entry(party).or_default().held += 1;
        let slot = self.vacant.pop().unwrap_or_else(|| {
            self.held.push(None);
            self.held.len() - 1
        });
        let hold = Arc::new(Hold::new(party, slot));
        self.held[slot] = Some(Arc::clone(&hold));
        hold
    }

    /// From now on somebody of `party` waits.
    pub(super) fn wait(&mut self, party: Party, turn: T) -> Rank {
        let count = self.parties.entry(party).or_default();
        let rank = (count.held + count.waiting, self.number);
        count.waiting += 1;
        self.number += 1;
        self.waiting.insert(rank, (party, turn));
        rank
    }

    /// Nobody waits with this rank any more. Who is next because of that.
    pub(super) fn leave(&mut self, rank: Rank) -> Option<&T> {
        let was_next = self.is_next(rank);
        if let Some((party, _)) = self.waiting.remove(&rank) {
            self.less(party, |count| count.waiting -= 1);
        }
        self.next().filter(|_| was_next)
    }

    /// Whether nobody goes before this one.
    pub(super) fn is_next(&self, rank: Rank) -> bool {
        self.waiting.keys().next() == Some(&rank)
    }

    /// Who goes before all others.
    pub(super) fn next(&self) -> Option<&T> {
        self.waiting.values().next().map(|(_, turn)| turn)
    }

    /// `hold` is given back; who gets it.
    pub(super) fn give_back(&mut self, hold: &Hold) -> Option<(T, Arc<Hold>)> {
        self.held[hold.slot] = None;
        self.vacant.push(hold.slot);
        self.less(hold.party, |count| count.held -= 1);
        let Some((_, (party, turn))) = self.waiting.pop_first() else {
            self.free += 1;
            return None;
        };
        self.less(party, |count| count.waiting -= 1);
        Some((turn, self.hold(party)))
    }

    fn less(&mut self, party: Party, change: impl FnOnce(&mut Count)) {
        let count = self.parties.entry(party).or_default();
        change(count);
        if count.held + count.waiting == 0 {
            self.parties.remove(&party);
        }
    }

    /// The place that is held up for longest by its client, of the party with the most of those that are held up for longer
    /// than somebody of `party` has to wait for, and whether that one has less.
    pub(super) fn slowest(&self, party: Party, now: Instant) -> Option<(Arc<Hold>, bool)> {
        let has = |party: &Party| self.parties.get(party).map_or(0, |count| count.held);
        let own = has(&party);
        let held_up = |hold: &Arc<Hold>| {
            let theirs = has(&hold.party);
            // One place less for them and one more for the other makes it more even.
            let has_less = own + 2 <= theirs;
            let held_up = hold.gives_way(has_less, now)?;
            Some(((theirs, held_up), (Arc::clone(hold), has_less)))
        };
        let slowest = self.held.iter().flatten().filter_map(held_up);
        let slowest = slowest.max_by_key(|(by, _)| *by);
        slowest.map(|(_, found)| found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn party(last: u8) -> Party {
        Party::at([192, 0, 2, last].into())
    }

    /// Who gets the places that are given back one after the other.
    fn served(queue: &mut Queue<u8>, mut held: Vec<Arc<Hold>>) -> Vec<u8> {
        let mut order = Vec::new();
        while let Some(hold) = held.pop() {
            if let Some((turn, next)) = queue.give_back(&hold) {
                order.push(turn);
                held.insert(0, next);
            }
        }
        order
    }

    #[test]
    fn who_has_least_is_next_and_then_who_came_first() {
        let mut queue = Queue::new(2);
        let held: Vec<_> = (0..2).filter_map(|_| queue.take(party(1)).ok()).collect();
        assert!(queue.take(party(2)).is_err());
        let of = [1, 1, 1, 2, 2, 3];
        for last in of {
            queue.wait(party(last), last);
        }
        assert_eq!(served(&mut queue, held), [2, 3, 2, 1, 1, 1]);
        assert!(queue.parties.is_empty(), "{queue:?}");
        assert_eq!(queue.free, 2);
    }

    #[test]
    fn alone_a_party_gets_all_places_in_the_order_in_which_it_came() {
        let mut queue = Queue::new(3);
        let held: Vec<_> = (0..3).filter_map(|_| queue.take(party(1)).ok()).collect();
        assert_eq!(held.len(), 3);
        for number in 0..5 {
            queue.wait(party(1), number);
        }
        assert_eq!(served(&mut queue, held), [0, 1, 2, 3, 4]);
    }

    #[test]
    fn who_leaves_is_forgotten() {
        let mut queue = Queue::new(1);
        let held = queue.take(party(1)).ok().unwrap();
        let first = queue.wait(party(2), 2);
        let second = queue.wait(party(3), 3);
        assert!(queue.is_next(first) && !queue.is_next(second));
        assert_eq!(queue.leave(first), Some(&3));
        assert!(queue.is_next(second));
        assert_eq!(served(&mut queue, vec![held]), [3]);
        assert!(queue.parties.is_empty(), "{queue:?}");
    }

    /// The slot of the place that gives way to `asking`, where so many seconds have passed and all of `waiting` wait for
    /// their clients.
    async fn gives_way(of: &[u8], waiting: &[usize], seconds: f64, asking: u8) -> Option<usize> {
        let mut queue = Queue::<()>::new(of.len());
        let held: Vec<_> = of
            .iter()
            .filter_map(|last| queue.take(party(*last)).ok())
            .collect();
        waiting.iter().for_each(|at| held[*at].waits());
        tokio::time::sleep(Duration::from_secs_f64(seconds)).await;
        let slowest = queue.slowest(party(asking), Instant::now());
        slowest.map(|(hold, _)| hold.slot)
    }

    #[tokio::test(start_paused = true)]
    async fn who_has_more_gives_way_before_long_and_an_equal_later() {
        assert_eq!(gives_way(&[1, 1, 2], &[0], 0.6, 3).await, Some(0));
        assert_eq!(gives_way(&[1, 1, 2], &[0], 0.4, 3).await, None);
        assert_eq!(gives_way(&[1, 1, 2], &[0], 0.6, 2).await, None);
        assert_eq!(gives_way(&[1, 1, 2], &[0], 5.1, 2).await, Some(0));
        assert_eq!(gives_way(&[1, 1, 1], &[2], 5.1, 1).await, Some(2));
    }

    #[tokio::test(start_paused = true)]
    async fn of_the_party_with_most_and_never_one_that_the_upstream_is_waited_for() {
        assert_eq!(gives_way(&[1, 2, 2, 1, 2], &[0, 4], 60.0, 3).await, Some(4));
        assert_eq!(gives_way(&[1, 1, 1], &[], 600.0, 3).await, None);
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_moves_does_not_hold_its_place_up() {
        for (bytes, gives_way) in [(32 << 10, false), (1 << 10, true)] {
            let mut queue = Queue::<()>::new(2);
            let held: Vec<_> = (0..2).filter_map(|_| queue.take(party(1)).ok()).collect();
            for _ in 0..20 {
                held[0].waits();
                tokio::time::sleep(Duration::from_secs(1)).await;
                assert!(held[0].came(bytes));
            }
            held[0].waits();
            let slowest = queue.slowest(party(1), Instant::now());
            assert_eq!(slowest.is_some(), gives_way, "{bytes}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_tunnel_gives_way_only_to_who_has_less() {
        let mut queue = Queue::<()>::new(2);
        let held: Vec<_> = (0..2).filter_map(|_| queue.take(party(1)).ok()).collect();
        assert!(held[1].tunnel());
        tokio::time::sleep(Duration::from_secs(3600)).await;
        let slowest = |asking| queue.slowest(party(asking), Instant::now());
        assert_eq!(slowest(2).map(|(hold, _)| hold.slot), Some(1));
        assert!(slowest(1).is_none());
    }
}
