//! `sidecache health`: what `/healthz` says, as an exit code, for containers without another HTTP client.

use super::{client, failure::Failure};
use clap::Args;

/// Arguments of `health`.
#[derive(Debug, Args)]
pub(super) struct Health {
    /// Where the proxy's admin port is
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:9901")]
    admin: String,
}

impl Health {
    pub(super) fn execute(self) -> Result<(), Failure> {
        let answer = client::ask(&self.admin, "GET", "/healthz", "")?;
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
