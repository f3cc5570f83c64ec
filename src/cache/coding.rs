//! Content codings: which a client gets, what is worth coding, and what the fields of a coded response say.

use crate::{
    message::encode::{Encoder, Extent},
    semantics::{
        Coding, accept_encoding,
        coding::NAMES,
        etag,
        fields::{all_members, request_tags},
    },
};
use http::{
    HeaderMap, HeaderValue, Method, Response, StatusCode,
    header::{
        ACCEPT_ENCODING, ACCEPT_RANGES, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_RANGE,
        CONTENT_TYPE, ETAG, IF_MATCH, IF_MODIFIED_SINCE, IF_NONE_MATCH, TRAILER, VARY,
    },
};

/// The most work for a stream: the worker that serves it codes it, ten milliseconds or so for each megabyte, and the memory
/// for it lasts as long as the stream.
const OF_A_STREAM: Levels = Levels {
    gzip: 9,
    zstd: 1,
    brotli: 4,
};

/// Up to these levels the worker that serves it codes a small body, in about a millisecond.
const QUICK: Levels = Levels {
    gzip: 9,
    zstd: 9,
    brotli: 6,
};

/// Bodies that are not small, in bytes.
const LARGE: usize = 32 << 10;

/// What `[compress]` says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Whether bodies are coded at all.
    pub enabled: bool,
    /// Those that are made, the one first that a client gets who likes several the same.
    pub codings: Vec<Coding>,
    /// Smaller bodies stay as they are, in bytes.
    pub min_size: u64,
    /// How much work each coding is worth.
    pub levels: Levels,
}

/// How much work is worth a smaller body, by coding. The numbers of one say nothing about another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Levels {
    /// From 1, fast, to 9, small.
    pub gzip: u8,
    /// From 1, fast, to 19, small.
    pub zstd: u8,
    /// From 0, fast, to 11, small.
    pub brotli: u8,
}

impl Levels {
    const fn of(self, coding: Coding) -> u8 {
        match coding {
            Coding::Zstd => self.zstd,
            Coding::Br => self.brotli,
            Coding::Gzip => self.gzip,
        }
    }

    /// The lesser level of each coding.
    fn min(self, other: Self) -> Self {
        Self {
            gzip: self.gzip.min(other.gzip),
            zstd: self.zstd.min(other.zstd),
            brotli: self.brotli.min(other.brotli),
        }
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            enabled: true,
            codings: Coding::ALL.to_vec(),
            min_size: 1_000,
            levels: Levels::default(),
        }
    }
}

impl Default for Levels {
    fn default() -> Self {
        Self {
            gzip: 6,
            zstd: 3,
            brotli: 5,
        }
    }
}

/// The coding in which the client gets what is worth coding; `None` for identity. Every hit asks.
pub(super) fn preferred(settings: &Settings, request: &HeaderMap) -> Option<Coding> {
    if settings.enabled {
        accept_encoding::preferred(request, &settings.codings)
    } else {
        None
    }
}

/// The coder of a body that passes.
pub(super) fn stream_encoder(coding: Coding, levels: Levels) -> Encoder {
    encoder(coding, levels.min(OF_A_STREAM), Extent::Stream)
}

/// The coder of a whole body of `size` bytes.
pub(super) fn whole_encoder(coding: Coding, levels: Levels, size: usize) -> Encoder {
    encoder(coding, levels, Extent::Whole(size))
}

fn encoder(coding: Coding, levels: Levels, extent: Extent) -> Encoder {
    match coding {
        Coding::Zstd => Encoder::zstd(levels.zstd, extent),
        Coding::Br => Encoder::brotli(levels.brotli, extent),
        Coding::Gzip => Encoder::gzip(levels.gzip),
    }
}

/// Whether a worker may code a whole body of `size` bytes itself.
pub(super) fn is_quick(coding: Coding, levels: Levels, size: usize) -> bool {
    size < LARGE && levels.of(coding) <= QUICK.of(coding)
}

/// Whether a response with these fields may be coded: not coded yet, of a type that shrinks, and nobody forbids it.
pub(super) fn is_codable(
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
    const WHOLE: [&str; 12] = [
        "application/json",
        "application/x-ndjson",
        "application/javascript",
        "application/x-javascript",
        "application/xml",
        "application/graphql",
        "application/yaml",
        "application/wasm",
        "image/bmp",
        "font/ttf",
        "font/otf",
        "application/vnd.ms-fontobject",
    ];
    let essence = content_type.split(|b| *b == b';').next();
    let essence = essence.unwrap_or_default().trim_ascii();
    let is = |name: &str| essence.eq_ignore_ascii_case(name.as_bytes());
    let begins = |with: &str| {
        let beginning = essence.get(..with.len());
        beginning.is_some_and(|b| b.eq_ignore_ascii_case(with.as_bytes()))
    };
    let ends = |with: &str| {
        let at = essence.len().checked_sub(with.len());
        at.is_some_and(|at| essence[at..].eq_ignore_ascii_case(with.as_bytes()))
    };
    !is("text/event-stream")
        && (begins("text/")
            || ["+json", "+xml", "+text"].into_iter().any(ends)
            || WHOLE.into_iter().any(is))
}

/// The coding of a body that passes, where it should have one. Says in the fields of `response` that it is coded, or that it
/// could have been.
pub(super) fn code_stream<B>(
    settings: &Settings,
    response: &mut Response<B>,
    request: &HeaderMap,
    no_transform: bool,
) -> Option<Coding> {
    let length: Option<u64> = response
        .headers()
        .get(CONTENT_LENGTH)
        .and_then(|length| length.to_str().ok()?.parse().ok());
    let large_enough = length.is_none_or(|length| length >= settings.min_size);
    let (status, headers) = (response.status(), response.headers_mut());
    if !large_enough || !is_codable(status, headers, no_transform, settings) {
        return None;
    }
    let coding = preferred(settings, request);
    match coding {
        Some(coding) => {
            mark(headers, coding);
            headers.remove(CONTENT_LENGTH);
            // Of the same body other bytes are made at once, and what is stored has their strong tag.
            if let Some(tag) = headers.get(ETAG).map(etag::weakened) {
                headers.insert(ETAG, tag);
            }
        }
        None => vary_by_encoding(headers),
    }
    coding
}

/// Says in the fields of a response that its body is coded now.
pub(super) fn mark(headers: &mut HeaderMap, coding: Coding) {
    let name = coding.name();
    headers.insert(CONTENT_ENCODING, HeaderValue::from_static(name));
    headers.remove(TRAILER); // trailers may speak of the bytes and are dropped
    headers.remove(ACCEPT_RANGES); // ranges are of the identity representation
    if let Some(tag) = headers.get(ETAG) {
        let tag = etag::of_coding(tag, name);
        headers.insert(ETAG, tag);
    }
    vary_by_encoding(headers);
}

/// Adds `Accept-Encoding` to `Vary`, once.
pub(super) fn vary_by_encoding(headers: &mut HeaderMap) {
    let named = all_members(headers, &VARY)
        .any(|name| name == b"*" || name.eq_ignore_ascii_case(b"accept-encoding"));
    if !named {
        headers.append(VARY, HeaderValue::from_static("Accept-Encoding"));
    }
}

/// Asks the origin for the content as it is.
pub(super) fn ask_for_identity(request: &mut HeaderMap) {
    request.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
}

/// Who a request is forwarded for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum For {
    /// Its client alone.
    Client,
    /// The cache too, which asks as it would with GET: only then the answer is of what it has stored.
    Cache,
}

/// Says in a request that is forwarded what the origin understands of codings.
pub(crate) fn forwarded(request: &mut HeaderMap, method: &Method, settings: &Settings, whom: For) {
    name_uncoded(request, method, settings);
    if whom == For::Cache && settings.enabled {
        ask_for_identity(request);
    }
}

/// Names what the origin knows in a request that is passed on: a tag that we gave out for a coding of ours is the origin's tag
/// to the origin. A read is about what this request would get, so that a tag of another coding stays what it is.
fn name_uncoded(request: &mut HeaderMap, method: &Method, settings: &Settings) {
    let read = preferred(settings, request).map(Coding::name);
    let read = read.as_slice();
    let is_read = matches!(*method, Method::GET | Method::HEAD);
    for (name, codings) in [
        (IF_MATCH, &NAMES[..]),
        (IF_NONE_MATCH, if is_read { read } else { &NAMES }),
    ] {
        if let Some(named) = etag::with_uncoded(request, &name, codings) {
            request.insert(name, named);
        }
    }
}

/// Says in a request of the cache what its client has already, in the origin's names for it.
pub(super) fn say_what_the_client_has(
    request: &mut HeaderMap,
    asked: &HeaderMap,
    settings: &Settings,
) {
    for name in [IF_NONE_MATCH, IF_MODIFIED_SINCE] {
        for value in asked.get_all(&name) {
            request.append(name.clone(), value.clone());
        }
    }
    let read = preferred(settings, asked).map(Coding::name);
    if let Some(named) = etag::with_uncoded(asked, &IF_NONE_MATCH, read.as_slice()) {
        request.insert(IF_NONE_MATCH, named);
    }
}

/// Gives a 304 of the origin the tag by which its client knows what it has, where that is of the coding that it would get: the
/// origin knows its own tag alone.
pub(super) fn name_coded(response: &mut HeaderMap, request: &HeaderMap, settings: &Settings) {
    let Some((coding, tag)) = preferred(settings, request).zip(response.get(ETAG)) else {
        return;
    };
    let coded = etag::of_coding(tag, coding.name());
    let known = etag::opaque(coded.as_bytes());
    if coded != tag && request_tags(request, &IF_NONE_MATCH).any(|tag| etag::opaque(tag) == known) {
        response.insert(ETAG, coded);
        vary_by_encoding(response);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
