//! Texts with captures: tags (`conversation:{id}`) and what a write purges (`tag:conversation:{id}`, `path:/api/*`).

use super::pattern::{Captures, PatternError};
use crate::semantics::key::plain;
use crate::store::{Purge, Selector, purge_log::PathPattern};

/// A text in which `{name}` stands for what the path holds there, and `{?name}` for a parameter of the query.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template(Vec<Part>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Text(String),
    Capture(String),
    Parameter(String),
}

impl Template {
    /// Parses `text`; every `{name}` must be one of `captures`.
    ///
    /// # Errors
    /// Where it is empty, a brace is not closed, or a name is not captured.
    pub fn parse(text: &str, captures: &[String]) -> Result<Self, PatternError> {
        if text.is_empty() {
            return Err(PatternError::new(0..0, "is empty"));
        }
        let mut parts = Vec::new();
        let mut at = 0;
        while let Some(open) = text[at..].find('{').map(|found| at + found) {
            let Some(close) = text[open..].find('}').map(|found| open + found) else {
                return Err(PatternError::new(
                    open..text.len(),
                    "`{` is never closed: write `{name}`",
                ));
            };
            let name = &text[open + 1..close];
            if let Some(parameter) = name.strip_prefix('?') {
                if parameter.is_empty() {
                    let message = "names no parameter: write `{?name}`";
                    return Err(PatternError::new(open..close + 1, message));
                }
                parts.push(Part::Text(text[at..open].to_owned()));
                parts.push(Part::Parameter(parameter.to_owned()));
                at = close + 1;
                continue;
            }
            if !captures.iter().any(|known| known == name) {
                let remedy = match captures {
                    [] => "the path captures nothing".to_owned(),
                    _ => format!("the path captures `{}`", captures.join("`, `")),
                };
                return Err(PatternError::new(
                    open..close + 1,
                    format!("`{{{name}}}` is not captured: {remedy}"),
                ));
            }
            parts.push(Part::Text(text[at..open].to_owned()));
            parts.push(Part::Capture(name.to_owned()));
            at = close + 1;
        }
        parts.push(Part::Text(text[at..].to_owned()));
        Ok(Self(parts))
    }

    /// The parameters of the query that it needs.
    pub fn parameters(&self) -> impl Iterator<Item = &str> {
        self.0.iter().filter_map(|part| match part {
            Part::Parameter(name) => Some(name.as_str()),
            Part::Text(_) | Part::Capture(_) => None,
        })
    }

    /// What every text of it begins with.
    pub fn literal(&self) -> &str {
        match self.0.first() {
            Some(Part::Text(text)) => text,
            Some(Part::Capture(_) | Part::Parameter(_)) | None => "",
        }
    }

    /// The text for `captures`; a parameter that is not there is empty.
    pub fn expand(&self, captures: &Captures) -> String {
        self.expand_with(captures, str::to_owned)
    }

    fn expand_with(&self, captures: &Captures, change: impl Fn(&str) -> String) -> String {
        self.0
            .iter()
            .map(|part| match part {
                Part::Text(text) => text.clone(),
                Part::Capture(name) => change(&plain(captures.get(name).unwrap_or_default())),
                Part::Parameter(name) => {
                    change(&plain(captures.parameter(name).unwrap_or_default()))
                }
            })
            .collect()
    }
}

/// What a write purges: `tag:…` or `path:…`, soft unless `hard:` stands before it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PurgeTemplate {
    kind: Kind,
    template: Template,
    hard: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Tag,
    Path,
}

impl PurgeTemplate {
    /// Parses `text`; every `{name}` must be one of `captures`.
    ///
    /// # Errors
    /// Where it names neither a tag nor a path, or [`Template::parse`] fails.
    pub fn parse(text: &str, captures: &[String]) -> Result<Self, PatternError> {
        let (hard, rest) = match text.strip_prefix("hard:") {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let (kind, rest) = if let Some(tag) = rest.strip_prefix("tag:") {
            (Kind::Tag, tag)
        } else if let Some(path) = rest.strip_prefix("path:") {
            (Kind::Path, path)
        } else {
            let message = "a purge begins with `tag:` or `path:`, with `hard:` before it to make entries unusable at once";
            return Err(PatternError::new(0..text.len(), message));
        };
        let offset = text.len() - rest.len();
        if kind == Kind::Path && !rest.starts_with(['/', '*']) {
            return Err(PatternError::new(
                offset..text.len(),
                "a path begins with `/`",
            ));
        }
        let template = Template::parse(rest, captures).map_err(|error| {
            PatternError::new(
                error.at.start + offset..error.at.end + offset,
                error.message,
            )
        })?;
        Ok(Self {
            kind,
            template,
            hard,
        })
    }

    /// What it purges by tag.
    pub fn tag(&self) -> Option<&Template> {
        (self.kind == Kind::Tag).then_some(&self.template)
    }

    /// The purge for `captures`.
    pub fn expand(&self, captures: &Captures) -> Purge {
        let selector = match self.kind {
            Kind::Tag => Selector::tag(&self.template.expand(captures)),
            Kind::Path => Selector::Path(PathPattern::new(
                &self.template.expand_with(captures, PathPattern::escape),
            )),
        };
        Purge {
            selector,
            hard: self.hard,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::pattern::Pattern;
    use super::*;

    fn captures(path: &str) -> Captures {
        Pattern::parse("/c/{id}/m/{n}")
            .unwrap()
            .capture(path, Some("page=2&q=a%20b"))
            .unwrap()
    }

    fn names() -> Vec<String> {
        vec!["id".to_owned(), "n".to_owned()]
    }

    #[test]
    fn captures_are_filled_in() {
        let template = Template::parse("c:{id}:{n}!", &names()).unwrap();
        assert_eq!(template.expand(&captures("/c/7/m/9")), "c:7:9!");
    }

    #[test]
    fn parameters_are_filled_in() {
        let template = Template::parse("c:{id}:{?page}:{?none}", &names()).unwrap();
        assert_eq!(template.expand(&captures("/c/7/m/9")), "c:7:2:");
        assert_eq!(template.parameters().collect::<Vec<_>>(), ["page", "none"]);
        assert!(Template::parse("c:{?}", &names()).is_err());
    }

    #[test]
    fn purges_name_tags_and_paths_softly_unless_told_otherwise() {
        let expand = |text| {
            PurgeTemplate::parse(text, &names())
                .unwrap()
                .expand(&captures("/c/7/m/9"))
        };
        assert_eq!(
            expand("tag:c:{id}"),
            Purge {
                selector: Selector::tag("c:7"),
                hard: false
            }
        );
        assert_eq!(
            expand("hard:path:/c/{id}*"),
            Purge {
                selector: Selector::Path(PathPattern::new("/c/7*")),
                hard: true
            }
        );
    }

    #[test]
    fn a_star_in_the_url_does_not_widen_the_purge() {
        let purge = PurgeTemplate::parse("path:/c/{id}*", &names())
            .unwrap()
            .expand(&captures("/c/*/m/9"));
        assert_eq!(purge.selector, Selector::Path(PathPattern::new(r"/c/\**")));
    }

    #[test]
    fn needless_escapes_make_no_other_tag() {
        let template = Template::parse("{id}", &names()).unwrap();
        for (path, tag) in [
            ("/c/%31%2d/m/9", "1-"),
            ("/c/a%2Fb/m/9", "a%2Fb"),
            ("/c/%/m/9", "%25"),
            ("/c/%é/m/9", "%25%C3%A9"),
        ] {
            assert_eq!(template.expand(&captures(path)), tag);
        }
    }

    #[test]
    fn mistakes_say_where_and_what_to_write() {
        for (text, at, message) in [
            ("tag:c:{idd}", 6..11, "`id`, `n`"),
            ("conversations", 0..13, "begins with `tag:`"),
            ("path:api", 5..8, "begins with `/`"),
            ("hard:tag:{id", 9..12, "never closed"),
            ("tag:", 4..4, "empty"),
        ] {
            let error = PurgeTemplate::parse(text, &names()).unwrap_err();
            assert_eq!(error.at, at, "{text}");
            assert!(error.message.contains(message), "{text}: {}", error.message);
        }
    }
}
