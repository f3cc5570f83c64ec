//! Whom a share is counted for.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The first bits of an IPv6 address that one customer of a provider has: who has one address of it has all
/// ([RFC 6177 §2]).
///
/// [RFC 6177 §2]: https://www.rfc-editor.org/rfc/rfc6177#section-2
const NETWORK: u32 = 64;

/// An address of IPv4, a network of IPv6, or the proxy itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Party(IpAddr);

impl Party {
    /// The proxy, for what no client waits for.
    pub const ITSELF: Self = Self(IpAddr::V4(Ipv4Addr::UNSPECIFIED));

    /// Whoever is at `address`; an IPv4 address that is mapped into IPv6 is itself.
    pub fn at(address: IpAddr) -> Self {
        Self(match address.to_canonical() {
            IpAddr::V4(address) => IpAddr::V4(address),
            IpAddr::V6(address) => {
                let network = address.to_bits() >> (128 - NETWORK) << (128 - NETWORK);
                IpAddr::V6(Ipv6Addr::from_bits(network))
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(address: &str) -> Party {
        Party::at(address.parse().unwrap())
    }

    #[test]
    fn a_party_is_an_ipv4_address_or_an_ipv6_network() {
        assert_ne!(at("192.0.2.1"), at("192.0.2.2"));
        assert_eq!(at("192.0.2.1"), at("::ffff:192.0.2.1"));
        assert_eq!(at("2001:db8:0:1::1"), at("2001:db8:0:1:ffff::2"));
        assert_ne!(at("2001:db8:0:1::1"), at("2001:db8:0:2::1"));
        assert_ne!(at("127.0.0.1"), Party::ITSELF);
    }
}
