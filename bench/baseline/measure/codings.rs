//! The list of 100 as clients get it that accept compressed answers.

use super::Rig;
use crate::{Failure, error, figures::Coding, sample::Times};
use tokio::time::Instant;

const CODINGS: [&str; 4] = ["identity", "gzip", "br", "zstd"];

/// Each answer is stored before anybody asks for it in a coding: what the first one takes is the coding.
pub(super) async fn measure(rig: &Rig<'_>) -> Result<Vec<Coding>, Failure> {
    let mut client = rig.one.client().await?;
    let patience = rig.patience();
    let mut codings = Vec::new();
    for coding in CODINGS {
        let (mut first, mut later, mut bytes) = (Vec::new(), Vec::new(), 0);
        let began = Instant::now();
        while patience.wants(first.len(), began) {
            let path = format!("/api/conversations?limit=100&{coding}={}", first.len());
            client.get(&path).await?;
            client.get(&path).await?;
            for samples in [&mut first, &mut later] {
                let answer = client
                    .get_with(&path, &[("accept-encoding", coding)])
                    .await?;
                let got = answer.field("content-encoding");
                if !answer.is_hit() || got != coding && (got, coding) != ("", "identity") {
                    return Err(error(format!(
                        "{path} in {coding}: got {got:?}, {:?}",
                        answer.field("cache-status")
                    )));
                }
                bytes = answer.body.len();
                samples.push(answer.took);
            }
        }
        codings.push(Coding {
            coding,
            bytes,
            first: Times::of(first),
            later: Times::of(later),
        });
    }
    Ok(codings)
}
