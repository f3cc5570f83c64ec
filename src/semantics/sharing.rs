//! Who may share a stored response ([RFC 9111 §3.5]): the rules that storing and reusing have in common.
//!
//! [RFC 9111 §3.5]: https://www.rfc-editor.org/rfc/rfc9111#section-3.5

use super::{
    freshness::Source,
    policy::{Policy, Share},
};
use http::{
    HeaderMap,
    header::{AUTHORIZATION, COOKIE},
};

/// Whether the route lets callers with `Authorization` share what its `ttl` makes cacheable.
pub(super) fn may_share_authorized(policy: &Policy) -> bool {
    policy.key_has_authorization || policy.share == Share::All
}

/// Whether the route lets callers with `Cookie` share what its `ttl` makes cacheable.
pub(super) fn may_share_cookie(policy: &Policy) -> bool {
    policy.key_has_cookie || policy.share == Share::All
}

/// A response that only the route made cacheable is not for callers who may have an answer of their own.
pub(super) fn withheld_from(source: Source, request: &HeaderMap, policy: &Policy) -> bool {
    source != Source::Origin
        && ((request.contains_key(AUTHORIZATION) && !may_share_authorized(policy))
            || (request.contains_key(COOKIE) && !may_share_cookie(policy)))
}
