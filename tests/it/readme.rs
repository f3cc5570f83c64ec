//! The README's sessions are real: each command is run and what it prints is compared.
//!
//! `BLESS=1 cargo test --features demo readme` writes what was printed into the README.

use crate::{
    demo,
    support::{Proxy, proxy},
};
use sidecache::{
    app::App,
    clock::{Clock, Manual},
    config::Config,
    demo::{Demo, Settings},
};
use std::{
    fs,
    net::SocketAddr,
    path::Path,
    process::Stdio,
    time::{Duration, SystemTime},
};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

const README: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/README.md");
const CONFIG: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/proxy.toml");

/// What differs from run to run, replaced by what does not.
fn steady(line: &str) -> String {
    let lower = line.to_ascii_lowercase();
    for volatile in ["date: ", "x-request-id: ", "etag: \"", "content-length: "] {
        if lower.starts_with(volatile) {
            let suffix = if lower.contains("-gzip\"") {
                "-gzip"
            } else {
                ""
            };
            return format!("{volatile}…{suffix}");
        }
    }
    match (line.find("dur="), line.find(";desc")) {
        (Some(from), Some(to)) => format!("{}dur=…{}", &line[..from], &line[to..]),
        _ => line.trim_end().to_owned(),
    }
}

/// The session's world: a folder with `proxy.toml`, a backend, a proxy, a shell that remembers its variables.
struct World {
    folder: TempDir,
    backend: Demo,
    proxy: Proxy,
    clock: Manual,
    variables: String,
}

impl World {
    async fn new() -> Self {
        demo::profiled();
        let folder = TempDir::new().unwrap();
        fs::copy(CONFIG, folder.path().join("proxy.toml")).unwrap();
        let backend = Demo::start(Settings::default(), CancellationToken::new())
            .await
            .unwrap();
        let (proxy, clock) = start(folder.path(), backend.address()).await;
        Self {
            folder,
            backend,
            proxy,
            clock,
            variables: String::new(),
        }
    }

    async fn restart(&mut self) {
        (self.proxy, self.clock) = start(self.folder.path(), self.backend.address()).await;
    }

    async fn run(&mut self, command: &str) -> String {
        if let Some(seconds) = command.strip_prefix("sleep ") {
            self.clock
                .advance(Duration::from_secs(seconds.parse().unwrap()));
            return String::new();
        }
        let program = Path::new(env!("CARGO_BIN_EXE_sidecache"))
            .parent()
            .unwrap()
            .display()
            .to_string();
        let script = format!("PATH={program}:$PATH\n{}\n{command} 2>&1", self.variables)
            .replace("localhost:8080", &self.proxy.address().to_string())
            .replace("cargo run -q --release --features demo --", "sidecache");
        if let Some((name, _)) = command
            .split_once('=')
            .filter(|(name, _)| is_variable(name))
        {
            // Its value is kept, not the command: running that again would be another request.
            let value = run(
                &format!("{script}\nprintf %s \"${name}\""),
                self.folder.path(),
            )
            .await;
            self.variables += &format!("{name}='{value}'\n");
            return String::new();
        }
        run(&script, self.folder.path()).await
    }
}

fn is_variable(name: &str) -> bool {
    name.bytes().all(|b| b.is_ascii_lowercase())
}

async fn run(script: &str, folder: &Path) -> String {
    let mut shell = tokio::process::Command::new("sh");
    shell
        .arg("-c")
        .arg(script)
        .current_dir(folder)
        .stdin(Stdio::null());
    let output = shell.output().await.unwrap();
    String::from_utf8(output.stdout).unwrap().replace('\r', "")
}

async fn start(folder: &Path, backend: SocketAddr) -> (Proxy, Manual) {
    let set = [
        "server.listen=127.0.0.1:0",
        "admin.listen=127.0.0.1:0",
        &format!("upstream.url=http://{backend}"),
        "log.access=false",
    ]
    .map(str::to_owned);
    let config = Config::load(&folder.join("proxy.toml"), &set, &|_| None).unwrap();
    let clock = Manual::at(SystemTime::now());
    let app = App::start(config, Clock::Manual(clock.clone()))
        .await
        .unwrap();
    (proxy::Proxy::of(app, clock.clone()), clock)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_sessions_of_the_readme_are_real() {
    let readme = fs::read_to_string(README).unwrap();
    let mut world = World::new().await;
    let (mut written, mut expected, mut printed) = (String::new(), Vec::new(), Vec::new());
    let (mut in_session, mut commands) = (false, 0);
    for line in readme.lines() {
        if line.starts_with("```") {
            in_session = line == "```console";
        } else if in_session && line.starts_with("# Ctrl-C") {
            world.restart().await;
        } else if let Some(command) = line.strip_prefix("$ ").filter(|_| in_session) {
            commands += 1;
            let output = world.run(command).await;
            written += &format!("{line}\n");
            for output in output.trim_end().lines() {
                printed.push(steady(output));
                written += &format!("{}\n", output.trim_end());
            }
            continue;
        } else if in_session {
            expected.push(steady(line));
            continue;
        }
        written += &format!("{line}\n");
    }
    assert!(commands > 10, "there are sessions");
    if std::env::var_os("BLESS").is_some() {
        fs::write(README, written).unwrap();
    } else {
        assert_eq!(expected, printed);
    }
}
