//! The purge log between replicas: contact, doubt, trouble, starts, and writes whose replica dies.

mod cluster;
mod contact;
mod history;
mod inbox;
mod intents;
mod start;
mod trouble;
mod writes;

use crate::support::{Origin, Proxy, Reply, get, process::Process, redis::Redis, until};

/// Where the log is.
const LOG: &str = "t:{t}:v2:purges";

/// Beside `redis`, with `more` in `[cache]`.
fn shared(url: &str, more: &str) -> String {
    format!("[cache]\nprefix = \"t\"\n{more}[cache.redis]\nurl = \"{url}\"\nbudget = \"1s\"\n")
}

/// Waits until this replica follows the log.
async fn in_step(proxy: &Proxy) {
    until("it is in step", async || {
        let ready = get(proxy.admin(), "/readyz", &[]).await;
        ready.json()["status"] == "ready"
    })
    .await;
}

/// A replica that follows the log.
async fn replica(origin: &Origin, url: &str, more: &str) -> Proxy {
    let proxy = Proxy::to(origin, &shared(url, more)).await;
    in_step(&proxy).await;
    proxy
}

/// Has a validator, and says 304 to who knows it.
fn confirmable(origin: &Origin, path: &str, text: &str) {
    let tag = format!("\"{text}\"");
    let reply = Reply::fresh(text, 3600).header("etag", tag.clone());
    origin.answer(path, reply);
    let unchanged = Reply::ok("").status(304).header("etag", tag);
    origin.answer_when(path, "if-none-match", unchanged);
}

/// From now on it is another one, also for who knows the old one.
fn changed(origin: &Origin, path: &str, text: &str) {
    let reply = Reply::fresh(text, 3600).header("etag", format!("\"{text}\""));
    origin.answer(path, reply.clone());
    origin.answer_when(path, "if-none-match", reply);
}

async fn kept(proxy: &Proxy, path: &str) {
    until("it is kept", async || proxy.get(path).await.is_hit()).await;
}

/// Until Redis has so many values of ours.
async fn in_redis(redis: &Redis, count: usize) {
    until("it is in redis", async || redis.keys().len() >= count).await;
}

/// How many records of this kind the log has.
fn records(redis: &Redis, kind: &str) -> usize {
    let all: Vec<(String, Vec<Vec<u8>>)> = redis
        .try_command(&["XRANGE", LOG, "-", "+"])
        .unwrap_or_default();
    all.iter()
        .filter(|(_, fields)| fields[0] == kind.as_bytes())
        .count()
}

/// How often Redis was asked to do this.
fn calls(redis: &Redis, command: &str) -> u64 {
    let stats: String = redis.command(&["INFO", "commandstats"]);
    let name = format!("cmdstat_{command}:calls=");
    let line = stats.lines().find_map(|line| line.strip_prefix(&name));
    line.map_or(0, |line| line.split(',').next().unwrap().parse().unwrap())
}

/// So many purges of other things.
fn fill(redis: &Redis, count: usize) {
    let mut connection = redis::Client::open(redis.url())
        .unwrap()
        .get_connection()
        .unwrap();
    for from in (0..count).step_by(10_000) {
        let mut filling = redis::pipe();
        for n in from..count.min(from + 10_000) {
            let mut record = [0; 33];
            record[25..].copy_from_slice(&n.to_be_bytes());
            filling
                .cmd("XADD")
                .arg(LOG)
                .arg("*")
                .arg("tag")
                .arg(&record[..]);
        }
        filling.exec(&mut connection).unwrap();
    }
}

async fn process(origin: &Origin, upstream: &str, url: &str, more: &str) -> Process {
    let toml = format!("{upstream}{}", shared(url, more));
    let process = Process::start(origin, &toml).await;
    until("it is in step", async || {
        let ready = get(process.admin(), "/readyz", &[]).await;
        ready.json()["status"] == "ready"
    })
    .await;
    process
}
