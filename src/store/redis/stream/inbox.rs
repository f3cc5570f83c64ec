//! What other programs want to be purged: they leave it in a stream of its own, and one replica takes it into the log.
//!
//! ```text
//! XADD myapi:{myapi}:invalidate * tag conversation:7
//! XADD myapi:{myapi}:invalidate * path /api/users* soft 1
//! ```
//!
//! Only the log has an order that entries are judged by. So one of the replicas that read an entry moves it there, and takes it out
//! of the inbox once it was read back: who dies in between leaves it to the next one, and to move it twice is no harm.

use super::{
    APPEND_BUDGET, SharedLog,
    record::{self, text_of},
};
use crate::store::{
    entry::StreamId,
    purge_log::{PathPattern, Purge, Selector},
    redis::error::CallError,
};
use ::redis::{Cmd, Value};
use http::Uri;
use std::time::Duration;
use tokio::time::Instant;

/// One replica takes what is in the inbox for so long; should it not, another one does.
const TURN: Duration = Duration::from_secs(2);

/// Longer names are no tags of ours, in bytes.
const MAX_TAG: usize = 1024;

/// How far this process has read it.
#[derive(Debug, Default)]
pub(super) struct Inbox {
    pub(super) cursor: StreamId,
    /// Since then it is this process that takes what is there.
    ours: Option<Instant>,
    /// Then what is still there is looked at again.
    again: Option<Instant>,
}

impl Inbox {
    /// Where the next read begins.
    pub(super) fn after(&mut self) -> StreamId {
        if self.again.is_some_and(|again| again <= Instant::now()) {
            self.again = None;
            self.cursor = StreamId::default();
        }
        self.cursor
    }

    /// When it is looked at again.
    pub(super) fn next(&self) -> Option<Instant> {
        self.again
    }

    /// Somebody has taken what was there up to `id`.
    pub(super) fn taken(&mut self, id: StreamId) {
        self.cursor = self.cursor.max(id);
    }

    /// There is something up to `last`. Whether it is for this process to take it.
    pub(super) async fn is_ours(&mut self, shared: &SharedLog, last: StreamId) -> bool {
        self.cursor = last;
        let now = Instant::now();
        let since = self.ours.map(|since| now - since);
        if since.is_some_and(|since| since < TURN / 2) {
            return true;
        }
        let mut take = Cmd::new();
        take.arg("SET").arg(format!("{}:turn", shared.inbox));
        take.arg("").arg("PX").arg(millis(TURN));
        if since.is_none_or(|since| since >= TURN) {
            take.arg("NX"); // else it is still ours, and is renewed
        }
        let taking = shared.servers.call(&shared.inbox, APPEND_BUDGET, &take);
        let is_ours = match taking.await {
            Ok::<Option<String>, _>(taken) => taken.is_some(),
            Err(CallError::Full) => true, // rather twice than never
            Err(_) => false,
        };
        self.ours = is_ours.then_some(now);
        self.again = Some(now + TURN);
        is_ours
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

impl SharedLog {
    /// Deletes what was in the inbox up to `id`. It is there for ever only where nobody reads it.
    pub(super) async fn empty_inbox(&self, id: StreamId) {
        let mut trim = ::redis::Pipeline::new();
        trim.cmd("XTRIM")
            .arg(&self.inbox)
            .arg("MINID")
            .arg(text_of(id.next()));
        trim.cmd("EXPIRE").arg(&self.inbox).arg(self.ttl());
        let trimming = self.servers.call_many(&self.inbox, APPEND_BUDGET, &trim);
        let _: Result<(), CallError> = trimming.await;
    }
}

/// What entries ask for.
#[derive(Debug, Default)]
pub(super) struct Asked {
    pub(super) purges: Vec<Purge>,
    /// The last of them.
    pub(super) last: StreamId,
    /// How many cannot be read, and what is wrong with one of them.
    pub(super) bad: u64,
    pub(super) why: Option<&'static str>,
}

/// Reads entries.
pub(super) fn read(entries: &[Value]) -> Asked {
    let mut asked = Asked::default();
    for entry in entries {
        let Some((id, fields)) = record::fields(entry) else {
            continue;
        };
        asked.last = asked.last.max(id);
        match purges(&fields) {
            Ok(purges) => asked.purges.extend(purges),
            Err(why) => {
                asked.bad += 1;
                asked.why = Some(why);
            }
        }
    }
    asked
}

/// What one entry asks for: all of it, or nothing where a part cannot be read.
fn purges(fields: &[(&[u8], &[u8])]) -> Result<Vec<Purge>, &'static str> {
    let mut hard = true;
    let mut selectors = Vec::new();
    for (name, value) in fields {
        let text = std::str::from_utf8(value).map_err(|_| "a value is not UTF-8")?;
        match *name {
            b"tag" if text.is_empty() || text.len() > MAX_TAG => {
                return Err("a tag has 1 to 1,024 bytes");
            }
            b"tag" => selectors.push(Selector::tag(text)),
            b"path" if !text.starts_with(['/', '*']) => {
                return Err("a path begins with `/`, like `/api/users*`");
            }
            b"path" => {
                let pattern = PathPattern::parse(text);
                let pattern = pattern.map_err(|_| "a path is too long: purge by a tag")?;
                selectors.push(Selector::Path(pattern));
            }
            b"url" => selectors.push(of_url(text).ok_or("a url is like `http://host/path`")?),
            b"all" => selectors.push(Selector::All),
            b"soft" => hard = text == "0",
            _ => return Err("the fields are `tag`, `path`, `url`, `all` and `soft`"),
        }
    }
    if selectors.is_empty() {
        return Err("nothing is named: give `tag`, `path`, `url` or `all`");
    }
    let purges = selectors
        .into_iter()
        .map(|selector| Purge { selector, hard });
    Ok(purges.collect())
}

/// Every query of it.
fn of_url(text: &str) -> Option<Selector> {
    let uri: Uri = text.parse().ok()?;
    let is_web = matches!(uri.scheme_str(), Some("http" | "https"));
    let host = uri.authority().filter(|_| is_web)?;
    Some(Selector::of_uri(host.as_str().as_bytes(), uri.path()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(fields: &[&str]) -> Value {
        let text = |text: &str| Value::BulkString(text.as_bytes().to_vec());
        let fields = fields.iter().map(|field| text(field)).collect();
        Value::Array(vec![text("7-1"), Value::Array(fields)])
    }

    #[test]
    fn each_kind_is_read() {
        let purge = |selector, hard| Purge { selector, hard };
        for (fields, purges) in [
            (&["tag", "a:1"][..], vec![purge(Selector::tag("a:1"), true)]),
            (
                &["tag", "a", "tag", "b", "soft", "1"],
                vec![
                    purge(Selector::tag("a"), false),
                    purge(Selector::tag("b"), false),
                ],
            ),
            (
                &["path", "/x*"],
                vec![purge(
                    Selector::Path(PathPattern::parse("/x*").unwrap()),
                    true,
                )],
            ),
            (
                &["url", "https://API.example:8080/y?q"],
                vec![purge(Selector::of_uri(b"api.example:8080", "/y"), true)],
            ),
            (&["all", "1"], vec![purge(Selector::All, true)]),
        ] {
            let asked = read(&[entry(fields)]);
            assert_eq!((asked.purges, asked.bad), (purges, 0), "{fields:?}");
            assert_eq!(asked.last, StreamId(7, 1));
        }
    }

    #[test]
    fn what_cannot_be_read_is_counted_and_passed_by() {
        let long = "x".repeat(MAX_TAG + 1);
        let glob = format!("/*{}", "x".repeat(600));
        let bad: &[&[&str]] = &[
            &["tags", "a"],
            &["tag", ""],
            &["tag", &long],
            &["path", "x"],
            &["path", &glob],
            &["url", "/x"],
            &["url", "ftp://a/x"],
            &["soft", "1"],
            &["tag", "a", "kind", "b"],
        ];
        for fields in bad {
            let asked = read(&[entry(fields)]);
            assert_eq!((asked.purges.len(), asked.bad), (0, 1), "{fields:?}");
            assert_eq!(asked.last, StreamId(7, 1), "it is not met again");
        }
        assert_eq!(read(&[Value::Nil]).bad, 0);
    }
}
