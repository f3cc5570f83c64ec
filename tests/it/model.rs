//! Whatever the sequence of requests: an answer that was made for one caller is never served to another one, unless the
//! rules say that it may be shared. The oracle here knows nothing of the proxy's code, only of the rules.
//!
//! `SOAK=1` walks a hundred thousand steps and prints what was done; `WALK_SEED=7` walks the one that failed.

#![expect(clippy::print_stdout, reason = "what the long form did is read there")]

mod asks;
mod deployment;
mod kinds;
mod operators;
mod oracle;
mod origin;
mod walk;

use self::{
    operators::OPERATORS,
    walk::{Tally, walk},
};
use std::time::Instant;

/// Walks and steps of each, in the short form and the long one.
const SHORT: (u64, usize) = (14, 150);
const LONG: (u64, usize) = (250, 400);

#[tokio::test]
async fn no_walk_hands_one_callers_answer_to_another() {
    let soak = std::env::var_os("SOAK").is_some();
    let (walks, steps) = if soak { LONG } else { SHORT };
    let one = std::env::var("WALK_SEED")
        .ok()
        .map(|seed| seed.parse().unwrap());
    let seeds = one.map_or(0..walks, |seed| seed..seed + 1);
    let begun = Instant::now();
    let mut tally = Tally::new();
    for seed in seeds {
        for (what, count) in walk(seed, steps).await {
            *tally.entry(what).or_default() += count;
        }
    }
    let count = |what: &str| tally.get(what).copied().unwrap_or(0);
    println!("{:?}", begun.elapsed());
    for (what, count) in &tally {
        println!("{count:>7} {what}");
    }
    for operator in OPERATORS {
        let (steps, hits) = (
            count(&format!("steps {}", operator.name)),
            count(&format!("hits {}", operator.name)),
        );
        println!("{}: {} steps, {} hits", operator.name, steps, hits);
    }
}
