//! A cluster: a link of its own to each primary, and a map from slots to them.
//!
//! Each link has its own breaker, so a primary that is gone costs the keys of its slots and nothing else. A call that is
//! redirected is a miss; the map is then asked for anew, as it is while a link is out and once in a while.

use super::{
    dial::{Dialer, lane_config},
    error::CallError,
    link::Link,
    settings::Settings,
};
use crate::{metrics::RedisCall, runtime::Runtime};
use ::redis::{Client, Cmd, RedisError, Value, from_redis_value};
use arc_swap::ArcSwap;
use parking_lot::Mutex;
use std::{collections::HashMap, sync::Arc, time::Duration};
use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;

/// How often the map is asked for although nothing seems to have changed.
const RENEWAL: Duration = Duration::from_secs(30);

/// How often it is asked for while a primary is out, and at most otherwise.
const SEARCH: Duration = Duration::from_millis(250);

/// How many a cluster has.
const SLOTS: u16 = 16384;

/// More primaries than a cluster may have.
const MAX_PRIMARIES: usize = 1000;

/// Slots up to `last`, from where the one before it ends.
#[derive(Clone, Debug)]
struct Range {
    first: u16,
    last: u16,
    link: Arc<Link>,
}

/// A link with the end of the task that keeps it.
#[derive(Debug)]
struct Kept {
    link: Arc<Link>,
    end: CancellationToken,
}

/// See the module docs.
#[derive(Debug)]
pub(super) struct Cluster {
    settings: Settings,
    seeds: Vec<Client>,
    ranges: ArcSwap<Vec<Range>>,
    links: Mutex<HashMap<(String, u16), Kept>>,
    /// Somebody was redirected.
    moved: Notify,
    known: watch::Sender<bool>,
    runtime: Runtime,
}

impl Cluster {
    pub(super) fn new(settings: &Settings, runtime: &Runtime) -> Result<Self, RedisError> {
        Ok(Self {
            seeds: settings.address.first(&settings.certificates)?,
            settings: settings.clone(),
            ranges: ArcSwap::default(),
            links: Mutex::default(),
            moved: Notify::new(),
            known: watch::Sender::new(false),
            runtime: runtime.clone(),
        })
    }

    /// Whether any is.
    pub(super) fn is_partly_up(&self) -> bool {
        self.ranges.load().iter().any(|range| range.link.is_up())
    }

    /// Whether every primary that is known is in use.
    pub(super) fn is_up(&self) -> bool {
        let ranges = self.ranges.load();
        !ranges.is_empty() && ranges.iter().all(|range| range.link.is_up())
    }

    /// Waits until the cluster is used, at most for `limit`.
    pub(super) async fn wait_until_up(&self, limit: Duration) {
        let mut known = self.known.subscribe();
        let _ = tokio::time::timeout(limit, async {
            let _ = known.wait_for(|known| *known).await;
            for range in self.ranges.load_full().iter() {
                range.link.wait_until_up(limit).await;
            }
        })
        .await;
    }

    /// Whether the primary of `key` is in use.
    pub(super) fn has(&self, key: &str) -> bool {
        self.find(key).is_some_and(|link| link.is_up())
    }

    /// The link to the primary of `key`.
    pub(super) fn link_of(&self, key: &str) -> Result<Arc<Link>, CallError> {
        self.find(key).ok_or_else(|| {
            self.runtime.metrics.redis.call(RedisCall::Skipped);
            CallError::Out
        })
    }

    fn find(&self, key: &str) -> Option<Arc<Link>> {
        let slot = slot_of(key);
        let ranges = self.ranges.load();
        let at = ranges.partition_point(|range| range.last < slot);
        let range = ranges.get(at).filter(|range| range.first <= slot)?;
        Some(Arc::clone(&range.link))
    }

    /// The map is out of date.
    pub(super) fn moved(&self) {
        self.moved.notify_one();
    }

    /// Keeps the map up to date until `stop`.
    pub(super) async fn supervise(self: Arc<Self>) {
        self.runtime.metrics.redis.servers.set(1); // until it is known how many there are
        let mut told = false;
        loop {
            match self.discover().await {
                Ok(slots) => {
                    told = false;
                    self.apply(slots);
                }
                Err(why) if !told => {
                    told = true;
                    tracing::warn!(
                        why,
                        "no server of the redis cluster says who has which slots"
                    );
                }
                Err(_) => {}
            }
            let pause = if self.is_up() { RENEWAL } else { SEARCH };
            let one_is_out = async {
                let links: Vec<_> = self
                    .ranges
                    .load()
                    .iter()
                    .map(|r| Arc::clone(&r.link))
                    .collect();
                let out = links.iter().map(|link| Box::pin(link.wait_until_out()));
                if links.is_empty() {
                    std::future::pending().await
                } else {
                    drop(futures_util::future::select_all(out).await)
                }
            };
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = self.moved.notified() => {}
                () = one_is_out, if pause == RENEWAL => {}
                () = self.runtime.stop.cancelled() => return,
            }
            tokio::select! {
                () = tokio::time::sleep(SEARCH) => {} // redirections come in swarms
                () = self.runtime.stop.cancelled() => return,
            }
        }
    }

    /// Who has which slots, from the first server that says so: one in use, else those that were configured.
    async fn discover(&self) -> Result<Vec<Slots>, String> {
        let question = Cmd::new().arg("CLUSTER").arg("SLOTS").to_owned();
        let limit = self.settings.connect_timeout;
        let in_use: Vec<_> = {
            let links = self.links.lock();
            let used = links.iter().filter(|(_, kept)| kept.link.is_up());
            used.map(|((host, _), kept)| (host.clone(), Arc::clone(&kept.link)))
                .collect()
        };
        for (host, link) in in_use {
            if let Ok(reply) = link.call::<Value>(limit, &question).await
                && let Some(slots) = read(&reply, &host)
            {
                return Ok(slots);
            }
        }
        let mut why = "none is configured".to_owned();
        for seed in &self.seeds {
            let dialer = Dialer::to(seed.clone(), limit);
            let asked = async {
                let mut connection = dialer.connect(&lane_config(&self.settings)).await?;
                dialer
                    .within(question.query_async::<Value>(&mut connection))
                    .await
            };
            let host = seed.get_connection_info().addr().to_string();
            let host = host.rsplit_once(':').map_or("", |(host, _)| host);
            match asked.await.map(|reply| read(&reply, host)) {
                Ok(Some(slots)) => return Ok(slots),
                Ok(None) => why = format!("{host}: there are no slots"),
                Err(error) => why = format!("{host}: {error}"),
            }
        }
        Err(why)
    }

    /// Takes over the map `slots`: a link for each primary that is new, none for those that are gone.
    fn apply(&self, slots: Vec<Slots>) {
        let mut links = self.links.lock();
        let mut before = std::mem::take(&mut *links);
        let mut ranges = Vec::with_capacity(slots.len());
        for Slots { first, last, at } in slots {
            let known = match links.get(&at) {
                Some(kept) => Some(Arc::clone(&kept.link)),
                None => before
                    .remove(&at)
                    .or_else(|| self.link_to(&at))
                    .map(|kept| {
                        let link = Arc::clone(&kept.link);
                        links.insert(at, kept);
                        link
                    }),
            };
            ranges.extend(known.map(|link| Range { first, last, link }));
        }
        for kept in before.values() {
            kept.end.cancel();
        }
        ranges.sort_by_key(|range| range.first);
        self.runtime
            .metrics
            .redis
            .servers
            .set(i64::try_from(links.len()).unwrap_or(i64::MAX));
        drop(links);
        self.ranges.store(Arc::new(ranges));
        self.known.send_replace(true);
    }

    fn link_to(&self, (host, port): &(String, u16)) -> Option<Kept> {
        let client = self
            .settings
            .address
            .at(host, *port, &self.settings.certificates)
            .ok()?;
        let dialer = Dialer::to(client, self.settings.connect_timeout);
        let link = Arc::new(Link::new(
            dialer,
            &self.settings,
            Arc::clone(&self.runtime.metrics),
        ));
        let end = self.runtime.stop.child_token();
        self.runtime
            .tasks
            .spawn(Arc::clone(&link).supervise(end.clone()));
        Some(Kept { link, end })
    }
}

/// Consecutive slots and the primary that has them.
#[derive(Debug, PartialEq, Eq)]
struct Slots {
    first: u16,
    last: u16,
    at: (String, u16),
}

/// Reads the reply of `CLUSTER SLOTS`; `asked` is the host that gave it, which may not know its own name.
fn read(reply: &Value, asked: &str) -> Option<Vec<Slots>> {
    let Value::Array(rows) = reply else {
        return None;
    };
    let row = |row: &Value| {
        let Value::Array(row) = row else { return None };
        let Value::Array(primary) = row.get(2)? else {
            return None;
        };
        // The library would wrap a number that is too large.
        let number =
            |value: &Value| u16::try_from(from_redis_value::<i64>(value.clone()).ok()?).ok();
        let host = match primary.first()? {
            Value::Nil => String::new(),
            host => from_redis_value::<String>(host.clone()).ok()?,
        };
        let host = if host.is_empty() {
            asked.to_owned()
        } else {
            host
        };
        let port = number(primary.get(1)?)?;
        let (first, last) = (number(row.first()?)?, number(row.get(1)?)?);
        let at = (host, port);
        (first <= last && last < SLOTS).then_some(Slots { first, last, at })
    };
    let slots: Vec<Slots> = rows.iter().filter_map(row).take(MAX_PRIMARIES).collect();
    (!slots.is_empty()).then_some(slots)
}

/// The slot of `key`: what stands between its first braces, if anything, else all of it (Redis Cluster Specification).
fn slot_of(key: &str) -> u16 {
    let tag = key
        .split_once('{')
        .and_then(|(_, rest)| rest.split_once('}'))
        .map(|(tag, _)| tag)
        .filter(|tag| !tag.is_empty());
    crc16::State::<crc16::XMODEM>::calculate(tag.unwrap_or(key).as_bytes()) % SLOTS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_braces_decide_on_the_slot() {
        assert_eq!(slot_of("123456789"), 0x31c3);
        assert_eq!(slot_of("p:v6:{abc}:m"), slot_of("p:v6:{abc}:00ff"));
        assert_ne!(slot_of("p:v6:{abc}:m"), slot_of("p:v6:{abd}:m"));
        assert_eq!(slot_of("{}a"), slot_of("{}a"));
        assert_ne!(slot_of("{}a"), slot_of("{}b"));
    }

    #[test]
    fn the_map_is_read_and_rubbish_is_none() {
        let text = |t: &str| Value::BulkString(t.as_bytes().to_vec());
        let node = |host, port| Value::Array(vec![host, Value::Int(port), text("id")]);
        let row = |first, last, node| Value::Array(vec![Value::Int(first), Value::Int(last), node]);
        let reply = Value::Array(vec![
            row(0, 5460, node(text("a"), 7000)),
            row(5461, 16383, node(Value::Nil, 7001)),
            row(0, 70000, node(text("a"), 7000)),
            Value::Okay,
        ]);
        let expected = [(0, 5460, "a", 7000), (5461, 16383, "seed", 7001)];
        let expected = expected.map(|(first, last, host, port)| Slots {
            first,
            last,
            at: (host.to_owned(), port),
        });
        assert_eq!(read(&reply, "seed").unwrap(), expected);
        assert_eq!(read(&Value::Array(vec![]), "seed"), None);
        assert_eq!(read(&Value::Okay, "seed"), None);
    }
}
