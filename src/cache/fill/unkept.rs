//! A response that is for those who have waited for it, and is not kept.

use super::{
    finish::{Collected, Fill, Kept},
    stored_head::{Named, stored_head},
};
use crate::{
    message::Stream,
    semantics::{Refusal, Storage, storability::Verdict},
};
use http::Response;
use std::sync::Arc;

/// Answers all who have waited with `response`, and nobody later; `refusal` is why it is not kept. Where nobody else has
/// waited it goes to its own client as it comes.
pub(super) async fn share(
    fill: &mut Fill<'_>,
    response: Response<Stream>,
    verdict: Verdict,
    refusal: Refusal,
) -> Kept {
    fill.leader.close();
    if refusal != Refusal::NoRoom {
        fill.supersede(response.status());
    }
    if !fill.leader.has_followers() {
        fill.leader.not_shared(response, refusal);
        return Kept::Nothing;
    }
    let (parts, mut body) = response.into_parts();
    let Named { head, withheld } =
        stored_head(&fill.cx, parts.status, parts.headers, verdict, Vec::new());
    let storage = Storage::Refused(refusal);
    fill.leader.streaming(Arc::new(head), withheld, storage);
    fill.leader.buffer().leave_to_readers();
    match fill.collect(&mut body, None).await {
        Ok(Collected::Whole) => fill.leader.buffer().end(Ok(())),
        Ok(Collected::Overflow(_)) => fill.pass_on(body).await,
        Err(error) => fill.leader.buffer().end(Err(error)),
    }
    Kept::Nothing
}
