//! Request fields whose value at the origin is not the one that the client sent: nothing can be told apart by them.

use super::forwarded::{Says, says};
use http::HeaderName;

/// What becomes of such a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnTheWay {
    /// Its effective value is in every key.
    Keyed,
    /// It says which host was asked for, which is in the key too, unless a route gives all hosts one name there.
    Host,
    /// This proxy adds to it, or writes it anew.
    Rewritten,
    /// It ends at this hop ([RFC 9110 §7.6.1]), or is for this proxy itself.
    ///
    /// [RFC 9110 §7.6.1]: https://www.rfc-editor.org/rfc/rfc9110#section-7.6.1
    Ended,
    /// The cache judges it and asks the origin in words of its own ([RFC 9111 §4.3.1]).
    ///
    /// [RFC 9111 §4.3.1]: https://www.rfc-editor.org/rfc/rfc9111#section-4.3.1
    Judged,
    /// The cache chooses the coding.
    Coding,
    /// It names the address of a client, which is only worth what the proxy before this one is.
    Address,
}

/// What becomes of the request field `name`; `None` where it passes as it is, or not at all.
pub fn on_the_way(name: &HeaderName) -> Option<OnTheWay> {
    let listed = match name.as_str() {
        "host" => OnTheWay::Host,
        "via" | "x-request-id" | "x-forwarded-for" => OnTheWay::Rewritten,
        "connection"
        | "keep-alive"
        | "proxy-connection"
        | "proxy-authorization"
        | "proxy-authenticate"
        | "proxy-authentication-info"
        | "te"
        | "trailer"
        | "transfer-encoding"
        | "upgrade"
        | "expect"
        | "http2-settings"
        | "content-length"
        | "x-sidecache-bypass"
        | "x-sidecache-purge" => OnTheWay::Ended,
        "range"
        | "if-range"
        | "if-match"
        | "if-none-match"
        | "if-modified-since"
        | "if-unmodified-since" => OnTheWay::Judged,
        "accept-encoding" => OnTheWay::Coding,
        _ => match says(name)? {
            Says::Host => OnTheWay::Host,
            Says::Scheme | Says::Target => OnTheWay::Keyed,
            Says::All => OnTheWay::Rewritten,
            Says::Address => OnTheWay::Address,
            Says::User => return None,
        },
    };
    Some(listed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_origin_sees_otherwise_is_told_from_what_passes() {
        let of = |name| on_the_way(&HeaderName::from_static(name));
        for (name, expected) in [
            ("host", OnTheWay::Host),
            ("x-forwarded-host", OnTheWay::Host),
            ("x-forwarded-proto", OnTheWay::Keyed),
            ("x_user", OnTheWay::Keyed),
            ("forwarded", OnTheWay::Rewritten),
            ("x-forwarded-for", OnTheWay::Rewritten),
            ("te", OnTheWay::Ended),
            ("if-none-match", OnTheWay::Judged),
            ("accept-encoding", OnTheWay::Coding),
            ("x-real-ip", OnTheWay::Address),
        ] {
            assert_eq!(of(name), Some(expected), "{name}");
        }
        for name in [
            "accept-language",
            "authorization",
            "cookie",
            "x-user-id",
            "x-forwarded-user",
        ] {
            assert_eq!(of(name), None, "{name}");
        }
    }
}
