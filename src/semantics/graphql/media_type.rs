//! As what content is sent, in the little detail that matters here.

use http::{HeaderMap, header::CONTENT_TYPE};

const FORM: &str = "application/x-www-form-urlencoded";

/// How clients say that content is in UTF-8.
const UTF_8: [&str; 4] = [
    "charset=utf-8",
    "charset=\"utf-8\"",
    "charset=utf8",
    "charset=\"utf8\"",
];

/// What `Content-Type` says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// `application/graphql` and its like.
    GraphQl,
    /// JSON, a sequence of JSON among it.
    Json,
    /// `application/x-www-form-urlencoded`.
    Form,
    /// `multipart/…`, by which GraphQL requests come with files.
    Parts,
    /// None, or another one.
    Other,
    /// Several, one that is read in several ways, or one in another encoding than UTF-8.
    Unknown,
}

/// The kind of the content of a request with these fields.
pub(super) fn kind(headers: &HeaderMap) -> Kind {
    let mut lines = headers.get_all(CONTENT_TYPE).iter();
    let line = match (lines.next(), lines.next()) {
        (None, _) => return Kind::Other,
        (Some(line), None) => line.to_str(),
        (Some(_), Some(_)) => return Kind::Unknown,
    };
    let Ok(line) = line.map(str::to_ascii_lowercase) else {
        return Kind::Unknown;
    };
    let (essence, parameters) = line.split_once(';').unwrap_or((&line, ""));
    let mut parameters = parameters.split(';').map(str::trim);
    let is_utf_8 = |parameter: &str| UTF_8.contains(&parameter);
    if essence.contains(',')
        || parameters.any(|parameter| parameter.contains("charset") && !is_utf_8(parameter))
    {
        return Kind::Unknown;
    }
    // Some servers look for a word anywhere in the line.
    match essence.trim() {
        _ if line.contains("multipart") => Kind::Parts,
        FORM => Kind::Form,
        _ if line.contains("urlencoded") => Kind::Unknown,
        essence if essence.contains("graphql") => Kind::GraphQl,
        essence if essence.contains("json") => Kind::Json,
        _ => Kind::Other,
    }
}
