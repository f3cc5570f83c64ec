//! The program itself, as a process of its own that can be killed and whose memory can be read.

use super::{Origin, get, redis::free_port, until};
use std::{
    io::Write,
    net::SocketAddr,
    process::{Child, ChildStdout, Command, Stdio},
};
use tempfile::NamedTempFile;

/// What the program logs where nobody reads it.
const QUIET: &str = "access = false\nlevel = \"error\"";

/// See the module docs.
pub(crate) struct Process {
    child: Child,
    address: SocketAddr,
    admin: SocketAddr,
    _config: NamedTempFile,
}

impl Process {
    /// Runs it before `origin`, with `toml` added to the smallest configuration, until it is alive.
    pub(crate) async fn start(origin: &Origin, toml: &str) -> Self {
        Self::with_server(origin, "max_connections = 20000\n", toml).await
    }

    /// The same with `server` in `[server]`.
    pub(crate) async fn with_server(origin: &Origin, server: &str, toml: &str) -> Self {
        Self::run(origin.address(), server, (QUIET, Stdio::null()), toml).await
    }

    /// The same before whatever listens at `upstream`.
    pub(crate) async fn before(upstream: SocketAddr, toml: &str) -> Self {
        Self::run(upstream, "", (QUIET, Stdio::null()), toml).await
    }

    /// With a line of JSON for each request, which somebody has to read.
    pub(crate) async fn logging(origin: &Origin) -> (Self, ChildStdout) {
        let log = "format = \"json\"";
        let server = "max_connections = 20000\n";
        let mut process = Self::run(origin.address(), server, (log, Stdio::piped()), "").await;
        let lines = process.child.stdout.take().unwrap();
        (process, lines)
    }

    async fn run(
        upstream: SocketAddr,
        server: &str,
        (log, stdout): (&str, Stdio),
        toml: &str,
    ) -> Self {
        let [address, admin] =
            [free_port(), free_port()].map(|port| SocketAddr::from(([127, 0, 0, 1], port)));
        let mut config = NamedTempFile::new().unwrap();
        write!(
            config,
            "[server]\nlisten = \"{address}\"\n{server}[admin]\nlisten = \"{admin}\"\nopen = true\n\
             [log]\n{log}\n[upstream]\nurl = \"http://{upstream}\"\n{toml}"
        )
        .unwrap();
        let child = Command::new(env!("CARGO_BIN_EXE_sidecache"))
            .args(["run", "--config"])
            .arg(config.path())
            .stdout(stdout)
            .env_remove("RUST_LOG")
            .spawn()
            .unwrap();
        until("it listens", async || {
            tokio::net::TcpStream::connect(admin).await.is_ok()
        })
        .await;
        Self {
            child,
            address,
            admin,
            _config: config,
        }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// The value of one line of the exposition, 0 where there is none.
    pub(crate) async fn metric(&self, line: &str) -> f64 {
        let answer = get(self.admin, "/metrics", &[]).await;
        let value = answer
            .text()
            .lines()
            .find_map(|l| l.strip_prefix(line)?.strip_prefix(' '));
        value.map_or(0.0, |value| value.parse().unwrap())
    }

    pub(crate) fn admin(&self) -> SocketAddr {
        self.admin
    }

    /// Resident memory, in MiB.
    pub(crate) fn resident(&self) -> f64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kib = line
            .and_then(|line| line.trim().strip_suffix(" kB"))
            .unwrap();
        kib.trim().parse::<f64>().unwrap() / 1024.0
    }

    /// How many files and sockets it has open. Asking for its metrics opens one, for a moment.
    pub(crate) fn open_files(&self) -> usize {
        let files = std::fs::read_dir(format!("/proc/{}/fd", self.child.id()));
        files.unwrap().count()
    }

    /// It stands still, with everything that it has open.
    pub(crate) fn freeze(&self) {
        self.signal("-STOP");
    }

    /// It goes on.
    pub(crate) fn thaw(&self) {
        self.signal("-CONT");
    }

    fn signal(&self, signal: &str) {
        let id = self.child.id().to_string();
        let sent = Command::new("kill").args([signal, &id]).status();
        assert!(sent.unwrap().success());
    }

    /// SIGTERM: it drains. Returns when it has ended.
    pub(crate) async fn end(&mut self) {
        self.signal("-TERM");
        until("it has ended", async || {
            self.child.try_wait().unwrap().is_some()
        })
        .await;
    }

    /// `kill -9`.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
