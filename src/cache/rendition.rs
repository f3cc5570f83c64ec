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
pub(super) fn carry_over(stored: &Entry, fresher: &Entry, settings: &Settings) {
    if !is_worth_coding(fresher, settings) {
        return; // the confirmation forbids it, or says that the body is something else
    }
    for coding in Coding::ALL {
        if let Some(made) = stored.coded(coding).get() {
            let made = made
                .as_deref()
                .map(|made| rendition(&fresher.head, coding, made.body.clone()));
            let _ = fresher.coded(coding).set(made);
        }
    }
}

/// The fields that the stored response would have in `coding`, which nobody has made yet; those of the body are not among
/// them.
pub(super) fn headers_in(entry: &Entry, coding: Coding) -> HeaderMap {
    let mut headers = base_headers(&entry.head, 0);
    coding::mark(&mut headers, coding);
    headers
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        semantics::{key::Builder, stored::sample},
        store::Position,
    };
    use std::ops::Not;

    const FIELDS: [(&str, &str); 2] = [("content-type", "text/plain"), ("etag", "\"a\"")];

    fn entry(body: impl Into<Bytes>) -> Entry {
        let key = Builder::new("http", b"a", "/").build();
        Entry::new(key, sample(&FIELDS), body.into(), Position::default())
    }

    fn coders() -> Arc<Semaphore> {
        Arc::new(Semaphore::new(1))
    }

    #[tokio::test]
    async fn each_coding_is_made_once_however_many_ask() {
        let (settings, coders) = (Settings::default(), coders());
        for size in [2000, 200_000] {
            let entry = entry(vec![b'a'; size]);
            for coding in Coding::ALL {
                assert!(coded(&entry, &settings, coding).is_none());
                let asking = (0..16).map(|_| make(&entry, &settings, coding, &coders));
                let made = futures_util::future::join_all(asking).await;
                assert_eq!(made.iter().filter(|made| **made).count(), 1);
                let rendition = coded(&entry, &settings, coding).unwrap();
                assert_eq!(rendition.headers["content-encoding"], coding.name());
                let tag = format!("\"a-{}\"", coding.name());
                assert_eq!(rendition.headers["etag"], *tag);
                let length = rendition.body.len();
                assert_eq!(rendition.headers["content-length"], *length.to_string());
                assert!(make(&entry, &settings, coding, &coders).await.not());
            }
        }
    }

    #[tokio::test]
    async fn a_coding_that_is_kept_counts_and_one_that_is_not_worth_it_does_not() {
        let (settings, coders) = (Settings::default(), coders());
        let random: Vec<u8> = (0..4000).map(|_| fastrand::u8(..)).collect();
        let (shrinks, random) = (entry(vec![b'a'; 4000]), entry(random));
        for coding in Coding::ALL {
            let before = (shrinks.weight(), random.weight());
            make(&shrinks, &settings, coding, &coders).await;
            make(&random, &settings, coding, &coders).await;
            let length = coded(&shrinks, &settings, coding).unwrap().body.len();
            assert!(shrinks.weight() > before.0 + length as u64);
            assert_eq!(random.weight(), before.1);
            let rendition = coded(&random, &settings, coding).unwrap();
            assert_eq!(rendition.body, random.body);
            assert!(!rendition.headers.contains_key("content-encoding"));
        }
    }

    #[tokio::test]
    async fn a_confirmed_response_keeps_the_codings_of_its_body() {
        let (settings, coders) = (Settings::default(), coders());
        let stored = entry(vec![b'a'; 4000]);
        make(&stored, &settings, Coding::Zstd, &coders).await;
        let head = sample(&[FIELDS[0], ("etag", "\"b\"")]);
        let fresher = stored.freshened(head, Position::default());
        carry_over(&stored, &fresher, &settings);
        let (old, new) = [&stored, &fresher]
            .map(|entry| coded(entry, &settings, Coding::Zstd).unwrap())
            .into();
        assert_eq!(old.body.as_ptr(), new.body.as_ptr());
        assert_eq!(new.headers["etag"], "\"b-zstd\"");
        assert!(coded(&fresher, &settings, Coding::Gzip).is_none());
    }
}
