//! What is right alone but makes no sense together.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use http::uri::Authority;

use super::{
    problem::Problem,
    reader::{Reader, Setting},
    units::print_size,
};

/// The public and the admin port are two.
pub(super) fn listeners(
    reader: &Reader<'_>,
    public: &Setting<SocketAddr>,
    private: &Setting<SocketAddr>,
) {
    let (one, other) = (public.value, private.value);
    let ips_meet =
        one.ip() == other.ip() || one.ip().is_unspecified() || other.ip().is_unspecified();
    if !public.sound || !private.sound || one.port() == 0 || one.port() != other.port() || !ips_meet
    {
        return;
    }
    let message = format!(
        "`server.listen` and `admin.listen` both take port {}",
        one.port()
    );
    let help = "give the admin another port; what it can do is not for the public";
    let problem = Problem::new(message, private.at.or(public.at)).help(help);
    reader.report(match (private.at, public.at) {
        (Some(_), Some(at)) => problem.note("the other is here", at),
        _ => problem,
    });
}

/// A proxy that forwards to itself answers nobody, and its admin port answers nobody's questions.
pub(super) fn upstream_is_another(
    reader: &Reader<'_>,
    url: &Setting<Option<Authority>>,
    public: &Setting<SocketAddr>,
    private: &Setting<SocketAddr>,
) {
    let Some(authority) = url.value.as_ref().filter(|_| url.sound) else {
        return;
    };
    let port = authority.port_u16().unwrap_or(80);
    for (listen, who) in [
        (public, "the proxy itself"),
        (private, "the proxy's own admin port"),
    ] {
        let address = listen.value;
        if !listen.sound || address.port() != port || !is_where(address, authority.host()) {
            continue;
        }
        let message = format!("`upstream.url` is {who}, which listens on {address}");
        let problem = Problem::new(message, url.at).key("upstream.url");
        let problem = problem.help("name the address of the backend");
        reader.report(match listen.at {
            Some(at) => problem.note("it listens here", at),
            None => problem,
        });
        return;
    }
}

/// Whether who listens on `listen` is certainly whom `host` leads to.
fn is_where(listen: SocketAddr, host: &str) -> bool {
    let host = host.trim_matches(['[', ']']).trim_end_matches('.');
    let host = host.to_ascii_lowercase();
    match host.parse::<IpAddr>() {
        Ok(ip) => takes(listen, ip),
        Err(_) => {
            // RFC 6761 §6.3
            let is_loopback = host == "localhost" || host.ends_with(".localhost");
            let loopback = [Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()];
            is_loopback && loopback.iter().any(|ip| takes(listen, *ip))
        }
    }
}

/// Whether who connects to `ip` of this machine arrives at `listen`.
///
/// To connect to every address is to connect to loopback, and a socket on every address of IPv6 takes IPv4 too.
pub(super) fn takes(listen: SocketAddr, ip: IpAddr) -> bool {
    let ip = match ip.to_canonical() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    match listen.ip().to_canonical() {
        IpAddr::V4(own) if own.is_unspecified() => ip.is_ipv4() && ip.is_loopback(),
        IpAddr::V6(own) if own.is_unspecified() => ip.is_loopback(),
        own => own == ip,
    }
}

/// The largest object that is kept has room in memory, when memory is used.
pub(super) fn object_fits(reader: &Reader<'_>, object: &Setting<u64>, memory: &Setting<u64>) {
    if !object.sound || !memory.sound || memory.value == 0 || object.value <= memory.value {
        return;
    }
    let (object_size, memory_size) = (print_size(object.value), print_size(memory.value));
    let message = format!(
        "`cache.max_object`, {object_size}, is larger than `cache.memory.max`, {memory_size}"
    );
    let help = "make one object smaller than the memory for all, or write `max = 0` to use none";
    let problem = Problem::new(message, object.at.or(memory.at)).help(help);
    reader.report(match (object.at, memory.at) {
        (Some(_), Some(at)) => problem.note("the memory is here", at),
        _ => problem,
    });
}

/// One object at least can be collected.
pub(super) fn object_can_arrive(
    reader: &Reader<'_>,
    object: &Setting<u64>,
    collecting: &Setting<u64>,
) {
    if !object.sound || !collecting.sound || object.value <= collecting.value {
        return;
    }
    let (object_size, size) = (print_size(object.value), print_size(collecting.value));
    let message = format!(
        "`cache.max_object`, {object_size}, is larger than `cache.memory.collecting`, {size}"
    );
    let help = "an object is collected before it is stored: make room for several, or leave `collecting` out";
    let problem = Problem::new(message, collecting.at.or(object.at)).help(help);
    reader.report(match (collecting.at, object.at) {
        (Some(_), Some(at)) => problem.note("the object is here", at),
        _ => problem,
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_upstream_that_is_ourselves_is_known_by_every_name() {
        let cases = [
            ("127.0.0.1:80", "127.0.0.1", true),
            ("127.0.0.1:80", "localhost", true),
            ("127.0.0.1:80", "LOCALHOST.", true),
            ("127.0.0.1:80", "api.localhost", true),
            ("127.0.0.1:80", "0.0.0.0", true),
            ("127.0.0.1:80", "[::ffff:127.0.0.1]", true),
            ("127.0.0.1:80", "127.0.0.2", false),
            ("127.0.0.1:80", "[::1]", false),
            ("0.0.0.0:80", "127.0.0.2", true),
            ("0.0.0.0:80", "localhost", true),
            ("0.0.0.0:80", "[::1]", false),
            ("0.0.0.0:80", "10.0.0.1", false),
            ("[::]:80", "127.0.0.1", true),
            ("[::]:80", "[::1]", true),
            ("[::]:80", "[::]", true),
            ("[::]:80", "0.0.0.0", true),
            ("[::1]:80", "localhost", true),
            ("10.0.0.1:80", "10.0.0.1", true),
            ("10.0.0.1:80", "localhost", false),
            ("127.0.0.1:80", "nolocalhost", false),
        ];
        for (listen, host, expected) in cases {
            let found = is_where(listen.parse().unwrap(), host);
            assert_eq!(found, expected, "{listen} {host}");
        }
    }
}
