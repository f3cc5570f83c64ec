//! One answer, given in five ways.

use super::Rig;
use crate::{
    Failure,
    client::{Answer, Client},
    error,
    figures::{Read, Repeated, Source, Ten},
    sample::Times,
};
use std::time::Duration;
use tokio::time::{Instant, sleep, timeout};

/// How many are read in one way before the next way has its turn.
const AT_ONCE: usize = 10;
/// What storing in Redis may take.
const STORING: Duration = Duration::from_secs(10);

/// A parameter that the backend ignores makes another key.
fn path(number: usize) -> String {
    format!("/api/conversations?limit=100&sample={number}")
}

struct Ways {
    backend: Client,
    one: Client,
    other: Client,
}

pub(super) async fn measure(rig: &Rig<'_>) -> Result<Vec<Read>, Failure> {
    let mut ways = Ways {
        backend: rig.backend.client().await?,
        one: rig.one.client().await?,
        other: rig.other.client().await?,
    };
    let patience = rig.patience();
    let began = Instant::now();
    let redis_hits = rig.other.redis_hits().await?;
    let mut answers: Vec<(Source, Answer)> = Vec::new();
    let mut number = 0;
    while patience.wants(number, began) {
        let some = number..number + AT_ONCE;
        number = some.end;
        for number in some.clone() {
            answers.push((Source::Backend, ways.backend.get(&path(number)).await?));
        }
        let keys = rig.redis.keys().await?;
        let mut tags = Vec::new();
        for number in some.clone() {
            let answer = ways.one.get(&path(number)).await?;
            expect(&answer, "sidecache; fwd=uri-miss")?;
            tags.push(answer.field("etag").to_owned());
            answers.push((Source::Miss, answer));
        }
        stored(rig, keys + AT_ONCE as u64).await?;
        let before = rig.backend.statements().await?;
        for number in some.clone() {
            let answer = ways.other.get(&path(number)).await?;
            expect(&answer, "sidecache; hit")?;
            answers.push((Source::Redis, answer));
        }
        for number in some.clone() {
            answers.push((Source::Memory, ways.one.get(&path(number)).await?));
        }
        for (number, tag) in some.zip(&tags) {
            let condition = [("if-none-match", tag.as_str())];
            let answer = ways.one.get_with(&path(number), &condition).await?;
            answers.push((Source::NotModified, answer));
        }
        if rig.backend.statements().await? != before {
            return Err(error("a hit has asked the database".to_owned()));
        }
    }
    let redis_hits = rig.other.redis_hits().await? - redis_hits;
    if redis_hits < number as u64 {
        return Err(error(format!(
            "{redis_hits} of {number} were hits in Redis"
        )));
    }
    Source::ALL
        .iter()
        .map(|source| read(*source, &answers))
        .collect()
}

fn read(source: Source, answers: &[(Source, Answer)]) -> Result<Read, Failure> {
    let of = || {
        answers
            .iter()
            .filter(move |(way, _)| *way == source)
            .map(|(_, answer)| answer)
    };
    let first = of()
        .next()
        .ok_or_else(|| error("nothing was read".to_owned()))?;
    let statements = match source {
        Source::Backend | Source::Miss => first.statements()?.0,
        Source::Redis | Source::Memory | Source::NotModified => {
            for answer in of() {
                expect(answer, "sidecache; hit")?;
            }
            0
        }
    };
    let is_short = source == Source::NotModified;
    if of().any(|answer| answer.body.is_empty() != is_short) {
        return Err(error(format!(
            "{}: not the answer that was asked for",
            source.name()
        )));
    }
    Ok(Read {
        source,
        time: Times::of(of().map(|answer| answer.took).collect()),
        statements,
        bytes: first.bytes(),
    })
}

fn expect(answer: &Answer, status: &str) -> Result<(), Failure> {
    let found = answer.field("cache-status");
    if found.starts_with(status) {
        return Ok(());
    }
    Err(error(format!(
        "cache-status is {found:?} and not {status:?}"
    )))
}

/// Waits until Redis has this many keys.
async fn stored(rig: &Rig<'_>, keys: u64) -> Result<(), Failure> {
    let wait = async {
        while rig.redis.keys().await? < keys {
            sleep(Duration::from_millis(1)).await;
        }
        Ok(())
    };
    let waited = timeout(STORING, wait).await;
    waited.map_err(|_| {
        error(format!(
            "Redis has fewer than {keys} keys after {STORING:?}"
        ))
    })?
}

/// One conversation ten times in a row, each time another one.
pub(super) async fn ten(rig: &Rig<'_>) -> Result<Repeated, Failure> {
    let mut backend = rig.backend.client().await?;
    let mut proxy = rig.one.client().await?;
    Ok(Repeated {
        backend: ten_of(rig, &mut backend).await?,
        stack: ten_of(rig, &mut proxy).await?,
    })
}

async fn ten_of(rig: &Rig<'_>, client: &mut Client) -> Result<Ten, Failure> {
    let patience = rig.patience();
    let began = Instant::now();
    let before = rig.backend.statements().await?;
    let mut samples = Vec::new();
    while patience.wants(samples.len(), began) && samples.len() < rig.settings.conversations() {
        let path = format!(
            "/api/conversations/{}",
            rig.settings.conversations() - samples.len()
        );
        let mut took = Duration::ZERO;
        for _ in 0..10 {
            took += client.get(&path).await?.took;
        }
        samples.push(took);
    }
    let statements = rig.backend.statements().await? - before;
    Ok(Ten {
        statements: statements / samples.len() as u64,
        time: Times::of(samples),
    })
}
