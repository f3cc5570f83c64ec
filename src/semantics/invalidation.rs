//! What a write makes invalid ([RFC 9111 §4.4], [RFC 9875]).
//!
//! [RFC 9111 §4.4]: https://www.rfc-editor.org/rfc/rfc9111#section-4.4
//! [RFC 9875]: https://www.rfc-editor.org/rfc/rfc9875

use super::{
    fields::all_members,
    structured::{Item, list},
};
use http::{
    HeaderMap, HeaderName, Method, StatusCode, Uri,
    header::{CONTENT_LOCATION, LOCATION},
};

/// The groups that a response belongs to ([RFC 9875 §2]).
///
/// [RFC 9875 §2]: https://www.rfc-editor.org/rfc/rfc9875#section-2
pub const CACHE_GROUPS: HeaderName = HeaderName::from_static("cache-groups");

/// The groups that a write invalidates ([RFC 9875 §3]).
///
/// [RFC 9875 §3]: https://www.rfc-editor.org/rfc/rfc9875#section-3
pub const CACHE_GROUP_INVALIDATION: HeaderName =
    HeaderName::from_static("cache-group-invalidation");

/// More groups of one response are not kept; the specification asks for at least 32.
const MAX_GROUPS: usize = 64;

/// Longer names are not kept, in bytes; the specification asks for at least 32.
const MAX_GROUP_NAME: usize = 128;

/// Methods of extensions that are registered as safe ([RFC 9110 §16.1.1]): of WebDAV ([RFC 4918 §9.1], [RFC 3253 §3.6],
/// [RFC 5323 §2.2]), and QUERY ([RFC 10008]).
///
/// [RFC 9110 §16.1.1]: https://www.rfc-editor.org/rfc/rfc9110#section-16.1.1
/// [RFC 4918 §9.1]: https://www.rfc-editor.org/rfc/rfc4918#section-9.1
/// [RFC 3253 §3.6]: https://www.rfc-editor.org/rfc/rfc3253#section-3.6
/// [RFC 5323 §2.2]: https://www.rfc-editor.org/rfc/rfc5323#section-2.2
/// [RFC 10008]: https://www.rfc-editor.org/rfc/rfc10008
const SAFE_EXTENSIONS: [&str; 4] = ["PROPFIND", "REPORT", "SEARCH", "QUERY"];

/// Whether `method` may change what the origin holds; unknown methods may ([RFC 9110 §9.2.1]).
///
/// [RFC 9110 §9.2.1]: https://www.rfc-editor.org/rfc/rfc9110#section-9.2.1
pub fn is_unsafe(method: &Method) -> bool {
    !method.is_safe() && !SAFE_EXTENSIONS.contains(&method.as_str())
}

/// Whether the answer to `method` invalidates: only an unsafe method that did not fail ([RFC 9111 §4.4]).
///
/// [RFC 9111 §4.4]: https://www.rfc-editor.org/rfc/rfc9111#section-4.4
pub fn invalidates(method: &Method, status: StatusCode) -> bool {
    is_unsafe(method) && (status.is_success() || status.is_redirection())
}

/// The paths beside its own that a write names by `Location` and `Content-Location`, of its own origin only
/// ([RFC 9111 §4.4]).
///
/// [RFC 9111 §4.4]: https://www.rfc-editor.org/rfc/rfc9111#section-4.4
pub fn named_paths(response: &HeaderMap, host: &[u8], base: &str) -> Vec<String> {
    [LOCATION, CONTENT_LOCATION]
        .into_iter()
        .filter_map(|name| response.get(name)?.to_str().ok())
        .filter_map(|reference| resolve(reference, host, base))
        .map(|(path, _)| path)
        .collect()
}

/// Whether `Content-Location` names the target of the request itself, so that the response is what a GET of it would
/// bring ([RFC 9110 §8.7]).
///
/// [RFC 9110 §8.7]: https://www.rfc-editor.org/rfc/rfc9110#section-8.7
pub fn is_of_its_own_target(
    response: &HeaderMap,
    host: &[u8],
    path: &str,
    query: Option<&str>,
) -> bool {
    response
        .get(CONTENT_LOCATION)
        .and_then(|reference| resolve(reference.to_str().ok()?, host, path))
        .is_some_and(|(named, named_query)| named == path && named_query.as_deref() == query)
}

/// The path and query that `reference` names, seen from `base`; `None` where it is of another origin
/// ([RFC 3986 §5.2]).
///
/// [RFC 3986 §5.2]: https://www.rfc-editor.org/rfc/rfc3986#section-5.2
fn resolve(reference: &str, host: &[u8], base: &str) -> Option<(String, Option<String>)> {
    let reference = reference.split('#').next().unwrap_or_default();
    let absolute = match reference.strip_prefix("//") {
        Some(rest) => Some(format!("http://{rest}")),
        None if reference.contains("://") && !reference.starts_with(['/', '?']) => {
            Some(reference.to_owned())
        }
        None => None,
    };
    if let Some(absolute) = absolute {
        let uri: Uri = absolute.parse().ok()?;
        let same = uri
            .authority()?
            .as_str()
            .as_bytes()
            .eq_ignore_ascii_case(host);
        return same.then(|| (uri.path().to_owned(), uri.query().map(str::to_owned)));
    }
    let (path, query) = match reference.split_once('?') {
        Some((path, query)) => (path, Some(query.to_owned())),
        None => (reference, None),
    };
    let path = match path {
        "" => base.to_owned(),
        _ if path.starts_with('/') => without_dots(path),
        _ => without_dots(&format!("{}{path}", &base[..base.rfind('/')? + 1])),
    };
    Some((path, query))
}

/// [RFC 3986 §5.2.4](https://www.rfc-editor.org/rfc/rfc3986#section-5.2.4)
fn without_dots(path: &str) -> String {
    let mut kept: Vec<&str> = Vec::new();
    let segments: Vec<&str> = path.split('/').skip(1).collect();
    for (at, segment) in segments.iter().enumerate() {
        let last = at + 1 == segments.len();
        match *segment {
            "." if last => kept.push(""),
            "." => {}
            ".." => {
                kept.pop();
                if last {
                    kept.push("");
                }
            }
            segment => kept.push(segment),
        }
    }
    format!("/{}", kept.join("/"))
}

/// Whether `Clear-Site-Data` speaks of caches ([Clear Site Data §3.1]). It is meant for the user's own; a shared cache
/// obeys only where its operator says so.
///
/// [Clear Site Data §3.1]: https://www.w3.org/TR/clear-site-data/#header
pub fn clears_caches(response: &HeaderMap) -> bool {
    all_members(response, &CLEAR_SITE_DATA).any(|member| matches!(member, b"\"cache\"" | b"\"*\""))
}

const CLEAR_SITE_DATA: HeaderName = HeaderName::from_static("clear-site-data");

/// The names in `Cache-Groups` or `Cache-Group-Invalidation`: a list of strings, or nothing at all
/// ([RFC 9875 §2]).
///
/// [RFC 9875 §2]: https://www.rfc-editor.org/rfc/rfc9875#section-2
pub fn groups(headers: &HeaderMap, name: &HeaderName) -> Vec<String> {
    let lines: Vec<&[u8]> = headers
        .get_all(name)
        .iter()
        .map(|line| line.as_bytes())
        .collect();
    if lines.is_empty() {
        return Vec::new();
    }
    list(&lines.join(&b", "[..]))
        .unwrap_or_default()
        .into_iter()
        .filter_map(|item| match item {
            Item::String(group) if group.len() <= MAX_GROUP_NAME => Some(group),
            Item::String(_)
            | Item::Boolean(_)
            | Item::Integer(_)
            | Item::Token(_)
            | Item::Strings(_)
            | Item::Other => None,
        })
        .take(MAX_GROUPS)
        .collect()
}

/// The tag by which the members of `group` are found: groups are of one origin ([RFC 9875 §2]).
///
/// The control character keeps it apart from every tag that a configuration can spell.
///
/// [RFC 9875 §2]: https://www.rfc-editor.org/rfc/rfc9875#section-2
pub fn group_tag(host: &[u8], group: &str) -> Box<str> {
    format!(
        "\u{1}group:{}:{group}",
        String::from_utf8_lossy(host).to_ascii_lowercase()
    )
    .into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    #[test]
    fn unsafe_methods_that_succeed_invalidate() {
        let unknown = Method::from_bytes(b"M-SEARCH").unwrap();
        for method in [
            Method::POST,
            Method::PUT,
            Method::PATCH,
            Method::DELETE,
            unknown,
        ] {
            for (status, expected) in [
                (200, true),
                (204, true),
                (303, true),
                (400, false),
                (500, false),
            ] {
                let status = StatusCode::from_u16(status).unwrap();
                assert_eq!(invalidates(&method, status), expected, "{method} {status}");
            }
        }
    }

    #[test]
    fn safe_methods_invalidate_nothing() {
        for method in [
            "GET", "HEAD", "OPTIONS", "TRACE", "QUERY", "PROPFIND", "REPORT", "SEARCH",
        ] {
            assert!(
                !invalidates(
                    &Method::from_bytes(method.as_bytes()).unwrap(),
                    StatusCode::OK
                ),
                "{method}"
            );
        }
    }

    #[test]
    fn references_are_resolved_within_the_origin() {
        let path = |reference| resolve(reference, b"a.example", "/x/y").map(|(path, _)| path);
        let cases = [
            ("/z", Some("/z")),
            ("z", Some("/x/z")),
            ("../z", Some("/z")),
            ("./", Some("/x/")),
            ("../../../z", Some("/z")),
            ("?q=1", Some("/x/y")),
            ("", Some("/x/y")),
            ("/z#part", Some("/z")),
            ("http://A.example/z", Some("/z")),
            ("https://a.example/z", Some("/z")),
            ("//a.example/z", Some("/z")),
            ("http://b.example/z", None),
            ("//b.example/z", None),
            ("http://a.example:81/z", None),
        ];
        for (reference, expected) in cases {
            assert_eq!(path(reference).as_deref(), expected, "{reference:?}");
        }
    }

    #[test]
    fn content_location_may_name_its_own_target() {
        let own = |reference: &'static str| {
            let headers = [(CONTENT_LOCATION, HeaderValue::from_static(reference))]
                .into_iter()
                .collect();
            is_of_its_own_target(&headers, b"a", "/x", Some("q"))
        };
        assert!(own("/x?q") && own("http://a/x?q") && own("?q"));
        assert!(!own("/x") && !own("/y?q") && !own("http://b/x?q"));
    }

    #[test]
    fn groups_are_strings_of_one_origin() {
        let read = |value: &'static str| {
            let headers = [(CACHE_GROUPS, HeaderValue::from_static(value))]
                .into_iter()
                .collect();
            groups(&headers, &CACHE_GROUPS)
        };
        assert_eq!(read("\"a\", \"b\";p=1"), ["a", "b"]);
        assert_eq!(read("\"a\", b"), ["a"], "a token is no group");
        assert_eq!(read("\"a\","), [""; 0], "what is no list is ignored");
        assert_ne!(group_tag(b"one", "a"), group_tag(b"two", "a"));
        assert_eq!(group_tag(b"One", "a"), group_tag(b"one", "a"));
    }
}
