//! The origin confirmed the stored response ([RFC 9111 §4.3.4], [§4.3.5]).
//!
//! [RFC 9111 §4.3.4]: https://www.rfc-editor.org/rfc/rfc9111#section-4.3.4
//! [§4.3.5]: https://www.rfc-editor.org/rfc/rfc9111#section-4.3.5

use super::{
    context::Context,
    stored_head::{Named, cookies_of_update, stored_head},
};
use crate::{
    cache::{flight::Provenance, rendition, tags::OriginTags},
    semantics::{Storability, StoredHead, validation},
    store::Entry,
};
use http::{HeaderMap, Response, StatusCode};
use std::sync::Arc;

/// What a confirmation makes of the stored response.
pub(super) struct Confirmed {
    pub(super) entry: Arc<Entry>,
    pub(super) provenance: Provenance,
    /// The fields that it is stored without.
    pub(super) withheld: HeaderMap,
}

/// Freshens `stored` by the head of a 304, or of a 200 to HEAD. Where the fresh fields forbid to store it, it serves this
/// one time and is gone.
pub(super) fn confirm(
    cx: &Context<'_>,
    stored: &Arc<Entry>,
    fields: &HeaderMap,
    tags: OriginTags,
) -> Confirmed {
    let headers = validation::freshened(&stored.head, fields);
    let storability = cx.storability(stored.head.status, &headers);
    match (storability, tags.or(&stored.head.tags)) {
        (Storability::Store(verdict), Some(tags)) if cx.has_its_own_key(&headers) => {
            let named = stored_head(cx, stored.head.status, headers, *verdict, tags);
            let Named {
                mut head,
                mut withheld,
            } = named;
            withheld.extend(cookies_of_update(fields, &head));
            head.generated_etag = stored.head.generated_etag;
            head.part = stored.head.part;
            let entry = freshened(cx, stored, head);
            // What was confirmed is older than what another request has brought meanwhile.
            if !cx.is_superseded(stored) {
                cx.insert(&entry);
            }
            Confirmed {
                entry,
                provenance: Provenance::Validated,
                withheld,
            }
        }
        (Storability::Store(_) | Storability::Refuse(_), _) => {
            if !cx.ask().credentials {
                cx.forget(stored);
            }
            let mut head = StoredHead {
                headers,
                ..stored.head.clone()
            };
            head.freshness.validate_always = true;
            Confirmed {
                entry: freshened(cx, stored, head),
                provenance: Provenance::ValidatedOnce,
                withheld: cookies_of_update(fields, &stored.head),
            }
        }
    }
}

/// The same body under `head`, with the codings that were made of it.
fn freshened(cx: &Context<'_>, stored: &Entry, head: StoredHead) -> Arc<Entry> {
    let entry = stored.freshened(head, cx.start.position);
    rendition::carry_over(stored, &entry, &cx.settings().coding);
    Arc::new(entry)
}

/// A 304 with another strong tag than the stored response confirms something that this cache does not have
/// ([RFC 9111 §4.3.4]).
///
/// [RFC 9111 §4.3.4]: https://www.rfc-editor.org/rfc/rfc9111#section-4.3.4
pub(super) fn is_about_another<B>(cx: &Context<'_>, response: &Response<B>) -> bool {
    let stored = cx.job.stored.as_ref();
    response.status() == StatusCode::NOT_MODIFIED
        && stored.is_some_and(|stored| validation::is_of_another(&stored.head, response.headers()))
}
