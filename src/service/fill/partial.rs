//! Parts: asking for one, keeping it, and completing what is stored with the rest ([RFC 9111 §3.3], [§3.4]).
//!
//! [RFC 9111 §3.3]: https://www.rfc-editor.org/rfc/rfc9111#section-3.3
//! [§3.4]: https://www.rfc-editor.org/rfc/rfc9111#section-3.4

use super::{Collected, Fetch, Filling};
use crate::{
    semantics::{
        Refusal, Storability,
        etag::strong_tag,
        part::{ByteRange, Part, claimed_part, may_combine, part_of},
        range::{is_asked_for, select_of_part},
        storability::Verdict,
        validation,
    },
    service::{
        body::BodyError,
        flight::{Fetched, Landing},
        tags::OriginTags,
        upstream::{RequestBody, UpstreamBody, UpstreamError},
    },
    store::Entry,
};
use bytes::Bytes;
use http::{
    HeaderMap, HeaderValue, Request, Response, StatusCode,
    header::{CONTENT_LENGTH, CONTENT_RANGE, IF_RANGE, RANGE},
};
use http_body::Body;
use std::{collections::BTreeSet, sync::Arc};

/// Replaces what the client asked of the representation by what the cache needs of it: the client's own range where
/// nothing is stored, the rest where a beginning is, else the whole. Returns whether a 304 may be the answer.
pub(super) fn ask(headers: &mut HeaderMap, asked: &HeaderMap, stored: Option<&Entry>) -> bool {
    headers.remove(RANGE);
    let Some(entry) = stored else {
        validation::make_conditional(headers, None);
        if is_asked_for(asked) {
            ask_as_client(headers, asked);
        }
        return false;
    };
    let Some(part) = entry.head.part else {
        return validation::make_conditional(headers, Some(&entry.head));
    };
    let enough = is_enough(entry, asked);
    let conditional = validation::make_conditional(headers, enough.then_some(&entry.head));
    if is_asked_for(asked) {
        ask_as_client(headers, asked);
    } else if let Some(rest) = rest_of(part) {
        headers.insert(RANGE, rest);
        // Without one, what comes cannot be put together and the whole is asked for after all (RFC 9111 §3.4).
        if let Some(tag) = strong_tag(&entry.head.headers) {
            headers.insert(IF_RANGE, tag.clone());
        }
    }
    conditional
}

/// The client's own range, with the condition that it stands under.
fn ask_as_client(headers: &mut HeaderMap, asked: &HeaderMap) {
    for name in [RANGE, IF_RANGE] {
        if let Some(value) = asked.get(&name) {
            headers.insert(name, value.clone());
        }
    }
}

/// What is missing behind a beginning.
fn rest_of(part: Part) -> Option<HeaderValue> {
    let next = part.range.last.checked_add(1)?;
    if part.range.first != 0 || part.complete? <= next {
        return None;
    }
    let rest = format!("bytes={next}-");
    Some(HeaderValue::try_from(rest).expect("digits are visible ASCII"))
}

/// Whether an answer with this status is one to the range that was asked for.
pub(super) fn is_about_a_range(status: StatusCode) -> bool {
    matches!(
        status,
        StatusCode::PARTIAL_CONTENT | StatusCode::RANGE_NOT_SATISFIABLE
    )
}

/// Whether what is stored is what was asked for: the whole, or the right part.
pub(super) fn is_enough(entry: &Entry, asked: &HeaderMap) -> bool {
    entry
        .head
        .part
        .is_none_or(|part| select_of_part(asked, &entry.head, part).is_some())
}

/// Whether the request asks for the rest of what is stored, and not for what a client wanted.
pub(super) fn is_rest(request: &Request<RequestBody>, fetch: &Fetch) -> bool {
    request.headers().contains_key(RANGE) && !is_asked_for(&fetch.asked)
}

/// The same request for the whole and without conditions; `None` where its body cannot be sent twice.
pub(super) fn unconditional(request: &Request<RequestBody>) -> Option<Request<RequestBody>> {
    let RequestBody::Left(body) = request.body() else {
        return None;
    };
    let mut whole = Request::new(RequestBody::Left(body.clone()));
    *whole.method_mut() = request.method().clone();
    *whole.uri_mut() = request.uri().clone();
    *whole.headers_mut() = request.headers().clone();
    whole.headers_mut().remove(RANGE);
    validation::make_conditional(whole.headers_mut(), None);
    Some(whole)
}

impl Filling<'_> {
    /// Keeps the part that arrives, together with what is stored of the same representation.
    pub(super) async fn store_part(&self, response: Response<UpstreamBody>, verdict: Verdict) {
        let max = self.shared.settings.max_object;
        if !is_asked_for(&self.fetch.asked) {
            return self.refuse(Refusal::Status, response); // nobody asked for a part
        }
        let said = claimed_part(response.headers()).map(|part| part.range.length());
        if response
            .body()
            .size_hint()
            .exact()
            .or(said)
            .is_none_or(|length| length > max)
        {
            return self.refuse(Refusal::TooLarge, response); // it passes as it comes
        }
        let (mut parts, mut body) = response.into_parts();
        match self.collect(&mut body).await {
            Ok(Collected::Whole) => {}
            Ok(Collected::TooLarge) => return self.failed(UpstreamError::Abandoned),
            Err(error) => {
                self.broken(error.clone());
                return self.failed(UpstreamError::Broken(Arc::new(error)));
            }
        }
        let body = self.departure.flight.buffer.whole();
        let Some(part) = part_of(&parts.headers, body.len() as u64) else {
            return self.failed(UpstreamError::Broken(Arc::new(BodyError::Broken))); // not what it says
        };
        let mut headers = parts.headers;
        let content_range = headers.remove(CONTENT_RANGE);
        let tags = OriginTags::of(&mut parts.extensions);
        let tags = tags.alone().unwrap_or_default();
        let mut head = self.head(StatusCode::OK, headers, verdict, tags);
        if let Some(content_range) = content_range {
            // As it came, for the client that asked for it.
            let flight = &self.departure.flight;
            flight.withhold_more(CONTENT_RANGE, content_range);
        }
        head.part = Some(part);
        let entry = Entry::new(self.fetch.key.clone(), head, body, self.begun.position);
        let entry = Arc::new(entry);
        let all_arrived = said.is_some_and(|length| length == entry.body.len() as u64);
        let together = all_arrived.then(|| self.with_stored(&entry)).flatten();
        let together = together.map(Arc::new);
        self.insert(together.as_ref().unwrap_or(&entry));
        self.departure.close();
        // What came, and not what it was put together with: it is what was asked for.
        self.departure.flight.buffer.end(Ok(()));
        self.land(Landing::Stored(entry, Fetched::New));
    }

    /// Both parts as one, where they touch and are of the same representation.
    fn with_stored(&self, new: &Entry) -> Option<Entry> {
        let stored = self.fetch.stored.as_ref()?;
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
        let (low, high) = match old_part.range.first <= new_part.range.first {
            true => ((old_part, &stored.body), (new_part, &new.body)),
            false => ((new_part, &new.body), (old_part, &stored.body)),
        };
        let body = joined(low, high)?;
        if body.len() as u64 > self.shared.settings.max_object {
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
        head.headers
            .insert(CONTENT_LENGTH, HeaderValue::from(body.len()));
        Some(Entry::new(
            self.fetch.key.clone(),
            head,
            body,
            self.begun.position,
        ))
    }

    /// The rest of what is stored has come, or something that cannot be put together with it: then the whole is asked
    /// for after all.
    pub(super) async fn completed(
        &self,
        mut response: Response<UpstreamBody>,
        again: Request<RequestBody>,
    ) {
        self.shared.receive(&mut response);
        if let Some(entry) = self.complete(&mut response).await {
            self.insert(&entry);
            self.departure.close();
            return self.land(Landing::Stored(entry, Fetched::New));
        }
        drop(response);
        self.departure.flight.buffer.clear();
        self.ask_again(again).await;
    }

    async fn complete(&self, response: &mut Response<UpstreamBody>) -> Option<Arc<Entry>> {
        let stored = self.fetch.stored.as_ref()?;
        let held = stored.head.part?;
        let rest = claimed_part(response.headers())?;
        if Some(rest.range.first) != held.range.last.checked_add(1)
            || !may_combine(&stored.head.headers, response.headers())
        {
            return None;
        }
        let Storability::Store(verdict) =
            self.storability(StatusCode::PARTIAL_CONTENT, response.headers())
        else {
            return None;
        };
        let mut headers = validation::freshened(&stored.head, response.headers());
        headers.remove(CONTENT_RANGE);
        match self.collect(response.body_mut()).await {
            Ok(Collected::Whole) => {}
            Ok(Collected::TooLarge) | Err(_) => return None,
        }
        let rest_body = self.departure.flight.buffer.whole();
        let part = part_of(response.headers(), rest_body.len() as u64);
        let part = part.filter(|part| *part == rest)?; // all of it
        let tags = OriginTags::of(response.extensions_mut()).or(&stored.head.tags)?;
        let mut head = self.head(StatusCode::OK, headers, *verdict, tags);
        head.part = Some(part);
        let rest = Entry::new(self.fetch.key.clone(), head, rest_body, self.begun.position);
        let whole = self
            .with_stored(&rest)
            .filter(|entry| entry.head.part.is_none())?;
        Some(Arc::new(whole))
    }
}

/// `high` behind `low`, without what both have.
fn joined((low, low_body): (Part, &Bytes), (high, high_body): (Part, &Bytes)) -> Option<Bytes> {
    if high.range.last <= low.range.last {
        return Some(low_body.clone());
    }
    let overlap = usize::try_from((low.range.last + 1).checked_sub(high.range.first)?).ok()?;
    Some([&low_body[..], high_body.get(overlap..)?].concat().into())
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

    #[test]
    fn parts_that_touch_or_overlap_are_joined() {
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
                joined((low.0, &low.1), (high.0, &high.1)),
                Some(whole.slice(expected))
            );
        }
    }
}
