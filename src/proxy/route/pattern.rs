//! Path patterns: `/api/users/{id}` and, at the end, `/static/{*rest}`.

use crate::semantics::key::{decoded, plain};
use std::ops::Range;

/// More captures than a sensible path has.
const MAX_CAPTURES: usize = 16;

/// A path pattern. `{name}` matches one segment that is not empty; `{*name}` the rest, also none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern {
    text: String,
    segments: Vec<Segment>,
    rest: bool,
    names: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Segment {
    Literal(String),
    Capture,
}

/// What is wrong with a pattern or a template, and where in its text.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct PatternError {
    /// The bytes of the text that it is about.
    pub at: Range<usize>,
    /// One clause with the remedy.
    pub message: String,
    /// An example of what is right, where the message has none.
    pub help: Option<&'static str>,
}

impl PatternError {
    pub(super) fn new(at: Range<usize>, message: impl Into<String>) -> Self {
        Self {
            at,
            message: message.into(),
            help: None,
        }
    }

    /// With an example of what is right.
    pub(super) fn help(self, help: &'static str) -> Self {
        Self {
            help: Some(help),
            ..self
        }
    }
}

/// What a path holds at the captures of a pattern, as received, and the query beside it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Captures {
    path: Vec<(String, String)>,
    query: String,
}

impl Captures {
    /// The part of the path at `{name}`.
    pub fn get(&self, name: &str) -> Option<&str> {
        let mut named = self.path.iter().filter(|(known, _)| known == name);
        named.next().map(|(_, value)| value.as_str())
    }

    /// The value of the first parameter `name` of the query; names are read as an origin reads them, decoded.
    pub fn parameter(&self, name: &str) -> Option<&str> {
        let pairs = self
            .query
            .split('&')
            .map(|pair| pair.split_once('=').unwrap_or((pair, "")));
        let mut named = pairs.filter(|(known, _)| decoded(known) == name);
        named.next().map(|(_, value)| value)
    }
}

impl Pattern {
    /// Parses `text`.
    ///
    /// # Errors
    /// Where it does not begin with `/`, a brace is not closed, a capture is not a whole segment, has no name or one
    /// that was used before, or `{*rest}` is not at the end.
    pub fn parse(text: &str) -> Result<Self, PatternError> {
        let Some(path) = text.strip_prefix('/') else {
            return Err(
                PatternError::new(0..text.len().min(1), "a path begins with `/`").help(
                    "write it as clients ask for it, without scheme and host: `/api/users/{id}`",
                ),
            );
        };
        if let Some(at) = text.find(['?', '#']) {
            let message = "a path has no query: which parameters count is said by `key.query`";
            return Err(PatternError::new(at..text.len(), message));
        }
        let mut pattern = Self {
            text: text.to_owned(),
            segments: Vec::new(),
            rest: false,
            names: Vec::new(),
        };
        let mut at = 1;
        for segment in path.split('/') {
            let span = at..at + segment.len();
            at = span.end + 1;
            if pattern.rest {
                return Err(PatternError::new(
                    span,
                    "nothing can follow `{*rest}`: it takes the whole rest",
                ));
            }
            pattern.push(segment, span)?;
        }
        Ok(pattern)
    }

    fn push(&mut self, segment: &str, span: Range<usize>) -> Result<(), PatternError> {
        if !segment.contains(['{', '}']) {
            if let Some(star) = segment.find('*') {
                let at = span.start + star;
                return Err(PatternError::new(
                    at..at + 1,
                    "write `{name}` for one segment, `{*rest}` for the rest",
                ));
            }
            // Requests are matched by the one spelling of their path.
            let literal = plain(segment).into_owned();
            self.segments.push(Segment::Literal(literal));
            return Ok(());
        }
        let inner = segment
            .strip_prefix('{')
            .and_then(|s| s.strip_suffix('}'))
            .filter(|s| !s.contains(['{', '}']));
        let Some(inner) = inner else {
            let message = if segment.contains('{') && !segment.contains('}') {
                "`{` is never closed: write `{name}`"
            } else {
                "a capture is a whole segment: write `/{name}/`"
            };
            return Err(PatternError::new(span, message));
        };
        let name = inner.strip_prefix('*').unwrap_or(inner);
        if name.is_empty() || !name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_') {
            return Err(PatternError::new(
                span,
                "a capture has a name of letters, digits and `_`: `{id}`",
            ));
        }
        if self.names.iter().any(|known| known == name) {
            return Err(PatternError::new(
                span,
                format!("`{{{name}}}` is captured twice: give one another name"),
            ));
        }
        if self.names.len() == MAX_CAPTURES {
            return Err(PatternError::new(
                span,
                format!("at most {MAX_CAPTURES} captures"),
            ));
        }
        self.names.push(name.to_owned());
        if inner.starts_with('*') {
            self.rest = true
        } else {
            self.segments.push(Segment::Capture)
        }
        Ok(())
    }

    /// As it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether `other` matches exactly the same paths; how captures are called does not matter.
    pub fn is_same_path(&self, other: &Self) -> bool {
        (&self.segments, self.rest) == (&other.segments, other.rest)
    }

    /// The names of the captures, in order.
    pub fn captures(&self) -> &[String] {
        &self.names
    }

    /// Whether `path`, as received, matches. Allocates nothing.
    pub fn matches(&self, path: &str) -> bool {
        self.walk(path, |_| ())
    }

    /// What `path` holds at the captures, beside `query`; `None` where it does not match.
    pub fn capture(&self, path: &str, query: Option<&str>) -> Option<Captures> {
        let mut values = Vec::with_capacity(self.names.len());
        let matches = self.walk(path, |value| values.push(value.to_owned()));
        matches.then(|| Captures {
            path: self.names.iter().cloned().zip(values).collect(),
            query: query.unwrap_or_default().to_owned(),
        })
    }

    fn walk<'p>(&self, path: &'p str, mut found: impl FnMut(&'p str)) -> bool {
        let Some(mut left) = path.strip_prefix('/').map(Some) else {
            return false;
        };
        for segment in &self.segments {
            let Some(text) = left else { return false };
            let (head, tail) = match text.split_once('/') {
                Some((head, tail)) => (head, Some(tail)),
                None => (text, None),
            };
            match segment {
                Segment::Literal(literal) if literal != head => return false,
                Segment::Literal(_) => {}
                Segment::Capture if head.is_empty() => return false,
                Segment::Capture => found(head),
            }
            left = tail;
        }
        if self.rest {
            found(left.unwrap_or_default());
            return true;
        }
        left.is_none()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn captures(pattern: &str, path: &str) -> Option<Vec<String>> {
        let found = Pattern::parse(pattern).unwrap().capture(path, None)?;
        Some(found.path.into_iter().map(|(_, value)| value).collect())
    }

    #[test]
    fn a_capture_takes_one_segment() {
        assert_eq!(captures("/a/{id}", "/a/7"), Some(vec!["7".to_owned()]));
        assert_eq!(captures("/a/{id}/b", "/a/7/b"), Some(vec!["7".to_owned()]));
        for other in ["/a", "/a/", "/a/7/b", "/b/7", "a/7", "", "*"] {
            assert_eq!(captures("/a/{id}", other), None, "{other:?}");
        }
    }

    #[test]
    fn the_rest_takes_everything_and_nothing() {
        assert_eq!(
            captures("/a/{*rest}", "/a/b/c"),
            Some(vec!["b/c".to_owned()])
        );
        assert_eq!(captures("/a/{*rest}", "/a/"), Some(vec![String::new()]));
        assert_eq!(captures("/a/{*rest}", "/a"), Some(vec![String::new()]));
        assert_eq!(captures("/{*rest}", "/"), Some(vec![String::new()]));
        assert_eq!(captures("/a/{*rest}", "/ab"), None);
    }

    #[test]
    fn escapes_are_compared_as_received() {
        assert_eq!(
            captures("/a/{id}", "/a/x%2Fy"),
            Some(vec!["x%2Fy".to_owned()])
        );
        assert_eq!(captures("/a/b", "/a/%62"), None);
        assert_eq!(captures("/a/", "/a/"), Some(vec![]));
        assert_eq!(captures("/a", "/a/"), None);
    }

    #[test]
    fn what_cannot_be_parsed_says_where_and_what_to_write() {
        let cases = [
            ("api", 0..1, "begins with"),
            ("/a/{id", 3..6, "never closed"),
            ("/a/x{id}", 3..8, "whole segment"),
            ("/a/{}", 3..5, "has a name"),
            ("/{a}/{a}", 5..8, "twice"),
            ("/{*r}/b", 6..7, "nothing can follow"),
            ("/a/*", 3..4, "write `{name}`"),
            ("/a?b=1", 2..6, "no query"),
        ];
        for (text, at, message) in cases {
            let error = Pattern::parse(text).unwrap_err();
            assert_eq!(error.at, at, "{text}");
            assert!(error.message.contains(message), "{text}: {}", error.message);
        }
    }
}
