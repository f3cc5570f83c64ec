//! Bad configurations and what is said about them, one fixture each.
//!
//! TOML above a line of ten dashes, the text of all problems below it. `BLESS=1` writes what is
//! said now; read the difference before it is committed.

use std::{fs, path::Path};

use sidecache::config::Config;

const RULE: &str = "----------\n";

#[test]
fn every_bad_configuration_is_explained() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/bad_config");
    let mut paths: Vec<_> = fs::read_dir(folder)
        .expect("the fixtures are in the repository")
        .map(|entry| entry.expect("a folder that opens can be listed").path())
        .collect();
    paths.sort();
    assert!(paths.len() > 10, "{paths:?}");
    let different: Vec<_> = paths.iter().filter_map(|path| difference(path)).collect();
    assert!(different.is_empty(), "\n{}", different.join("\n"));
}

/// What is said about the fixture at `path`, unless it is what the fixture expects.
fn difference(path: &Path) -> Option<String> {
    let fixture = fs::read_to_string(path).expect("fixtures are UTF-8");
    let (text, expected) = fixture
        .split_once(RULE)
        .expect("fixtures have a line of ten dashes");
    let said = match Config::parse("proxy.toml", text, &[], &env) {
        Ok(_) => "nothing is wrong".to_owned(),
        Err(error) => error.to_string(),
    };
    // Lines that end in a blank do not survive an editor.
    let said: String = said
        .lines()
        .map(|line| line.trim_end().to_owned() + "\n")
        .collect();
    if said == expected {
        return None;
    }
    if std::env::var_os("BLESS").is_some() {
        fs::write(path, format!("{text}{RULE}{said}")).expect("fixtures can be written");
    }
    Some(format!(
        "{} expects\n{expected}\nbut it says\n{said}",
        path.display()
    ))
}

fn env(name: &str) -> Option<String> {
    match name {
        "WORKERS" => Some("many".to_owned()),
        "BUDGET" => Some("1 fortnight".to_owned()),
        _ => None,
    }
}
