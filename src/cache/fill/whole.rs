//! A whole response: stored while those who wait read it ([RFC 9111 §3]).
//!
//! [RFC 9111 §3]: https://www.rfc-editor.org/rfc/rfc9111#section-3

use super::{
    digest::Digest,
    finish::{Collected, Fill, Kept},
    stored_head::{Named, generated_etag, stored_head},
    unkept,
};
use crate::{
    cache::{flight::Provenance, tags::OriginTags},
    message::{BodyError, Stream},
    origin::FetchError,
    semantics::{Refusal, Storage, StoredHead, fields::is_event_stream, storability::Verdict},
    store::Entry,
};
use http::{
    HeaderMap, HeaderValue, Response, StatusCode,
    header::{CONTENT_LENGTH, ETAG},
};
use http_body::Body;
use std::{sync::Arc, time::Duration};

/// A body that is at most this long is waited for, so that its first answer has an `ETag` and its coding too, in bytes.
const AT_HAND: u64 = 64 << 10;

/// For how long it is waited for.
const AT_HAND_TIMEOUT: Duration = Duration::from_millis(50);

/// Stores `response` and feeds those who wait with it.
pub(super) async fn store(
    fill: &mut Fill<'_>,
    response: Response<Stream>,
    verdict: Verdict,
) -> Kept {
    if is_event_stream(response.headers()) {
        return fill.refuse(Refusal::Endless, response); // it would be collected for as long as it lasts
    }
    let length = response.body().size_hint().exact();
    if length.is_some_and(|length| length > fill.cx.settings().max_object) {
        return fill.refuse(Refusal::TooLarge, response);
    }
    if length.is_some_and(|length| !fill.reserve(length)) {
        return unkept::share(fill, response, verdict, Refusal::NoRoom).await;
    }
    let (mut parts, mut body) = response.into_parts();
    let tags = OriginTags::of(&mut parts.extensions)
        .alone()
        .unwrap_or_default();
    let Named { head, withheld } =
        stored_head(&fill.cx, parts.status, parts.headers, verdict, tags);
    if !fill.is_fresh(&head) {
        fill.leader.close();
    }
    let mut digest = lacks_tag(&head).then(Digest::default);
    if length.is_some_and(|length| length <= AT_HAND) {
        let collecting = fill.collect(&mut body, digest.as_mut());
        match tokio::time::timeout(AT_HAND_TIMEOUT, collecting).await {
            Ok(Ok(Collected::Whole)) => return keep_at_hand(fill, head, digest, withheld).await,
            Ok(Err(error)) => return broken_at_hand(fill, error),
            Ok(Ok(Collected::Overflow(_))) | Err(_) => {}
        }
    }
    // One that does not say how long it is may turn out to be too large, when the head has gone.
    let storage = length.map_or(Storage::Arriving, |_| Storage::Stored);
    let shown = Arc::new(head.clone());
    fill.leader.streaming(shown, withheld, storage);
    match fill.collect(&mut body, digest.as_mut()).await {
        Ok(Collected::Whole) => match keep(fill, head, digest).await {
            Ok(_) => Kept::Stored,
            Err(error) => {
                fill.broken(error);
                Kept::Nothing
            }
        },
        Ok(Collected::Overflow(refusal)) => {
            overflown(fill, refusal);
            fill.pass_on(body).await;
            Kept::Nothing
        }
        Err(error) => {
            fill.broken(error);
            Kept::Nothing
        }
    }
}

/// It turned out that it cannot be stored.
fn overflown(fill: &Fill<'_>, refusal: Refusal) {
    fill.cx.core.metrics.refused(refusal);
    if refusal == Refusal::TooLarge {
        fill.close_as_hit_for_miss(Some(refusal));
    } else {
        fill.leader.close();
    }
}

/// Nothing was sent to anyone yet.
fn broken_at_hand(fill: &mut Fill<'_>, error: BodyError) -> Kept {
    fill.broken(error.clone());
    fill.failed(FetchError::broken(error))
}

async fn keep_at_hand(
    fill: &mut Fill<'_>,
    head: StoredHead,
    digest: Option<Digest>,
    withheld: HeaderMap,
) -> Kept {
    match keep(fill, head, digest).await {
        Ok(entry) => {
            fill.leader.stored(entry, Provenance::Origin, withheld);
            Kept::Stored
        }
        Err(error) => broken_at_hand(fill, error),
    }
}

/// Whether it needs a tag that is made of its body.
fn lacks_tag(head: &StoredHead) -> bool {
    head.status == StatusCode::OK && !head.headers.contains_key(ETAG)
}

/// Puts the whole response into the store, and only then lets the readers come to its end. `digest` is that of its body.
async fn keep(
    fill: &Fill<'_>,
    mut head: StoredHead,
    digest: Option<Digest>,
) -> Result<Arc<Entry>, BodyError> {
    let cx = &fill.cx;
    let body = fill.whole().await?;
    if let Some(digest) = digest {
        let tag = generated_etag(digest.finish());
        head.headers.insert(ETAG, tag);
        head.generated_etag = true;
    }
    if !head.headers.contains_key(CONTENT_LENGTH) && head.status != StatusCode::NO_CONTENT {
        let length = HeaderValue::from(body.len());
        head.headers.insert(CONTENT_LENGTH, length);
    }
    let entry = Entry::new(cx.ask().key.clone(), head, body, cx.start.position);
    let entry = Arc::new(entry);
    cx.insert(&entry);
    fill.close_behind(&entry);
    fill.leader.settle(&entry);
    Ok(entry)
}
