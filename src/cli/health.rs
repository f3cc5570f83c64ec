//! `sidecache health`: what `/healthz` says, as an exit code, for containers without another HTTP client.

use super::{Failure, client};
use clap::Args;
use std::net::SocketAddr;

/// Arguments of `health`.
#[derive(Debug, Args)]
pub(super) struct Health {
    /// Where the proxy's admin port is
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:9901")]
    admin: SocketAddr,
}

impl Health {
    pub(super) fn execute(self) -> Result<(), Failure> {
        let answer = client::ask(self.admin, "GET", "/healthz", "")?;
        match answer.status {
            200 => Ok(()),
            status => Err(Failure::new(
                "the proxy is not healthy",
                format!("it answers {status}"),
            )),
        }
    }
}
