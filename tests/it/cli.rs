//! The program as it is started: one clear sentence for each mistake, the right exit code, no panic.

mod first;
mod migrate;

use crate::support::{Origin, Reply, get, redis::free_port, until};
use std::{
    io::{BufRead, BufReader, Write},
    net::SocketAddr,
    process::{Child, Command, Output, Stdio},
};
use tempfile::NamedTempFile;

const MINIMAL: &str = "[upstream]\nurl = \"http://127.0.0.1:1\"\n";

fn sidecache(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sidecache"));
    command
        .args(arguments)
        .env_remove("SIDECACHE_CONFIG")
        .env_remove("REDIS_URL")
        .env_remove("CACHE_ENABLED");
    command.env_remove("ADMIN_TOKEN").env_remove("CACHE_PREFIX");
    command.env_remove("RUST_LOG").env_remove("DATABASE_URL");
    command
}

fn file(text: &str) -> NamedTempFile {
    let mut file = NamedTempFile::new().unwrap();
    file.write_all(text.as_bytes()).unwrap();
    file
}

fn run(arguments: &[&str]) -> Output {
    sidecache(arguments).output().unwrap()
}

fn complaint(output: &Output, code: i32) -> String {
    let text = String::from_utf8(output.stderr.clone()).unwrap();
    assert_eq!(output.status.code(), Some(code), "{text}");
    assert!(!text.contains("panicked"), "{text}");
    text
}

fn check(text: &str) -> Output {
    run(&["check", file(text).path().to_str().unwrap()])
}

#[test]
fn a_good_file_is_called_good() {
    let output = check(MINIMAL);
    assert_eq!(output.status.code(), Some(0));
    assert!(String::from_utf8(output.stdout).unwrap().contains("good"));
}

#[test]
fn the_files_of_the_repository_are_good() {
    for name in [
        "proxy.toml",
        "config/conformance.toml",
        "config/default.toml",
        "config/demo.toml",
    ] {
        let path = format!("{}/{name}", env!("CARGO_MANIFEST_DIR"));
        let output = run(&["check", &path]);
        assert_eq!(
            output.status.code(),
            Some(0),
            "{name}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
    }
}

#[test]
fn the_built_in_demo_is_the_one_in_the_repository() {
    let read = |name: &str| {
        std::fs::read_to_string(format!("{}/{name}", env!("CARGO_MANIFEST_DIR"))).unwrap()
    };
    assert_eq!(
        read("config/demo.toml"),
        read("proxy.toml"),
        "copy proxy.toml to config/demo.toml"
    );
}

#[test]
fn the_image_needs_to_be_told_its_upstream() {
    let path = format!("{}/config/docker.toml", env!("CARGO_MANIFEST_DIR"));
    let text = complaint(&run(&["check", &path]), 2);
    assert!(text.contains("`UPSTREAM`"), "{text}");
    let output = sidecache(&["check", &path])
        .env("UPSTREAM", "http://api:3000")
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(0));
    let with_redis = |prefix: &str| {
        let mut command = sidecache(&["check", &path]);
        command
            .env("UPSTREAM", "http://api:3000")
            .env("REDIS_URL", "redis://redis")
            .env("CACHE_PREFIX", prefix);
        command.output().unwrap()
    };
    let text = complaint(&with_redis(""), 2);
    assert!(
        text.contains("`cache.prefix` is empty") && text.contains("set `CACHE_PREFIX`"),
        "{text}"
    );
    assert_eq!(with_redis("api").status.code(), Some(0));
}

/// The image's own health check has no token either.
#[test]
fn the_image_shows_its_admin_port_only_behind_a_token() {
    let text =
        std::fs::read_to_string(format!("{}/config/docker.toml", env!("CARGO_MANIFEST_DIR")));
    let admin = |token: &'static str| {
        let env = move |name: &str| (name == "ADMIN_TOKEN").then(|| token.to_owned());
        let set = ["upstream.url=http://api:3000".to_owned()];
        let config =
            sidecache::config::Config::parse("docker.toml", text.as_ref().unwrap(), &set, &env);
        config.unwrap().admin
    };
    assert_eq!(admin("").listen.to_string(), "127.0.0.1:9901");
    let open = admin("0123456789abcdef");
    assert_eq!(open.listen.to_string(), "0.0.0.0:9901");
    assert!(open.token.is_some() && !open.open);
}

#[test]
fn a_log_filter_that_is_none_is_usage() {
    let file = file(MINIMAL);
    let path = file.path().to_str().unwrap();
    for arguments in [&["run", "--config", path][..], &["check", path]] {
        let output = sidecache(arguments)
            .env("RUST_LOG", "sidecache=[[")
            .output()
            .unwrap();
        assert!(complaint(&output, 2).contains("RUST_LOG"));
    }
}

#[test]
fn every_problem_is_reported_with_its_place() {
    let output = check(
        "[upstream]\nurl = \"http://127.0.0.1:1\"\ntimout = \"1s\"\n[server]\nworkers = \"x\"\n",
    );
    let text = complaint(&output, 2);
    assert!(
        text.contains(":3:1") && text.contains("did you mean `timeout`?"),
        "{text}"
    );
    assert!(
        text.contains(":5:11") && text.contains("2 problems"),
        "{text}"
    );
}

#[test]
fn an_unknown_subcommand_is_usage() {
    let text = complaint(&run(&["rnu"]), 2);
    assert!(text.contains("rnu") && text.contains("--help"), "{text}");
    complaint(&run(&[]), 2);
}

#[test]
fn a_redis_url_that_is_none_is_reported_and_nothing_starts() {
    for url in [
        "redis//localhost",
        "http://localhost:6379",
        "redis://localhost:port",
    ] {
        let text = complaint(
            &check(&format!("{MINIMAL}[cache.redis]\nurl = \"{url}\"\n")),
            2,
        );
        assert!(text.contains("cache.redis.url"), "{text}");
    }
}

#[test]
fn a_pattern_that_cannot_be_parsed_and_a_name_twice_are_reported() {
    let text = complaint(
        &check(&format!(
            "{MINIMAL}[[route]]\nname = \"a\"\npath = \"/a/{{id\"\n"
        )),
        2,
    );
    assert!(text.contains("never closed"), "{text}");
    let twice = "[[route]]\nname = \"a\"\npath = \"/a\"\n[[route]]\nname = \"a\"\npath = \"/b\"\n";
    let text = complaint(&check(&format!("{MINIMAL}{twice}")), 2);
    assert!(text.contains("two routes are named `a`"), "{text}");
}

#[test]
fn a_port_in_use_is_one_sentence_and_exit_code_1() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = format!("server.listen={}", listener.local_addr().unwrap());
    let file = file(MINIMAL);
    let output = run(&[
        "run",
        "--config",
        file.path().to_str().unwrap(),
        "--set",
        &taken,
        "--set",
        "admin.listen=127.0.0.1:0",
    ]);
    let text = complaint(&output, 1);
    assert!(
        text.contains("the port is in use") && text.contains("server.listen"),
        "{text}"
    );
    assert_eq!(text.lines().count(), 1, "{text}");
}

#[tokio::test]
async fn what_check_warns_of_is_in_the_log_of_a_start() {
    let config = file(
        "[log]\nformat = \"json\"\n[upstream]\nurl = \"http://127.0.0.1:1\"\n[[route]]\nname = \"a\"\npath = \"/a\"\n\
         set_cookie = \"store\"\n",
    );
    let port = free_port();
    let mut running = Running::start(&config, port, &[]);
    answers(SocketAddr::from(([127, 0, 0, 1], port))).await;
    running.terminate();
    until("it has ended", async || {
        running.0.try_wait().unwrap().is_some()
    })
    .await;
    let mut log = String::new();
    std::io::Read::read_to_string(&mut running.0.stdout.take().unwrap(), &mut log).unwrap();
    let lines = log.lines().map(|line| serde_json::from_str(line).unwrap());
    let lines: Vec<serde_json::Value> = lines.collect();
    let ready = lines.iter().find(|line| line["message"] == "ready");
    let path = config.path().to_str().unwrap();
    assert_eq!(ready.unwrap()["config"], path, "which file that was");
    let first = &lines[0];
    assert_eq!(
        (&first["level"], &first["target"]),
        (&"WARN".into(), &"config".into())
    );
    assert_eq!(first["key"], "route.set_cookie");
    assert!(first["place"].as_str().unwrap().ends_with(":8:14"), "{log}");
    assert!(first["help"].as_str().unwrap().contains("strip"), "{log}");
}

/// A running program, killed when the test is over.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Running {
    fn start(config: &NamedTempFile, port: u16, environment: &[(&str, &str)]) -> Self {
        let (listen, admin) = (
            format!("server.listen=127.0.0.1:{port}"),
            "admin.listen=127.0.0.1:0",
        );
        let path = config.path().to_str().unwrap();
        let mut command = sidecache(&["run", "--config", path, "--set", &listen, "--set", admin]);
        Self(
            command
                .envs(environment.iter().copied())
                .stdout(Stdio::piped())
                .stderr(Stdio::piped())
                .spawn()
                .unwrap(),
        )
    }

    fn terminate(&self) {
        assert!(
            Command::new("kill")
                .arg(self.0.id().to_string())
                .status()
                .unwrap()
                .success()
        );
    }
}

async fn answers(address: SocketAddr) {
    until("the proxy listens", async || {
        tokio::net::TcpStream::connect(address).await.is_ok()
    })
    .await;
}

#[tokio::test]
async fn an_upstream_that_is_down_at_start_is_502_until_it_is_there() {
    let (upstream, port) = (free_port(), free_port());
    let config = file(&format!(
        "[upstream]\nurl = \"http://127.0.0.1:{upstream}\"\n"
    ));
    let _running = Running::start(&config, port, &[]);
    let address = SocketAddr::from(([127, 0, 0, 1], port));
    answers(address).await;
    let down = get(address, "/a", &[]).await;
    assert_eq!(
        (down.status, down.header("content-type")),
        (502, Some("application/problem+json"))
    );
    assert_eq!(down.json()["cause"], "upstream_connect");
    let origin = Origin::on(SocketAddr::from(([127, 0, 0, 1], upstream))).await;
    origin.answer("/a", Reply::ok("here"));
    assert_eq!(get(address, "/a", &[]).await.text(), "here");
}

#[tokio::test]
async fn the_environment_switches_the_cache_off() {
    let origin = Origin::start().await;
    origin.answer("/a", Reply::fresh("a", 60));
    let port = free_port();
    let config = file(&format!(
        "[upstream]\nurl = \"http://{}\"\n",
        origin.address()
    ));
    let _running = Running::start(&config, port, &[("CACHE_ENABLED", "false")]);
    let address = SocketAddr::from(([127, 0, 0, 1], port));
    answers(address).await;
    for _ in 0..2 {
        assert_eq!(
            get(address, "/a", &[]).await.cache_status(),
            "fwd=bypass; detail=disabled"
        );
    }
}

#[tokio::test]
async fn sigterm_drains_and_ends_with_0() {
    let origin = Origin::start().await;
    origin.answer("/a", Reply::ok("slow"));
    origin.hold();
    let port = free_port();
    let config = file(&format!(
        "[log]\nformat = \"json\"\n[upstream]\nurl = \"http://{}\"\n",
        origin.address()
    ));
    let mut running = Running::start(&config, port, &[]);
    let address = SocketAddr::from(([127, 0, 0, 1], port));
    answers(address).await;
    let slow = tokio::spawn(get(address, "/a", &[]));
    until("the request is under way", async || origin.count("/a") == 1).await;
    running.terminate();
    until("nothing new is accepted", async || {
        tokio::net::TcpStream::connect(address).await.is_err()
    })
    .await;
    origin.release();
    assert_eq!(slow.await.unwrap().text(), "slow");
    until("it has ended", async || {
        running.0.try_wait().unwrap().is_some()
    })
    .await;
    assert_eq!(running.0.wait().unwrap().code(), Some(0));
    let mut log = String::new();
    std::io::Read::read_to_string(&mut running.0.stdout.take().unwrap(), &mut log).unwrap();
    let lines: Vec<serde_json::Value> = log
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let access = lines
        .iter()
        .find(|line| line["target"] == "access")
        .expect("an access line");
    assert_eq!(
        (&access["path"], &access["status"]),
        (&"/a".into(), &200.into())
    );
    assert_eq!(access["end"], "complete");
}

/// Whoever sends it wants the configuration read again, as other servers do.
#[tokio::test]
async fn sighup_ends_nothing() {
    let origin = Origin::start().await;
    origin.answer("/a", Reply::ok("here"));
    let port = free_port();
    let url = origin.address();
    let config = file(&format!("[upstream]\nurl = \"http://{url}\"\n"));
    let mut running = Running::start(&config, port, &[]);
    let address = SocketAddr::from(([127, 0, 0, 1], port));
    answers(address).await;
    let process = running.0.id().to_string();
    let sent = Command::new("kill").args(["-HUP", &process]).status();
    assert!(sent.unwrap().success());
    let mut log = BufReader::new(running.0.stdout.take().unwrap()).lines();
    assert!(log.any(|line| line.unwrap().contains("SIGHUP changes nothing")));
    assert_eq!(get(address, "/a", &[]).await.text(), "here");
}

#[test]
fn help_names_every_command_and_the_exit_codes() {
    let output = run(&["--help"]);
    let text = String::from_utf8(output.stdout).unwrap();
    for word in ["run", "check", "Exit code", "REDIS_URL", "CACHE_ENABLED"] {
        assert!(text.contains(word), "{word}: {text}");
    }
}
