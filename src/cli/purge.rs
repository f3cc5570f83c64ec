//! `sidecache purge`: what `POST /api/purge` does, from a shell.

use super::{admin::Admin, client, failure::Failure, output::say};
use clap::Args;
use serde_json::{Value, json};

/// Arguments of `purge`.
#[derive(Debug, Args)]
#[command(
    after_help = "Purges are soft: what they concern may still be served while it is fetched anew, where the route \
    has stale_while_revalidate. --hard makes it unusable at once. Every replica that shares the Redis obeys. Exit code 1 \
    where Redis has not taken it yet.\n\n\
    Examples:\n  sidecache purge --tag conversation:7\n  sidecache purge --path '/api/users*' --hard\n  \
    sidecache purge --url http://api.example/users --dry-run\n  \
    ADMIN_TOKEN=… sidecache purge --admin 10.0.0.7:9901 --all"
)]
pub(super) struct Purge {
    /// Everything with this tag; may be repeated
    #[arg(long, value_name = "TAG")]
    tag: Vec<String>,
    /// Every path that matches; `*` stands for any characters, also `/`; may be repeated
    #[arg(long, value_name = "PATTERN")]
    path: Vec<String>,
    /// This host and path with every query and variant, whatever the scheme; may be repeated
    #[arg(long, value_name = "URL")]
    url: Vec<String>,
    /// Everything
    #[arg(long, conflicts_with_all = ["tag", "path", "url"])]
    all: bool,
    /// Makes it unusable at once
    #[arg(long)]
    hard: bool,
    /// Only says what would be purged of what the replica has in memory
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    admin: Admin,
}

impl Purge {
    pub(super) fn execute(self) -> Result<(), Failure> {
        if self.tag.is_empty() && self.path.is_empty() && self.url.is_empty() && !self.all {
            return Err(Failure::Usage(
                "nothing to purge is named: give --tag, --path, --url or --all",
            ));
        }
        let asked = json!({
            "tags": self.tag, "paths": self.path, "urls": self.url, "all": self.all,
            "hard": self.hard, "dry_run": self.dry_run,
        });
        let answer = client::ask(
            &self.admin.access()?,
            "POST",
            "/api/purge",
            &asked.to_string(),
        )?;
        let said: Value = serde_json::from_str(&answer.body).unwrap_or_default();
        if answer.status != 200 {
            let why = said["detail"].as_str().unwrap_or("it does not say why");
            return Err(Failure::new("the proxy refuses", why.to_owned()));
        }
        let Some(sentence) = sentence(&said) else {
            return Err(Failure::new(
                "that is not the admin port of a proxy",
                "it answers otherwise",
            ));
        };
        say(&sentence);
        match said["shared"].as_bool() {
            Some(false) => Err(Failure::new(
                "not every replica has it yet",
                "Redis does not take it; each learns of it once it does",
            )),
            Some(true) | None => Ok(()),
        }
    }
}

/// The answer in words; `None` for one of another server.
fn sentence(said: &Value) -> Option<String> {
    if said["dry_run"] == true {
        let found = &said["in_memory"];
        let entries = found["entries"].as_u64()?;
        let responses = if entries == 1 {
            "response"
        } else {
            "responses"
        };
        let kib = found["bytes"].as_u64()?.div_ceil(1024);
        return Some(format!(
            "would purge {entries} stored {responses} ({kib} KiB) of this replica's memory; nothing was purged"
        ));
    }
    let how = if said["hard"].as_bool()? {
        "hard"
    } else {
        "soft"
    };
    let where_to = match said["shared"].as_bool() {
        None => "in this process alone, for it has no Redis",
        Some(true) => "on every replica",
        Some(false) => "here",
    };
    let count = said["purged"].as_u64()?;
    let selectors = if count == 1 { "selector" } else { "selectors" };
    Some(format!("purged by {count} {selectors}, {how}, {where_to}"))
}
