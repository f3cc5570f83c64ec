//! What was written: the file and the `--set` arguments as TOML tables, with their places.

use std::{borrow::Cow, ops::Range};

use toml::de::{DeTable, DeValue};

use super::{
    overlay,
    problem::{Problem, Problems, SHOWN},
    source::{Place, Source},
};

/// What the parser says of a key that is there already.
const DUPLICATE: &str = "duplicate key";

/// The tables that settings are read from; the first that has a key decides.
pub(super) struct Document<'a> {
    /// Each with the number of its source: the last `--set` first, the file at the end.
    pub(super) layers: Vec<(usize, DeTable<'a>)>,
}

// === impl Document ===

impl<'a> Document<'a> {
    /// Reads every source; what is not TOML becomes a problem and the rest is kept.
    pub(super) fn parse(sources: &'a [Source], problems: &mut Problems) -> Self {
        let mut layers = Vec::new();
        for (number, source) in sources.iter().enumerate().rev() {
            let table = match number {
                0 => Some(file(&source.text, problems)),
                _ => overlay::table(number, &source.text, problems),
            };
            layers.extend(table.map(|table| (number, table)));
        }
        Self { layers }
    }

    /// Whether the file is without any setting.
    pub(super) fn file_is_empty(&self) -> bool {
        self.layers
            .iter()
            .any(|(number, table)| *number == 0 && table.is_empty())
    }
}

fn file<'a>(text: &'a str, problems: &mut Problems) -> DeTable<'a> {
    let (table, errors) = DeTable::parse_recoverable(text);
    for error in errors {
        let span = error.span().unwrap_or(text.len()..text.len());
        let found = text.get(span.clone()).unwrap_or_default();
        let (message, help) = explain(error.message(), found);
        let mut problem = Problem::new(message, Place::new(0, span.clone()));
        problem.help = help.map(str::to_owned);
        // A look through everything, so not for more than anybody gets to see.
        if error.message() == DUPLICATE && problems.len() < SHOWN {
            let first = first_header(text, span.clone())
                .unwrap_or_else(|| first_key(table.get_ref(), found, span.start));
            problem.note = first.map(|at| ("it is first written here".to_owned(), at));
        }
        problems.push_syntax(problem);
    }
    table.into_inner()
}

/// Where the section whose header holds `span` was first, as text: the parser drops what it had.
///
/// `None` if that is no header.
fn first_header(text: &str, span: Range<usize>) -> Option<Option<Place>> {
    let before = text.get(..span.start)?;
    let start = before.rfind('\n').map_or(0, |newline| newline + 1);
    let header = text[start..].split_inclusive(']').next()?;
    let ends_in_it = text.get(span.start..start + header.len())?.ends_with(']');
    if !header.starts_with('[') || !ends_in_it {
        return None;
    }
    let mut at = 0;
    let first = text[..start].split_inclusive('\n').find(|line| {
        at += line.len();
        line.starts_with(header)
    });
    let key = span.start - start..span.end - start;
    Some(first.map(|line| Place::new(0, at - line.len() + key.start..at - line.len() + key.end)))
}

/// Where the last key `name` before byte `end` is written.
fn first_key(table: &DeTable<'_>, name: &str, end: usize) -> Option<Place> {
    let below = |value: &DeValue<'_>| match value {
        DeValue::Table(table) => first_key(table, name, end),
        DeValue::Array(items) => {
            let tables = items.iter().filter_map(|item| item.get_ref().as_table());
            tables.filter_map(|table| first_key(table, name, end)).max()
        }
        _ => None,
    };
    let found = table.iter().flat_map(|(key, value)| {
        let is_it = key.get_ref() == name && key.span().start < end;
        let place = is_it.then(|| Place::new(0, key.span()));
        [place, below(value.get_ref())].into_iter().flatten()
    });
    found.max()
}

/// What the parser says about `found`, with a remedy where one is certain.
fn explain(said: &str, found: &str) -> (String, Option<&'static str>) {
    let is_flag = ["yes", "no", "on", "off", "true", "false"];
    match said {
        DUPLICATE if !found.is_empty() => (
            format!("duplicate key `{}`", clip(found)),
            Some("each key and each section is written once; merge the two"),
        ),
        _ if !said.starts_with("string values must be quoted") => (said.to_owned(), None),
        _ if is_flag.iter().any(|flag| flag.eq_ignore_ascii_case(found)) => (
            "this is not a boolean".to_owned(),
            Some("write `true` or `false`"),
        ),
        _ => (
            "this is not a value".to_owned(),
            Some("write strings in double quotes"),
        ),
    }
}

/// The type of a value as a reader would say it.
pub(super) fn kind(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a string",
        DeValue::Integer(_) => "an integer",
        DeValue::Float(_) => "a fraction",
        DeValue::Boolean(_) => "a boolean",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}

/// At most 60 characters of something that somebody wrote.
pub(super) fn clip(text: &str) -> Cow<'_, str> {
    match text.char_indices().nth(60) {
        Some((end, _)) => Cow::Owned(format!("{}…", &text[..end])),
        None => Cow::Borrowed(text),
    }
}
