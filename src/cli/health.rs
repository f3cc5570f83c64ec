//! `sidecache health`: what `/healthz` says, as an exit code, for containers without another HTTP client.

use super::Failure;
use clap::Args;
use std::{
    io::{self, Read, Write},
    net::{SocketAddr, TcpStream},
    time::Duration,
};

/// What an answer may take.
const PATIENCE: Duration = Duration::from_secs(2);

/// Arguments of `health`.
#[derive(Debug, Args)]
pub(super) struct Health {
    /// Where the proxy's admin port is
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:9901")]
    admin: SocketAddr,
}

impl Health {
    pub(super) fn execute(self) -> Result<(), Failure> {
        let answer = self
            .ask()
            .map_err(|error| Failure::new("the admin port does not answer", error))?;
        if answer.starts_with("HTTP/1.1 200 ") {
            return Ok(());
        }
        let status = answer.lines().next().unwrap_or_default().to_owned();
        Err(Failure::new("the proxy is not healthy", status))
    }

    fn ask(&self) -> io::Result<String> {
        let mut stream = TcpStream::connect_timeout(&self.admin, PATIENCE)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        write!(
            stream,
            "GET /healthz HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n",
            self.admin
        )?;
        let mut answer = String::new();
        stream.take(4096).read_to_string(&mut answer)?;
        Ok(answer)
    }
}
