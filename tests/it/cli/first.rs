//! The first contact: without a file, with an empty one, and with one that was written for the user.

use super::{Running, answers, check, complaint, file, run, sidecache};
use crate::support::{Origin, Reply, get, redis::free_port};
use std::{net::SocketAddr, process::Stdio};

#[test]
fn without_a_file_the_error_is_one_to_copy() {
    let folder = tempfile::tempdir().unwrap();
    let said = |arguments: &[&str]| {
        let output = sidecache(arguments).current_dir(folder.path()).output();
        let output = output.unwrap();
        (
            output.status.code(),
            String::from_utf8(output.stderr).unwrap(),
        )
    };
    for arguments in [
        &["run"][..],
        &["check"],
        &["run", "--set", "server.workers=2"],
    ] {
        let (code, text) = said(arguments);
        assert_eq!(code, Some(2), "{text}");
        assert!(
            text.contains("--upstream http://") && text.contains("--config"),
            "{text}"
        );
        let (_, smallest) = text.split_once("\n\n").unwrap();
        assert_eq!(smallest.lines().count(), 3, "{text}");
        assert_eq!(check(smallest).status.code(), Some(0), "{smallest}");
    }
    let upstream = "upstream.url=http://127.0.0.1:1";
    for arguments in [["--set", upstream], ["--upstream", "http://127.0.0.1:1"]] {
        let arguments = [&["check"], &arguments[..]].concat();
        assert_eq!(said(&arguments), (Some(0), String::new()));
    }
    let (code, text) = said(&["check", "--set", upstream, "--set", "server.workers=x"]);
    assert!(
        code == Some(2) && text.ends_with("1 problem in --set\n"),
        "{text}"
    );
    let (code, text) = said(&["check", "other.toml", "--set", upstream]);
    assert!(
        code == Some(2) && text.contains("other.toml: no such file"),
        "{text}"
    );
}

#[tokio::test]
async fn an_argument_is_configuration_enough() {
    let origin = Origin::start().await;
    origin.answer("/a", Reply::ok("here"));
    let folder = tempfile::tempdir().unwrap();
    let port = free_port();
    let set = [
        format!("--set=upstream.url=http://{}", origin.address()),
        format!("--set=server.listen=127.0.0.1:{port}"),
        "--set=admin.listen=127.0.0.1:0".to_owned(),
    ];
    let mut command = sidecache(&["run"]);
    let command = command
        .args(set)
        .current_dir(folder.path())
        .stdout(Stdio::null());
    let _running = Running(command.spawn().unwrap());
    let address = SocketAddr::from(([127, 0, 0, 1], port));
    answers(address).await;
    assert_eq!(get(address, "/a", &[]).await.text(), "here");
}

#[test]
fn init_writes_a_file_that_is_good_as_it_is_and_with_its_examples() {
    let folder = tempfile::tempdir().unwrap();
    let init = |arguments: &[&str]| {
        let mut command = sidecache(&["init"]);
        command
            .args(arguments)
            .current_dir(folder.path())
            .output()
            .unwrap()
    };
    assert_eq!(init(&["http://127.0.0.1:3000"]).status.code(), Some(0));
    let path = folder.path().join("proxy.toml");
    let written = std::fs::read_to_string(&path).unwrap();
    assert!(
        written.contains("url = \"http://127.0.0.1:3000\""),
        "{written}"
    );
    let checked = run(&["check", "--strict", path.to_str().unwrap()]);
    assert_eq!(checked.status.code(), Some(0), "{checked:?}");
    let shown = |line: &str| match line.strip_prefix('#') {
        Some(shown) if !shown.starts_with(' ') => format!("{shown}\n"),
        _ => format!("{line}\n"),
    };
    let examples: String = written.lines().map(shown).collect();
    let checked = sidecache(&[
        "check",
        "--strict",
        file(&examples).path().to_str().unwrap(),
    ])
    .envs([
        ("ADMIN_TOKEN", "0123456789abcdef"),
        ("CACHE_SECRET", "0123456789abcdef"),
    ])
    .output();
    assert_eq!(
        checked.as_ref().unwrap().status.code(),
        Some(0),
        "{checked:?}"
    );
    let again = init(&["http://127.0.0.1:4000"]);
    let text = complaint(&again, 2);
    assert!(text.contains("proxy.toml is there already") && text.contains("--output"));
    assert_eq!(
        std::fs::read_to_string(&path).unwrap(),
        written,
        "it is left alone"
    );
    for bad in ["127.0.0.1:3000", "http://a\"b", "https://a"] {
        let output = init(&[bad, "--output", "other.toml"]);
        assert!(complaint(&output, 2).contains("upstream.url"), "{bad}");
        assert!(!folder.path().join("other.toml").exists());
    }
}

#[test]
fn a_missing_or_empty_file_is_one_sentence() {
    for command in [
        &["check", "/nowhere/proxy.toml"][..],
        &["run", "--config", "/nowhere/proxy.toml"],
        &["check", "/nowhere/errors/proxy.toml"],
    ] {
        let text = complaint(&run(command), 2);
        assert!(
            text.starts_with("error: /nowhere/") && text.contains("no such file"),
            "{text}"
        );
        assert_eq!(text.lines().count(), 1, "{text}");
    }
    assert!(complaint(&check(""), 2).contains("empty"));
}
