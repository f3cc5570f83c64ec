//! Whether a request asks for another protocol on its connection ([RFC 9110 §7.8]).
//!
//! [RFC 9110 §7.8]: https://www.rfc-editor.org/rfc/rfc9110#section-7.8

use super::fields::{members, request_members};
use http::{
    HeaderMap, HeaderValue,
    header::{CONNECTION, UPGRADE},
};

/// The protocols that `headers` ask for, as one line, where `Connection` says so too: without that the field is about
/// another hop.
pub fn asked(headers: &HeaderMap) -> Option<HeaderValue> {
    let is_meant = || {
        request_members(headers, &CONNECTION).any(|member| member.eq_ignore_ascii_case(b"upgrade"))
    };
    if !headers.contains_key(UPGRADE) || !is_meant() {
        return None;
    }
    let asked: Vec<&[u8]> = request_members(headers, &UPGRADE).collect();
    HeaderValue::from_bytes(&asked.join(&b", "[..])).ok()
}

/// The first of the `asked` protocols that is `allowed`, in the words of the operator; the others are not passed on: what an
/// origin speaks then, `h2c` for one, nobody here could read.
pub fn allowed<'a>(asked: &HeaderValue, allowed: &'a [Box<str>]) -> Option<&'a str> {
    let mut asked = members(asked.as_bytes());
    asked.find_map(|member| {
        let mut names = allowed.iter().map(|name| &**name);
        names.find(|name| name.as_bytes().eq_ignore_ascii_case(member))
    })
}

/// Whether a response switches to exactly `protocol`.
pub fn switches_to(response: &HeaderMap, protocol: &HeaderValue) -> bool {
    asked(response).is_some_and(|named| named.as_bytes().eq_ignore_ascii_case(protocol.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(lines: &[(&'static str, &'static str)]) -> HeaderMap {
        let lines = lines
            .iter()
            .map(|(name, value)| (name.parse().unwrap(), HeaderValue::from_static(value)));
        lines.collect()
    }

    #[test]
    fn a_protocol_is_asked_for_where_both_fields_say_so() {
        let both = fields(&[("connection", "keep-alive, Upgrade"), ("upgrade", "a, b")]);
        assert_eq!(asked(&both).unwrap(), "a, b");
        assert_eq!(asked(&fields(&[("upgrade", "a")])), None);
        assert_eq!(asked(&fields(&[("connection", "upgrade")])), None);
    }

    #[test]
    fn only_what_the_operator_allows_goes_on() {
        let list: [Box<str>; 1] = ["websocket".into()];
        let value = HeaderValue::from_static;
        assert_eq!(allowed(&value("WebSocket"), &list), Some("websocket"));
        assert_eq!(allowed(&value("h2c, websocket"), &list), Some("websocket"));
        for other in ["h2c", "websocket/13", "websockets", "", "TLS/1.0"] {
            assert_eq!(allowed(&value(other), &list), None, "{other}");
        }
        assert_eq!(allowed(&value("websocket"), &[]), None);
    }

    #[test]
    fn a_response_switches_to_what_was_asked_for_or_is_none() {
        let switched = fields(&[("connection", "upgrade"), ("upgrade", "WebSocket")]);
        assert!(switches_to(
            &switched,
            &HeaderValue::from_static("websocket")
        ));
        assert!(!switches_to(&switched, &HeaderValue::from_static("h2c")));
        let both = fields(&[("connection", "upgrade"), ("upgrade", "websocket, h2c")]);
        assert!(!switches_to(&both, &HeaderValue::from_static("websocket")));
    }
}
