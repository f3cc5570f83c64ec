//! Texts with captures, such as the tag `conversation:{id}`.

use super::pattern::{Captures, PatternError};
use crate::semantics::key::plain;
use std::borrow::Cow;

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

    /// Its texts, in order, with a capture or a parameter between two of them.
    pub(super) fn texts_mut(&mut self) -> impl Iterator<Item = &mut String> {
        self.0.iter_mut().filter_map(|part| match part {
            Part::Text(text) => Some(text),
            Part::Capture(_) | Part::Parameter(_) => None,
        })
    }

    /// Whether all of it is text.
    pub(super) fn is_text(&self) -> bool {
        matches!(&self.0[..], [Part::Text(_)])
    }

    /// The text for `captures`; a parameter that is not there is empty.
    pub fn expand(&self, captures: &Captures) -> String {
        self.expand_with(captures, |_, value| value)
    }

    /// As [`Self::expand`], with each value as `put` gives it for what stands before it.
    pub(super) fn expand_with<'c>(
        &self,
        captures: &'c Captures,
        put: impl Fn(&str, Cow<'c, str>) -> Cow<'c, str>,
    ) -> String {
        self.0.iter().fold(String::new(), |mut out, part| {
            let value = match part {
                Part::Text(text) => {
                    out.push_str(text);
                    return out;
                }
                Part::Capture(name) => captures.get(name),
                Part::Parameter(name) => captures.parameter(name),
            };
            let value = put(&out, plain(value.unwrap_or_default()));
            out + &value
        })
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
}
