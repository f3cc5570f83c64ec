//! `sidecache health`: what `/healthz` says, as an exit code, for containers without another HTTP client.

use super::{
    admin::{Access, Admin},
    client,
    failure::Failure,
};
use clap::Args;
use http::{Uri, uri::Scheme};

/// Arguments of `health`.
#[derive(Debug, Args)]
pub(super) struct Health {
    #[command(flatten)]
    admin: Admin,
    /// Asks another server of this container, as in `--url http://127.0.0.1:9000/healthz`: any 2xx is good
    #[arg(long, value_name = "URL", conflicts_with = "admin")]
    url: Option<String>,
}

impl Health {
    pub(super) fn execute(self) -> Result<(), Failure> {
        if let Some(url) = &self.url {
            return other(url);
        }
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

/// Whether whoever listens at `url` answers with a 2xx. No token goes there.
fn other(url: &str) -> Result<(), Failure> {
    let url: Uri = url.parse().map_err(|_| NO_URL)?;
    let authority = url
        .authority()
        .filter(|_| url.scheme() == Some(&Scheme::HTTP))
        .ok_or(NO_URL)?;
    let access = Access {
        silent: "that server does not answer",
        address: format!(
            "{}:{}",
            authority.host(),
            authority.port_u16().unwrap_or(80)
        ),
        token: None,
    };
    let path = url.path_and_query().map_or("/", |path| path.as_str());
    match client::status(&access, path)? {
        200..=299 => Ok(()),
        status => Err(Failure::new(
            "that server is not healthy",
            format!("it answers {status}"),
        )),
    }
}

const NO_URL: Failure = Failure::Usage(
    "--url is not of the form http://HOST:PORT/PATH: write http://127.0.0.1:9000/healthz",
);
