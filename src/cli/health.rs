//! `sidecache health`: what `/healthz` says, as an exit code, for containers without another HTTP client.

use super::{admin::Admin, client, failure::Failure};
use clap::Args;

/// Arguments of `health`.
#[derive(Debug, Args)]
pub(super) struct Health {
    #[command(flatten)]
    admin: Admin,
}

impl Health {
    pub(super) fn execute(self) -> Result<(), Failure> {
        let answer = client::ask(&self.admin.access()?, "GET", "/healthz", "")?;
        match answer.status {
            200 if answer.body == "ok\n" => Ok(()),
            200 => Err(Failure::new(
                "that is not the admin port of a proxy",
                "it answers otherwise",
            )),
            status => Err(Failure::new(
                "the proxy is not healthy",
                format!("it answers {status}"),
            )),
        }
    }
}
