//! Whoever is at the other end of a client's connection, and whether what it says of others is believed.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// The client of one connection.
#[derive(Clone, Copy, Debug)]
pub struct Peer {
    pub(super) address: SocketAddr,
    /// Its forwarding fields count.
    pub(super) is_trusted: bool,
}

/// From this part of all addresses on, somebody else's are among them.
const MANY: f64 = 1.0 / 16.0;

/// Whose forwarding fields count.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Trusted(Vec<Network>);

impl Trusted {
    /// The peers in any of `networks`.
    pub fn new(networks: Vec<Network>) -> Self {
        Self(networks)
    }

    /// Whether a sixteenth of all addresses of IPv4 or of IPv6 or more are trusted, in however many networks: strangers are
    /// among them. The private networks together are less than a hundredth.
    pub fn has_everybody(&self) -> bool {
        let share = |is_v4: bool| {
            let all = self.0.iter().enumerate();
            let family =
                all.filter(|(at, network)| network.address.is_ipv4() == is_v4 && self.adds(*at));
            family.map(|(_, network)| network.share()).sum::<f64>()
        };
        share(true).max(share(false)) >= MANY
    }

    /// Whether the network at this place of the list is in no other. Of two networks one has the other, or they have nothing
    /// in common; of equal ones the first counts.
    fn adds(&self, at: usize) -> bool {
        let network = self.0[at];
        let mut others = self.0.iter().enumerate();
        !others.any(|(place, other)| {
            other.contains(network.address) && (other.length, place) < (network.length, at)
        })
    }

    /// A client at `address`.
    pub fn peer(&self, address: SocketAddr) -> Peer {
        Peer {
            address,
            is_trusted: self.contains(address.ip()),
        }
    }

    /// Whether `address` is trusted; an IPv4 address that is mapped into IPv6 is itself.
    pub fn contains(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.0.iter().any(|network| network.contains(address))
    }
}

/// An address and how many of its first bits count ([RFC 4632 §3.1], [RFC 4291 §2.3]).
///
/// [RFC 4632 §3.1]: https://www.rfc-editor.org/rfc/rfc4632#section-3.1
/// [RFC 4291 §2.3]: https://www.rfc-editor.org/rfc/rfc4291#section-2.3
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    address: IpAddr,
    length: u8,
}

impl Network {
    /// The network of `address` with `length` bits; `None` where an address has fewer. What is mapped from IPv4 is IPv4.
    pub fn new(address: IpAddr, length: u8) -> Option<Self> {
        let most = if address.is_ipv4() { 32 } else { 128 };
        if length > most {
            return None;
        }
        let canonical = address.to_canonical();
        let (address, length) = match (address, canonical) {
            (IpAddr::V6(_), IpAddr::V4(_)) if length >= 96 => (canonical, length - 96),
            _ => (address, length),
        };
        Some(Self { address, length })
    }

    /// The one address.
    pub fn host(address: IpAddr) -> Self {
        let address = address.to_canonical();
        let length = if address.is_ipv4() { 32 } else { 128 };
        Self { address, length }
    }

    /// The same with every bit cleared that does not count: what it should be written as.
    pub fn first(self) -> (IpAddr, u8) {
        let address = match self.address {
            IpAddr::V4(address) => {
                IpAddr::V4(Ipv4Addr::from_bits(address.to_bits() & self.mask_v4()))
            }
            IpAddr::V6(address) => {
                IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & self.mask_v6()))
            }
        };
        (address, self.length)
    }

    /// Whether `address` is in it.
    pub fn contains(self, address: IpAddr) -> bool {
        match (self.address, address) {
            (IpAddr::V4(own), IpAddr::V4(other)) => {
                (own.to_bits() ^ other.to_bits()) & self.mask_v4() == 0
            }
            (IpAddr::V6(own), IpAddr::V6(other)) => {
                (own.to_bits() ^ other.to_bits()) & self.mask_v6() == 0
            }
            _ => false,
        }
    }

    /// Which part of all addresses of its family it has.
    fn share(self) -> f64 {
        0.5_f64.powi(i32::from(self.length))
    }

    fn mask_v4(self) -> u32 {
        u32::MAX
            .checked_shl(32 - u32::from(self.length))
            .unwrap_or(0)
    }

    fn mask_v6(self) -> u128 {
        u128::MAX
            .checked_shl(128 - u32::from(self.length))
            .unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn network(text: &str) -> Network {
        let (address, length) = text.split_once('/').unwrap();
        Network::new(address.parse().unwrap(), length.parse().unwrap()).unwrap()
    }

    fn contains(network_text: &str, address: &str) -> bool {
        Trusted::new(vec![network(network_text)]).contains(address.parse().unwrap())
    }

    #[test]
    fn a_network_has_the_addresses_with_its_first_bits() {
        for (network, inside, outside) in [
            ("10.0.0.0/8", "10.255.0.1", "11.0.0.0"),
            ("192.0.2.7/32", "192.0.2.7", "192.0.2.6"),
            ("172.16.0.0/12", "172.31.255.255", "172.32.0.0"),
            ("0.0.0.0/0", "203.0.113.1", "2001:db8::1"),
            ("::/0", "2001:db8::1", "203.0.113.1"),
            ("fc00::/7", "fdff::1", "fe00::1"),
            ("::1/128", "::1", "::2"),
        ] {
            assert!(contains(network, inside), "{network} {inside}");
            assert!(!contains(network, outside), "{network} {outside}");
        }
    }

    #[test]
    fn a_mapped_address_is_the_ipv4_address() {
        assert!(contains("127.0.0.0/8", "::ffff:127.0.0.1"));
        assert!(contains("::ffff:10.0.0.0/104", "10.1.2.3"));
        assert!(!contains("::/0", "::ffff:127.0.0.1"));
        assert_eq!(
            Network::host("::ffff:10.0.0.1".parse().unwrap()),
            network("10.0.0.1/32")
        );
    }

    #[test]
    fn nobody_is_in_an_empty_list_and_no_network_is_longer_than_an_address() {
        assert!(!Trusted::default().contains("127.0.0.1".parse().unwrap()));
        assert_eq!(Network::new("127.0.0.1".parse().unwrap(), 33), None);
        assert_eq!(Network::new("::1".parse().unwrap(), 129), None);
        assert_eq!(
            network("10.1.2.3/8").first(),
            ("10.0.0.0".parse().unwrap(), 8)
        );
    }
}
