//! Whether the content of a POST may be one that changes something, as far as GraphQL goes.
//!
//! A route says that what is sent to it by POST are reads, but a GraphQL API takes queries and mutations at one path. So content that
//! any server may read as GraphQL is read here, and is a read only where nobody can read anything but queries in it. What
//! servers may read in different ways, and what cannot be read, is [doubtful](Reading::Doubtful). All other content is what the operator
//! says it is.
//!
//! The lists of names err on the side of doubt: that costs a stored answer, where the other error takes a mutation for a read.

mod document;
mod json;
mod media_type;
mod parameters;
#[cfg(test)]
mod tests;
mod verdict;

pub use self::verdict::Reading;

use self::media_type::{Kind, kind};
use http::{HeaderMap, HeaderName, header::CONTENT_ENCODING};

/// By which clients ask for another method than that of the request: Rails, Symfony, Express and others carry it out.
const OTHER_METHODS: [&str; 4] = [
    "x-http-method",
    "x-http-method-override",
    "x-method-override",
    "x-original-method",
];

/// What a request with these fields, this query of its URL and this content asks.
pub fn reading(headers: &HeaderMap, query: Option<&str>, content: &[u8]) -> Reading {
    let of_content = of_content(headers, content);
    let url = query.unwrap_or_default();
    match of_content {
        // Some servers take what the URL says before what the content says.
        Reading::Queries if parameters::name_an_operation(url) => Reading::Doubtful,
        Reading::Other if parameters::may_hold_an_operation(url) => Reading::Doubtful,
        reading => reading,
    }
}

fn of_content(headers: &HeaderMap, content: &[u8]) -> Reading {
    if headers.contains_key(CONTENT_ENCODING) || headers.keys().any(asks_for_another_method) {
        return Reading::Doubtful;
    }
    let kind = kind(headers);
    // Whatever the type says: some servers read JSON under any, and curl sends it as a form unless it is told otherwise.
    let as_json = matches!(content.trim_ascii_start().first(), Some(b'{' | b'['))
        .then(|| json::reading(content));
    match (kind, as_json) {
        (Kind::Parts | Kind::Unknown, _) => Reading::Doubtful,
        (Kind::GraphQl, None | Some(None)) => of_document(content),
        (Kind::GraphQl | Kind::Json, Some(Some(Reading::Queries))) => Reading::Queries,
        (Kind::Json, Some(Some(Reading::Other))) => Reading::Other,
        (Kind::Form, None | Some(Some(Reading::Other))) => {
            let form = str::from_utf8(content).ok();
            unless(form.is_none_or(parameters::may_hold_an_operation))
        }
        (Kind::Other, Some(Some(Reading::Other))) => Reading::Other,
        (Kind::Other, None) => unless(may_hide_an_operation(content)),
        // JSON that is none, or is sent as something else, or is none of GraphQL although it says so; and of JSON what is empty,
        // in another encoding, behind a byte order mark, or neither an object nor a list.
        _ => Reading::Doubtful,
    }
}

/// Also in the spelling that CGI and WSGI take for the same.
fn asks_for_another_method(name: &HeaderName) -> bool {
    OTHER_METHODS.contains(&&*name.as_str().replace('_', "-"))
}

/// The operator's word counts unless there is this doubt.
fn unless(doubtful: bool) -> Reading {
    if doubtful {
        Reading::Doubtful
    } else {
        Reading::Other
    }
}

/// The content is a document by itself (`application/graphql`).
fn of_document(content: &[u8]) -> Reading {
    match str::from_utf8(content) {
        Ok(document) if document::has_only_queries(document) => Reading::Queries,
        _ => Reading::Doubtful,
    }
}

/// Whether content of a type that nobody reads as GraphQL could be some all the same.
fn may_hide_an_operation(content: &[u8]) -> bool {
    let has = |word: &[u8]| content.windows(word.len()).any(|window| window == word);
    let begins_oddly = [&b"\xef\xbb\xbf"[..], b"\xfe\xff", b"\xff\xfe", b"\0"];
    begins_oddly.iter().any(|mark| content.starts_with(mark))
        || (has(b"{") && (has(b"mutation") || has(b"subscription")))
}
