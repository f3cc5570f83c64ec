//! `sidecache check`: what it calls good, and how it says the rest, to people and to programs.

use serde_json::Value;
use std::{
    io::Write,
    process::{Command, Output},
};
use tempfile::NamedTempFile;

const UPSTREAM: &str = "[upstream]\nurl = \"http://backend:9000\"\n";
const WARNINGS: &str = "[[route]]\nname = \"a\"\npath = \"/a\"\nttl = \"5m\"\noverride = true\nset_cookie = \"store\"\n\
    key = { query = [] }\n";

fn check(text: &str, arguments: &[&str]) -> Output {
    let mut file = NamedTempFile::new().unwrap();
    file.write_all(text.as_bytes()).unwrap();
    run(&[arguments, &[file.path().to_str().unwrap()]].concat(), "")
}

fn run(arguments: &[&str], filter: &str) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sidecache"));
    command.arg("check").args(arguments).env("RUST_LOG", filter);
    for name in [
        "SIDECACHE_CONFIG",
        "REDIS_URL",
        "ADMIN_TOKEN",
        "CACHE_ENABLED",
    ] {
        command.env_remove(name);
    }
    command.output().unwrap()
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

#[test]
fn warnings_are_shown_in_their_place_and_the_file_is_good() {
    let output = check(&format!("{UPSTREAM}{WARNINGS}"), &[]);
    let (said, complained) = (text(&output.stdout), text(&output.stderr));
    assert_eq!(output.status.code(), Some(0), "{complained}");
    assert!(
        said.contains(": good, with 2 warnings and 1 note. "),
        "{said}"
    );
    for part in [
        "warning: `set_cookie = \"store\"`",
        ":8:14\n",
        "8 | set_cookie = \"store\"",
        "^^^^^^^",
        "= help: write \"strip\"",
        "note: `override = true` stores what the origin says not to",
        "2 warnings and 1 note in ",
    ] {
        assert!(complained.contains(part), "{part}: {complained}");
    }
}

#[test]
fn strict_takes_no_warnings_but_notes() {
    let output = check(&format!("{UPSTREAM}{WARNINGS}"), &["--strict"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("--strict takes no warnings"));
    assert_eq!(text(&output.stdout), "");
    let note = "[[route]]\nname = \"a\"\npath = \"/a\"\nttl = \"5m\"\noverride = true\n";
    let output = check(&format!("{UPSTREAM}{note}"), &["--strict"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    assert_eq!(check(UPSTREAM, &["--strict"]).status.code(), Some(0));
    assert_eq!(check("", &["--strict"]).status.code(), Some(2));
}

fn json(output: &Output) -> (Option<i32>, Value) {
    assert_eq!(text(&output.stderr), "");
    let document = serde_json::from_slice(&output.stdout).unwrap();
    (output.status.code(), document)
}

#[test]
fn a_program_gets_one_document() {
    let good = serde_json::json!({ "good": true, "problems": [] });
    assert_eq!(json(&check(UPSTREAM, &["--json"])), (Some(0), good));

    let warned = format!("{UPSTREAM}{WARNINGS}");
    let (code, said) = json(&check(&warned, &["--json"]));
    assert_eq!((code, &said["good"]), (Some(0), &true.into()));
    let problems = said["problems"].as_array().unwrap();
    assert_eq!(problems.len(), 3);
    let first = &problems[0];
    assert_eq!(
        (
            &first["severity"],
            &first["line"],
            &first["column"],
            &first["key"]
        ),
        (
            &"note".into(),
            &7.into(),
            &12.into(),
            &"route.override".into()
        )
    );
    assert!(first["message"].as_str().unwrap().contains("no-store") && first["help"].is_string());
    assert!(first["file"].as_str().unwrap().starts_with('/'));

    let (code, said) = json(&check(&warned, &["--json", "--strict"]));
    assert_eq!((code, &said["good"]), (Some(1), &false.into()));
}

#[test]
fn errors_are_in_the_document_too_without_secrets() {
    let text = format!(
        "{UPSTREAM}timout = \"1s\"\n[cache]\npurge_token = \"hunter2\"\n[cache.redis]\nurl = \"redis://:hunter2@h\"\n"
    );
    let output = check(&text, &["--json"]);
    let (code, said) = json(&output);
    assert_eq!((code, &said["good"]), (Some(2), &false.into()));
    assert!(!said.to_string().contains("hunter2"), "{said}");
    let keys: Vec<_> = said["problems"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| &one["key"])
        .collect();
    assert_eq!(
        keys,
        ["upstream.timout", "cache.purge_token", "cache.prefix"]
    );
    assert_eq!(said["problems"][0]["help"], "did you mean `timeout`?");

    for (arguments, filter, file) in [
        (&["--json", "/nowhere.toml"][..], "", "/nowhere.toml"),
        (
            &[
                "--json",
                "--set",
                "upstream.url=http://b",
                "--set",
                "log.level=loud",
            ],
            "",
            "--set",
        ),
        (
            &["--json", "--set", "upstream.url=http://b"],
            "a=[[",
            "the environment",
        ),
    ] {
        let (code, said) = json(&run(arguments, filter));
        assert_eq!(
            (code, &said["problems"][0]["file"]),
            (Some(2), &file.into()),
            "{said}"
        );
        assert_eq!(said["problems"][0]["severity"], "error");
    }
}

#[test]
fn an_upstream_that_is_this_machine_is_an_error_here() {
    let own = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap();
    let url = format!("http://{}:8080", own.trim());
    let set = [
        "--set",
        "server.listen=0.0.0.0:8080",
        "--set",
        &format!("upstream.url={url}"),
    ]
    .map(str::to_owned);
    let output = run(&set.each_ref().map(String::as_str), "");
    assert_eq!(output.status.code(), Some(2), "{}", text(&output.stdout));
    assert!(
        text(&output.stderr).contains("is the proxy itself"),
        "{}",
        text(&output.stderr)
    );
}
