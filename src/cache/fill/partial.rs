//! Parts: storing one, and completing what is stored with the rest ([RFC 9111 §3.3], [§3.4]).
//!
//! [RFC 9111 §3.3]: https://www.rfc-editor.org/rfc/rfc9111#section-3.3
//! [§3.4]: https://www.rfc-editor.org/rfc/rfc9111#section-3.4

use super::{
    context::Context,
    finish::{Collected, Fill, Kept},
    stored_head::{Named, cookies_of_update, stored_head},
};
use crate::{
    cache::{flight::Provenance, tags::OriginTags},
    message::{BodyError, Stream, chain, join},
    origin::FetchError,
    semantics::{
        Refusal, Storability,
        part::{ByteRange, Part, claimed_part, may_combine, part_of},
        range::{is_asked_for, suffix_asked_for},
        storability::Verdict,
        validation,
    },
    store::Entry,
};
use bytes::Bytes;
use http::{
    HeaderMap, HeaderValue, Response, StatusCode,
    header::{CONTENT_LENGTH, CONTENT_RANGE},
};
use http_body::Body;
use std::{collections::BTreeSet, sync::Arc};

/// Whether a response with this status is about the range that was asked for.
pub(super) fn is_about_a_range(status: StatusCode) -> bool {
    matches!(
        status,
        StatusCode::PARTIAL_CONTENT | StatusCode::RANGE_NOT_SATISFIABLE
    )
}

/// Stores the part that arrives, together with what is stored of the same representation.
pub(super) async fn store(
    fill: &mut Fill<'_>,
    response: Response<Stream>,
    verdict: Verdict,
) -> Kept {
    if !is_asked_for(&fill.cx.ask().request) {
        return fill.refuse(Refusal::UnaskedPart, response);
    }
    let most = fill.cx.settings().max_object;
    let said = claimed_part(response.headers()).map(|part| part.range.length());
    let stated = response.body().size_hint().exact();
    let length = stated.or(said);
    if length.is_none_or(|length| length > most) {
        return fill.refuse(Refusal::TooLarge, response); // it passes as it comes
    }
    let suffix = stated.and(suffix_asked_for(&fill.cx.ask().request));
    if stated.is_some_and(|length| part_of(response.headers(), length, suffix).is_none()) {
        return fill.refuse(Refusal::Status, response);
    }
    if length.is_some_and(|length| !fill.reserve(length)) {
        return fill.refuse(Refusal::NoRoom, response);
    }
    let (mut parts, mut body) = response.into_parts();
    match fill.collect(&mut body, None).await {
        Ok(Collected::Whole) => {}
        // More than it says, and than is stored of anything.
        Ok(Collected::Overflow(_)) => return fill.failed(FetchError::broken(BodyError::Broken)),
        Err(error) => {
            fill.broken(error.clone());
            return fill.failed(FetchError::broken(error));
        }
    }
    let body = match fill.whole().await {
        Ok(body) => body,
        Err(error) => return fill.failed(FetchError::broken(error)),
    };
    let Some(part) = part_of(&parts.headers, body.len() as u64, suffix) else {
        let as_it_came = Response::from_parts(parts, chain([body]));
        return fill.refuse(Refusal::Status, as_it_came);
    };
    let content_range = parts.headers.remove(CONTENT_RANGE);
    let tags = OriginTags::of(&mut parts.extensions)
        .alone()
        .unwrap_or_default();
    let named = stored_head(&fill.cx, StatusCode::OK, parts.headers, verdict, tags);
    let Named {
        mut head,
        mut withheld,
    } = named;
    if let Some(content_range) = content_range {
        withheld.append(CONTENT_RANGE, content_range); // as it came, for the client that asked for it
    }
    head.part = Some(part);
    let position = fill.cx.start.position;
    let entry = Entry::new(fill.cx.ask().key.clone(), head, body, position);
    let entry = Arc::new(entry);
    let all_arrived = said.is_some_and(|length| length == entry.body.len() as u64);
    keep(&fill.cx, &entry, all_arrived).await;
    fill.leader.close();
    // What came, and not what it was put together with: it is what was asked for.
    fill.leader.settle(&entry);
    fill.leader.stored(entry, Provenance::Origin, withheld);
    Kept::Stored
}

/// Stores a part, together with what is stored of the same representation; not in the place of its whole.
async fn keep(cx: &Context<'_>, entry: &Arc<Entry>, all_arrived: bool) {
    let stored = cx.stored_by_now().or_else(|| cx.job.stored.clone());
    let together = if all_arrived {
        put_together(cx, stored.as_deref(), entry).await
    } else {
        None
    };
    // Asked last, because the whole may have come meanwhile.
    if !is_all_of(cx.stored_by_now().as_deref(), entry) {
        cx.insert(together.map(Arc::new).as_ref().unwrap_or(entry));
    }
}

/// Whether what is stored is the whole of which `new` is a part.
fn is_all_of(stored: Option<&Entry>, new: &Entry) -> bool {
    stored.is_some_and(|stored| {
        stored.head.part.is_none() && may_combine(&stored.head.headers, &new.head.headers)
    })
}

/// Both parts as one, where they touch and are of the same representation.
async fn put_together(cx: &Context<'_>, stored: Option<&Entry>, new: &Entry) -> Option<Entry> {
    let stored = stored?;
    let (old_part, new_part) = (stored.head.part?, new.head.part?);
    let touch = new_part.range.first <= old_part.range.last.saturating_add(1)
        && old_part.range.first <= new_part.range.last.saturating_add(1);
    let of_one_length = match (old_part.complete, new_part.complete) {
        (Some(old), Some(new)) => old == new,
        _ => true,
    };
    if !touch || !of_one_length || !may_combine(&stored.head.headers, &new.head.headers) {
        return None;
    }
    let first = old_part.range.first.min(new_part.range.first);
    let (old, new_body) = ((old_part, &stored.body), (new_part, &new.body));
    let body = if old_part.range.first <= new_part.range.first {
        joined(old, new_body).await?
    } else {
        joined(new_body, old).await?
    };
    if body.len() as u64 > cx.settings().max_object {
        return None;
    }
    let last = first + (body.len() as u64).checked_sub(1)?;
    let complete = new_part.complete.or(old_part.complete);
    let whole = first == 0 && complete == Some(last + 1);
    let mut head = new.head.clone();
    let tags: BTreeSet<_> = head.tags.iter().chain(&stored.head.tags).cloned().collect();
    head.tags = tags.into_iter().collect();
    head.part = (!whole).then_some(Part {
        range: ByteRange { first, last },
        complete,
    });
    let length = HeaderValue::from(body.len());
    head.headers.insert(CONTENT_LENGTH, length);
    Some(Entry::new(
        cx.ask().key.clone(),
        head,
        body,
        cx.start.position,
    ))
}

/// The whole, where `response` is the rest of what is stored and can be put together with it, and the fields of it that are
/// for the client of this fetch alone.
pub(super) async fn complete(
    fill: &Fill<'_>,
    response: &mut Response<Stream>,
) -> Option<(Entry, HeaderMap)> {
    let cx = &fill.cx;
    let stored = cx.job.stored.as_ref()?;
    let held = stored.head.part?;
    let rest = claimed_part(response.headers())?;
    if Some(rest.range.first) != held.range.last.checked_add(1)
        || !may_combine(&stored.head.headers, response.headers())
    {
        return None;
    }
    // Judged with the fields that it will have, of which the rest need not repeat all.
    let mut headers = validation::freshened(&stored.head, response.headers());
    let content_range = response.headers().get(CONTENT_RANGE)?;
    headers.insert(CONTENT_RANGE, content_range.clone());
    let Storability::Store(verdict) = cx.storability(StatusCode::PARTIAL_CONTENT, &headers) else {
        return None;
    };
    headers.remove(CONTENT_RANGE);
    match fill.collect(response.body_mut(), None).await {
        Ok(Collected::Whole) => {}
        Ok(Collected::Overflow(_)) | Err(_) => return None,
    }
    let body = fill.whole().await.ok()?;
    let part = part_of(response.headers(), body.len() as u64, None)?; // all of it
    let tags = OriginTags::of(response.extensions_mut()).or(&stored.head.tags)?;
    let named = stored_head(cx, StatusCode::OK, headers, *verdict, tags);
    let Named {
        mut head,
        mut withheld,
    } = named;
    withheld.extend(cookies_of_update(response.headers(), &head));
    head.part = Some(part);
    let rest = Entry::new(cx.ask().key.clone(), head, body, cx.start.position);
    let whole = put_together(cx, Some(stored), &rest).await;
    let whole = whole.filter(|entry| entry.head.part.is_none());
    whole.map(|whole| (whole, withheld))
}

/// `high` behind `low`, without what both have.
async fn joined(
    (low, low_body): (Part, &Bytes),
    (high, high_body): (Part, &Bytes),
) -> Option<Bytes> {
    if high.range.last <= low.range.last {
        return Some(low_body.clone());
    }
    let overlap = usize::try_from((low.range.last + 1).checked_sub(high.range.first)?).ok()?;
    let rest = high_body.get(overlap..)?;
    let pieces = [low_body.clone(), high_body.slice_ref(rest)];
    join::joined(pieces, low_body.len() + rest.len()).await
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(first: u64, last: u64) -> Part {
        Part {
            range: ByteRange { first, last },
            complete: None,
        }
    }

    #[tokio::test]
    async fn parts_that_touch_or_overlap_are_joined() {
        let whole = Bytes::from_static(b"0123456789");
        let of = |first: usize, last: usize| {
            (part(first as u64, last as u64), whole.slice(first..=last))
        };
        for (low, high, expected) in [
            ((0, 4), (5, 9), 0..10),
            ((0, 6), (5, 9), 0..10),
            ((0, 9), (3, 4), 0..10),
            ((2, 3), (4, 5), 2..6),
        ] {
            let (low, high) = (of(low.0, low.1), of(high.0, high.1));
            assert_eq!(
                joined((low.0, &low.1), (high.0, &high.1)).await,
                Some(whole.slice(expected))
            );
        }
    }
}
