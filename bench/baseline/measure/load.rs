//! Readers and writers together, by a plan that is the same each time: against the backend alone, then against the whole stack.

mod plan;

use self::plan::{Plan, Request};
use super::Rig;
use crate::{
    Failure,
    client::Client,
    error,
    figures::{Load, LoadPlan, Process as ProcessFigures, Side},
    process::{Process, Use},
    sample::{ms, quantile},
    servers::Postgres,
    stack::Backend,
};
use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};
use tokio::{
    task::JoinSet,
    time::{Instant, sleep_until},
};

/// A load that takes so many times as long as it should is broken off.
const OVERDUE: u32 = 3;
/// How long the fastest load takes, as a part of the other one.
const FASTEST: u32 = 6;

/// What an exchange has come to.
struct Exchange {
    /// In the plan.
    place: usize,
    took: Duration,
    is_read: bool,
    is_hit: bool,
}

/// How the requests are brought.
#[derive(Clone, Copy)]
enum Pace {
    /// One after each interval, however long answers take.
    Every(Duration),
    /// As fast as the answers come, for so long.
    Fastest(Duration),
}

/// Each side begins with new processes and an empty cache, on the same rows.
pub(super) async fn measure(rig: Rig<'_>, server: Option<&Postgres>) -> Result<Load, Failure> {
    let Rig {
        place,
        database,
        redis,
        settings,
        ..
    } = rig;
    let conversations = settings.conversations();
    drop((rig.one, rig.other, rig.backend));
    let load = settings.load();
    let plan = Arc::new(Plan::new(&load, conversations));
    let last = database.last_message().await?;

    let backend = place.backend(database.url(), settings.rows()).await?;
    let processes: Vec<_> = [&backend.process]
        .into_iter()
        .chain(server.map(|s| &s.process))
        .collect();
    let alone = side(backend.address, &backend, &plan, &processes, &load).await?;
    database.forget(&last).await?;
    drop(processes);
    drop(backend);

    redis.empty().await?;
    let backend = place.backend(database.url(), settings.rows()).await?;
    let proxy = place.proxy(&backend, redis).await?;
    let own = [&proxy.process, &redis.process, &backend.process];
    let processes: Vec<_> = own.into_iter().chain(server.map(|s| &s.process)).collect();
    let stack = side(proxy.address, &backend, &plan, &processes, &load).await?;
    database.forget(&last).await?;
    Ok(Load {
        backend: alone,
        stack,
    })
}

async fn side(
    address: SocketAddr,
    backend: &Backend,
    plan: &Arc<Plan>,
    processes: &[&Process],
    load: &LoadPlan,
) -> Result<Side, Failure> {
    let uses = || -> Result<Vec<Use>, Failure> { processes.iter().map(|p| p.used()).collect() };
    let whole = Duration::from_secs(load.seconds);
    let statements = backend.statements().await?;
    let before = uses()?;
    let began = Instant::now();
    let pace = Pace::Every(whole / u32::try_from(plan.requests.len())?);
    let exchanges = run(address, plan, pace, load.connections).await?;
    let elapsed = began.elapsed();
    let after = uses()?;
    let statements = backend.statements().await? - statements;

    let fastest = Pace::Fastest(whole / FASTEST);
    let many = run(address, plan, fastest, load.connections).await?;
    let sent = exchanges.len();
    let processes = processes.iter().zip(before.into_iter().zip(after));
    let processes = processes.map(|(process, (before, after))| {
        let cpu = after.cpu.saturating_sub(before.cpu);
        ProcessFigures {
            name: process.name,
            cpu_ms_per_request: ms(cpu) / sent as f64,
            cpu_percent: cpu.as_secs_f64() / elapsed.as_secs_f64() * 100.0,
            memory_mib: after.memory_mib,
        }
    });
    let mut took: Vec<Duration> = exchanges.iter().map(|exchange| exchange.took).collect();
    took.sort_unstable();
    Ok(Side {
        requests: plan.requests.len(),
        sent,
        reads: exchanges.iter().filter(|exchange| exchange.is_read).count(),
        hits: exchanges.iter().filter(|exchange| exchange.is_hit).count(),
        last_hit_rate: hit_rate(&exchanges, plan.requests.len() / 4 * 3),
        p50_ms: quantile(&took, 0.5),
        p95_ms: quantile(&took, 0.95),
        p99_ms: quantile(&took, 0.99),
        curve: curve(&took),
        statements_per_request: statements as f64 / sent as f64,
        most_per_second: many.len() as f64 / (whole / FASTEST).as_secs_f64(),
        processes: processes.collect(),
    })
}

/// Of the reads that were sent from this place on; 0 where there are none.
fn hit_rate(exchanges: &[Exchange], from: usize) -> f64 {
    let late = || exchanges.iter().filter(|exchange| exchange.place >= from);
    let hits = late().filter(|exchange| exchange.is_hit).count();
    hits as f64 / late().filter(|exchange| exchange.is_read).count().max(1) as f64
}

/// Each hundredth, and the last one in tenths.
fn curve(sorted: &[Duration]) -> Vec<(f64, f64)> {
    let hundredths = (1..100).map(f64::from);
    let tenths = (1..10).map(|tenth| 99.0 + f64::from(tenth) / 10.0);
    let all = hundredths.chain(tenths);
    all.map(|percent| (percent, quantile(sorted, percent / 100.0)))
        .collect()
}

/// Sends the requests of the plan over some connections.
async fn run(
    address: SocketAddr,
    plan: &Arc<Plan>,
    pace: Pace,
    connections: usize,
) -> Result<Vec<Exchange>, Failure> {
    let mut clients = Vec::new();
    for _ in 0..connections {
        clients.push(Client::connect(address).await?);
    }
    let next = Arc::new(AtomicUsize::new(0));
    let began = Instant::now();
    let mut workers = JoinSet::new();
    for client in clients {
        let (plan, next) = (Arc::clone(plan), Arc::clone(&next));
        workers.spawn(async move {
            let done = work(client, &plan, &next, pace, began).await;
            done.map_err(|failure| failure.to_string())
        });
    }
    let mut exchanges = Vec::new();
    while let Some(done) = workers.join_next().await {
        exchanges.extend(done?.map_err(error)?);
    }
    Ok(exchanges)
}

/// Takes one request after the other. A request that is late, because no connection was free, has waited since it was due.
async fn work(
    mut client: Client,
    plan: &Plan,
    next: &AtomicUsize,
    pace: Pace,
    began: Instant,
) -> Result<Vec<Exchange>, Failure> {
    let mut exchanges = Vec::new();
    loop {
        let place = next.fetch_add(1, Relaxed);
        let mut since = Instant::now();
        let request = match pace {
            Pace::Every(interval) => {
                let Some(request) = plan.requests.get(place) else {
                    break;
                };
                let due = began + interval * u32::try_from(place)?;
                let whole = interval * u32::try_from(plan.requests.len())?;
                if since > began + whole * OVERDUE {
                    break;
                }
                if due > since {
                    sleep_until(due).await;
                    since = Instant::now(); // a timer is up to a millisecond late
                } else {
                    since = due;
                }
                request
            }
            Pace::Fastest(time) if began.elapsed() > time => break,
            Pace::Fastest(_) => &plan.requests[place % plan.requests.len()],
        };
        let answer = send(&mut client, request).await?;
        exchanges.push(Exchange {
            place,
            took: since.elapsed(),
            is_read: request.body.is_none(),
            is_hit: request.body.is_none() && answer,
        });
    }
    Ok(exchanges)
}

/// Whether the answer was a hit.
async fn send(client: &mut Client, request: &Request) -> Result<bool, Failure> {
    let fields = [("accept-encoding", "gzip, br, zstd")];
    let method = request.method.clone();
    let answer = client
        .send(method, &request.path, &fields, request.body.clone())
        .await?;
    Ok(answer.is_hit())
}
