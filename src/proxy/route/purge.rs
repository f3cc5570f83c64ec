//! What a write purges: `tag:conversation:{id}`, `path:/api/*`.
//!
//! What a client sent is put in as it is, behind everything that has a meaning in a pattern: no text of a client widens what a
//! template names.

use super::{
    pattern::{Captures, PatternError},
    template::Template,
};
use crate::{
    semantics::key::plain,
    store::{Purge, Selector, purge_log::PathPattern},
};
use std::{borrow::Cow, ops::Range};

/// What a write purges: `tag:…` or `path:…`, soft unless `hard:` stands before it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PurgeTemplate {
    named: Named,
    hard: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Named {
    Tag(Template),
    /// Nothing in it is captured.
    Path(PathPattern),
    /// With captures. Its texts are literal: a star stood at its end, or nowhere.
    Captured {
        template: Template,
        is_beginning: bool,
    },
}

impl PurgeTemplate {
    /// Parses `text`; every `{name}` must be one of `captures`.
    ///
    /// # Errors
    /// Where it names neither a tag nor a path, has a capture beside a star that is not its end, is too long to be kept, or
    /// [`Template::parse`] fails.
    pub fn parse(text: &str, captures: &[String]) -> Result<Self, PatternError> {
        let (hard, rest) = match text.strip_prefix("hard:") {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let offset = |rest: &str| text.len() - rest.len();
        let moved = |error: PatternError, by: usize| {
            let at = error.at.start + by..error.at.end + by;
            PatternError { at, ..error }
        };
        let named = if let Some(tag) = rest.strip_prefix("tag:") {
            let template = Template::parse(tag, captures);
            Named::Tag(template.map_err(|error| moved(error, offset(tag)))?)
        } else if let Some(path) = rest.strip_prefix("path:") {
            let named = Named::of_path(path, captures);
            named.map_err(|error| moved(error, offset(path)))?
        } else {
            let message = "a purge begins with `tag:` or `path:`, with `hard:` before it to make entries unusable at once";
            let help = "write `tag:article:{id}`, `hard:tag:article:{id}` or `path:/articles*`";
            return Err(PatternError::new(0..text.len(), message).help(help));
        };
        Ok(Self { named, hard })
    }

    /// What it purges by tag.
    pub fn tag(&self) -> Option<&Template> {
        match &self.named {
            Named::Tag(template) => Some(template),
            Named::Path(_) | Named::Captured { .. } => None,
        }
    }

    /// The purge for `captures`.
    pub fn expand(&self, captures: &Captures) -> Purge {
        let selector = match &self.named {
            Named::Tag(template) => Selector::tag(&template.expand(captures)),
            Named::Path(pattern) => Selector::Path(pattern.clone()),
            Named::Captured {
                template,
                is_beginning,
            } => {
                let literal = template.expand_with(captures, within_a_path);
                Selector::Path(if *is_beginning {
                    PathPattern::beginning(&literal)
                } else {
                    PathPattern::exactly(&literal)
                })
            }
        };
        Purge {
            selector,
            hard: self.hard,
        }
    }
}

impl Named {
    fn of_path(path: &str, captures: &[String]) -> Result<Self, PatternError> {
        if !path.starts_with(['/', '*']) {
            let message = "a path begins with `/`";
            let help = "write it as clients ask for it, without scheme and host: `path:/articles*`";
            return Err(PatternError::new(0..path.len(), message).help(help));
        }
        let mut template = Template::parse(path, captures)?;
        if template.is_text() {
            return PathPattern::parse(path).map(Self::Path).map_err(|error| {
                let message = format!("{error}: purge by a tag, or by a shorter beginning");
                PatternError::new(0..path.len(), message)
            });
        }
        if let Some(at) = star_before_the_end(path) {
            let message = "a `*` that is not the end has no place beside a capture: each value would be a pattern that every \
                           read tries; purge by a tag, or end the path with its only `*`";
            return Err(PatternError::new(at, message));
        }
        let mut is_beginning = false;
        for text in template.texts_mut() {
            (*text, is_beginning) = literal(text);
        }
        Ok(Self::Captured {
            template,
            is_beginning,
        })
    }
}

/// The first star of `path` that stands before its end and for anything.
fn star_before_the_end(path: &str) -> Option<Range<usize>> {
    let mut bytes = path.bytes().enumerate().peekable();
    while let Some((at, byte)) = bytes.next() {
        match byte {
            b'{' => drop(bytes.find(|(_, byte)| *byte == b'}')),
            // It takes the next one literally, but for a brace, which begins a capture all the same.
            b'\\' => drop(bytes.next_if(|(_, byte)| *byte != b'{')),
            b'*' if bytes.peek().is_some() => return Some(at..at + 1),
            _ => {}
        }
    }
    None
}

/// What `text` says without its backslashes, in the one spelling of paths, and whether a star ends it.
fn literal(text: &str) -> (String, bool) {
    let mut literal = String::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match c {
            '*' => return (plain(&literal).into_owned(), true),
            '\\' => literal.push(chars.next().unwrap_or('\\')),
            c => literal.push(c),
        }
    }
    (plain(&literal).into_owned(), false)
}

/// A value behind `before`: only a `?` of the template begins a query.
fn within_a_path<'c>(before: &str, value: Cow<'c, str>) -> Cow<'c, str> {
    if before.contains('?') || !value.contains('?') {
        return value;
    }
    value.replace('?', "%3F").into()
}

#[cfg(test)]
mod tests {
    use super::super::pattern::Pattern;
    use super::*;
    use crate::semantics::{Key, key::Builder};
    use proptest::prelude::*;

    fn captures(path: &str, query: &str) -> Captures {
        let pattern = Pattern::parse("/c/{id}/{*rest}").unwrap();
        pattern.capture(path, Some(query)).unwrap()
    }

    fn parse(text: &str) -> Result<PurgeTemplate, PatternError> {
        PurgeTemplate::parse(text, &["id".to_owned(), "rest".to_owned()])
    }

    fn key(path: &str, query: Option<&str>) -> Key {
        Builder::new("http", b"a", path).query(query).build()
    }

    fn concerns(template: &str, captures: &Captures, key: &Key) -> bool {
        match parse(template).unwrap().expand(captures).selector {
            Selector::Path(pattern) => pattern.matches(key),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn purges_name_tags_and_paths_softly_unless_told_otherwise() {
        let expand = |text| parse(text).unwrap().expand(&captures("/c/7/", ""));
        let tag = Purge {
            selector: Selector::tag("c:7"),
            hard: false,
        };
        let path = Purge {
            selector: Selector::Path(PathPattern::parse("/c/7*").unwrap()),
            hard: true,
        };
        assert_eq!(expand("tag:c:{id}"), tag);
        assert_eq!(expand("hard:path:/c/{id}*"), path);
        let stars = Selector::Path(PathPattern::parse("/*/7*").unwrap());
        assert_eq!(expand("path:/*/7*").selector, stars);
    }

    #[test]
    fn a_star_in_the_url_does_not_widen_the_purge() {
        for template in [
            "path:/c/{id}*",
            r"path:/c\/{id}",
            r"path:/c/\{id}",
            "path:/c/{?x}*",
        ] {
            let captures = captures("/c/*/", "x=*");
            for other in ["/c/b", "/c/", r"/c/\b"] {
                assert!(
                    !concerns(template, &captures, &key(other, None)),
                    "{template}"
                );
            }
        }
        let star = key("/c/*x", None);
        assert!(concerns("path:/c/{id}*", &captures("/c/*/", ""), &star));
        let star = key("/c/*7", None);
        assert!(concerns(r"path:/c/\*{id}", &captures("/c/7/", ""), &star));
    }

    #[test]
    fn a_question_mark_of_a_client_begins_no_query() {
        let captures = captures("/c/7/", "x=a?b");
        for (template, path, query, expected) in [
            ("path:/l/{?x}*", "/l/a", Some("b"), false),
            ("path:/l/{?x}*", "/l/a%3fb", None, true),
            ("path:/l?x={?x}*", "/l", Some("x=a?b"), true),
        ] {
            let key = key(path, query);
            assert_eq!(concerns(template, &captures, &key), expected, "{key:?}");
        }
    }

    #[test]
    fn mistakes_say_where_and_what_to_write() {
        for (text, at, message) in [
            ("tag:c:{idd}", 6..11, "`id`, `rest`"),
            ("conversations", 0..13, "begins with `tag:`"),
            ("path:api", 5..8, "begins with `/`"),
            ("hard:tag:{id", 9..12, "never closed"),
            ("tag:", 4..4, "empty"),
            ("path:/a/*/b/{id}", 8..9, "with its only `*`"),
            ("hard:path:*{id}*", 10..11, "with its only `*`"),
            ("path:/a/{?x*}/**", 14..15, "with its only `*`"),
            (r"path:/\\*{id}", 8..9, "with its only `*`"),
        ] {
            let error = parse(text).unwrap_err();
            assert_eq!(error.at, at, "{text}");
            assert!(error.message.contains(message), "{text}: {}", error.message);
        }
        let long = "x".repeat(600);
        for text in [format!("path:/{long}*"), format!("path:/*{long}")] {
            let error = parse(&text).unwrap_err();
            assert!(error.message.contains("has more than"), "{}", error.message);
        }
        assert!(parse(&format!("path:/{long}")).is_ok());
        for fine in [r"path:/\*/{id}*", "path:/a/{id}?x={?y}*", "path:*"] {
            assert!(parse(fine).is_ok(), "{fine}");
        }
    }

    /// Whatever stands for something somewhere: in patterns, paths, queries, lists, lines and templates.
    const HOSTILE: &str = "[a*?,;: %2AF5c\\\\{}\n\u{e9}\u{1}]{1,6}";

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_000))]

        #[test]
        fn a_purge_by_path_concerns_what_has_the_clients_text_in_its_place_and_nothing_else(
            (id, value, tail) in (HOSTILE, HOSTILE, "[a/*?%2]{0,3}"),
            swapped in proptest::option::of("[a*/?%2]{0,6}"),
        ) {
            let captures = captures(&format!("/c/{id}/r/{id}"), &format!("q={value}"));
            let rest = format!("r/{id}");
            for (template, text) in [
                ("path:/l/{id}", &id),
                ("path:/l/{id}*", &id),
                ("path:/l/{?q}*", &value),
                ("path:/l/{rest}*", &rest),
            ] {
                // A path has no `?`: what an item is called that has one is escaped there.
                let asked = plain(text).replace('?', "%3F");
                let place = swapped.clone().unwrap_or_else(|| text.replace('?', "%3F"));
                let url = format!("/l/{place}{tail}");
                let (path, query) = url.split_once('?').map_or((&*url, None), |(p, q)| (p, Some(q)));
                let expected = if template.ends_with('*') {
                    plain(path).starts_with(&format!("/l/{asked}"))
                } else {
                    plain(path) == format!("/l/{asked}")
                };
                let key = key(path, query);
                prop_assert_eq!(concerns(template, &captures, &key), expected, "{} {:?}", template, key);
            }
            let query = format!("q={}{tail}", swapped.as_ref().unwrap_or(&value));
            let expected = plain(&query).starts_with(&format!("q={}", plain(&value)));
            let key = key("/l", Some(&query));
            prop_assert_eq!(concerns("path:/l?q={?q}*", &captures, &key), expected, "{:?}", key);
        }

        #[test]
        fn a_purge_by_tag_is_of_one_tag(id in HOSTILE, other in HOSTILE) {
            let purge = |id: &str| {
                let template = parse("tag:c:{id}").unwrap();
                template.expand(&captures(&format!("/c/{id}/"), "")).selector
            };
            prop_assert_eq!(purge(&id), Selector::tag(&format!("c:{}", plain(&id))));
            prop_assert_eq!(purge(&id) == purge(&other), plain(&id) == plain(&other));
        }
    }
}
