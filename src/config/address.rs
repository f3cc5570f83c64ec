//! Addresses: where to listen, and where the upstream and Redis are.

use std::net::SocketAddr;

use super::{reader::Read, value::Value};
use crate::store::redis::Address;
use http::{Uri, uri::Authority};

/// An address and port to listen on; a variable that leaves it empty stands for the default.
pub(super) fn listen(value: &Value<'_>) -> Read<SocketAddr> {
    const EXAMPLE: &str = "write an address and a port, such as \"127.0.0.1:8080\"";
    if value.data.is_integer() && !value.at.is_overlay() {
        return value.fail_type("an address", EXAMPLE).into();
    }
    let Some(text) = value.text() else {
        return Read::Wrong;
    };
    if text.expanded && text.value.is_empty() {
        return Read::Empty;
    }
    let address = text.value.parse().ok().or_else(|| {
        let (host, port) = text.value.rsplit_once(':').unwrap_or(("", &text.value));
        let help = match (host, port.parse::<u16>()) {
            ("" | "*", Ok(port)) => {
                format!("write \"127.0.0.1:{port}\", or \"0.0.0.0:{port}\" for every interface")
            }
            ("localhost", Ok(port)) => format!("write \"127.0.0.1:{port}\" or \"[::1]:{port}\""),
            _ => EXAMPLE.to_owned(),
        };
        value.fail_text(&text, "is not an address with a port", &help)
    });
    address.into()
}

/// The host and port of an HTTP upstream.
pub(super) fn upstream(value: &Value<'_>) -> Option<Authority> {
    const EXAMPLE: &str = "write it like \"http://127.0.0.1:9000\"";
    let text = value.text()?;
    let written = text.value.as_ref();
    let (scheme, rest) = match written.split_once("://") {
        Some((scheme, rest)) => (scheme, rest),
        None if written
            .parse::<Authority>()
            .is_ok_and(|host| !host.as_str().contains('@')) =>
        {
            let help = format!("write \"http://{written}\"");
            return value.fail_text(&text, "has no scheme", &help);
        }
        None => return value.fail_secret("is not a URL", EXAMPLE),
    };
    if scheme.eq_ignore_ascii_case("https") {
        let help = "TLS to the upstream is not built in yet; reach it over `http://`";
        return value.fail_text(&text, "cannot be https", help);
    }
    if !scheme.eq_ignore_ascii_case("http") {
        return value.fail_text(&text, "must begin with `http://`", EXAMPLE);
    }
    if rest.contains('@') {
        let help = "take the part before `@` away: clients bring their own Authorization";
        return value.fail_text(&text, "cannot hold a user or password", help);
    }
    if rest.trim_end_matches('/').contains(['/', '?', '#']) || rest.ends_with("//") {
        let help = "write host and port only: paths are passed on as they come";
        return value.fail_text(&text, "cannot hold a path or query", help);
    }
    let authority = written
        .parse::<Uri>()
        .ok()
        .and_then(|uri| uri.into_parts().authority);
    match authority {
        Some(host) if !host.host().is_empty() && has_sound_port(&host) => Some(host),
        _ => value.fail_text(&text, "is not a URL with a host and a port", EXAMPLE),
    }
}

/// Without a port, or with one that can be connected to.
fn has_sound_port(authority: &Authority) -> bool {
    let port = &authority.as_str()[authority.host().len()..];
    port.is_empty() || authority.port_u16().is_some_and(|port| port != 0)
}

/// Where Redis is.
pub(super) fn redis(value: &Value<'_>) -> Read<Address> {
    const EXAMPLE: &str = "write it like \"redis://127.0.0.1:6379/0\", \"unix:///run/redis.sock\", \
        \"redis+sentinel://a:26379,b:26379/mymaster\" or \"redis+cluster://a:6379,b:6379\"";
    let Some(text) = value.text() else {
        return Read::Wrong;
    };
    let url = text.value.trim();
    let scheme = url.split_once(':').map_or("", |(scheme, _)| scheme);
    match scheme {
        _ if url.is_empty() => return Read::Empty,
        "valkey" | "valkeys" | "valkey+unix" => {
            let help = "write `redis://`, `rediss://` or `unix://`: the protocol is the same";
            return value
                .fail_secret("has a scheme that is not known here", help)
                .into();
        }
        _ => {}
    }
    match Address::parse(url) {
        Ok(address) => Read::Value(address),
        Err(fault) => value.fail_secret(fault, EXAMPLE).into(),
    }
}
