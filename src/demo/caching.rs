//! What answers say to caches: which state they show, for how long, and under which names they can be purged.

use std::{
    str::FromStr,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use axum::{
    extract::FromRequestParts,
    http::{
        HeaderMap, HeaderName, HeaderValue, StatusCode,
        header::{CACHE_CONTROL, ETAG, IF_MODIFIED_SINCE, IF_NONE_MATCH, LAST_MODIFIED},
        request::Parts,
    },
    response::{IntoResponse, Response},
};
use sha2::{Digest as _, Sha256};

use super::{revision::Revision, time};

const SURROGATE_KEY: HeaderName = HeaderName::from_static("surrogate-key");

/// Which answers have a `Cache-Control`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CacheControl {
    /// All but those about conversations: how long these are kept is for the routes of the proxy to say.
    #[default]
    Most,
    /// All that can be shared.
    All,
    /// None but the private one: everything is for the proxy to say.
    None,
}

/// What an answer shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Resource {
    User,
    Conversation,
    Message,
    Document,
    Search,
}

/// What a caller knows already (RFC 9110 §13.1).
#[derive(Debug, Default)]
pub(crate) struct Conditions {
    none_match: Vec<String>,
    modified_since: Option<SystemTime>,
}

/// The fields of one answer.
#[derive(Debug)]
pub(crate) struct Label {
    resource: Resource,
    /// With its quotes.
    tag: String,
    modified: Option<SystemTime>,
    keys: String,
}

// === impl CacheControl ===

impl CacheControl {
    fn of(self, resource: Resource) -> Option<&'static str> {
        match (self, resource) {
            (Self::None, _) | (Self::Most, Resource::Conversation) => None,
            (Self::All, Resource::Conversation) => Some("max-age=30, stale-while-revalidate=30"),
            (_, Resource::User) => Some("max-age=60, stale-while-revalidate=30"),
            (_, Resource::Document) => Some("max-age=300, stale-while-revalidate=60"),
            (_, Resource::Message) => Some("max-age=30"),
            (_, Resource::Search) => Some("max-age=60"),
        }
    }
}

impl FromStr for CacheControl {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "most" => Ok(Self::Most),
            "all" => Ok(Self::All),
            "none" => Ok(Self::None),
            _ => Err("one of most, all and none is wanted"),
        }
    }
}

// === impl Conditions ===

impl<S: Send + Sync> FromRequestParts<S> for Conditions {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        Ok(Self::of(&parts.headers))
    }
}

impl Conditions {
    fn of(headers: &HeaderMap) -> Self {
        let text = |value: &HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
        let lines = headers.get_all(IF_NONE_MATCH).iter().map(text);
        let since = headers.get(IF_MODIFIED_SINCE).map(text);
        Self {
            // No tag of ours has a comma in it: one that is cut at one matches nothing.
            none_match: lines
                .flat_map(|line| line.split(',').map(str::to_owned).collect::<Vec<_>>())
                .collect(),
            modified_since: since.and_then(|date| httpdate::parse_http_date(&date).ok()),
        }
    }
}

// === impl Label ===

impl Label {
    /// Of an answer that shows one row. Its tag is made of the state of the row and not of the bytes, so that nothing more has to
    /// be read to know that they are the same; another version of this program may write other bytes.
    pub(crate) fn of_row(resource: Resource, id: i64, revision: &Revision, keys: String) -> Self {
        let state = &revision.state;
        let version = env!("CARGO_PKG_VERSION");
        let seconds = time::seconds(&revision.changed_at);
        Self {
            resource,
            tag: tag(format!("{version} {resource:?} {id} {state}").as_bytes()),
            modified: seconds.map(|seconds| UNIX_EPOCH + Duration::from_secs(seconds)),
            keys,
        }
    }

    /// Of a list: its tag is made of its bytes.
    pub(crate) fn of_list(resource: Resource, bytes: &[u8], keys: String) -> Self {
        Self {
            resource,
            tag: tag(bytes),
            modified: None,
            keys,
        }
    }

    /// Whether the caller has this state already ([RFC 9110 §13.2.2]).
    ///
    /// [RFC 9110 §13.2.2]: https://www.rfc-editor.org/rfc/rfc9110#section-13.2.2
    pub(crate) fn is_known(&self, conditions: &Conditions) -> bool {
        if conditions.none_match.is_empty() {
            let (since, modified) = (conditions.modified_since, self.modified);
            return since
                .zip(modified)
                .is_some_and(|(since, modified)| modified <= since);
        }
        let known = |tag: &String| {
            let tag = tag.trim();
            tag == "*" || tag.strip_prefix("W/").unwrap_or(tag) == self.tag
        };
        conditions.none_match.iter().any(known)
    }

    /// The answer to whom it is known.
    pub(crate) fn not_modified(&self, speaks: CacheControl) -> Response {
        self.on(StatusCode::NOT_MODIFIED.into_response(), speaks)
    }

    /// `response` with the fields.
    pub(crate) fn on(&self, mut response: Response, speaks: CacheControl) -> Response {
        let text = |text: &str| HeaderValue::from_str(text).ok();
        let fields = [
            (ETAG, text(&self.tag)),
            (
                LAST_MODIFIED,
                self.modified
                    .and_then(|modified| text(&httpdate::fmt_http_date(modified))),
            ),
            (
                CACHE_CONTROL,
                speaks.of(self.resource).map(HeaderValue::from_static),
            ),
            (SURROGATE_KEY, text(&self.keys)),
        ];
        for (name, value) in fields {
            if let Some(value) = value {
                response.headers_mut().insert(name, value);
            }
        }
        response
    }
}

/// A strong tag of 64 bits.
fn tag(bytes: &[u8]) -> String {
    let digest = Sha256::digest(bytes);
    let digits: String = digest[..8]
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    format!("\"{digits}\"")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn label() -> Label {
        let revision = Revision {
            state: "3 2026-01-05T08:00:00Z".to_owned(),
            changed_at: "2026-01-05T08:00:00Z".to_owned(),
        };
        Label::of_row(Resource::User, 7, &revision, "user:7".to_owned())
    }

    fn known(fields: &[(HeaderName, &str)]) -> bool {
        let mut headers = HeaderMap::new();
        for (name, value) in fields {
            headers.append(name, value.parse().unwrap());
        }
        label().is_known(&Conditions::of(&headers))
    }

    #[test]
    fn a_tag_is_found_in_every_list_and_compared_weakly() {
        let tag = label().tag;
        let (weak, list) = (format!("W/{tag}"), format!("\"a\", {tag} ,\"b\""));
        for value in [&tag, &weak, &list, "*"] {
            assert!(known(&[(IF_NONE_MATCH, value)]), "{value}");
        }
        assert!(known(&[(IF_NONE_MATCH, "\"a\""), (IF_NONE_MATCH, &tag)]));
        for value in ["\"a\"", "", &tag[1..tag.len() - 1], &format!("\"x,{tag}\"")] {
            assert!(!known(&[(IF_NONE_MATCH, value)]), "{value}");
        }
    }

    #[test]
    fn a_date_counts_only_where_there_is_no_tag() {
        let (same, before) = (
            "Mon, 05 Jan 2026 08:00:00 GMT",
            "Mon, 05 Jan 2026 07:59:59 GMT",
        );
        assert!(known(&[(IF_MODIFIED_SINCE, same)]));
        assert!(!known(&[(IF_MODIFIED_SINCE, before)]));
        assert!(!known(&[(IF_MODIFIED_SINCE, "yesterday")]));
        assert!(!known(&[
            (IF_MODIFIED_SINCE, same),
            (IF_NONE_MATCH, "\"a\"")
        ]));
    }

    #[test]
    fn who_speaks_of_how_long_is_a_setting() {
        let field = |speaks: CacheControl, resource| speaks.of(resource).is_some();
        for (speaks, user, conversation) in [
            (CacheControl::Most, true, false),
            (CacheControl::All, true, true),
            (CacheControl::None, false, false),
        ] {
            assert_eq!(field(speaks, Resource::User), user);
            assert_eq!(field(speaks, Resource::Conversation), conversation);
        }
    }
}
