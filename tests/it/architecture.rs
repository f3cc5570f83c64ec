//! The layers, the size of files and their names: what the compiler does not check in one package.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// Which modules of the crate each module may use. Arrows point down.
const MAY_USE: &[(&str, &[&str])] = &[
    ("semantics", &[]),
    ("clock", &[]),
    ("metrics", &["semantics"]),
    ("store", &["semantics", "clock", "metrics"]),
    ("message", &[]),
    ("origin", &["message"]),
    (
        "upstream",
        &["origin", "message", "semantics", "clock", "metrics"],
    ),
    (
        "cache",
        &[
            "store",
            "origin",
            "message",
            "semantics",
            "clock",
            "metrics",
        ],
    ),
    (
        "proxy",
        &[
            "cache",
            "store",
            "upstream",
            "origin",
            "message",
            "semantics",
            "clock",
            "metrics",
        ],
    ),
    ("server", &["message", "clock", "metrics"]),
    (
        "admin",
        &[
            "proxy",
            "cache",
            "upstream",
            "store",
            "semantics",
            "clock",
            "metrics",
        ],
    ),
    ("telemetry", &[]),
    (
        "config",
        &[
            "server",
            "admin",
            "proxy",
            "cache",
            "upstream",
            "store",
            "semantics",
            "telemetry",
        ],
    ),
    (
        "app",
        &[
            "config",
            "telemetry",
            "server",
            "admin",
            "proxy",
            "cache",
            "upstream",
            "store",
            "semantics",
            "clock",
            "metrics",
        ],
    ),
    (
        "cli",
        &[
            "app",
            "config",
            "telemetry",
            "server",
            "demo",
            "clock",
            "metrics",
        ],
    ),
    ("demo", &[]),
    ("lib", &[]),
    ("main", &["cli"]),
];

/// Crates that only these modules may name.
const ONLY_IN: &[(&str, &[&str])] = &[
    (
        "tokio",
        &[
            "store", "proxy", "cache", "upstream", "message", "server", "admin", "app", "cli",
            "demo",
        ],
    ),
    (
        "hyper",
        &["proxy", "cache", "upstream", "message", "server"],
    ),
    ("hyper_util", &["upstream", "server"]),
    ("axum", &["admin", "demo"]),
    ("redis", &["store", "config", "app"]),
    ("deadpool", &["store"]),
    ("rustls", &["store"]),
    ("zstd", &["store"]),
    ("crc16", &["store"]),
    ("prometheus_client", &["metrics"]),
    ("clap", &["cli"]),
    ("toml", &["config"]),
    ("annotate_snippets", &["config"]),
    ("sqlx", &["demo"]),
];

const MAX_LINES: usize = 500;
const MAX_MEDIAN: usize = 200;

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|e| e == "rs") {
            found.push(path);
        }
    }
}

fn all(folder: &str) -> Vec<(PathBuf, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let mut found = Vec::new();
    sources(&root, &mut found);
    assert!(found.len() > 5, "{folder} has sources");
    let read = |path: PathBuf| {
        let text = fs::read_to_string(&path).unwrap();
        (path.strip_prefix(&root).unwrap().to_owned(), text)
    };
    found.into_iter().map(read).collect()
}

/// The top-level module that a file belongs to.
fn module(path: &Path) -> String {
    let first = path
        .components()
        .next()
        .unwrap()
        .as_os_str()
        .to_string_lossy()
        .into_owned();
    first.trim_end_matches(".rs").to_owned()
}

/// The lines of code, without comments and without what is only for tests.
fn code(text: &str) -> String {
    let end = text.find("#[cfg(test)]\nmod tests {").unwrap_or(text.len());
    text[..end]
        .lines()
        .filter(|line| !line.trim_start().starts_with("//"))
        .fold(String::new(), |all, line| all + line + "\n")
}

/// The modules that `text` names through `crate::`, also in braces.
fn used(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for (at, _) in text.match_indices("crate::") {
        let rest = &text[at + 7..];
        match rest.strip_prefix('{') {
            Some(list) => {
                let mut depth = 0;
                let mut word = String::new();
                for c in list.chars() {
                    match c {
                        '{' => depth += 1,
                        '}' if depth == 0 => break,
                        '}' => depth -= 1,
                        ',' if depth == 0 => found.push(std::mem::take(&mut word)),
                        _ if depth == 0 => word.push(c),
                        _ => {}
                    }
                }
                found.push(word);
            }
            None => found.push(
                rest.chars()
                    .take_while(|c| c.is_alphanumeric() || *c == '_')
                    .collect(),
            ),
        }
    }
    let first = |word: String| {
        word.trim()
            .split("::")
            .next()
            .unwrap_or_default()
            .to_owned()
    };
    found
        .into_iter()
        .map(first)
        .filter(|word| !word.is_empty())
        .collect()
}

#[test]
fn every_module_uses_only_what_is_below_it() {
    for (path, text) in all("src") {
        let module = module(&path);
        let (_, allowed) = MAY_USE
            .iter()
            .find(|(name, _)| *name == module)
            .unwrap_or_else(|| panic!("{module} has no place in the layers: add it to MAY_USE"));
        for used in used(&code(&text)) {
            let fine = used == module || allowed.contains(&used.as_str());
            assert!(fine, "{}: {module} may not use {used}", path.display());
        }
    }
}

#[test]
fn the_semantics_are_pure() {
    for (path, text) in all("src")
        .into_iter()
        .filter(|(path, _)| module(path) == "semantics")
    {
        let code = code(&text);
        for forbidden in [
            "tokio::",
            "hyper::",
            "redis::",
            "std::net",
            "std::fs",
            "std::env",
            "std::thread",
            "::now()",
        ] {
            assert!(!code.contains(forbidden), "{}: {forbidden}", path.display());
        }
    }
}

#[test]
fn crates_are_named_only_where_they_belong() {
    for (path, text) in all("src") {
        let (module, code) = (module(&path), code(&text));
        for (name, places) in ONLY_IN {
            let named = code.match_indices(&format!("{name}::")).any(|(at, _)| {
                // `store::redis::…` is a module of ours, ` ::redis::…` the crate.
                let before = &code[..at];
                let part_of_a_word = before.ends_with(|c: char| c.is_alphanumeric() || c == '_');
                let part_of_a_path = before.ends_with("::") && !before.ends_with(" ::");
                !part_of_a_word && !part_of_a_path
            });
            let ours = module == *name || (*name == "redis" && module == "cli");
            assert!(
                !named || ours || places.contains(&module.as_str()),
                "{}: {name}",
                path.display()
            );
        }
    }
}

#[test]
fn files_are_short_and_named_after_their_module() {
    for folder in ["src", "tests"] {
        let mut lengths = Vec::new();
        for (path, text) in all(folder) {
            let lines = text.lines().count();
            assert!(
                lines <= MAX_LINES,
                "{}: {lines} lines, at most {MAX_LINES}",
                path.display()
            );
            assert_ne!(
                path.file_name().unwrap(),
                "mod.rs",
                "{}: `foo.rs` beside `foo/`",
                path.display()
            );
            lengths.push(lines);
        }
        lengths.sort_unstable();
        let median = lengths[lengths.len() / 2];
        assert!(
            median <= MAX_MEDIAN,
            "{folder}: the median is {median} lines, at most {MAX_MEDIAN}"
        );
    }
}

#[test]
fn nothing_is_left_undone() {
    for (path, text) in all("src").into_iter().chain(all("tests")) {
        for word in ["todo", "unimplemented", "dbg"] {
            assert!(
                !text.contains(&format!("{word}!(")),
                "{}: {word}",
                path.display()
            );
        }
        let ignored = ["#[", "ignore"].concat();
        assert!(
            !text.contains(&ignored),
            "{}: an ignored test",
            path.display()
        );
    }
}

#[test]
fn the_checks_above_can_fail() {
    assert_eq!(
        used("use crate::store::Entry; use crate::{a::B, c::{d, e}, f};"),
        ["store", "a", "c", "f"]
    );
    assert_eq!(used("fn f(x: crate::server::Settings)"), ["server"]);
    assert_eq!(
        code("// crate::server\nx\n#[cfg(test)]\nmod tests { use crate::server; }"),
        "x\n"
    );
}
