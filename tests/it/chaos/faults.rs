//! What goes wrong: one thing after the other, at random, for a while each.

use super::ledger::Ledger;
use crate::support::{
    redis::Redis,
    relay::{Fault, Relay},
};
use std::time::{Duration, Instant};

/// One that is there to be ended.
#[derive(Clone, Copy, Debug)]
enum Trouble {
    /// The way of one replica to Redis.
    Way(usize, Fault),
    /// Redis is killed, and starts empty.
    Killed,
    Frozen,
    /// It takes nothing more.
    Full,
    /// At once, and over.
    Emptied,
    LogLost,
}

/// Redis, the ways to it, and what is told of them.
pub(super) struct Faults<'t> {
    pub(super) redis: Redis,
    pub(super) ways: &'t [Relay],
    pub(super) ledger: &'t Ledger,
    pub(super) random: fastrand::Rng,
}

impl Faults<'_> {
    /// Goes on until `end`; then all is well. Returns how many faults there were.
    pub(super) async fn go_on(&mut self, end: Instant) -> usize {
        let mut count = 0;
        while Instant::now() < end {
            let trouble = self.any();
            self.begin(trouble);
            let lasting = Duration::from_millis(self.random.u64(100..2500));
            tokio::time::sleep(lasting).await;
            self.end(trouble);
            let pause = Duration::from_millis(self.random.u64(0..1000));
            tokio::time::sleep(pause).await;
            count += 1;
        }
        count
    }

    fn any(&mut self) -> Trouble {
        let way = self.random.usize(..self.ways.len());
        match self.random.u8(..10) {
            0 => Trouble::Way(way, Fault::Blackhole),
            1 => Trouble::Way(way, Fault::CutAfter(self.random.usize(..3000))),
            2 => Trouble::Way(way, Fault::Garbage),
            3 => {
                let late = Duration::from_millis(self.random.u64(10..200));
                Trouble::Way(way, Fault::Delay(late))
            }
            4 | 5 => Trouble::Killed,
            6 => Trouble::Frozen,
            7 => Trouble::Full,
            8 => Trouble::Emptied,
            _ => Trouble::LogLost,
        }
    }

    fn begin(&mut self, trouble: Trouble) {
        match trouble {
            Trouble::Way(replica, fault) => {
                self.ledger.trouble_begins(replica);
                self.ways[replica].set(fault);
            }
            Trouble::Killed => {
                self.all(Ledger::trouble_begins);
                self.redis.kill();
            }
            Trouble::Frozen => {
                self.all(Ledger::trouble_begins);
                self.redis.freeze();
            }
            Trouble::Full => {
                let full = ["CONFIG", "SET", "maxmemory", "1"];
                self.redis.command::<()>(&full);
            }
            Trouble::Emptied => self.redis.command::<()>(&["FLUSHALL"]),
            Trouble::LogLost => {
                let keys: Vec<String> = self.redis.command(&["KEYS", "*:purges*"]);
                for key in keys {
                    self.redis.command::<()>(&["DEL", &key]);
                }
            }
        }
    }

    fn end(&mut self, trouble: Trouble) {
        match trouble {
            Trouble::Way(replica, _) => {
                self.ways[replica].set(Fault::None);
                self.ledger.trouble_ends(replica);
            }
            Trouble::Killed => {
                self.redis.start_again();
                self.all(Ledger::trouble_ends);
            }
            Trouble::Frozen => {
                self.redis.thaw();
                self.all(Ledger::trouble_ends);
            }
            Trouble::Full => {
                let empty = ["CONFIG", "SET", "maxmemory", "0"];
                self.redis.command::<()>(&empty);
            }
            Trouble::Emptied | Trouble::LogLost => {}
        }
    }

    fn all(&self, what: fn(&Ledger, usize)) {
        (0..self.ways.len()).for_each(|replica| what(self.ledger, replica));
    }
}
