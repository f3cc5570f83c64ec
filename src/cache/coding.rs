//! Content codings: who accepts gzip, what is worth coding, and the renditions of a stored response.

use crate::{
    message::{
        gzip,
        names::{CACHE_STATUS, X_REQUEST_ID},
    },
    semantics::{
        StoredHead, etag,
        fields::{all_members, quality},
    },
    store::{Entry, Rendition},
};
use bytes::Bytes;
use http::{
    HeaderMap, HeaderValue, Response, StatusCode,
    header::{
        ACCEPT_ENCODING, ACCEPT_RANGES, AGE, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_RANGE,
        CONTENT_TYPE, ETAG, TRAILER, VARY,
    },
};

/// The coding that is produced, as it stands in fields.
const GZIP: &str = "gzip";

/// What a tag may carry as suffix.
pub(crate) const CODINGS: &[&str] = &[GZIP];

/// Larger bodies are coded off the worker threads, in bytes: about half a millisecond of work.
const LARGE: usize = 32 << 10;

/// What `[compress]` says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Whether bodies are coded at all.
    pub enabled: bool,
    /// Smaller bodies stay as they are, in bytes.
    pub min_size: u64,
    /// From 1, fast, to 9, small.
    pub level: u32,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            enabled: true,
            min_size: 1_000,
            level: 6,
        }
    }
}

/// Whether the client prefers gzip to nothing, or likes it as much ([RFC 9110 §12.5.3]).
///
/// [RFC 9110 §12.5.3]: https://www.rfc-editor.org/rfc/rfc9110#section-12.5.3
pub(super) fn accepts_gzip(request: &HeaderMap) -> bool {
    let (mut gzip, mut any, mut identity) = (None, None, None);
    for member in all_members(request, &ACCEPT_ENCODING) {
        let coding = member
            .split(|b| *b == b';')
            .next()
            .unwrap_or_default()
            .trim_ascii();
        let slot = match coding.to_ascii_lowercase().as_slice() {
            b"gzip" | b"x-gzip" => &mut gzip,
            b"*" => &mut any,
            b"identity" => &mut identity,
            _ => continue,
        };
        *slot = Some(quality(member));
    }
    let gzip = gzip.or(any).unwrap_or(0);
    gzip > 0 && gzip >= identity.unwrap_or(0)
}

/// Whether a response with these fields may be coded: not coded yet, of a type that shrinks, and nobody forbids it.
fn is_codable(
    status: StatusCode,
    headers: &HeaderMap,
    no_transform: bool,
    settings: &Settings,
) -> bool {
    settings.enabled
        && !no_transform
        && !matches!(
            status,
            StatusCode::PARTIAL_CONTENT | StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED
        )
        && !headers.contains_key(CONTENT_ENCODING)
        && !headers.contains_key(CONTENT_RANGE)
        && headers
            .get(CONTENT_TYPE)
            .is_some_and(|value| shrinks(value.as_bytes()))
}

/// Text and what is like it. Event streams stay as they are: they are read piece by piece as they come.
fn shrinks(content_type: &[u8]) -> bool {
    let essence = content_type
        .split(|b| *b == b';')
        .next()
        .unwrap_or_default()
        .trim_ascii()
        .to_ascii_lowercase();
    if essence == b"text/event-stream" {
        return false;
    }
    essence.starts_with(b"text/")
        || [&b"+json"[..], b"+xml", b"+text"]
            .iter()
            .any(|suffix| essence.ends_with(suffix))
        || [
            &b"application/json"[..],
            b"application/x-ndjson",
            b"application/javascript",
            b"application/x-javascript",
            b"application/xml",
            b"application/graphql",
            b"application/yaml",
            b"application/wasm",
            b"image/bmp",
            b"font/ttf",
            b"font/otf",
            b"application/vnd.ms-fontobject",
        ]
        .contains(&&essence[..])
}

fn is_worth_coding(entry: &Entry, settings: &Settings) -> bool {
    entry.body.len() as u64 >= settings.min_size
        && entry.head.part.is_none()
        && is_codable(
            entry.head.status,
            &entry.head.headers,
            entry.head.no_transform,
            settings,
        )
}

/// The stored response as the origin sent it.
pub(super) fn identity<'e>(entry: &'e Entry, settings: &Settings) -> &'e Rendition {
    entry.identity.get_or_init(|| {
        let mut headers = base_headers(&entry.head, entry.body.len());
        if is_worth_coding(entry, settings) {
            vary_by_encoding(&mut headers);
        }
        Rendition {
            headers,
            body: entry.body.clone(),
        }
    })
}

/// The stored response in gzip: `Some(None)` where it is not worth it, `None` where that is still to be found out.
pub(super) fn gzipped<'e>(entry: &'e Entry, settings: &Settings) -> Option<Option<&'e Rendition>> {
    if !is_worth_coding(entry, settings) {
        return Some(None);
    }
    entry.gzip.get().map(Option::as_ref)
}

/// Codes the stored response, once, however many ask at the same time. Returns whether this call did it.
pub(super) async fn make_gzip(entry: &Entry, settings: &Settings) -> bool {
    let mut made = false;
    let _ = entry
        .gzip
        .get_or_init(|| async {
            made = true;
            let (body, level) = (entry.body.clone(), settings.level);
            let coded = if body.len() < LARGE {
                gzip::gzip(&body, level)
            } else {
                match tokio::task::spawn_blocking(move || gzip::gzip(&body, level)).await {
                    Ok(coded) => coded,
                    Err(_) => return None, // the runtime is going down
                }
            };
            (coded.len() < entry.body.len()).then(|| gzip_rendition(entry, coded.into()))
        })
        .await;
    made
}

fn gzip_rendition(entry: &Entry, body: Bytes) -> Rendition {
    let mut headers = base_headers(&entry.head, body.len());
    mark_gzip(&mut headers);
    Rendition { headers, body }
}

/// Marks `response` as coded where its body should be; says whether.
pub(super) fn code_stream<B>(
    settings: &Settings,
    response: &mut Response<B>,
    request: &HeaderMap,
    no_transform: bool,
) -> bool {
    let length: Option<u64> = response
        .headers()
        .get(CONTENT_LENGTH)
        .and_then(|length| length.to_str().ok()?.parse().ok());
    let large_enough = length.is_none_or(|length| length >= settings.min_size);
    let (status, headers) = (response.status(), response.headers());
    if !large_enough || !is_codable(status, headers, no_transform, settings) {
        return false;
    }
    if !accepts_gzip(request) {
        vary_by_encoding(response.headers_mut());
        return false;
    }
    mark_gzip(response.headers_mut());
    response.headers_mut().remove(CONTENT_LENGTH);
    true
}

/// Says in the fields of a response that its body is coded now.
fn mark_gzip(headers: &mut HeaderMap) {
    headers.insert(CONTENT_ENCODING, HeaderValue::from_static(GZIP));
    headers.remove(TRAILER); // trailers may speak of the bytes and are dropped
    headers.remove(ACCEPT_RANGES); // ranges are of the identity representation
    if let Some(tag) = headers.get(ETAG) {
        let tag = etag::of_coding(tag, GZIP);
        headers.insert(ETAG, tag);
    }
    vary_by_encoding(headers);
}

/// Adds `Accept-Encoding` to `Vary`, once.
fn vary_by_encoding(headers: &mut HeaderMap) {
    let named = all_members(headers, &VARY)
        .any(|name| name == b"*" || name.eq_ignore_ascii_case(b"accept-encoding"));
    if !named {
        headers.append(VARY, HeaderValue::from_static("Accept-Encoding"));
    }
}

/// The stored fields with a length, and places for what changes with each answer, so that filling them in moves nothing.
fn base_headers(head: &StoredHead, length: usize) -> HeaderMap {
    let mut headers = head.headers.clone();
    headers.insert(CONTENT_LENGTH, HeaderValue::from(length));
    if head.status == StatusCode::NO_CONTENT {
        headers.remove(CONTENT_LENGTH); // RFC 9110 §8.6
    }
    for name in [AGE, CACHE_STATUS, X_REQUEST_ID] {
        headers.entry(name).or_insert(HeaderValue::from_static(""));
    }
    headers
}

#[cfg(test)]
mod tests {
    use super::*;

    fn accepts(value: &'static str) -> bool {
        accepts_gzip(
            &[(ACCEPT_ENCODING, HeaderValue::from_static(value))]
                .into_iter()
                .collect(),
        )
    }

    #[test]
    fn gzip_is_sent_only_to_those_who_accept_it() {
        for yes in [
            "gzip",
            "GZIP",
            "br, gzip;q=0.5",
            "*",
            "deflate, *;q=0.1",
            "gzip, identity",
            "x-gzip",
        ] {
            assert!(accepts(yes), "{yes}");
        }
        for no in [
            "",
            "br",
            "gzip;q=0",
            "*;q=0",
            "identity",
            "gzip;q=0.5, identity",
            "gzip;q=0, *",
            "gzip;q=x",
        ] {
            assert!(!accepts(no), "{no}");
        }
        assert!(!accepts_gzip(&HeaderMap::new()));
    }

    #[test]
    fn what_shrinks_is_coded_whatever_its_parameters() {
        for yes in [
            "text/html",
            "application/json; charset=utf-8",
            "Application/Problem+JSON",
            "image/svg+xml",
        ] {
            assert!(shrinks(yes.as_bytes()), "{yes}");
        }
        for no in [
            "image/png",
            "application/octet-stream",
            "text/event-stream",
            "video/mp4",
            "",
        ] {
            assert!(!shrinks(no.as_bytes()), "{no}");
        }
    }

    #[test]
    fn vary_names_accept_encoding_once() {
        for (before, after) in [
            (&[][..], &["Accept-Encoding"][..]),
            (&["Origin"], &["Origin", "Accept-Encoding"]),
            (&["origin, accept-encoding"], &["origin, accept-encoding"]),
            (&["*"], &["*"]),
        ] {
            let mut headers: HeaderMap = before
                .iter()
                .map(|v| (VARY, HeaderValue::from_static(v)))
                .collect();
            vary_by_encoding(&mut headers);
            assert_eq!(headers.get_all(VARY).iter().collect::<Vec<_>>(), after);
        }
    }
}
