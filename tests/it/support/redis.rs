//! A redis-server of the test's own, on a free port, that it may kill, stop and start again.

use std::{
    net::TcpListener,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};
use tempfile::TempDir;

/// See the module docs.
pub(crate) struct Redis {
    port: u16,
    process: Option<Child>,
    folder: TempDir,
}

impl Redis {
    /// Starts one. Fails, and does not skip, where there is no redis-server: `make test` installs it.
    pub(crate) fn start() -> Self {
        let mut redis = Self {
            port: free_port(),
            process: None,
            folder: TempDir::new().unwrap(),
        };
        redis.start_again();
        redis
    }

    /// Starts it again, empty, on the same port.
    pub(crate) fn start_again(&mut self) {
        assert!(self.process.is_none(), "it runs");
        let port = self.port.to_string();
        let process = Command::new("redis-server")
            .args([
                "--port",
                &port,
                "--bind",
                "127.0.0.1",
                "--save",
                "",
                "--appendonly",
                "no",
            ])
            .args(["--enable-debug-command", "local", "--dir"])
            .arg(self.folder.path())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("redis-server is installed; `make test` does that");
        self.process = Some(process);
        let end = Instant::now() + super::PATIENCE;
        while self.try_command::<String>(&["PING"]).is_err() {
            assert!(Instant::now() < end, "redis-server does not answer");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    pub(crate) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// `kill -9`.
    pub(crate) fn kill(&mut self) {
        let mut process = self.process.take().expect("it runs");
        process.kill().unwrap();
        process.wait().unwrap();
    }

    /// Stops answering while its connections stay open.
    pub(crate) fn freeze(&self) {
        self.signal("-STOP");
    }

    /// Answers again.
    pub(crate) fn thaw(&self) {
        self.signal("-CONT");
    }

    fn signal(&self, signal: &str) {
        let id = self.process.as_ref().expect("it runs").id().to_string();
        assert!(
            Command::new("kill")
                .args([signal, &id])
                .status()
                .unwrap()
                .success()
        );
    }

    pub(crate) fn command<T: redis::FromRedisValue>(&self, words: &[&str]) -> T {
        self.try_command(words).unwrap()
    }

    pub(crate) fn try_command<T: redis::FromRedisValue>(
        &self,
        words: &[&str],
    ) -> redis::RedisResult<T> {
        let mut connection = redis::Client::open(self.url())?.get_connection()?;
        let mut command = redis::cmd(words[0]);
        words[1..].iter().for_each(|word| {
            command.arg(*word);
        });
        command.query(&mut connection)
    }

    /// The keys, without the purge log.
    pub(crate) fn keys(&self) -> Vec<String> {
        let keys: Vec<String> = self.command(&["KEYS", "*"]);
        keys.into_iter()
            .filter(|key| !key.ends_with(":purges"))
            .collect()
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        if let Some(mut process) = self.process.take() {
            let _ = process.kill();
            let _ = process.wait();
        }
    }
}

/// A port that is free now.
pub(crate) fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port()
}
