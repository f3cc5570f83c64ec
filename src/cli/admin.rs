//! Where a running proxy's admin port is, and what opens it.

use super::{failure::Failure, source::Source};
use clap::Args;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// Which admin port: that of the configuration, as `run` reads it, unless another one is named.
#[derive(Debug, Args)]
pub(super) struct Admin {
    /// Where the admin port is, in place of `admin.listen`
    #[arg(long, value_name = "HOST:PORT", value_parser = authority)]
    admin: Option<String>,
    /// What opens it, in place of `admin.token`; in the environment no list of processes shows it
    #[arg(
        long,
        value_name = "TOKEN",
        env = "ADMIN_TOKEN",
        hide_env_values = true
    )]
    token: Option<String>,
    #[command(flatten)]
    source: Source,
}

/// An address to connect to, and the token to send.
pub(super) struct Access {
    /// What is said where it does not answer.
    pub(super) silent: &'static str,
    pub(super) address: String,
    pub(super) token: Option<String>,
}

// === impl Admin ===

impl Admin {
    /// What the arguments say, and the configuration where they are silent.
    pub(super) fn access(&self) -> Result<Access, Failure> {
        let settings = match self.source.load_admin() {
            Ok(settings) => Some(settings),
            // A file that nobody named is not needed where the address is given.
            Err(_) if self.admin.is_some() && self.source.config.is_none() => None,
            Err(error) => return Err(error.into()),
        };
        let token = match self.token.as_deref().filter(|token| !token.is_empty()) {
            Some(token) if !token.bytes().all(|byte| byte.is_ascii_graphic()) => {
                return Err(NO_TOKEN);
            }
            Some(token) => Some(token.to_owned()),
            None => settings
                .as_ref()
                .and_then(|settings| Some(settings.token.as_ref()?.reveal().to_owned())),
        };
        let address = match (&self.admin, settings) {
            (Some(admin), _) => admin.clone(),
            (None, Some(settings)) if settings.listen.port() != 0 => {
                reachable(settings.listen).to_string()
            }
            (None, _) => return Err(NO_PORT),
        };
        Ok(Access {
            silent: "the admin port does not answer",
            address,
            token,
        })
    }
}

const NO_TOKEN: Failure = Failure::Usage(
    "the token of --token or ADMIN_TOKEN holds what no token does: give visible ASCII characters alone",
);

const NO_PORT: Failure = Failure::Usage(
    "`admin.listen` has port 0, which stands for any: name the port with --admin HOST:PORT",
);

/// `HOST:PORT`, also where it is written as the beginning of a URL.
fn authority(text: &str) -> Result<String, &'static str> {
    if text.starts_with("https://") {
        return Err("the admin port speaks HTTP alone: HOST:PORT");
    }
    let bare = text.strip_prefix("http://").unwrap_or(text);
    let bare = bare.strip_suffix('/').unwrap_or(bare);
    let port = bare.rsplit_once(':').map(|(_, port)| port.parse::<u16>());
    let is_one = matches!(port, Some(Ok(1..))) && !bare.contains(['/', '@', ' ']);
    let remedy = "not HOST:PORT; the port is that of `admin.listen`, 9901 by default";
    is_one.then(|| bare.to_owned()).ok_or(remedy)
}

/// Where to connect to who listens on `listen`: nobody connects to "every address", but this machine is one of them.
fn reachable(listen: SocketAddr) -> SocketAddr {
    let ip = match listen.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, listen.port())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_admin_port_may_be_written_as_a_url() {
        for text in ["a:9901", "http://a:9901", "http://a:9901/"] {
            assert_eq!(authority(text).as_deref(), Ok("a:9901"), "{text}");
        }
        assert_eq!(authority("[::1]:1").as_deref(), Ok("[::1]:1"));
        for text in [
            "a",
            "a:",
            "a:0",
            "a:x",
            "a:1/metrics",
            "https://a:1",
            "u@a:1",
            "http://a",
        ] {
            assert!(authority(text).is_err(), "{text}");
        }
    }

    #[test]
    fn every_address_is_reached_at_this_machines() {
        for (listen, expected) in [
            ("0.0.0.0:1", "127.0.0.1:1"),
            ("[::]:1", "[::1]:1"),
            ("10.0.0.1:1", "10.0.0.1:1"),
            ("[::1]:1", "[::1]:1"),
        ] {
            assert_eq!(reachable(listen.parse().unwrap()).to_string(), expected);
        }
    }
}
