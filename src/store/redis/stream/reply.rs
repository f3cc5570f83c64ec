//! What the reader asks Redis, and how the replies are read: without a copy of each text.

use super::{
    history::Seen,
    record::{parse_id, text_of},
};
use crate::store::entry::StreamId;
use ::redis::{Cmd, ErrorKind, Pipeline, RedisError, Value, aio::MultiplexedConnection};
use std::time::Duration;
use xxhash_rust::xxh3::xxh3_64;

/// A connection that is waited on for seconds, of the reader's own.
pub(super) type Connection = MultiplexedConnection;

/// Records per read.
pub(super) const BATCH: usize = 1000;

/// What one command may take that does not wait for news.
pub(super) const PATIENCE: Duration = Duration::from_secs(4);

/// What a read brought, by stream.
#[derive(Debug, Default)]
pub(super) struct News {
    pub(super) log: Vec<Value>,
    pub(super) inbox: Vec<Value>,
    pub(super) ended: Vec<Value>,
}

fn broken(what: &'static str) -> RedisError {
    (ErrorKind::UnexpectedReturnType, what).into()
}

/// `call` within [`PATIENCE`] and `more`.
pub(super) async fn within<T>(
    more: Duration,
    call: impl Future<Output = Result<T, RedisError>>,
) -> Result<T, RedisError> {
    match tokio::time::timeout(PATIENCE + more, call).await {
        Ok(result) => result,
        Err(_) => Err((ErrorKind::Io, "no answer in time").into()),
    }
}

/// The records of these streams behind these places; waits for some for `block`, at least a millisecond.
pub(super) async fn read(
    connection: &mut Connection,
    [log, inbox, ended]: [&str; 3],
    after: [StreamId; 3],
    block: Duration,
) -> Result<News, RedisError> {
    let millis = u64::try_from(block.as_millis()).unwrap_or(1).max(1);
    let mut command = Cmd::new();
    command.arg("XREAD").arg("COUNT").arg(BATCH);
    command.arg("BLOCK").arg(millis);
    command.arg("STREAMS").arg(log).arg(inbox).arg(ended);
    for id in after {
        command.arg(text_of(id));
    }
    let reply: Value = within(block, command.query_async(connection)).await?;
    let streams = match reply {
        Value::Nil => return Ok(News::default()),
        Value::Array(streams) => streams,
        _ => return Err(broken("XREAD answers with something else")),
    };
    let mut news = News::default();
    for stream in streams {
        let Value::Array(pair) = stream else {
            return Err(broken("XREAD answers with something else"));
        };
        let mut pair = pair.into_iter();
        let (Some(Value::BulkString(name)), Some(Value::Array(records))) =
            (pair.next(), pair.next())
        else {
            return Err(broken("XREAD answers with something else"));
        };
        if name == log.as_bytes() {
            news.log = records;
        } else if name == inbox.as_bytes() {
            news.inbox = records;
        } else {
            news.ended = records;
        }
    }
    Ok(news)
}

/// What is to be seen of `log` now, and whether its record `known` still reads as this digest says.
pub(super) async fn look(
    connection: &mut Connection,
    log: &str,
    (known, digest): (StreamId, Option<u64>),
) -> Result<Seen, RedisError> {
    let mut looking = Pipeline::new();
    looking.cmd("TIME");
    looking
        .cmd("XRANGE")
        .arg(log)
        .arg("-")
        .arg("+")
        .arg("COUNT")
        .arg(1);
    looking
        .cmd("XREVRANGE")
        .arg(log)
        .arg("+")
        .arg("-")
        .arg("COUNT")
        .arg(1);
    let id = text_of(known);
    looking.cmd("XRANGE").arg(log).arg(&id).arg(&id);
    let mut beside = connection.clone();
    let info = Cmd::new().arg("INFO").arg("server").to_owned();
    let asked = async {
        tokio::join!(
            looking.query_async(connection),
            info.query_async::<String>(&mut beside)
        )
    };
    let (seen, info) = within(Duration::ZERO, async { Ok(asked.await) }).await?;
    let (time, first, last, known): ((u64, u64), Value, Value, Value) = seen?;
    let ends = match (place(&first), place(&last)) {
        (Some(first), Some(last)) => Some((first.0, last.0)),
        _ => None,
    };
    let has_known = place(&known).is_some_and(|(_, read)| digest.is_none_or(|of| of == read));
    Ok(Seen {
        // An operator may not have allowed to ask.
        server: info.map_or(0, |info| digest_of_server(&info)),
        time: millis(time),
        ends,
        has_known,
    })
}

/// What is at `key`, and of what is longer than `most` bytes one byte more than that.
pub(super) async fn value(
    connection: &mut Connection,
    key: &str,
    most: u64,
) -> Result<Vec<u8>, RedisError> {
    let mut get = Cmd::new();
    get.arg("GETRANGE").arg(key).arg(0).arg(most);
    within(Duration::ZERO, get.query_async(connection)).await
}

/// The first record of `log`.
pub(super) async fn first(
    connection: &mut Connection,
    log: &str,
) -> Result<Option<StreamId>, RedisError> {
    let mut range = Cmd::new();
    range.arg("XRANGE").arg(log).arg("-").arg("+");
    range.arg("COUNT").arg(1);
    let first: Value = within(Duration::ZERO, range.query_async(connection)).await?;
    Ok(place(&first).map(|(id, _)| id))
}

/// A digest of the record of `log` with this number, where there is one.
pub(super) async fn digest_at(
    connection: &mut Connection,
    log: &str,
    id: StreamId,
) -> Result<Option<u64>, RedisError> {
    let id = text_of(id);
    let mut range = Cmd::new();
    range.arg("XRANGE").arg(log).arg(&id).arg(&id);
    let found: Value = within(Duration::ZERO, range.query_async(connection)).await?;
    Ok(place(&found).map(|(_, digest)| digest))
}

/// The milliseconds until `log` ends, negative where it has no TTL or is not there, and the clock of Redis.
pub(super) async fn upkeep(
    connection: &mut Connection,
    log: &str,
    with_time: bool,
) -> Result<(i64, Option<u64>), RedisError> {
    let mut asking = Pipeline::new();
    asking.cmd("PTTL").arg(log);
    if !with_time {
        let (left,): (i64,) = within(Duration::ZERO, asking.query_async(connection)).await?;
        return Ok((left, None));
    }
    asking.cmd("TIME");
    let (left, time): (i64, (u64, u64)) =
        within(Duration::ZERO, asking.query_async(connection)).await?;
    Ok((left, Some(millis(time))))
}

fn millis((seconds, micros): (u64, u64)) -> u64 {
    seconds.saturating_mul(1000).saturating_add(micros / 1000)
}

/// The number of the first record of a reply, and a digest of it.
fn place(records: &Value) -> Option<(StreamId, u64)> {
    let Value::Array(records) = records else {
        return None;
    };
    let Value::Array(pair) = records.first()? else {
        return None;
    };
    let Value::BulkString(id) = pair.first()? else {
        return None;
    };
    Some((parse_id(id)?, digest_of(records.first()?)))
}

/// Tells a record from another one with the same number.
pub(super) fn digest_of(record: &Value) -> u64 {
    let mut all = Vec::with_capacity(64);
    collect(record, &mut all);
    xxh3_64(&all)
}

fn collect(value: &Value, into: &mut Vec<u8>) {
    match value {
        Value::Array(values) => values.iter().for_each(|value| collect(value, into)),
        Value::BulkString(text) => {
            into.extend((text.len() as u64).to_be_bytes());
            into.extend_from_slice(text);
        }
        _ => into.push(0),
    }
}

/// A digest of the run id in the reply to `INFO`; 0 where there is none.
fn digest_of_server(info: &str) -> u64 {
    let id = info.lines().find_map(|line| line.strip_prefix("run_id:"));
    id.map_or(0, |id| xxh3_64(id.trim().as_bytes()).max(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_is_known_by_its_run_id() {
        let info = "# Server\r\nredis_version:7.0.15\r\nrun_id:31fc6e75\r\ntcp_port:6379\r\n";
        assert_eq!(digest_of_server(info), xxh3_64(b"31fc6e75"));
        assert_eq!(digest_of_server("# Server\r\n"), 0);
    }

    #[test]
    fn records_with_the_same_number_are_told_apart() {
        let text = |text: &str| Value::BulkString(text.as_bytes().to_vec());
        let record = |kind, value| {
            Value::Array(vec![
                text("1-0"),
                Value::Array(vec![text(kind), text(value)]),
            ])
        };
        assert_eq!(
            digest_of(&record("tag", "a")),
            digest_of(&record("tag", "a"))
        );
        assert_ne!(
            digest_of(&record("tag", "a")),
            digest_of(&record("ta", "ga"))
        );
    }
}
