//! The sessions in the documents are real: each command is run and what it prints is compared.
//!
//! `BLESS=1 cargo test --features demo sessions` writes what was printed into them.

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
    path::{Path, PathBuf},
    process::Stdio,
    time::{Duration, SystemTime},
};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

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
        fs::copy(
            Path::new(ROOT).join("proxy.toml"),
            folder.path().join("proxy.toml"),
        )
        .unwrap();
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
            .replace("localhost:9901", &self.proxy.admin().to_string())
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

/// What a document says that its commands print, and what they print.
#[derive(Default)]
struct Said {
    commands: usize,
    expected: Vec<String>,
    printed: Vec<String>,
    /// The document with what they print.
    written: String,
}

/// Runs the sessions of a document, one after the other in one world.
async fn said(text: &str) -> Said {
    let mut world = World::new().await;
    let mut said = Said::default();
    let mut in_session = false;
    for line in text.lines() {
        if line.starts_with("```") {
            in_session = line == "```console";
        } else if in_session && line.starts_with("# Ctrl-C") {
            world.restart().await;
        } else if let Some(command) = line.strip_prefix("$ ").filter(|_| in_session) {
            said.commands += 1;
            let output = world.run(command).await;
            said.written += &format!("{line}\n");
            for output in output.trim_end().lines() {
                said.printed.push(steady(output));
                said.written += &format!("{}\n", output.trim_end());
            }
            continue;
        } else if in_session {
            said.expected.push(steady(line));
            continue;
        }
        said.written += &format!("{line}\n");
    }
    said
}

/// The README and what is in `docs`, as far as they have sessions.
fn documents() -> Vec<PathBuf> {
    let docs = fs::read_dir(Path::new(ROOT).join("docs")).unwrap();
    let docs = docs.map(|entry| entry.unwrap().path());
    let readme = Path::new(ROOT).join("README.md");
    let mut documents: Vec<_> = std::iter::once(readme)
        .chain(docs.filter(|path| path.extension().is_some_and(|e| e == "md")))
        .filter(|path| fs::read_to_string(path).unwrap().contains("\n```console\n"))
        .collect();
    documents.sort();
    documents
}

#[tokio::test(flavor = "multi_thread")]
async fn the_sessions_in_the_documents_are_real() {
    let documents = documents();
    let bless = std::env::var_os("BLESS").is_some();
    let mut commands = 0;
    for document in &documents {
        let said = said(&fs::read_to_string(document).unwrap()).await;
        commands += said.commands;
        if bless {
            fs::write(document, said.written).unwrap();
        } else {
            assert_eq!(said.expected, said.printed, "{}", document.display());
        }
    }
    assert!(commands > 10, "there are sessions");
}
