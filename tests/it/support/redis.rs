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
    arguments: Vec<String>,
    /// What the test itself connects with.
    url: String,
}

impl Redis {
    /// Starts one. Fails, and does not skip, where there is no redis-server: `make test` installs it.
    pub(crate) fn start() -> Self {
        Self::start_with(free_port(), &[])
    }

    /// Starts one on `port` with more arguments; it must answer without TLS and password there.
    pub(crate) fn start_with(port: u16, arguments: &[&str]) -> Self {
        let mut redis = Self {
            port,
            process: None,
            folder: TempDir::new().unwrap(),
            arguments: arguments.iter().map(|a| (*a).to_owned()).collect(),
            url: format!("redis://127.0.0.1:{port}"),
        };
        redis.start_again();
        redis
    }

    /// Starts a sentinel that watches `primary` as `main`.
    pub(crate) fn sentinel(primary: &Self) -> Self {
        let folder = TempDir::new().unwrap();
        let file = folder.path().join("sentinel.conf");
        let text = format!(
            "sentinel monitor main 127.0.0.1 {} 1\nsentinel down-after-milliseconds main 500\n\
             sentinel failover-timeout main 2000\n",
            primary.port
        );
        std::fs::write(&file, text).unwrap();
        let port = free_port();
        let mut redis = Self {
            port,
            process: None,
            arguments: vec!["--sentinel".to_owned()],
            folder,
            url: format!("redis://127.0.0.1:{port}"),
        };
        redis.run(Command::new("redis-server").arg(file));
        redis
    }

    fn run(&mut self, command: &mut Command) {
        let process = command
            .args(["--port", &self.port.to_string(), "--bind", "127.0.0.1"])
            .args(&self.arguments)
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

    /// Starts it again, empty, on the same port.
    pub(crate) fn start_again(&mut self) {
        assert!(self.process.is_none(), "it runs");
        let mut command = Command::new("redis-server");
        command
            .args(["--save", "", "--appendonly", "no"])
            .args(["--enable-debug-command", "local", "--dir"])
            .arg(self.folder.path());
        self.run(&mut command);
    }

    pub(crate) fn url(&self) -> String {
        self.url.clone()
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// What `command` prints, where it ends well within the patience of a test.
    pub(crate) fn cli(&self, arguments: &[&str]) {
        let port = self.port.to_string();
        let output = Command::new("redis-cli")
            .args(["-h", "127.0.0.1", "-p", &port])
            .args(arguments)
            .output()
            .expect("redis-cli comes with redis-server");
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{arguments:?}: {text}");
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

    /// How often `command` was called since it started, or since `CONFIG RESETSTAT`.
    pub(crate) fn calls(&self, command: &str) -> u64 {
        let stats: String = self.command(&["INFO", "commandstats"]);
        let begin = format!("cmdstat_{command}:calls=");
        let line = stats.lines().find_map(|line| line.strip_prefix(&begin));
        let number = line.and_then(|line| line.split(',').next());
        number.map_or(0, |number| number.parse().unwrap())
    }

    /// Whether it runs and takes writes.
    pub(crate) fn is_primary(&self) -> bool {
        let info = self.try_command::<String>(&["INFO", "replication"]);
        info.is_ok_and(|info| info.contains("role:master"))
    }

    /// Whether it is a replica that has everything.
    pub(crate) fn is_in_step(&self) -> bool {
        let info = self.try_command::<String>(&["INFO", "replication"]);
        info.is_ok_and(|info| info.contains("master_link_status:up"))
    }

    /// The keys, without the purge log.
    /// Whether anything in it reads `text`: the name of a key, a value, or a record of the purge log.
    pub(crate) fn holds(&self, text: &str) -> bool {
        let text = text.as_bytes();
        let keys: Vec<String> = self.command(&["KEYS", "*"]);
        keys.iter().any(|key| {
            let kind: String = self.command(&["TYPE", key]);
            let value: Vec<u8> = match kind.as_str() {
                "string" => self.command(&["GET", key]),
                "stream" => {
                    let records: redis::Value = self.command(&["XRANGE", key, "-", "+"]);
                    format!("{records:?}").into_bytes()
                }
                other => panic!("{key} is a {other}"),
            };
            let all = [key.as_bytes(), b" ", &value].concat();
            all.windows(text.len()).any(|part| part == text)
        })
    }

    pub(crate) fn keys(&self) -> Vec<String> {
        let keys: Vec<String> = self.command(&["KEYS", "*"]);
        keys.into_iter()
            .filter(|key| !key.contains(":purges"))
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

/// A cluster: three primaries, each with a replica. The nodes talk to each other on other ports, 10,000 above.
pub(crate) struct Cluster {
    pub(crate) nodes: Vec<Redis>,
}

impl Cluster {
    pub(crate) fn start() -> Self {
        let arguments = [
            "--cluster-enabled",
            "yes",
            "--cluster-node-timeout",
            "1000",
            "--repl-diskless-sync-delay",
            "0",
        ];
        let nodes: Vec<Redis> = (0..6)
            .map(|_| Redis::start_with(cluster_port(), &arguments))
            .collect();
        let names: Vec<String> = nodes
            .iter()
            .map(|node| format!("127.0.0.1:{}", node.port))
            .collect();
        let names = names.iter().map(String::as_str);
        let create: Vec<&str> = ["--cluster", "create"]
            .into_iter()
            .chain(names)
            .chain(["--cluster-replicas", "1", "--cluster-yes"])
            .collect();
        nodes[0].cli(&create);
        let end = Instant::now() + super::PATIENCE;
        while nodes.iter().filter(|node| node.is_in_step()).count() < 3 {
            assert!(Instant::now() < end, "the replicas do not follow");
            std::thread::sleep(Duration::from_millis(20));
        }
        Self { nodes }
    }

    pub(crate) fn url(&self) -> String {
        let names = self
            .nodes
            .iter()
            .map(|node| format!("127.0.0.1:{}", node.port));
        format!("redis+cluster://{}", names.collect::<Vec<_>>().join(","))
    }

    /// Every key of every node that is a primary now, without the purge log.
    pub(crate) fn keys(&self) -> Vec<(&Redis, String)> {
        let of = |node| {
            let keys = Redis::try_command::<Vec<String>>(node, &["KEYS", "*"]).unwrap_or_default();
            keys.into_iter().map(move |key| (node, key))
        };
        let primaries = self.nodes.iter().filter(|node| node.is_primary());
        let keys = primaries.flat_map(of);
        keys.filter(|(_, key)| !key.contains(":purges")).collect()
    }
}

/// A free port whose neighbour 10,000 above exists and is free too.
fn cluster_port() -> u16 {
    loop {
        let port = 12_000 + fastrand::u16(..10_000); // both below the ports that systems hand out
        let free = |port| TcpListener::bind(("127.0.0.1", port)).is_ok();
        if free(port) && free(port + 10_000) {
            return port;
        }
    }
}
