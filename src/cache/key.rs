//! The cache key of a request ([RFC 9111 §2]).
//!
//! [RFC 9111 §2]: https://www.rfc-editor.org/rfc/rfc9111#section-2

use super::{core::Core, rule::Rule};
use crate::semantics::key::Builder;
use http::{HeaderMap, HeaderName};

/// What a request is about ([RFC 9110 §7.1]).
///
/// [RFC 9110 §7.1]: https://www.rfc-editor.org/rfc/rfc9110#section-7.1
#[derive(Clone, Copy, Debug)]
pub(crate) struct Target<'a> {
    /// `http` or `https`.
    pub(crate) scheme: &'a str,
    /// Host and port as the client names them; empty where it names none.
    pub(crate) host: &'a [u8],
    /// The path as received.
    pub(crate) path: &'a str,
    /// The query as received.
    pub(crate) query: Option<&'a str>,
}

/// The primary key, with everything that tells the origin how it was reached, because it may answer by that.
pub(super) fn of(core: &Core, rule: &Rule, target: &Target<'_>, request: &HeaderMap) -> Builder {
    let host = rule.key.host_of(target.host);
    let mut key = Builder::new(target.scheme, host, target.path);
    for (name, value) in request {
        if says_how_it_was_reached(name) {
            key = key.field(name.as_str(), Some(value.as_bytes()));
        }
    }
    if !rule.key.no_vary_search {
        return rule.key.complete(key, target.query, request);
    }
    let Target { path, query, .. } = *target;
    let counted = core.query_rules.counted(host, path, query);
    rule.key.complete(key, counted.as_deref(), request)
}

/// Fields by which servers learn how they were reached, and by which some of them answer: links, redirects, whole pages.
/// Callers can send them, so what was made for one value is not for another.
fn says_how_it_was_reached(name: &HeaderName) -> bool {
    let name = name.as_str();
    if !name.starts_with(['x', 'f']) {
        return false; // nearly all fields end here
    }
    let forwarded = name
        .strip_prefix("x-forwarded-")
        .is_some_and(|what| what != "for");
    forwarded
        || matches!(
            name,
            "forwarded"
                | "x-host"
                | "x-original-host"
                | "x-original-url"
                | "x-rewrite-url"
                | "x-http-method-override"
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_that_say_how_a_server_was_reached_are_in_the_key() {
        let says = |name| says_how_it_was_reached(&HeaderName::from_static(name));
        for name in [
            "x-forwarded-host",
            "x-forwarded-proto",
            "x-forwarded-prefix",
            "forwarded",
            "x-original-url",
            "x-http-method-override",
        ] {
            assert!(says(name), "{name}");
        }
        for name in ["x-forwarded-for", "x-request-id", "accept", "from"] {
            assert!(!says(name), "{name}");
        }
    }
}
