//! The stored response in place of an error ([RFC 5861 §4], [RFC 9111 §4.2.4]).
//!
//! [RFC 5861 §4]: https://www.rfc-editor.org/rfc/rfc5861#section-4
//! [RFC 9111 §4.2.4]: https://www.rfc-editor.org/rfc/rfc9111#section-4.2.4

use super::{context::Context, job::Job, request::is_enough};
use crate::{
    cache::{ask::Ask, core::Core},
    semantics::{
        Reason,
        reuse::{may_serve_disconnected, may_serve_on_error},
    },
    store::Entry,
};
use http::StatusCode;
use std::sync::Arc;

/// The stored response, where it [may stand in](stands_in) for an answer.
pub(super) fn on_error(cx: &Context<'_>, disconnected: bool) -> Option<Arc<Entry>> {
    let Job { ask, stored, why } = cx.job;
    let stored = stored.as_ref();
    let stored = stored.filter(|entry| stands_in(cx.core, ask, entry, *why, disconnected));
    stored.map(Arc::clone)
}

/// Whether `entry` may be served to `ask` although the origin failed, and gave no answer at all where it is `disconnected`;
/// `why` the store could not answer. Whether it was purged is asked anew: that may have happened meanwhile.
pub(in crate::cache) fn stands_in(
    core: &Core,
    ask: &Ask,
    entry: &Entry,
    why: Reason,
    disconnected: bool,
) -> bool {
    let now = core.clock.now();
    let Some(standing) = core.store.standing(entry, now) else {
        return false;
    };
    let (freshness, purged) = (&entry.head.freshness, standing.stale_for());
    let (request, policy) = (&ask.request, &ask.rule.policy);
    // It is fresh, and asked about only because a purge may have been missed.
    let only_in_doubt = why == Reason::PurgeGap && freshness.is_fresh(now);
    let allowed = only_in_doubt
        || may_serve_on_error(freshness, request, policy, purged, now)
        || (disconnected && may_serve_disconnected(freshness, request, policy, purged, now));
    allowed && is_enough(entry, request)
}

/// Whether the stored response may still be served stale; then an error response must not replace it, however long
/// errors may be stored.
pub(super) fn still_serves(cx: &Context<'_>) -> bool {
    let now = cx.core.clock.now();
    cx.job.stored.as_ref().is_some_and(|entry| {
        let freshness = &entry.head.freshness;
        let standing = cx.core.store.standing(entry, now);
        let purged = standing.map(|standing| standing.stale_for());
        let stale = purged.map(|purged| freshness.staleness(now).max(purged.unwrap_or_default()));
        let window = freshness.while_revalidate.max(freshness.if_error);
        stale.is_some_and(|stale| stale <= window)
    })
}

/// The statuses that `stale-if-error` speaks of ([RFC 5861 §4]).
///
/// [RFC 5861 §4]: https://www.rfc-editor.org/rfc/rfc5861#section-4
pub(super) fn is_failure(status: StatusCode) -> bool {
    matches!(status.as_u16(), 500 | 502 | 503 | 504)
}
