//! What the documents name exists: a table of threats is worth nothing where the test of a line is gone.

use sidecache::config::Config;
use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// The names of all functions below `folder`.
fn functions(folder: &Path, found: &mut BTreeSet<String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            functions(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(&path).unwrap();
            let names = text.split("fn ").skip(1);
            let names = names.map(|rest| rest.split(['(', '<']).next().unwrap_or_default());
            found.extend(names.map(str::to_owned));
        }
    }
}

/// What stands in backquotes in the last cell of each row of the tables of `document`, as far as it looks like a test.
fn tests_of(document: &str) -> Vec<String> {
    let text = fs::read_to_string(Path::new(ROOT).join(document)).unwrap();
    let rows = text.lines().filter(|line| line.starts_with("| "));
    let cells = rows.filter_map(|row| row.trim_end_matches(" |").rsplit(" | ").next());
    let quoted = cells.flat_map(|cell| cell.split('`').skip(1).step_by(2));
    let is_test = |name: &&str| {
        name.matches('_').count() >= 2
            && name
                .chars()
                .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
    };
    quoted.filter(is_test).map(str::to_owned).collect()
}

#[test]
fn every_test_that_a_document_names_exists() {
    let mut known = BTreeSet::new();
    for folder in ["src", "tests"] {
        functions(&Path::new(ROOT).join(folder), &mut known);
    }
    for document in ["docs/security.md", "docs/caching.md"] {
        let named = tests_of(document);
        assert!(named.len() > 20, "{document} names {} tests", named.len());
        let gone: Vec<_> = named.iter().filter(|name| !known.contains(*name)).collect();
        assert!(
            gone.is_empty(),
            "{document} names tests that are gone: {gone:?}"
        );
    }
}

/// What stands in `${…}` in the lines of `file` that are no comments.
fn variables(file: &str) -> BTreeSet<String> {
    let text = fs::read_to_string(Path::new(ROOT).join(file)).unwrap();
    let lines = text
        .lines()
        .filter(|line| !line.trim_start().starts_with('#'));
    let named = lines.flat_map(|line| line.split("${").skip(1));
    named
        .map(|rest| {
            rest.chars()
                .take_while(|c| c.is_ascii_uppercase() || *c == '_')
                .collect()
        })
        .collect()
}

#[test]
fn the_example_of_an_environment_has_every_name_that_is_used_and_no_other() {
    let files = [
        "docker-compose.yml",
        "deploy/compose/balanced.yml",
        "proxy.toml",
        "config/docker.toml",
    ];
    let used: BTreeSet<_> = files.into_iter().flat_map(variables).collect();
    let text = fs::read_to_string(Path::new(ROOT).join(".env.example")).unwrap();
    let names = text.lines().filter_map(|line| line.split_once('='));
    let names = names.map(|(name, _)| name.trim_start_matches("# ").to_owned());
    let shown: BTreeSet<_> = names.filter(|name| !name.contains(' ')).collect();
    assert_eq!(shown, used);
}

/// Every document for those who use the proxy.
fn guides() -> Vec<PathBuf> {
    let docs = fs::read_dir(Path::new(ROOT).join("docs")).unwrap();
    let docs = docs.map(|entry| entry.unwrap().path());
    let docs = docs.filter(|path| path.extension().is_some_and(|extension| extension == "md"));
    docs.chain([Path::new(ROOT).join("README.md")]).collect()
}

/// A part of a file, with what it leaves out.
fn completed(part: &str) -> String {
    let has = |table: &str| part.lines().any(|line| line.starts_with(table));
    let begins_with_keys = part
        .lines()
        .map(str::trim)
        .find(|line| !line.is_empty() && !line.starts_with('#'))
        .is_some_and(|line| !line.starts_with('['));
    let mut whole = String::new();
    if !has("[upstream]") {
        whole += "upstream.url = \"http://backend:9000\"\n";
    }
    if !has("[cache") {
        whole += "cache.prefix = \"docs\"\n";
    }
    if !has("[ttl]") {
        whole += "ttl = { short = \"5m\", medium = \"30m\", long = \"2h\" }\n";
    }
    if begins_with_keys {
        whole += "[[route]]\nname = \"docs\"\npath = \"/{id}\"\n";
    }
    whole + part
}

/// What a configuration of a document is told, if it is not good.
fn mistake(part: &str) -> Option<String> {
    let env = |name: &str| match name {
        "CACHE_ENABLED" => None,
        "REDIS_URL" => Some("redis://redis".to_owned()),
        _ => Some("0123456789abcdef".to_owned()),
    };
    let said = Config::parse("docs", &completed(part), &[], &env);
    said.err().map(|error| error.to_string())
}

#[test]
fn every_configuration_in_a_document_is_good() {
    let (mut blocks, mut cells) = (0, 0);
    let mut wrong = Vec::new();
    for path in guides() {
        let text = fs::read_to_string(&path).unwrap();
        let of_block = |rest: &str| rest.split("\n```").next().unwrap_or_default().to_owned();
        let found: Vec<String> = text.split("\n```toml\n").skip(1).map(of_block).collect();
        blocks += found.len();
        // What a table or a sentence says to write in a route.
        let keys = ["key = {", "cookies = {", "share = ", "ttl_by_status = {"];
        let quoted = text
            .lines()
            .flat_map(|line| line.split('`').skip(1).step_by(2));
        let quoted = quoted.filter(|span| keys.iter().any(|key| span.starts_with(key)));
        let shown: Vec<String> = quoted
            .filter(|span| !span.contains('…') && !span.contains("..."))
            .map(|span| {
                let body = span.contains("body = true");
                let methods = if body { "methods = [\"POST\"]\n" } else { "" };
                format!("{methods}{span}")
            })
            .collect();
        cells += shown.len();
        let said = found.iter().chain(&shown).filter_map(|part| mistake(part));
        wrong.extend(said.map(|said| format!("{}: {said}", path.display())));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(blocks > 5 && cells > 20, "{blocks} and {cells}");
}
