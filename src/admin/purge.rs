//! `POST /api/purge`: by tag, path pattern or URL, or everything; softly unless told otherwise.
//!
//! Only JSON without `Origin` is taken: no page in the operator's browser can send that, by whatever name it reaches us.

use super::{problem::Problem, subject::Subject};
use crate::store::{Purge, Selector, purge_log::PathPattern};
use axum::{
    Json,
    extract::{State, rejection::JsonRejection},
    http::{HeaderMap, StatusCode, Uri, header::ORIGIN},
    response::{IntoResponse, Response},
};
use serde::Deserialize;
use serde_json::json;

/// What one call may name: as many records go through the purge log one after the other.
const MAX_SELECTORS: usize = 1000;

/// What is asked for.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Asked {
    tags: Vec<String>,
    paths: Vec<String>,
    urls: Vec<String>,
    all: bool,
    hard: bool,
    dry_run: bool,
}

/// Purges, or says what it would.
pub(super) async fn purge(
    State(subject): State<Subject>,
    headers: HeaderMap,
    asked: Result<Json<Asked>, JsonRejection>,
) -> Result<Response, Problem> {
    if headers.contains_key(ORIGIN) {
        let detail = "pages in browsers may not purge: send the request without Origin";
        return Err(Problem::new(StatusCode::FORBIDDEN, detail));
    }
    let Json(asked) = asked.map_err(|bad| Problem::new(bad.status(), bad.body_text()))?;
    let mut selectors = asked.selectors()?;
    let (count, hard) = (selectors.len(), asked.hard);
    selectors.extend(asked.under(&subject.proxy.key_hosts()));
    if asked.dry_run {
        return Ok(dry_run(subject, selectors).await);
    }
    let purges = selectors
        .into_iter()
        .map(|selector| Purge { selector, hard });
    let reach = subject.proxy.store().purge(purges.collect()).await;
    let answer = json!({ "purged": count, "hard": hard, "shared": reach.is_shared() });
    Ok(Json(answer).into_response())
}

/// What is in memory is looked through, off the workers: a full memory takes a while.
async fn dry_run(subject: Subject, selectors: Vec<Selector>) -> Response {
    let looking =
        tokio::task::spawn_blocking(move || subject.proxy.store().matching(&selectors)).await;
    match looking {
        Ok(found) => {
            let matching = json!({ "entries": found.entries, "bytes": found.bytes });
            Json(json!({ "dry_run": true, "in_memory": matching })).into_response()
        }
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

impl Asked {
    /// The URLs under the names by which routes keep answers, whatever clients call the host.
    fn under(&self, names: &[Box<str>]) -> Vec<Selector> {
        let paths = self.urls.iter().filter_map(|url| url.parse::<Uri>().ok());
        let under = |path: Uri| {
            let names = names.iter().map(|name| name.as_bytes());
            names.map(move |name| Selector::of_uri(name, path.path()))
        };
        paths.flat_map(under).collect()
    }

    fn selectors(&self) -> Result<Vec<Selector>, Problem> {
        let mut selectors = Vec::new();
        for tag in &self.tags {
            selectors.push(of_tag(tag)?);
        }
        for path in &self.paths {
            selectors.push(of_path(path)?);
        }
        for url in &self.urls {
            selectors.push(of_url(url)?);
        }
        if self.all && !selectors.is_empty() {
            let message = "`all` leaves nothing to name beside it: send one or the other";
            return Err(refused(message));
        }
        if self.all {
            selectors.push(Selector::All);
        }
        match selectors.len() {
            0 => Err(refused(
                "nothing is named: give `tags`, `paths` or `urls`, or `all`: true",
            )),
            1..=MAX_SELECTORS => Ok(selectors),
            count => Err(refused(format!(
                "{count} are too many for one call: at most {MAX_SELECTORS}, or a tag or pattern for all of them"
            ))),
        }
    }
}

/// Why it cannot be done: a sentence with the remedy.
fn refused(detail: impl Into<String>) -> Problem {
    Problem::new(StatusCode::BAD_REQUEST, detail)
}

fn of_tag(tag: &str) -> Result<Selector, Problem> {
    match tag {
        "" => Err(refused("a tag is empty")),
        tag => Ok(Selector::tag(tag)),
    }
}

fn of_path(path: &str) -> Result<Selector, Problem> {
    if !path.starts_with(['/', '*']) {
        return Err(refused(format!(
            "the path `{path}` does not begin with `/`: write it like `/api/users*`"
        )));
    }
    let shorter = |error| {
        refused(format!(
            "the path `{path}` {error}: write a shorter one, or purge by a tag"
        ))
    };
    PathPattern::parse(path)
        .map(Selector::Path)
        .map_err(shorter)
}

/// Host and path as clients send them; a query is not looked at, because all of them are purged.
fn of_url(url: &str) -> Result<Selector, Problem> {
    let no_url = || {
        refused(format!(
            "`{url}` is no URL: write it with the host that clients use, like `http://api.example/users`"
        ))
    };
    let uri: Uri = url.parse().map_err(|_| no_url())?;
    let web = matches!(uri.scheme_str(), Some("http" | "https"));
    let host = uri.authority().filter(|_| web).ok_or_else(no_url)?;
    Ok(Selector::of_uri(host.as_str().as_bytes(), uri.path()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(json: &str) -> Result<Vec<Selector>, Problem> {
        serde_json::from_str::<Asked>(json).unwrap().selectors()
    }

    #[test]
    fn each_kind_is_read() {
        let selectors =
            asked(r#"{"tags": ["a"], "paths": ["/x*"], "urls": ["https://API.example:8080/y?q"]}"#);
        let expected = [
            Selector::tag("a"),
            Selector::Path(PathPattern::parse("/x*").unwrap()),
            Selector::of_uri(b"api.example:8080", "/y"),
        ];
        assert_eq!(selectors.unwrap(), expected);
        assert_eq!(asked(r#"{"all": true}"#).unwrap(), [Selector::All]);
    }

    #[test]
    fn what_cannot_be_done_says_what_to_write() {
        for (json, remedy) in [
            ("{}", "`tags`"),
            (r#"{"tags": [""]}"#, "empty"),
            (r#"{"tags": ["a"], "all": true}"#, "one or the other"),
            (r#"{"paths": ["x"]}"#, "`/api/users*`"),
            (r#"{"urls": ["/x"]}"#, "http://"),
            (r#"{"urls": ["ftp://a/x"]}"#, "http://"),
        ] {
            let refused = asked(json).unwrap_err();
            assert!(refused.detail.contains(remedy), "{json}: {refused:?}");
        }
        let many = format!(r#"{{"tags": [{}"a"]}}"#, r#""a","#.repeat(1000));
        assert!(asked(&many).unwrap_err().detail.contains("at most 1000"));
    }
}
