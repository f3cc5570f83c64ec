//! The head under which a response is stored.

use super::Filling;
use crate::semantics::{
    StoredHead,
    freshness::Source,
    invalidation::{CACHE_GROUPS, group_tag, groups},
    storability::Verdict,
};
use crate::service::compact;
use bytes::Bytes;
use http::{
    HeaderMap, HeaderName, HeaderValue, StatusCode,
    header::{ACCEPT_ENCODING, CONTENT_TYPE, SET_COOKIE, TRAILER},
};
use sha2::{Digest, Sha256};
use std::collections::BTreeSet;

impl Filling<'_> {
    /// With `tags` beside those that the route declares and those of its groups (RFC 9875).
    pub(super) fn head(
        &self,
        status: StatusCode,
        mut headers: HeaderMap,
        verdict: Verdict,
        tags: Vec<Box<str>>,
    ) -> StoredHead {
        let listed = verdict
            .withheld_fields
            .iter()
            .filter_map(|name| HeaderName::try_from(name).ok());
        headers.remove(TRAILER); // they are not stored
        let mut withheld = HeaderMap::new();
        for name in listed.chain(verdict.strip_set_cookie.then_some(SET_COOKIE)) {
            for value in headers.get_all(&name) {
                withheld.append(&name, value.clone());
            }
            headers.remove(name);
        }
        self.departure.flight.withhold(withheld);
        let selecting = match self.shared.encode.enabled {
            true => verdict.selecting.without(&ACCEPT_ENCODING), // ours, and always the same
            false => verdict.selecting,
        };
        let route = &self.route().route;
        let query = self.fetch.query.as_deref();
        let captures = route.path.capture(&self.fetch.path, query);
        let declared = captures
            .iter()
            .flat_map(|captures| route.tags.iter().map(|tag| tag.expand(captures).into()));
        let grouped = groups(&headers, &CACHE_GROUPS)
            .into_iter()
            .map(|group| group_tag(&self.fetch.host, &group));
        let mut freshness = verdict.freshness;
        if freshness.source == Source::Route {
            let most = f64::from(route.ttl_jitter) / 100.0;
            freshness.lifetime = freshness.lifetime.mul_f64(1.0 - fastrand::f64() * most);
        }
        let tags: BTreeSet<Box<str>> = declared.chain(grouped).chain(tags).collect();
        StoredHead {
            status,
            headers: compact::fields(&headers),
            selecting,
            freshness,
            part: None,
            generated_etag: false,
            no_transform: verdict.no_transform,
            tags: tags.into_iter().collect(),
        }
    }
}

/// A body that goes on for as long as somebody listens.
pub(super) fn is_event_stream(headers: &HeaderMap) -> bool {
    headers.get(CONTENT_TYPE).is_some_and(|value| {
        value
            .as_bytes()
            .to_ascii_lowercase()
            .starts_with(b"text/event-stream")
    })
}

/// A strong tag: equal tags mean equal bytes, as far as SHA-256 goes. Half of it is enough for that.
pub(super) fn generated_etag(body: &Bytes) -> HeaderValue {
    let digest = Sha256::digest(body);
    let mut tag = String::with_capacity(34);
    tag.push('"');
    for byte in &digest[..16] {
        tag.push(char::from_digit(u32::from(byte >> 4), 16).unwrap_or('0'));
        tag.push(char::from_digit(u32::from(byte & 15), 16).unwrap_or('0'));
    }
    tag.push('"');
    HeaderValue::try_from(tag).expect("hexadecimal digits and quotes are visible ASCII")
}
