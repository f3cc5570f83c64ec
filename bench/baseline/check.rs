//! What holds on every machine, so that the program and its page cannot rot.

use crate::{
    Failure, claims, error,
    figures::{Figures, OfDatabase, Source, Way},
    page, plots,
};
use serde_json::Value;

/// Statements of the forms of a list of 100. Those over a cache of the request depend on how many people there are.
const STATEMENTS: [(&str, &str, u64); 7] = [
    ("conversations", "naive", 101),
    ("conversations", "joined", 1),
    ("conversations", "batched", 2),
    ("conversations", "loaded", 2),
    ("threads", "naive", 1001),
    ("threads", "batched", 4),
    ("threads", "loaded", 4),
];

/// Indexes that PostgreSQL does without while there are few rows; of people there always are.
const OF_LARGE_TABLES: [&str; 3] = [
    "live_conversations_by_owner",
    "live_documents_by_owner",
    "attachments_by_document",
];
const OF_PEOPLE: &str = "profiles_by_city";

/// Fails with everything that is not as it has to be.
pub(crate) fn figures(figures: &Figures, short: bool) -> Result<(), Failure> {
    let mut wrong = Vec::new();
    finite("figures", &serde_json::to_value(figures)?, &mut wrong);
    written(figures, &mut wrong)?;
    for of in &figures.databases {
        let found = [
            lists(of),
            reads(of),
            writes(of),
            indexes(of, short),
            load(of),
        ];
        let found = found.into_iter().flatten();
        wrong.extend(found.map(|what| format!("{}: {what}", of.name)));
    }
    let plain = figures
        .codings
        .iter()
        .find(|coding| coding.coding == "identity");
    for coding in figures
        .codings
        .iter()
        .filter(|coding| coding.coding != "identity")
    {
        if plain.is_none_or(|plain| coding.bytes >= plain.bytes) {
            wrong.push(format!("{} is not smaller than identity", coding.coding));
        }
    }
    if wrong.is_empty() {
        return Ok(());
    }
    Err(error(format!(
        "these figures are out of order:\n  {}",
        wrong.join("\n  ")
    )))
}

/// Every number is there; JSON has null for one that is not finite. Every list has something in it.
fn finite(name: &str, value: &Value, wrong: &mut Vec<String>) {
    match value {
        Value::Null if !name.ends_with("made_in_ms") => wrong.push(format!("{name} is missing")),
        Value::Number(number) if number.as_f64().is_none_or(|number| number < 0.0) => {
            wrong.push(format!("{name} is {number}"));
        }
        Value::String(text) if text.is_empty() => wrong.push(format!("{name} is empty")),
        Value::Array(list) if list.is_empty() => wrong.push(format!("{name} has nothing in it")),
        Value::Array(list) => {
            for (place, value) in list.iter().enumerate() {
                finite(&format!("{name}[{place}]"), value, wrong);
            }
        }
        Value::Object(fields) => {
            for (field, value) in fields {
                finite(&format!("{name}.{field}"), value, wrong);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// The page shows every plot and no number that is none; every claim has a verdict on both databases.
fn written(figures: &Figures, wrong: &mut Vec<String>) -> Result<(), Failure> {
    let text = page::text(figures);
    for (name, plot) in plots::all(figures)? {
        if !text.contains(&format!("(baseline/{name})")) || !plot.contains("</svg>") {
            wrong.push(format!("{name} is not on the page, or not a plot"));
        }
    }
    for none in ["NaN", "inf "] {
        if text.contains(none) {
            wrong.push(format!("the page says {none}"));
        }
    }
    for claim in claims::all(figures) {
        if claim.found.len() != 2 {
            wrong.push(format!(
                "no verdict about this on both databases: {}",
                claim.what
            ));
        }
    }
    Ok(())
}

fn lists(of: &OfDatabase) -> Vec<String> {
    let wrong = STATEMENTS.iter().filter(|(list, form, statements)| {
        of.form(list, form)
            .is_none_or(|form| form.statements != *statements)
    });
    let mut wrong: Vec<_> = wrong
        .map(|(list, form, statements)| {
            format!("{form} {list} do not take {statements} statements")
        })
        .collect();
    // The first of ten is a miss.
    let (alone, stack) = (of.repeated.backend.statements, of.repeated.stack.statements);
    if alone != stack * 10 {
        wrong.push(format!(
            "ten reads take {stack} statements with the cache and {alone} without"
        ));
    }
    wrong
}

/// Hits take no statements, and by their medians less time than what goes through the database.
fn reads(of: &OfDatabase) -> Vec<String> {
    let mut wrong = Vec::new();
    let median = |source| of.read(source).map_or(f64::NAN, |read| read.time.median_ms);
    // Missing ones are found by `finite`.
    let through = median(Source::Backend).min(median(Source::Miss));
    for source in [Source::Redis, Source::Memory, Source::NotModified] {
        let took = median(source);
        if took.is_nan() || took * 1.3 >= through {
            wrong.push(format!(
                "{}: {took} ms, hardly less than {through} ms",
                source.name()
            ));
        }
        if of.read(source).is_none_or(|read| read.statements > 0) {
            wrong.push(format!("{}: asks the database", source.name()));
        }
    }
    let bytes = |source| of.read(source).map(|read| read.bytes);
    if bytes(Source::NotModified) >= bytes(Source::Memory) {
        wrong.push("a 304 is not smaller than a 200".to_owned());
    }
    wrong
}

fn writes(of: &OfDatabase) -> Vec<String> {
    let wrong = [
        (Way::Bulk, 4, 0),
        (Way::OneByOne, 0, 3),
        (Way::RequestEach, 0, 4),
    ];
    let wrong = wrong.into_iter().filter_map(|(way, of_all, of_each)| {
        let write = of.write(way)?;
        let expected = of_all + of_each * write.messages as u64;
        (write.statements != expected).then(|| {
            format!(
                "{}: {} statements and not {expected}",
                way.name(),
                write.statements
            )
        })
    });
    wrong.collect()
}

fn indexes(of: &OfDatabase, short: bool) -> Vec<String> {
    let may_be_unused = |name: &str| {
        let is_small = name == OF_PEOPLE || short && OF_LARGE_TABLES.contains(&name);
        of.name == "PostgreSQL" && is_small
    };
    let unused = of
        .indexes
        .iter()
        .filter(|index| !index.is_used && !may_be_unused(index.name));
    let mut wrong: Vec<_> = unused
        .map(|index| format!("no plan uses {}", index.name))
        .collect();
    if of.indexes.len() != 10 {
        wrong.push(format!("{} indexes and not 10", of.indexes.len()));
    }
    wrong
}

fn load(of: &OfDatabase) -> Vec<String> {
    let (alone, stack) = (&of.load.backend, &of.load.stack);
    let mut wrong = Vec::new();
    if stack.hits == 0 || alone.hits != 0 {
        wrong.push(format!(
            "{} hits with the cache, {} without",
            stack.hits, alone.hits
        ));
    }
    if stack.statements_per_request >= alone.statements_per_request {
        wrong.push("the cache saves no statements".to_owned());
    }
    wrong
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_is_missing_is_named_by_its_place() {
        let value = json!({ "a": [{ "ms": null }, { "ms": -1.0 }], "b": [], "made_in_ms": null, "c": "", "d": 1.0 });
        let mut wrong = Vec::new();
        finite("f", &value, &mut wrong);
        assert_eq!(
            wrong,
            [
                "f.a[0].ms is missing",
                "f.a[1].ms is -1.0",
                "f.b has nothing in it",
                "f.c is empty"
            ]
        );
    }
}
