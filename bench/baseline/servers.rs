//! The databases and Redis.

use crate::{
    Failure, error,
    process::{NOBODY, Process, Start, free_address},
};
use redis::aio::MultiplexedConnection;
use std::{
    env, fs,
    net::SocketAddr,
    os::unix::fs::{MetadataExt as _, chown},
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};
use tokio::{net::TcpStream, time::timeout};

const PATIENCE: Duration = Duration::from_secs(30);

/// A redis-server without a file, with the limit and the eviction of config/redis.conf.
pub(crate) struct Redis {
    pub(crate) process: Process,
    pub(crate) url: String,
    connection: MultiplexedConnection,
}

/// A PostgreSQL server with a database for the demo.
pub(crate) struct Postgres {
    pub(crate) process: Process,
    pub(crate) url: String,
}

// === impl Redis ===

impl Redis {
    pub(crate) async fn start(folder: &Path) -> Result<Self, Failure> {
        let address = free_address()?;
        let arguments = format!(
            "--port {} --bind 127.0.0.1 --maxmemory 512mb --maxmemory-policy allkeys-lru --appendonly no --save",
            address.port()
        );
        let mut arguments: Vec<String> = arguments.split(' ').map(str::to_owned).collect();
        arguments.push(String::new());
        let process = Process::start(Start {
            name: "redis-server",
            folder,
            program: "redis-server".into(),
            arguments,
            environment: Vec::new(),
            signal: "TERM",
            as_nobody: false,
        })?;
        process.wait(PATIENCE, || listens(address)).await?;
        let url = format!("redis://{address}");
        let client = redis::Client::open(url.as_str())?;
        let connection = client.get_multiplexed_async_connection().await?;
        Ok(Self {
            process,
            url,
            connection,
        })
    }

    async fn ask<T: redis::FromRedisValue>(&self, command: &str) -> Result<T, Failure> {
        let mut connection = self.connection.clone();
        let mut words = command.split(' ');
        let mut command = redis::cmd(words.next().unwrap_or_default());
        words.for_each(|word| {
            command.arg(word);
        });
        let answer = timeout(PATIENCE, command.query_async(&mut connection)).await;
        let answer = answer.map_err(|_| self.process.failure("does not answer"))?;
        Ok(answer?)
    }

    pub(crate) async fn empty(&self) -> Result<(), Failure> {
        self.ask("FLUSHALL").await
    }

    /// How many answers it holds, and the log of purges.
    pub(crate) async fn keys(&self) -> Result<u64, Failure> {
        self.ask("DBSIZE").await
    }

    pub(crate) async fn version(&self) -> Result<String, Failure> {
        let info: String = self.ask("INFO server").await?;
        let line = info
            .lines()
            .find_map(|line| line.strip_prefix("redis_version:"));
        Ok(line.unwrap_or("?").to_owned())
    }
}

// === impl Postgres ===

impl Postgres {
    /// With the server's own settings; `durable` false leaves out what only a power cut would show.
    pub(crate) async fn start(folder: &Path, durable: bool) -> Result<Self, Failure> {
        let folder = folder.join("postgresql");
        fs::create_dir(&folder)?;
        let as_nobody = fs::metadata("/proc/self").is_ok_and(|own| own.uid() == 0);
        if as_nobody {
            chown(&folder, Some(NOBODY), Some(NOBODY))?;
        }
        let programs = programs()?;
        init(&programs.join("initdb"), &folder, as_nobody)?;
        let address = free_address()?;
        let mut arguments: Vec<String> = ["-D", "data", "-p"].map(str::to_owned).into();
        arguments.push(address.port().to_string());
        let mut settings = vec!["listen_addresses=127.0.0.1", "unix_socket_directories="];
        if !durable {
            settings.extend(["fsync=off", "full_page_writes=off"]);
        }
        let settings = settings.into_iter().flat_map(|setting| ["-c", setting]);
        arguments.extend(settings.map(str::to_owned));
        let process = Process::start(Start {
            name: "postgres",
            folder: &folder,
            program: programs.join("postgres"),
            arguments,
            environment: vec![("LC_ALL", "C.UTF-8".to_owned())],
            signal: "QUIT",
            as_nobody,
        })?;
        let url = format!("postgres://demo@{address}/postgres");
        process.wait(PATIENCE, || connects(&url)).await?;
        Ok(Self { process, url })
    }
}

async fn connects(url: &str) -> bool {
    use sqlx::{Connection as _, PgConnection};
    match PgConnection::connect(url).await {
        Ok(connection) => connection.close().await.is_ok(),
        Err(_) => false,
    }
}

fn init(program: &Path, folder: &Path, as_nobody: bool) -> Result<(), Failure> {
    use std::os::unix::process::CommandExt as _;
    let mut command = Command::new(program);
    command
        .args(["-D", "data", "-U", "demo", "--auth=trust", "--no-sync"])
        .args(["--encoding=UTF8", "--locale=C.UTF-8"])
        .current_dir(folder)
        .env("HOME", folder)
        .env("LC_ALL", "C.UTF-8");
    if as_nobody {
        command.uid(NOBODY).gid(NOBODY);
    }
    let output = command.output()?;
    if output.status.success() {
        return Ok(());
    }
    let text = String::from_utf8_lossy(&output.stderr);
    Err(error(format!("initdb: {}\n{text}", output.status)))
}

/// The folder with the newest `initdb` and `postgres`: one of the PATH, or where Debian puts them.
fn programs() -> Result<PathBuf, Failure> {
    let has_both = |folder: &PathBuf| {
        let programs = ["initdb", "postgres"].iter();
        programs
            .map(|name| folder.join(name))
            .all(|program| program.is_file())
    };
    let path = env::var_os("PATH").unwrap_or_default();
    let mut debian: Vec<PathBuf> = fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .filter_map(|version| Some(version.ok()?.path().join("bin")))
        .collect();
    debian.sort();
    let mut found = env::split_paths(&path).chain(debian.into_iter().rev());
    let found = found.find(has_both);
    found.ok_or_else(|| error("PostgreSQL is not installed; `make tools` does that".to_owned()))
}

pub(crate) async fn listens(address: SocketAddr) -> bool {
    TcpStream::connect(address).await.is_ok()
}
