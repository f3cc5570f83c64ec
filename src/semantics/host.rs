//! Host and port, as `Host` and the authority of a target spell them ([RFC 9110 §7.2], [RFC 3986 §3.2.2]).
//!
//! [RFC 9110 §7.2]: https://www.rfc-editor.org/rfc/rfc9110#section-7.2
//! [RFC 3986 §3.2.2]: https://www.rfc-editor.org/rfc/rfc3986#section-3.2.2

use core::net::Ipv6Addr;
use std::borrow::Cow;

/// The longest name of the DNS as text, with a dot at its end ([RFC 1035 §2.3.4]), and a port.
///
/// [RFC 1035 §2.3.4]: https://www.rfc-editor.org/rfc/rfc1035#section-2.3.4
const LONGEST: usize = 254 + ":65535".len();

/// `written` in its one spelling: in lower case, without an empty port, the port without needless zeros. `None` where it is no
/// host: anything else is an attempt to confuse somebody.
///
/// The one that is stricter here than its grammar is the comma, by which two lines of `Host` would pass for one name.
pub fn normal(written: &[u8]) -> Option<Cow<'_, [u8]>> {
    if written.len() > LONGEST {
        return None;
    }
    if is_ordinary(written) {
        return Some(written.into());
    }
    let (host, port) = split(written)?;
    let sound = match host {
        [b'[', address @ .., b']'] => {
            std::str::from_utf8(address).is_ok_and(|address| address.parse::<Ipv6Addr>().is_ok())
        }
        name => is_name(name),
    };
    if !sound {
        return None;
    }
    let port = match port {
        None => None,
        Some([]) => return Some(host.to_ascii_lowercase().into()),
        Some(digits) => Some((digits, number(digits)?)),
    };
    let spelt = port.is_none_or(|(digits, _)| digits == b"0" || digits[0] != b'0');
    if spelt && !host.iter().any(u8::is_ascii_uppercase) {
        return Some(written.into());
    }
    let mut normal = host.to_ascii_lowercase();
    if let Some((_, port)) = port {
        normal.extend_from_slice(format!(":{port}").as_bytes());
    }
    Some(normal.into())
}

/// Whether it is a name or an IPv4 address in its one spelling, with a port of one to four digits or none: nearly every
/// request has such a host, and each byte counts for each of them.
fn is_ordinary(written: &[u8]) -> bool {
    const OF_NAMES: [bool; 256] = {
        let mut table = [false; 256];
        let mut byte = 0_u8;
        while byte < 128 {
            table[byte as usize] =
                byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-' || byte == b'.';
            byte += 1;
        }
        table
    };
    let end = written
        .iter()
        .position(|byte| !OF_NAMES[usize::from(*byte)]);
    match written.split_at(end.unwrap_or(written.len())) {
        ([], _) => false,
        (_, []) => true,
        (_, [b':', b'1'..=b'9', digits @ ..]) => {
            digits.len() <= 3 && digits.iter().all(u8::is_ascii_digit)
        }
        _ => false,
    }
}

/// Host, and what follows the colon after it.
fn split(written: &[u8]) -> Option<(&[u8], Option<&[u8]>)> {
    let end = match written.first()? {
        b'[' => written.iter().position(|byte| *byte == b']')? + 1,
        _ => written
            .iter()
            .position(|byte| *byte == b':')
            .unwrap_or(written.len()),
    };
    match written.split_at(end) {
        (host, []) => Some((host, None)),
        (host, [b':', port @ ..]) => Some((host, Some(port))),
        _ => None,
    }
}

/// A registered name or an IPv4 address.
fn is_name(name: &[u8]) -> bool {
    let mut rest = name;
    while let [byte, after @ ..] = rest {
        rest = match (byte, after) {
            (b'%', [high, low, after @ ..])
                if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() =>
            {
                after
            }
            _ if byte.is_ascii_alphanumeric() || b"-._~!$&'()*+;=".contains(byte) => after,
            _ => return false,
        };
    }
    !name.is_empty()
}

fn number(digits: &[u8]) -> Option<u16> {
    digits.iter().try_fold(0_u16, |sum, digit| {
        let digit = digit.is_ascii_digit().then(|| digit - b'0')?;
        sum.checked_mul(10)?.checked_add(digit.into())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spelt(written: &str) -> Option<String> {
        normal(written.as_bytes()).map(|host| String::from_utf8(host.into_owned()).unwrap())
    }

    #[test]
    fn no_host_is_longer_than_a_name_of_the_dns() {
        let longest = format!("{}:65535", "a".repeat(254));
        assert_eq!(spelt(&longest), Some(longest.clone()));
        assert_eq!(spelt(&format!("a{longest}")), None);
    }

    #[test]
    fn hosts_have_one_spelling() {
        for (written, expected) in [
            ("a", "a"),
            ("API.Example", "api.example"),
            ("a:80", "a:80"),
            ("a:0", "a:0"),
            ("a:", "a"),
            ("A:", "a"),
            ("a:0080", "a:80"),
            ("a:65535", "a:65535"),
            ("127.0.0.1:8080", "127.0.0.1:8080"),
            ("[::1]", "[::1]"),
            ("[::FFFF:1.2.3.4]:80", "[::ffff:1.2.3.4]:80"),
            ("[::1]:", "[::1]"),
            ("a_b", "a_b"),
            ("a%2Db", "a%2db"),
        ] {
            assert_eq!(spelt(written).as_deref(), Some(expected), "{written}");
        }
    }

    #[test]
    fn what_is_no_host_is_told() {
        for written in [
            "",
            ":80",
            "a:b",
            "a:80:80",
            "a:65536",
            "a:-1",
            "a:+1",
            "[::1",
            "[zz]",
            "[]",
            "[::1]x",
            "[::1]80",
            "::1",
            "%zz",
            "%2",
            "a,b",
            "u@a",
            "a/b",
            "a b",
            "a?b",
            "a#b",
            "a\\b",
            "\u{e9}",
            "[fe80::1%25eth0]",
        ] {
            assert_eq!(spelt(written), None, "{written}");
        }
    }

    proptest::proptest! {
        #[test]
        fn a_spelling_is_its_own(written in "[a-zA-Z0-9:.%\\[\\],_-]{0,12}") {
            if let Some(once) = spelt(&written) {
                proptest::prop_assert_eq!(spelt(&once), Some(once));
            }
        }
    }

    proptest::proptest! {
        #[test]
        fn the_short_way_says_the_same(written in "[a-c0.%A-]{0,4}(:[0-9]{0,6})?") {
            if is_ordinary(written.as_bytes()) {
                let (host, port) = split(written.as_bytes()).unwrap();
                proptest::prop_assert!(is_name(host) && port.is_none_or(|port| number(port).is_some()));
                proptest::prop_assert_eq!(written.to_ascii_lowercase(), written);
            }
        }
    }
}
