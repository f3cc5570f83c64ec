//! The admin port with a token: who gets in, who does not, and how the program's own commands do.

use crate::support::{Answer, Origin, Proxy, client::Connection, get, redis::free_port, request};
use std::{io::Write, process::Output, time::Duration};
use tempfile::NamedTempFile;

const TOKEN: &str = "0123456789abcdef";

/// A proxy whose admin port wants the token.
async fn closed(origin: &Origin) -> Proxy {
    with_admin(origin, &format!("token = \"{TOKEN}\"\n")).await
}

/// A proxy with `admin` in `[admin]`.
async fn with_admin(origin: &Origin, admin: &str) -> Proxy {
    let mut config = crate::support::proxy::config(origin.address(), "");
    let text = format!(
        "[upstream]\nurl = \"http://127.0.0.1:1\"\n[admin]\nlisten = \"127.0.0.1:0\"\n{admin}"
    );
    config.admin = sidecache::config::Config::parse("test.toml", &text, &[], &|_| None)
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

/// As a page does whose name stands for this machine by now.
#[tokio::test]
async fn without_a_token_nobody_is_answered_by_a_name_that_a_stranger_can_have() {
    let origin = Origin::start().await;
    let ask = async |proxy: &Proxy, path: &str, host: &str| {
        let target = get(proxy.admin(), path, &[("Host", host)]).await;
        (target.status, target)
    };
    let here = with_admin(&origin, "").await;
    let (status, refusal) = ask(&here, "/metrics", "attacker.example:9901").await;
    assert_eq!(status, 421);
    let detail = refusal.json()["detail"].as_str().unwrap().to_owned();
    assert!(detail.contains("admin.token") && detail.contains("localhost"));
    assert!(!refusal.text().contains("sidecache_"));
    assert_eq!(ask(&here, "/metrics", "localhost:9901").await.0, 200);
    assert_eq!(ask(&here, "/metrics", "127.0.0.1:9901").await.0, 200);
    assert_eq!(ask(&here, "/nothing", "attacker.example").await.0, 421);
    assert_eq!(ask(&here, "/readyz", "pod.example").await.0, 200, "a probe");
    let fields = [
        ("Host", "attacker.example"),
        ("Content-Type", "application/json"),
    ];
    let purge = request(
        here.admin(),
        "POST",
        "/api/purge",
        &fields,
        b"{\"all\": true}",
    )
    .await;
    assert_eq!(purge.status, 421);
    let target = "http://attacker.example/metrics";
    assert_eq!(ask(&here, target, "localhost").await.0, 421);
    let open = with_admin(&origin, "open = true\n").await;
    assert_eq!(ask(&open, "/metrics", "my-api.example:9901").await.0, 200);
}

/// Each sends a byte, and then nothing.
#[tokio::test]
async fn slow_heads_on_the_admin_port_make_room_for_probes() {
    let origin = Origin::start().await;
    let proxy = closed(&origin).await;
    let mut all = Vec::new();
    for _ in 0..200 {
        let mut client = Connection::open(proxy.admin()).await;
        client.send("G").await;
        all.push(client);
    }
    let probe = get(proxy.admin(), "/healthz", &[]);
    let probe = tokio::time::timeout(Duration::from_secs(10), probe).await;
    assert_eq!(probe.expect("it need not wait for them").status, 200);
    for client in &mut all[..=200 - 64] {
        assert!(client.is_closed().await, "the oldest make room");
    }
    let mut youngest = all.pop().unwrap();
    youngest
        .send("ET /readyz HTTP/1.1\r\nHost: a\r\n\r\n")
        .await;
    assert!(
        youngest
            .read_until(|all| all.starts_with(b"HTTP/1.1 200 "))
            .await
    );
    assert_eq!(
        proxy.metric("sidecache_connections"),
        0.0,
        "these are of the public port"
    );
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
