//! One value: its type, its text, its place.

use std::{borrow::Cow, ops::Range};

use toml::{
    Spanned,
    de::{DeInteger, DeValue},
};

use super::{
    document::{clip, kind},
    env,
    problem::Problem,
    reader::Reader,
    source::Place,
};

/// A value and the places of it and of its key.
pub(super) struct Value<'a> {
    pub(super) reader: &'a Reader<'a>,
    /// `cache.memory.max`
    pub(super) path: String,
    pub(super) key: Place,
    pub(super) at: Place,
    pub(super) data: &'a DeValue<'a>,
}

/// A string with its variables replaced.
pub(super) struct Text<'a> {
    pub(super) value: Cow<'a, str>,
    /// Whether the environment had a part in it.
    pub(super) expanded: bool,
    at: Place,
    /// Where its first byte is written, when what is written is what it says.
    verbatim: Option<usize>,
}

/// A value that is not made of others.
pub(super) enum Scalar<'a> {
    Text(Text<'a>),
    /// `None` when it has more digits than can be counted.
    Integer(Option<i128>),
    Boolean(bool),
    Other,
}

// === impl Value ===

impl<'a> Value<'a> {
    pub(super) fn new(
        reader: &'a Reader<'a>,
        path: String,
        source: usize,
        key: Range<usize>,
        value: &'a Spanned<DeValue<'a>>,
    ) -> Self {
        let at = Place::new(source, value.span());
        Self {
            reader,
            path,
            key: Place::new(source, key),
            at,
            data: value.get_ref(),
        }
    }

    pub(super) fn report(&self, problem: Problem) {
        self.reader.report(problem);
    }

    /// Reports `` `key` clause`` at the value.
    pub(super) fn fail<T>(&self, clause: &str, help: impl Into<String>) -> Option<T> {
        self.fail_at(self.at, &format!("`{}` {clause}", self.path), help)
    }

    /// As [`Value::fail`], and shows what the environment made of the value.
    pub(super) fn fail_text<T>(&self, text: &Text<'_>, clause: &str, help: &str) -> Option<T> {
        if text.expanded {
            return self.fail(
                clause,
                format!("{help}; here it is `{}`", clip(&text.value)),
            );
        }
        self.fail(clause, help)
    }

    /// As [`Value::fail`] for what nobody may read: it points at the key and hides the value.
    pub(super) fn fail_secret<T>(&self, clause: &str, help: &str) -> Option<T> {
        let message = format!("`{}` {clause}", self.path);
        let problem = Problem::new(message, self.key).key(&self.path);
        self.reader.report(problem.help(help).secret());
        None
    }

    pub(super) fn fail_at<T>(
        &self,
        at: Place,
        message: &str,
        help: impl Into<String>,
    ) -> Option<T> {
        let problem = Problem::new(message, at).key(&self.path);
        self.reader.report(problem.help(help));
        None
    }

    /// Reports that this is not what is `expected`, such as "a list".
    pub(super) fn fail_type<T>(&self, expected: &str, help: impl Into<String>) -> Option<T> {
        self.fail(
            &format!("must be {expected}, not {}", kind(self.data)),
            help,
        )
    }

    /// A string with its variables replaced; `None` after a problem.
    pub(super) fn text(&self) -> Option<Text<'a>> {
        match self.data {
            DeValue::String(text) => self.expand(text),
            // A shell takes quotes away, so a bare number may well be meant as text there.
            DeValue::Integer(_)
            | DeValue::Float(_)
            | DeValue::Boolean(_)
            | DeValue::Datetime(_)
                if self.at.is_overlay() =>
            {
                self.expand(self.written())
            }
            DeValue::Integer(_)
            | DeValue::Float(_)
            | DeValue::Boolean(_)
            | DeValue::Datetime(_) => self.fail_type("a string", "write it in double quotes"),
            DeValue::Array(_) | DeValue::Table(_) => {
                self.fail_type("a string", "write one value in double quotes")
            }
        }
    }

    /// The value if it is neither a list nor a table; `None` after a problem.
    pub(super) fn scalar(&self) -> Option<Scalar<'a>> {
        Some(match self.data {
            DeValue::String(text) => Scalar::Text(self.expand(text)?),
            DeValue::Integer(number) => Scalar::Integer(integer(number)),
            DeValue::Boolean(value) => Scalar::Boolean(*value),
            DeValue::Float(_) | DeValue::Datetime(_) | DeValue::Array(_) | DeValue::Table(_) => {
                Scalar::Other
            }
        })
    }

    /// Whether it is a list.
    pub(super) fn is_list(&self) -> bool {
        self.data.is_array()
    }

    /// The parts of a list; `None` after a problem.
    pub(super) fn items(&self) -> Option<Vec<Value<'a>>> {
        let DeValue::Array(items) = self.data else {
            let help = match self.data {
                DeValue::String(text) => format!("write `[\"{}\"]`", clip(text)),
                _ => "write `[\"…\", \"…\"]`".to_owned(),
            };
            return self.fail_type("a list of strings", help);
        };
        let item = |item: &'a Spanned<DeValue<'a>>| {
            Value::new(
                self.reader,
                self.path.clone(),
                self.at.source,
                item.span(),
                item,
            )
        };
        Some(items.iter().map(item).collect())
    }

    fn expand(&self, text: &'a str) -> Option<Text<'a>> {
        let verbatim = self.verbatim(text);
        match env::expand(text, self.reader.env) {
            Ok(value) => {
                let expanded = matches!(value, Cow::Owned(_));
                let verbatim = verbatim.filter(|_| !expanded);
                Some(Text {
                    value,
                    expanded,
                    at: self.at,
                    verbatim,
                })
            }
            Err(faults) => {
                for env::Fault { at, message, help } in faults {
                    let place = part(self.at, verbatim, at);
                    let problem = Problem::new(message, place).key(&self.path);
                    self.reader.report(problem.help(help));
                }
                None
            }
        }
    }

    /// Where `text` begins, when it is written without escapes and on one line.
    fn verbatim(&self, text: &str) -> Option<usize> {
        let written = self.written();
        let quote = written
            .len()
            .checked_sub(text.len())
            .filter(|more| *more == 0 || *more == 2)?
            / 2;
        let same = written.get(quote..quote + text.len()) == Some(text);
        (same && !text.contains('\n')).then_some(self.at.start + quote)
    }

    fn written(&self) -> &'a str {
        self.reader.sources[self.at.source]
            .text
            .get(self.at.start..self.at.end)
            .unwrap_or_default()
    }
}

fn integer(number: &DeInteger<'_>) -> Option<i128> {
    i128::from_str_radix(number.as_str(), number.radix()).ok()
}

// === impl Text ===

impl Text<'_> {
    /// The place of a part of the text; the whole value where the two cannot be compared.
    pub(super) fn place(&self, range: Range<usize>) -> Place {
        part(self.at, self.verbatim, range)
    }
}

fn part(whole: Place, verbatim: Option<usize>, range: Range<usize>) -> Place {
    match verbatim {
        Some(start) => Place::new(whole.source, start + range.start..start + range.end),
        None => whole,
    }
}
