//! Bringing up to date in the background what was served stale: at most so many at a time, one per key.

use super::{ask::Ask, caller::Caller, core::Core, fill, flight::Role, rule::Rule};
use crate::{
    semantics::{Reason, vary::Selects},
    store::Entry,
};
use std::sync::Arc;

/// What is to be refreshed in the background.
#[derive(Debug)]
pub(crate) struct Refresh {
    /// The response that was served.
    pub(super) entry: Arc<Entry>,
}

/// Begins a refresh of what `caller` was served by `rule`, unless one is under way or has just failed, or no slot is free.
/// Only with a slot `ask` is made: in its window every hit comes by here.
pub(super) fn start(
    core: &Arc<Core>,
    rule: &Rule,
    caller: &Caller,
    refresh: Refresh,
    ask: impl FnOnce() -> Ask,
) {
    let is_purged_since = |number| core.store.is_purged_since(&refresh.entry, number);
    if !core.backoff.may_ask(caller, is_purged_since) {
        return;
    }
    let of_rule = Arc::clone(&rule.refreshes).try_acquire_owned();
    let of_all = Arc::clone(&core.refreshes).try_acquire_owned();
    let (Ok(of_rule), Ok(of_all)) = (of_rule, of_all) else {
        core.metrics.refresh_skipped.inc();
        return;
    };
    let ask = ask();
    core.variants.learn(caller, &refresh.entry.head.selecting);
    let selects = Selects::new(&ask.request, core.store.secret());
    let boarding = core.variants.boarding(caller, &selects);
    let purges = core.store.purges_seen();
    let Role::Leader(leader, _) = core.flights.join_or_lead(boarding, purges) else {
        return;
    };
    let job = fill::Job {
        ask: Arc::new(ask.in_background()),
        stored: Some(refresh.entry),
        why: Reason::WhileRevalidate,
    };
    let running = fill::run(Arc::clone(core), leader, job);
    core.spawn(async move {
        running.await;
        drop((of_rule, of_all));
    });
}
