//! The renditions of a stored response: as the origin sent it, and each content coding, made once.

use super::coding::{self, Settings};
use crate::{
    message::names::{CACHE_STATUS, X_REQUEST_ID},
    semantics::{Coding, StoredHead},
    store::{Entry, Rendition},
};
use bytes::Bytes;
use http::{
    HeaderMap, HeaderValue, StatusCode,
    header::{AGE, CONTENT_LENGTH},
};
use std::sync::Arc;
use tokio::sync::Semaphore;

/// The stored response as the origin sent it.
pub(super) fn identity<'e>(entry: &'e Entry, settings: &Settings) -> &'e Rendition {
    entry.identity.get_or_init(|| {
        let mut headers = base_headers(&entry.head, entry.body.len());
        if is_worth_coding(entry, settings) {
            coding::vary_by_encoding(&mut headers);
        }
        Rendition {
            headers,
            body: entry.body.clone(),
        }
    })
}

/// The stored response in `coding`, or as the origin sent it where that is not worth it; `None` where it has to be coded
/// first.
pub(super) fn coded<'e>(
    entry: &'e Entry,
    settings: &Settings,
    coding: Coding,
) -> Option<&'e Rendition> {
    let made = match entry.coded(coding).get() {
        Some(made) => made.as_deref(),
        None if is_worth_coding(entry, settings) => return None,
        None => None,
    };
    Some(made.unwrap_or_else(|| identity(entry, settings)))
}

/// Codes the stored response, once, however many ask at the same time. Returns whether this call did it.
///
/// A body that does not get smaller stays as it is. What takes long waits for a permit of `coders` and leaves the workers
/// alone. Dropped meanwhile, this leaves the coding to the next who asks.
pub(super) async fn make(
    entry: &Entry,
    settings: &Settings,
    coding: Coding,
    coders: &Arc<Semaphore>,
) -> bool {
    let mut made = false;
    let slot = entry.coded(coding);
    let _ = slot
        .get_or_init(|| async {
            made = true;
            let (body, levels) = (entry.body.clone(), settings.levels);
            let work = move || coding::whole_encoder(coding, levels, body.len()).whole(&body);
            let coded = if coding::is_quick(coding, levels, entry.body.len()) {
                work().ok()?
            } else {
                let permit = Arc::clone(coders).acquire_owned().await.ok()?;
                let coded = tokio::task::spawn_blocking(move || {
                    let _permit = permit;
                    work().ok()
                });
                coded.await.ok()?? // the runtime may be going down
            };
            (coded.len() < entry.body.len()).then(|| rendition(&entry.head, coding, coded))
        })
        .await;
    made
}

/// Gives `fresher`, the body of `stored` under a new head, the codings that were made of that body.
pub(super) fn carry_over(stored: &Entry, fresher: &Entry) {
    for coding in Coding::ALL {
        if let Some(made) = stored.coded(coding).get() {
            let made = made
                .as_deref()
                .map(|made| rendition(&fresher.head, coding, made.body.clone()));
            let _ = fresher.coded(coding).set(made);
        }
    }
}

fn is_worth_coding(entry: &Entry, settings: &Settings) -> bool {
    let head = &entry.head;
    entry.body.len() as u64 >= settings.min_size
        && head.part.is_none()
        && coding::is_codable(head.status, &head.headers, head.no_transform, settings)
}

fn rendition(head: &StoredHead, coding: Coding, body: Bytes) -> Box<Rendition> {
    let mut headers = base_headers(head, body.len());
    coding::mark(&mut headers, coding);
    Box::new(Rendition { headers, body })
}

/// The stored fields with a length, and places for what changes with each answer, so that filling them in moves nothing.
fn base_headers(head: &StoredHead, length: usize) -> HeaderMap {
    let mut headers = head.headers.clone();
    headers.insert(CONTENT_LENGTH, HeaderValue::from(length));
    if head.status == StatusCode::NO_CONTENT {
        headers.remove(CONTENT_LENGTH); // RFC 9110 §8.6
    }
    for name in [AGE, CACHE_STATUS, X_REQUEST_ID] {
        headers.entry(name).or_insert(HeaderValue::from_static(""));
    }
    headers
}
