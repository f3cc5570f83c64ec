//! What is right alone but makes no sense together.

use std::net::{IpAddr, SocketAddr};

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

/// A proxy that forwards to itself answers nobody.
pub(super) fn upstream_is_another(
    reader: &Reader<'_>,
    url: &Setting<Option<Authority>>,
    public: &Setting<SocketAddr>,
) {
    let Some(authority) = url.value.as_ref().filter(|_| url.sound && public.sound) else {
        return;
    };
    let listen = public.value;
    let host = authority.host().trim_matches(['[', ']']);
    let host_is_ours = match host.parse::<IpAddr>() {
        Ok(ip) => ip == listen.ip() || (ip.is_loopback() && listen.ip().is_unspecified()),
        Err(_) => {
            host == "localhost" && (listen.ip().is_loopback() || listen.ip().is_unspecified())
        }
    };
    if host_is_ours && listen.port() != 0 && authority.port_u16().unwrap_or(80) == listen.port() {
        let message = format!("`upstream.url` is the proxy itself, which listens on {listen}");
        let problem = Problem::new(message, url.at).help("name the address of the backend");
        reader.report(match public.at {
            Some(at) => problem.note("it listens here", at),
            None => problem,
        });
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
