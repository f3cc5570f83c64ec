//! Fields that end at this hop ([RFC 9110 §7.6.1]) and that are therefore neither forwarded nor stored ([RFC 9111 §3.1]).
//!
//! [RFC 9110 §7.6.1]: https://www.rfc-editor.org/rfc/rfc9110#section-7.6.1
//! [RFC 9111 §3.1]: https://www.rfc-editor.org/rfc/rfc9111#section-3.1

use super::{fields::all_members, targeted::CDN_CACHE_CONTROL};
use http::{
    HeaderMap, HeaderName, HeaderValue,
    header::{
        AGE, AUTHORIZATION, CACHE_CONTROL, CONNECTION, CONTENT_LENGTH, COOKIE, DATE, HOST,
        PROXY_AUTHENTICATE, PROXY_AUTHORIZATION, SET_COOKIE, TE, TRANSFER_ENCODING, UPGRADE, VARY,
    },
};

const KEEP_ALIVE: HeaderName = HeaderName::from_static("keep-alive");
const PROXY_CONNECTION: HeaderName = HeaderName::from_static("proxy-connection");
const PROXY_AUTHENTICATION_INFO: HeaderName = HeaderName::from_static("proxy-authentication-info");

/// See [`lists_too_much`].
const LONGEST_LIST: usize = 1 << 10;

/// Fields that no connection can take away ([RFC 9110 §7.6.1]).
///
/// [RFC 9110 §7.6.1]: https://www.rfc-editor.org/rfc/rfc9110#section-7.6.1
const FOR_ALL: [HeaderName; 10] = [
    HOST,
    CONTENT_LENGTH,
    CACHE_CONTROL,
    CDN_CACHE_CONTROL,
    AGE,
    DATE,
    VARY,
    SET_COOKIE,
    AUTHORIZATION,
    COOKIE,
];

/// Fields that never pass.
const NEVER_PASS: [HeaderName; 9] = [
    CONNECTION,
    KEEP_ALIVE,
    PROXY_CONNECTION,
    PROXY_AUTHENTICATE,
    PROXY_AUTHENTICATION_INFO,
    PROXY_AUTHORIZATION,
    TE,
    TRANSFER_ENCODING,
    UPGRADE,
];

/// Whether `Connection` lists more than is read of a request, in bytes. Such a request cannot be passed on: what it lists has to
/// go ([RFC 9110 §5.4]).
///
/// [RFC 9110 §5.4]: https://www.rfc-editor.org/rfc/rfc9110#section-5.4
pub fn lists_too_much(request: &HeaderMap) -> bool {
    let lines = request.get_all(CONNECTION).into_iter();
    lines.map(HeaderValue::len).sum::<usize>() > LONGEST_LIST
}

/// Removes them from `headers`: those that `Connection` lists and those that never pass.
///
/// Fields for all recipients stay even when listed: without them the message means something else, and may be shared
/// with whom it is not for.
/// `Transfer-Encoding` and `TE` describe framing that the next hop makes anew.
pub fn remove(headers: &mut HeaderMap) {
    if headers.contains_key(CONNECTION) {
        let listed: Vec<HeaderName> = all_members(headers, &CONNECTION)
            .filter_map(|name| std::str::from_utf8(name).ok())
            .filter(|name| headers.contains_key(*name))
            .filter_map(|name| name.parse().ok())
            .collect();
        for name in listed {
            if !FOR_ALL.contains(&name) {
                headers.remove(name);
            }
        }
    }
    for name in &NEVER_PASS {
        headers.remove(name);
    }
}

/// Whether no message takes this field further, be it listed or not. None is stored with it.
pub fn ends_here(name: &HeaderName) -> bool {
    NEVER_PASS.contains(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_of_a_kilobyte_is_read() {
        let lists = |count: usize| {
            let line = HeaderValue::from_str(&"a,".repeat(count)).unwrap();
            lists_too_much(&[(CONNECTION, line)].into_iter().collect())
        };
        assert!(!lists(512) && lists(513));
    }

    #[test]
    fn listed_and_known_fields_go_and_the_rest_stays() {
        let mut headers = HeaderMap::new();
        for (name, value) in [
            ("connection", "x-a, close"),
            ("connection", "X-B, host, cache-control"),
            ("cache-control", "private"),
            ("host", "a"),
            ("x-a", "1"),
            ("x-b", "1"),
            ("keep-alive", "timeout=5"),
            ("transfer-encoding", "chunked"),
            ("upgrade", "websocket"),
            ("proxy-authorization", "secret"),
            ("x-c", "1"),
        ] {
            headers.append(name, HeaderValue::from_static(value));
        }
        remove(&mut headers);
        assert_eq!(
            headers.keys().map(HeaderName::as_str).collect::<Vec<_>>(),
            ["x-c", "cache-control", "host"]
        );
    }
}
