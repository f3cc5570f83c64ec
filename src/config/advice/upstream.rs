//! An upstream that is this proxy, as only the machine can tell.

use super::facts::Facts;
use crate::config::{lint, problem::Problem};
use std::net::{IpAddr, SocketAddr};

/// A proxy that forwards to itself answers nobody. What needs no look at the machine was said before.
pub(super) fn it_is_this_machine(facts: &Facts<'_>, found: &mut Vec<Problem>) {
    let (config, system) = (facts.config, facts.system);
    let authority = &config.upstream.authority;
    let host = authority
        .host()
        .trim_matches(['[', ']'])
        .to_ascii_lowercase();
    let port = authority.port_u16().unwrap_or(80);
    let addresses: Vec<IpAddr> = match host.parse() {
        Ok(ip) => vec![ip],
        Err(_) => {
            let known = system.hosts.iter().filter(|(_, name)| *name == host);
            known.map(|(ip, _)| *ip).collect()
        }
    };
    let is_own_name = system.hostname.as_ref() == Some(&host);
    let is_ours = |listen: SocketAddr| {
        let own = |ip: &IpAddr| {
            lint::takes(listen, *ip) || (listen.ip().is_unspecified() && (system.owns)(*ip))
        };
        listen.port() == port
            && (addresses.iter().any(own) || (is_own_name && listen.ip().is_unspecified()))
    };
    for (key, listen, who) in [
        ("server.listen", config.server.listen, "the proxy itself"),
        (
            "admin.listen",
            config.admin.listen,
            "the proxy's own admin port",
        ),
    ] {
        if !is_ours(listen) {
            continue;
        }
        let message = format!(
            "`upstream.url` is {who} on this machine: {host} with port {port} is where `{key}` listens"
        );
        let problem = Problem::new(message, facts.at("upstream.url")).key("upstream.url");
        let problem = problem.help("name the address of the backend");
        found.push(match facts.written.root.get(key) {
            Some(at) => problem.note("it listens here", at),
            None => problem,
        });
        return;
    }
}
