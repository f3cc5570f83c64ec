//! Whose share of the upstream a request is counted to: that of its peer, or of the client that trusted peers name.

use super::peer::Trusted;
use crate::{
    message::{Party, names::X_FORWARDED_FOR},
    semantics::forwarded::FORWARDED,
};
use http::{HeaderMap, HeaderName};
use std::net::{IpAddr, SocketAddr};

/// By what each hop says of the one before, from `peer` on, for as long as that hop is trusted. `X-Forwarded-For` wins over
/// `Forwarded`, as it does elsewhere; what is no address ends the search.
pub(super) fn of(trusted: &Trusted, peer: IpAddr, fields: &HeaderMap) -> Party {
    if !trusted.contains(peer) {
        return Party::at(peer);
    }
    let by_x = client(trusted, peer, hops(fields, &X_FORWARDED_FOR));
    if !trusted.contains(by_x) {
        return Party::at(by_x);
    }
    let elements = hops(fields, &FORWARDED);
    let forwarded = client(trusted, peer, elements.filter_map(node));
    let names = !trusted.contains(forwarded);
    Party::at(if names { forwarded } else { by_x })
}

/// The first that is not trusted, or the last.
fn client<'a>(trusted: &Trusted, peer: IpAddr, mut hops: impl Iterator<Item = &'a [u8]>) -> IpAddr {
    let mut client = peer;
    while trusted.contains(client) {
        let Some(before) = hops.next().and_then(address) else {
            break;
        };
        client = before;
    }
    client
}

/// The members of a list of hops, the nearest first.
fn hops<'a>(fields: &'a HeaderMap, name: &HeaderName) -> impl Iterator<Item = &'a [u8]> + use<'a> {
    let lines = fields.get_all(name).into_iter().rev();
    let members = lines.flat_map(|line| line.as_bytes().rsplit(|byte| *byte == b','));
    members.map(<[u8]>::trim_ascii)
}

/// The client of one hop ([RFC 7239 §5.2]).
///
/// [RFC 7239 §5.2]: https://www.rfc-editor.org/rfc/rfc7239#section-5.2
fn node(element: &[u8]) -> Option<&[u8]> {
    let mut pairs = element.split(|byte| *byte == b';').map(<[u8]>::trim_ascii);
    pairs.find_map(|pair| {
        let (name, value) = pair.split_at_checked(b"for=".len())?;
        name.eq_ignore_ascii_case(b"for=").then_some(value)
    })
}

/// The address in a node, with or without a port ([RFC 7239 §6]).
///
/// [RFC 7239 §6]: https://www.rfc-editor.org/rfc/rfc7239#section-6
fn address(node: &[u8]) -> Option<IpAddr> {
    let node = std::str::from_utf8(node).ok()?.trim_matches('"');
    let with_port = || Some(node.parse::<SocketAddr>().ok()?.ip());
    let bare = || node.strip_prefix('[')?.strip_suffix(']')?.parse().ok();
    node.parse().ok().or_else(with_port).or_else(bare)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proxy::peer::Network;
    use http::HeaderValue;

    fn by(peer: &str, fields: &[(&HeaderName, &'static str)]) -> Party {
        let trusted = ["10.0.0.0", "127.0.0.1"]
            .map(|address| Network::new(address.parse().unwrap(), 8).unwrap());
        let mut headers = HeaderMap::new();
        for (name, value) in fields {
            headers.append(*name, HeaderValue::from_static(value));
        }
        of(
            &Trusted::new(trusted.into()),
            peer.parse().unwrap(),
            &headers,
        )
    }

    fn at(address: &str) -> Party {
        Party::at(address.parse().unwrap())
    }

    #[test]
    fn a_stranger_is_counted_for_itself_whatever_it_says() {
        let says = (&X_FORWARDED_FOR, "192.0.2.7");
        assert_eq!(by("192.0.2.1", &[says]), at("192.0.2.1"));
    }

    #[test]
    fn behind_trusted_peers_the_first_that_is_not_one_of_them_counts() {
        for said in [
            "192.0.2.7",
            "203.0.113.1, 192.0.2.7",
            "203.0.113.1,192.0.2.7, 10.0.0.9 ,127.0.0.1",
            "192.0.2.7:4711",
            "what, 192.0.2.7",
        ] {
            let said = [(&X_FORWARDED_FOR, said)];
            assert_eq!(by("127.0.0.1", &said), at("192.0.2.7"), "{said:?}");
        }
        let lines = [
            (&X_FORWARDED_FOR, "203.0.113.1"),
            (&X_FORWARDED_FOR, "192.0.2.7"),
        ];
        assert_eq!(by("10.0.0.1", &lines), at("192.0.2.7"));
    }

    #[test]
    fn forwarded_names_the_client_where_the_other_field_does_not() {
        for said in [
            "for=192.0.2.7",
            "for=203.0.113.1;proto=https, proto=http; For=\"192.0.2.7:80\", for=10.0.0.2",
        ] {
            let said = [(&X_FORWARDED_FOR, "127.0.0.1"), (&FORWARDED, said)];
            assert_eq!(by("127.0.0.1", &said), at("192.0.2.7"), "{said:?}");
        }
        let six = [(&FORWARDED, "for=\"[2001:db8::7]\"")];
        assert_eq!(by("127.0.0.1", &six), at("2001:db8::1"));
        let both = [
            (&X_FORWARDED_FOR, "192.0.2.7"),
            (&FORWARDED, "for=192.0.2.8"),
        ];
        assert_eq!(by("127.0.0.1", &both), at("192.0.2.7"));
    }

    #[test]
    fn without_a_name_the_farthest_known_hop_counts() {
        assert_eq!(by("127.0.0.1", &[]), at("127.0.0.1"));
        for said in ["unknown", "_hidden, 10.0.0.3", "10.0.0.3", "", ","] {
            let said = [(&X_FORWARDED_FOR, said)];
            let known = if said[0].1.contains("10.") {
                "10.0.0.3"
            } else {
                "127.0.0.1"
            };
            assert_eq!(by("127.0.0.1", &said), at(known), "{said:?}");
        }
    }
}
