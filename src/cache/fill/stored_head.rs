//! The head under which a response is stored.

use super::context::Context;
use crate::{
    message::{compact, hex},
    semantics::{
        StoredHead,
        freshness::Source,
        invalidation::{CACHE_GROUPS, group_tag, groups},
        selection::name_in_vary,
        storability::Verdict,
    },
};
use http::{
    HeaderMap, HeaderName, HeaderValue, StatusCode,
    header::{SET_COOKIE, TRAILER},
};
use std::collections::BTreeSet;

/// What the origin says of its work for one answer (Server-Timing, W3C).
const SERVER_TIMING: HeaderName = HeaderName::from_static("server-timing");

/// A head, and the fields that are for the client of this fetch alone (`Set-Cookie`, `private="…"`).
pub(super) struct Named {
    pub(super) head: StoredHead,
    pub(super) withheld: HeaderMap,
}

/// The head with `tags` beside those that the route declares and those of its groups (RFC 9875).
pub(super) fn stored_head(
    cx: &Context<'_>,
    status: StatusCode,
    mut headers: HeaderMap,
    verdict: Verdict,
    tags: Vec<Box<str>>,
) -> Named {
    headers.remove(TRAILER); // they are not stored
    let (ask, rule) = (cx.ask(), cx.rule());
    let withheld = withhold(&mut headers, &verdict, rule.settings.keep_server_timing);
    name_in_vary(&mut headers, &verdict.selecting);
    let grouped = groups(&headers, &CACHE_GROUPS)
        .into_iter()
        .map(|group| group_tag(&ask.host, &group));
    let mut freshness = verdict.freshness;
    if freshness.source == Source::Route {
        let most = f64::from(rule.ttl_jitter) / 100.0;
        freshness.lifetime = freshness.lifetime.mul_f64(1.0 - fastrand::f64() * most);
    }
    let declared = ask.tags.iter().cloned();
    let tags: BTreeSet<Box<str>> = declared.chain(grouped).chain(tags).collect();
    let head = StoredHead {
        status,
        headers: compact::fields(&headers),
        selecting: verdict.selecting,
        freshness,
        part: None,
        generated_etag: false,
        no_transform: verdict.no_transform,
        tags: tags.into_iter().collect(),
    };
    Named { head, withheld }
}

/// Takes the fields out that others must not see.
fn withhold(headers: &mut HeaderMap, verdict: &Verdict, keep_timing: bool) -> HeaderMap {
    let listed = verdict
        .withheld_fields
        .iter()
        .filter_map(|name| HeaderName::try_from(name).ok());
    let mut withheld = HeaderMap::new();
    let cookie = verdict.strip_set_cookie.then_some(SET_COOKIE);
    let timing = (!keep_timing).then_some(SERVER_TIMING);
    for name in listed.chain(cookie).chain(timing) {
        for value in headers.get_all(&name) {
            withheld.append(&name, value.clone());
        }
        headers.remove(name);
    }
    withheld
}

/// The cookies of a response that updates what is stored: they do not replace stored ones, and are for the client of this
/// fetch alone.
pub(super) fn cookies_of_update(fields: &HeaderMap, head: &StoredHead) -> HeaderMap {
    let cookies = fields.get_all(SET_COOKIE).iter();
    let cookies = cookies.filter(|_| !head.headers.contains_key(SET_COOKIE));
    cookies.map(|cookie| (SET_COOKIE, cookie.clone())).collect()
}

/// A strong tag: equal tags mean equal bytes, as far as SHA-256 goes. Half of it is enough for that.
pub(super) fn generated_etag(digest: [u8; 32]) -> HeaderValue {
    let half: [u8; 16] = digest[..16].try_into().expect("a digest has 32 bytes");
    let tag = [b"\"", &hex(half)[..], b"\""].concat();
    HeaderValue::try_from(tag).expect("hexadecimal digits and quotes are visible ASCII")
}
