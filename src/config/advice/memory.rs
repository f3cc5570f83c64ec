//! Where answers are kept.

use super::facts::Facts;
use crate::config::{
    problem::Problem,
    units::{MIB, print_size},
};

/// The system ends a process that takes more than there is.
pub(super) fn more_than_there_is(facts: &Facts<'_>, found: &mut Vec<Problem>) {
    let (max, collecting) = (facts.config.store.memory.max, facts.config.cache.collecting);
    let most = max.saturating_add(collecting);
    let Some(memory) = facts.system.memory.filter(|memory| most > memory.bytes) else {
        return;
    };
    let (owner, size) = (
        if memory.is_container {
            "this container may have"
        } else {
            "this machine has"
        },
        print_size((memory.bytes / MIB).max(1) * MIB),
    );
    let message = format!(
        "`cache.memory.max` and `cache.memory.collecting`, {} and {}, are more than {owner}: {size}",
        print_size(max),
        print_size(collecting)
    );
    let half = print_size((memory.bytes / 2 / MIB).max(1) * MIB);
    let help = format!(
        "the system ends a process that takes too much: write less, such as `max = \"{half}\"`"
    );
    found.push(facts.warn("cache.memory.max", message).help(help));
}

/// Without memory and without Redis everything is a miss.
pub(super) fn nothing_is_stored(facts: &Facts<'_>, found: &mut Vec<Problem>) {
    let store = &facts.config.store;
    if store.memory.max == 0 && store.redis.is_none() && facts.config.proxy.enabled {
        let message = "nothing is stored: `cache.memory.max` is 0, and there is no Redis";
        let help = "leave `max` out for 64MiB, or give `cache.redis.url` a value";
        found.push(facts.warn("cache.memory.max", message).help(help));
    }
}
