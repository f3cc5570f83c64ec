//! A whole response: stored while those who wait read it ([RFC 9111 §3]).
//!
//! [RFC 9111 §3]: https://www.rfc-editor.org/rfc/rfc9111#section-3

use super::{
    finish::{Collected, Fill, Kept},
    stored_head::{Named, generated_etag, stored_head},
};
use crate::{
    cache::{flight::Provenance, tags::OriginTags},
    message::Stream,
    origin::FetchError,
    semantics::{Refusal, StoredHead, fields::is_event_stream, storability::Verdict},
    store::Entry,
};
use http::{
    HeaderMap, HeaderValue, Response, StatusCode,
    header::{CONTENT_LENGTH, ETAG},
};
use http_body::Body;
use http_body_util::BodyExt;
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
    let (mut parts, mut body) = response.into_parts();
    let tags = OriginTags::of(&mut parts.extensions)
        .alone()
        .unwrap_or_default();
    let Named { head, withheld } =
        stored_head(&fill.cx, parts.status, parts.headers, verdict, tags);
    if length.is_some_and(|length| length <= AT_HAND) {
        match tokio::time::timeout(AT_HAND_TIMEOUT, fill.collect(&mut body)).await {
            Ok(Ok(Collected::Whole)) => return keep_at_hand(fill, head, withheld),
            Ok(Err(error)) => {
                fill.broken(error.clone());
                return fill.failed(FetchError::broken(error)); // nothing was sent to anyone yet
            }
            Ok(Ok(Collected::TooLarge)) | Err(_) => {}
        }
    }
    fill.leader.streaming(Arc::new(head.clone()), withheld);
    match fill.collect(&mut body).await {
        Ok(Collected::Whole) => {
            keep(fill, head);
            Kept::Stored
        }
        Ok(Collected::TooLarge) => {
            pass_on(fill, body).await;
            Kept::Nothing
        }
        Err(error) => {
            fill.broken(error);
            Kept::Nothing
        }
    }
}

fn keep_at_hand(fill: &mut Fill<'_>, head: StoredHead, withheld: HeaderMap) -> Kept {
    let entry = keep(fill, head);
    fill.leader.stored(entry, Provenance::Origin, withheld);
    Kept::Stored
}

/// Puts the whole response into the store, and only then lets the readers come to its end.
fn keep(fill: &Fill<'_>, mut head: StoredHead) -> Arc<Entry> {
    let cx = &fill.cx;
    let body = fill.leader.buffer().whole();
    if head.status == StatusCode::OK && !head.headers.contains_key(ETAG) {
        head.headers.insert(ETAG, generated_etag(&body));
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
    fill.leader.buffer().end(Ok(()));
    entry
}

/// Larger than may be stored, as it turned out: whoever reads gets the rest, with back-pressure.
async fn pass_on(fill: &Fill<'_>, mut body: Stream) {
    fill.cx.core.metrics.refused(Refusal::TooLarge);
    fill.close_as_hit_for_miss();
    let buffer = fill.leader.buffer();
    buffer.stop_collecting();
    while buffer.room().await {
        match body.frame().await {
            Some(Ok(frame)) => {
                if let Ok(data) = frame.into_data() {
                    buffer.pass(data);
                }
            }
            Some(Err(error)) => return buffer.end(Err(error)),
            None => return buffer.end(Ok(())),
        }
    }
}
