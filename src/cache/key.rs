//! The cache key of a request ([RFC 9111 §2]).
//!
//! [RFC 9111 §2]: https://www.rfc-editor.org/rfc/rfc9111#section-2

use super::{core::Core, rule::Rule};
use crate::semantics::{cookies, key::Builder};
use http::{HeaderMap, HeaderName, HeaderValue, header::HOST};

/// What a request is about ([RFC 9110 §7.1]).
///
/// [RFC 9110 §7.1]: https://www.rfc-editor.org/rfc/rfc9110#section-7.1
#[derive(Clone, Copy, Debug)]
pub(crate) struct Target<'a> {
    /// `http` or `https`.
    pub(crate) scheme: &'a str,
    /// Host and port as the client names them, to whomever; empty where it names none.
    pub(crate) host: &'a [u8],
    /// The host that this server itself was asked for, and the origin will be: the same, unless a proxy before this one
    /// asked for another.
    pub(crate) own_host: &'a [u8],
    /// The path as received.
    pub(crate) path: &'a str,
    /// The query as received.
    pub(crate) query: Option<&'a str>,
    /// Fields by which servers learn how they were reached, and by which some of them answer: links, redirects, whole pages.
    pub(crate) counted: &'a [(HeaderName, HeaderValue)],
}

/// The primary key, with everything that tells the origin how it was reached, because it may answer by that. `None` where a
/// field that would be part of it is longer than is read.
pub(super) fn of<'c>(
    core: &'c Core,
    rule: &Rule,
    target: &Target<'_>,
    request: &HeaderMap,
) -> Option<Builder<'c>> {
    let key = with_fields(core, rule, target, request);
    let key = if rule.key.no_vary_search {
        let Target { path, query, .. } = *target;
        let host = rule.key.host_of(target.host);
        let counted = core.query_rules.counted(host, path, query);
        rule.key.complete(key, counted.as_deref(), request)
    } else {
        rule.key.complete(key, target.query, request)
    };
    Some(key).filter(Builder::is_whole)
}

/// What it has before its query.
fn with_fields<'c>(
    core: &'c Core,
    rule: &Rule,
    target: &Target<'_>,
    request: &HeaderMap,
) -> Builder<'c> {
    let host = rule.key.host_of(target.host);
    let mut key = Builder::new(target.scheme, host, target.path)
        .veiled_by(core.store.secret())
        .shared_by(rule.sharing);
    let cookies = &rule.policy.cookies;
    if !cookies.key.is_empty() && cookies::are_too_many(request) {
        return key.too_long();
    }
    for (name, value) in cookies.in_key(request) {
        key = key.field(&format!("cookie:{name}"), value.as_deref());
    }
    if rule.key.host.is_none() && target.own_host != target.host {
        key = key.field(HOST.as_str(), Some(target.own_host));
    }
    for (name, value) in target.counted {
        key = key.field(name.as_str(), Some(value.as_bytes()));
    }
    key
}
