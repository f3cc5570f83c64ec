//! `server.trusted`: whose forwarding fields count.

use std::net::IpAddr;

use super::{
    nearest::nearest,
    section::Section,
    value::{Text, Value},
};
use crate::proxy::{Network, Trusted};

const LOOPBACK: [&str; 2] = ["127.0.0.0/8", "::1/128"];
/// Networks that nobody else can send from: RFC 1918, RFC 6598 (of providers, and of pods), RFC 3927, RFC 4193, RFC 4291.
const PRIVATE: [&str; 7] = [
    "10.0.0.0/8",
    "172.16.0.0/12",
    "192.168.0.0/16",
    "100.64.0.0/10",
    "169.254.0.0/16",
    "fc00::/7",
    "fe80::/10",
];
const EXAMPLE: &str = "write addresses such as \"10.0.0.7\", networks such as \"10.0.0.0/8\", \"loopback\" or \"private\"";

/// Only this machine, unless it is written; an empty list trusts nobody.
pub(super) fn read(section: &Section<'_>) -> Trusted {
    let listed = section.list("trusted", networks).value;
    let networks = listed.map_or_else(|| named(&LOOPBACK), |listed| listed.concat());
    Trusted::new(networks)
}

fn networks(value: &Value<'_>, text: &Text<'_>) -> Option<Vec<Network>> {
    match text.value.as_ref() {
        "loopback" => return Some(named(&LOOPBACK)),
        "private" => return Some(named(&PRIVATE)),
        _ => {}
    }
    match network(text.value.as_ref()) {
        Ok(network) => Some(vec![network]),
        Err(help) => value.fail_text(
            text,
            "holds what is neither an address nor a network",
            &help,
        ),
    }
}

/// The network that `text` spells, or what to write in its place.
fn network(text: &str) -> Result<Network, String> {
    let (address, length) = match text.split_once('/') {
        Some((address, length)) => (address, Some(length)),
        None => (text, None),
    };
    let Ok(address) = address.parse::<IpAddr>() else {
        return Err(match nearest(text, ["loopback", "private"]) {
            Some(near) => format!("did you mean \"{near}\"?"),
            None => EXAMPLE.to_owned(),
        });
    };
    let Some(length) = length else {
        return Ok(Network::host(address));
    };
    let digits = !length.is_empty() && length.bytes().all(|byte| byte.is_ascii_digit());
    let length = digits.then(|| length.parse().ok()).flatten();
    let Some(network) = length.and_then(|length| Network::new(address, length)) else {
        let most = if address.is_ipv4() { 32 } else { 128 };
        return Err(format!("write a length of 0 to {most} after the slash"));
    };
    match network.first() {
        (first, _) if first == address.to_canonical() => Ok(network),
        (first, length) => Err(format!(
            "write \"{first}/{length}\" for the network, or \"{address}\" for the one address"
        )),
    }
}

fn named(networks: &[&str]) -> Vec<Network> {
    let known = networks.iter().filter_map(|text| network(text).ok());
    known.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stand_for_networks() {
        assert_eq!((named(&LOOPBACK).len(), named(&PRIVATE).len()), (2, 7));
    }

    #[test]
    fn what_is_no_network_says_what_to_write() {
        for (text, help) in [
            ("loopbak", "\"loopback\"?"),
            ("example.com", "10.0.0.0/8"),
            ("", "10.0.0.0/8"),
            ("10.0.0.0/33", "0 to 32"),
            ("::/129", "0 to 128"),
            ("10.0.0.0/", "0 to 32"),
            ("10.0.0.0/+8", "0 to 32"),
            ("10.1.2.3/8", "\"10.0.0.0/8\""),
            ("10.0.0.1:80", "10.0.0.0/8"),
        ] {
            let error = network(text).unwrap_err();
            assert!(error.contains(help), "{text}: {error}");
        }
        for text in [
            "10.0.0.7",
            "::1",
            "10.0.0.0/8",
            "0.0.0.0/0",
            "::/0",
            "2001:db8::/32",
            "::ffff:10.0.0.0/104",
        ] {
            assert!(network(text).is_ok(), "{text}");
        }
    }
}
