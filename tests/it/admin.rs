//! The admin port with a token: who gets in, who does not, and how the program's own commands do.

use crate::support::{Answer, Origin, Proxy, get, redis::free_port, request};
use std::{io::Write, process::Output};
use tempfile::NamedTempFile;

const TOKEN: &str = "0123456789abcdef";

/// A proxy whose admin port wants the token. What stands before the first section belongs to `[upstream]`.
async fn closed(origin: &Origin) -> Proxy {
    let mut config = crate::support::proxy::config(origin.address(), "");
    let with_token = format!(
        "[upstream]\nurl = \"http://127.0.0.1:1\"\n[admin]\nlisten = \"127.0.0.1:0\"\ntoken = \"{TOKEN}\"\n"
    );
    config.admin = sidecache::config::Config::parse("test.toml", &with_token, &[], &|_| None)
        .unwrap()
        .admin;
    Proxy::with(config).await
}

fn refused(answer: &Answer, why: &str) {
    assert_eq!(answer.status, 401, "{why}");
    assert_eq!(answer.header("www-authenticate"), Some("Bearer"), "{why}");
    assert_eq!(
        answer.header("content-type"),
        Some("application/problem+json"),
        "{why}"
    );
    let detail = answer.json()["detail"].as_str().unwrap().to_owned();
    assert!(
        detail.contains("admin.token") || detail.contains("send "),
        "{why}: {detail}"
    );
    assert!(!answer.text().contains(TOKEN), "{why}");
}

#[tokio::test]
async fn probes_are_open_and_everything_else_wants_the_token() {
    let origin = Origin::start().await;
    let proxy = closed(&origin).await;
    let admin = proxy.admin();
    for path in ["/healthz", "/readyz"] {
        assert_eq!(get(admin, path, &[]).await.status, 200, "{path}");
    }
    let bearer = format!("Bearer {TOKEN}");
    let right = [("Authorization", bearer.as_str())];
    for (method, path, with_token) in [
        ("GET", "/metrics", 200),
        ("HEAD", "/metrics", 200),
        ("POST", "/api/purge", 415),
        ("GET", "/api/purge", 405),
        ("GET", "/", 404),
        ("GET", "/nothing", 404),
        ("GET", "/healthz/", 404),
        ("GET", "//healthz", 404),
        ("GET", "/healthz/../metrics", 404),
    ] {
        let answer = request(admin, method, path, &[], b"").await;
        assert_eq!(answer.status, 401, "{method} {path}");
        assert_eq!(answer.header("www-authenticate"), Some("Bearer"), "{path}");
        assert!(answer.header("x-request-id").is_some(), "{path}");
        let answer = request(admin, method, path, &right, b"").await;
        assert_eq!(answer.status, with_token, "{method} {path}");
    }
}

#[tokio::test]
async fn a_purge_without_the_token_purges_nothing() {
    let origin = Origin::start().await;
    origin.answer("/a", crate::support::Reply::fresh("a", 60));
    let proxy = closed(&origin).await;
    proxy.get("/a").await;
    let purge = async |fields: &[(&str, &str)]| {
        let mut all = vec![("Content-Type", "application/json")];
        all.extend(fields);
        let body = b"{\"all\": true, \"hard\": true}";
        request(proxy.admin(), "POST", "/api/purge", &all, body).await
    };
    refused(&purge(&[]).await, "no token");
    for line in [
        "Bearer",
        "Bearer 0123456789abcde",
        "Bearer 0123456789abcdef0",
        "Basic 0123456789abcdef",
        "0123456789abcdef",
    ] {
        refused(&purge(&[("Authorization", line)]).await, line);
    }
    let right = ("Authorization", "Bearer 0123456789abcdef");
    refused(&purge(&[right, right]).await, "twice");
    refused(
        &purge(&[("Authorization", "Basic eDp5"), right]).await,
        "two schemes",
    );
    assert!(proxy.get("/a").await.cache_status().starts_with("hit"));
    assert_eq!(
        purge(&[("Authorization", "bEARER 0123456789abcdef")])
            .await
            .status,
        200
    );
    assert!(!proxy.get("/a").await.cache_status().starts_with("hit"));
}

fn file(text: &str) -> NamedTempFile {
    let mut file = NamedTempFile::new().unwrap();
    file.write_all(text.as_bytes()).unwrap();
    file
}

async fn sidecache(arguments: &[&str], environment: &[(&str, &str)]) -> (Option<i32>, String) {
    let mut command = tokio::process::Command::new(env!("CARGO_BIN_EXE_sidecache"));
    command
        .args(arguments)
        .env_remove("SIDECACHE_CONFIG")
        .env_remove("ADMIN_TOKEN");
    let folder = tempfile::tempdir().unwrap();
    command
        .envs(environment.iter().copied())
        .current_dir(folder.path());
    let Output {
        status,
        stdout,
        stderr,
    } = command.output().await.unwrap();
    let text = String::from_utf8(stdout).unwrap() + &String::from_utf8(stderr).unwrap();
    (status.code(), text)
}

#[tokio::test]
async fn commands_take_address_and_token_from_the_configuration_the_environment_or_arguments() {
    let origin = Origin::start().await;
    let proxy = closed(&origin).await;
    let admin = proxy.admin().to_string();
    // Nothing but [admin] of it has to be right: what is not set here is not needed here.
    let config = |token: &str| {
        file(&format!(
            "[admin]\nlisten = \"0.0.0.0:{}\"\n{token}[upstream]\nurl = \"${{NOT_HERE}}\"\n",
            proxy.admin().port()
        ))
    };
    let with_token = config("token = \"${TOKEN:-0123456789abcdef}\"\n");
    let (with_token, open) = (with_token.path(), config("open = true\n"));
    let (with_token, open) = (with_token.to_str().unwrap(), open.path().to_str().unwrap());
    let env = [("ADMIN_TOKEN", TOKEN)];
    let wrong = [("ADMIN_TOKEN", "fedcba9876543210")];
    let purge = ["purge", "--all", "--dry-run"];
    for (arguments, environment, expected) in [
        (&["--config", with_token][..], &[][..], Some(0)),
        (&["--config", open], &[], Some(1)),
        (&["--config", open], &env, Some(0)),
        (&["--config", open, "--token", TOKEN], &wrong, Some(0)),
        (&["--config", with_token], &wrong, Some(1)),
        (&["--config", with_token], &[("ADMIN_TOKEN", "")], Some(0)),
        (&["--config", with_token], &[("TOKEN", "short")], Some(2)),
        (
            &["--config", open, "--set", "admin.token=0123456789abcdef"],
            &[],
            Some(0),
        ),
        (&["--admin", &admin], &env, Some(0)),
        (&["--admin", &admin], &[], Some(1)),
        (
            &["--admin", &admin, "--config", "/nowhere.toml"],
            &env,
            Some(2),
        ),
        (
            &["--admin", "127.0.0.1:1", "--config", with_token],
            &[],
            Some(1),
        ),
        (&["--admin", &admin, "--token", "a\r\nX: y"], &[], Some(2)),
        (
            &["--config", open, "--set", "admin.listen=127.0.0.1:0"],
            &env,
            Some(2),
        ),
    ] {
        let all = [&purge[..], arguments].concat();
        let (code, text) = sidecache(&all, environment).await;
        assert_eq!(code, expected, "{arguments:?} {environment:?}: {text}");
        assert!(!text.contains(TOKEN), "{text}");
    }
    let (code, text) = sidecache(&["health", "--config", open], &[]).await;
    assert_eq!(code, Some(0), "probes need no token: {text}");
    let (_, text) = sidecache(&["purge", "--all", "--admin", &admin], &[]).await;
    assert!(text.contains("ADMIN_TOKEN"), "{text}");
    let free = format!("admin.listen=127.0.0.1:{}", free_port());
    let (code, text) = sidecache(&["health", "--set", &free], &[]).await;
    assert_eq!(
        (code, text.contains("does not answer")),
        (Some(1), true),
        "{text}"
    );
}
