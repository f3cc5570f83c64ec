//! `--set section.key=value`: one setting from the command line, over what the file says.

use std::{borrow::Cow, ops::Range};

use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

use super::{
    problem::{Problem, Problems},
    source::Place,
};

const SHAPE: &str = "write it as `--set section.key=value`";

/// The table that one argument stands for; `None` after a problem.
///
/// A value that is not TOML is taken as it is, so that a shell needs no second pair of quotes.
pub(super) fn table<'a>(
    source: usize,
    text: &'a str,
    problems: &mut Problems,
) -> Option<DeTable<'a>> {
    let everything = 0..text.len();
    let refusal = if text.contains(['\r', '\n']) {
        Some(("one `--set` holds one setting", everything, SHAPE))
    } else if let Some(equals) = text.find('=') {
        match as_toml(text).or_else(|| as_text(text, equals)) {
            Some(table) if !table.contains_key("route") => return Some(table),
            Some(_) => Some((
                "routes cannot be changed with `--set`",
                0..equals,
                "write the `[[route]]` in the file, where their order is seen",
            )),
            None => Some(("this is not a key", 0..equals, SHAPE)),
        }
    } else {
        Some(("`--set` needs a key, `=` and a value", everything, SHAPE))
    };
    if let Some((message, span, help)) = refusal {
        problems.push(Problem::new(message, Place::new(source, span)).help(help));
    }
    None
}

fn as_toml(text: &str) -> Option<DeTable<'_>> {
    let table = DeTable::parse(text).ok()?.into_inner();
    (!table.is_empty() && !text.trim_start().starts_with('[')).then_some(table)
}

/// The same with all that follows the first `=` as a string.
fn as_text(text: &str, equals: usize) -> Option<DeTable<'_>> {
    let value = text[equals + 1..].trim();
    let end = text.trim_end().len().max(equals + 1);
    let span = end - value.len()..end;
    let mut keys = keys(&text[..equals])?.into_iter().rev();
    let (name, at) = keys.next()?;
    let mut table = DeTable::new();
    table.insert(
        Spanned::new(at, Cow::Owned(name)),
        Spanned::new(span.clone(), DeValue::String(Cow::Borrowed(value))),
    );
    for (name, at) in keys {
        let mut outer = DeTable::new();
        let inner = Spanned::new(span.clone(), DeValue::Table(table));
        outer.insert(Spanned::new(at, Cow::Owned(name)), inner);
        table = outer;
    }
    Some(table)
}

/// The parts of a dotted key and their places.
fn keys(dotted: &str) -> Option<Vec<(String, Range<usize>)>> {
    let text = format!("{dotted}=0");
    let table = DeTable::parse(&text).ok()?;
    let mut keys = Vec::new();
    let mut table = table.get_ref();
    loop {
        let (key, value) = table.iter().next()?;
        keys.push((key.get_ref().clone().into_owned(), key.span()));
        match value.get_ref() {
            DeValue::Table(inner) => table = inner,
            _ => return Some(keys),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::source::Source;

    fn read(text: &str) -> Result<String, String> {
        let source = Source {
            name: "--set".to_owned(),
            text: text.to_owned(),
        };
        let mut problems = Problems::new([source].into());
        let table = table(0, text, &mut problems);
        table
            .map(|table| show(&table))
            .ok_or_else(|| problems.to_string())
    }

    fn show(table: &DeTable<'_>) -> String {
        let (key, value) = table.iter().next().unwrap();
        match value.get_ref() {
            DeValue::Table(inner) => format!("{}.{}", key.get_ref(), show(inner)),
            DeValue::String(text) => format!("{}={text:?}@{:?}", key.get_ref(), value.span()),
            other => format!("{}:{}", key.get_ref(), other.type_str()),
        }
    }

    #[test]
    fn a_value_that_is_no_toml_is_text() {
        let cases = [
            ("server.workers=4", "server.workers:integer"),
            (
                "server.listen=127.0.0.1:0",
                "server.listen=\"127.0.0.1:0\"@14..25",
            ),
            ("cache.memory.max=1MiB", "cache.memory.max=\"1MiB\"@17..21"),
            ("log.level = \"info\"", "log.level=\"info\"@12..18"),
            ("log.level = info ", "log.level=\"info\"@12..16"),
            ("cache.redis.url=", "cache.redis.url=\"\"@16..16"),
            ("cache.redis.url= ", "cache.redis.url=\"\"@16..16"),
            ("a.\"b.c\"=d=e", "a.b.c=\"d=e\"@8..11"),
            ("a=\"open", "a=\"\\\"open\"@2..7"),
        ];
        for (text, expected) in cases {
            assert_eq!(read(text).as_deref(), Ok(expected), "{text}");
        }
    }

    #[test]
    fn what_is_not_one_setting_is_refused() {
        let refused = [
            "", "a", "=1", "a b=1", "[a]=1", "# a=1", "[a] # =", "a=1\nb=2", "route=1",
        ];
        for text in refused {
            assert!(read(text).is_err(), "{text}");
        }
        assert!(
            read("route.name=x")
                .unwrap_err()
                .contains("routes cannot be changed")
        );
    }
}
